"""Object attention against pixel self-attention: peak memory and time of forward and backward, as ratios of one run.

    python benchmarks/ocr_attention.py                        # 512 channels, 128 x 128 grid, 19 regions, fp32
    python benchmarks/ocr_attention.py --grid 64 --device cuda --json out.json

Each measurement runs in a fresh process. On the CPU, memory is the growth of the peak resident size over the size with
the inputs made; on CUDA it is torch.cuda.max_memory_allocated above the inputs. "attention" is the relation and the
weighted sum alone (query, key and value given); "block" adds the convolutions, the fusion and, for OCR, the gather.
Pixel self-attention at 128 x 128 makes maps of 1 GiB: have 8 GiB free.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
from pathlib import Path


def resident_mib() -> float:
    """Resident size of this process in MiB (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def measure(kind: str, part: str, args: argparse.Namespace) -> dict:
    """One variant in this process: {"mib": peak memory, "seconds": best time of forward and backward}."""
    import torch

    from labelkit.models.context import PixelSelfAttention
    from labelkit.models.ocr import OCRBlock, attend
    from labelkit.publish.timing import seconds

    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    device = torch.device(args.device)
    key_channels = args.channels // 2

    def prepare(grid: int):
        pixels = grid * grid
        regions = args.classes if kind == "ocr" else pixels
        if part == "attention":
            inputs = [torch.randn(1, key_channels, n, device=device) for n in (pixels, regions, regions)]
            call = lambda query, key, value: attend(query, key, value)[0]  # noqa: E731
        elif kind == "ocr":
            inputs = [torch.randn(1, c, grid, grid, device=device) for c in (args.channels, args.classes)]
            call = OCRBlock(args.channels, key_channels, args.channels, args.classes).to(device)
        else:
            inputs = [torch.randn(1, args.channels, grid, grid, device=device)]
            call = PixelSelfAttention(args.channels, key_channels, args.channels).to(device)
        return call, [x.requires_grad_() for x in inputs]

    def step(call, inputs) -> float:
        taken = seconds(lambda: call(*inputs).sum().backward(), args.device)
        for x in inputs:
            x.grad = None
        return taken

    step(*prepare(8))  # libraries load their kernels outside the measurement
    call, inputs = prepare(args.grid)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated() / 2**20
    else:
        before = resident_mib()
    times = [step(call, inputs)]
    if device.type == "cuda":
        peak = torch.cuda.max_memory_allocated() / 2**20
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    times += [step(call, inputs) for _ in range(args.repeats - 1)]
    return {"mib": peak - before, "seconds": min(times)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--channels", type=int, default=512)
    parser.add_argument("--grid", type=int, default=128, help="height and width of the feature grid")
    parser.add_argument("--classes", type=int, default=19)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write the results there")
    parser.add_argument("--one", nargs=2, metavar=("KIND", "PART"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(*args.one, args)))
        return
    from labelkit import provenance
    from labelkit.publish.benchmarks import write

    options = [
        f"--{name}={getattr(args, name)}" for name in ("channels", "grid", "classes", "device", "threads", "repeats")
    ]
    results: dict = {"settings": {k: v for k, v in vars(args).items() if k not in ("json", "one")}}
    device = provenance.device(args.device, args.threads, 1)["name"]
    print(f"{args.channels} channels, {args.grid}x{args.grid} grid, {args.classes} regions, fp32, {device}")
    print(f"{'part':<10} {'variant':<15} {'peak MiB':>9} {'seconds':>9}")
    for part in ("attention", "block"):
        for kind in ("ocr", "self-attention"):
            command = [sys.executable, __file__, *options, "--one", kind, part]
            run = subprocess.run(command, capture_output=True, text=True)
            if run.returncode:
                sys.exit(f"{kind} ({part}) failed:\n{run.stderr[-2000:]}")
            results.setdefault(part, {})[kind] = json.loads(run.stdout)
            row = results[part][kind]
            print(f"{part:<10} {kind:<15} {row['mib']:>9.1f} {row['seconds']:>9.3f}", flush=True)
        ocr, pixels = results[part]["ocr"], results[part]["self-attention"]
        ratio = {"memory": pixels["mib"] / max(ocr["mib"], 1e-9), "time": pixels["seconds"] / ocr["seconds"]}
        results[part]["ratio"] = ratio
        print(f"{part:<10} {'ratio':<15} {ratio['memory']:>8.1f}x {ratio['time']:>8.1f}x")
    if args.json:
        write(args.json, results, args.device, args.threads)


if __name__ == "__main__":
    main()
