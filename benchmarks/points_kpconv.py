"""A rigid KPConv layer against its definition with gathered tensors, forward and backward, as a ratio of one run.

    python benchmarks/points_kpconv.py    # 60,000 points, 64 -> 64 channels, 30 neighbours, one thread
    python benchmarks/points_kpconv.py --device cuda --points 200000

The other side gathers the features of all neighbours, (points x neighbours x channels), and contracts them with the
influences and the weights by einsum; both sides compute the influences. Rounds alternate; the ratio is the median over
rounds of the gathered side's time over ours. Under Linux the most memory that each side adds is told, too, each side in
a process of its own.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import torch
from torch import Tensor

from labelkit.datasets.point_neighbours import radius_neighbours
from labelkit.models.kpconv import KPConv
from labelkit.publish.benchmarks import write
from labelkit.publish.timing import compare

VOXEL = 0.04


def surfaces(points: int, neighbours: int) -> tuple[Tensor, Tensor]:
    """Points on the walls, floor and ceiling of a hall, at about a point a voxel, and their nearest neighbours."""
    made = torch.Generator().manual_seed(0)
    side = (points * VOXEL**2 / 6) ** 0.5
    xyz = torch.rand(points, 3, generator=made) * side
    face = torch.arange(points) % 6
    xyz[torch.arange(points), face // 2] = (face % 2) * side
    xyz += 0.2 * VOXEL * torch.rand(points, 3, generator=made)
    return xyz, torch.from_numpy(radius_neighbours(xyz.numpy(), xyz.numpy(), 10 * VOXEL, neighbours))


def gathered(layer: KPConv, xyz: Tensor, neighbours: Tensor, features: Tensor) -> Tensor:
    """The same convolution by its definition."""
    padded = torch.cat([xyz, xyz.new_full((1, 3), 1e6)])
    relative = padded[neighbours] - xyz[:, None]  # (M, H, 3)
    distance = (relative[:, :, None] - layer.kernel_points).square().sum(-1).sqrt()  # (M, H, K)
    influences = (1 - distance / layer.extent).clamp_min(0)
    values = torch.cat([features, torch.zeros_like(features[:1])])[neighbours]  # (M, H, C)
    return torch.einsum("mhk,mhc,kco->mo", influences, values, layer.weights)


def kibibytes(key: str) -> int:
    """A line of what Linux tells about this process's memory: VmRSS is what it has, VmHWM the most it had."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return int(next(line for line in lines if line.startswith(f"{key}:")).split()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--points", type=int, default=60_000)
    parser.add_argument("--neighbours", type=int, default=30)
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the results there")
    parser.add_argument("--memory-of", choices=("ours", "gathered"), help=argparse.SUPPRESS)
    args = parser.parse_args()

    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    xyz, neighbours = (each.to(args.device) for each in surfaces(args.points, args.neighbours))
    layer = KPConv(args.channels, args.channels, 2.5 * VOXEL, 1.2 * VOXEL).to(args.device)
    features = torch.randn(args.points, args.channels, device=args.device, requires_grad=True)
    upstream = torch.randn(args.points, args.channels, device=args.device)

    def step(ours: bool) -> Tensor:
        features.grad = layer.weights.grad = None
        found = layer(xyz, xyz, neighbours, features) if ours else gathered(layer, xyz, neighbours, features)
        found.backward(upstream)
        return found

    if args.memory_of:
        before = kibibytes("VmRSS")
        step(args.memory_of == "ours")
        print((kibibytes("VmHWM") - before) / 1024)
        return
    one, grad = step(True).detach(), features.grad.clone()
    torch.testing.assert_close(step(False).detach(), one, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(features.grad, grad, rtol=1e-3, atol=1e-3)
    sides = {
        "gathered": ("gather, then einsum", lambda: step(False)),
        "ours": ("in parts", lambda: step(True)),
    }
    title = (
        f"KPConv, {args.points:,} points, {args.channels} -> {args.channels} channels, {neighbours.shape[1]} "
        f"neighbours, forward and backward, {args.device}"
    )
    figures = compare(sides, args.rounds, args.device, title, warm_up=1)
    if args.device == "cpu" and Path("/proc/self/status").is_file():
        for side in ("gathered", "ours"):
            command = [sys.executable, __file__, "--memory-of", side, "--points", str(args.points)]
            command += ["--neighbours", str(args.neighbours), "--channels", str(args.channels)]
            command += ["--threads", str(args.threads)]
            told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            figures[f"{side}_mib"] = float(told)
            print(f"{sides[side][0]:<24} {figures[f'{side}_mib']:>9.0f} MiB at most")
    if args.json:
        settings = {k: v for k, v in vars(args).items() if k not in ("json", "memory_of")}
        write(args.json, {"settings": settings} | figures, args.device, args.threads, part="convolution")


if __name__ == "__main__":
    main()
