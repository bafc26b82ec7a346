"""Mean field of a dense CRF: our filter on the lattice, our exact kernels, and pydensecrf where it is installed.

    python benchmarks/auxsegnet_crf.py                   # 321 x 321, 21 classes, 10 iterations, one thread
    python benchmarks/auxsegnet_crf.py --device cuda     # the exact kernel at full size as well

The picture is drawn: coloured discs before a gradient, with noise; the scores are smooth and follow none of it.
Bilateral kernel (80, 13, compat 10) and Gaussian kernel (3, compat 3) together. pydensecrf is no dependency of ours:
it comes as source alone and needs a compiler (``pip install pydensecrf2``). It computes on the CPU in one thread, on
the lattice as ours does. At full size a CPU would take a quarter of an hour for the exact kernel, which is timed at
64 x 64 there.
"""

import argparse
import importlib.util
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch

from labelkit.crf.mean_field import mean_field
from labelkit.publish.benchmarks import write
from labelkit.publish.timing import seconds


def drawn(size: int, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Unary energies (1, classes, size, size) and a picture (1, 3, size, size) in 0..1 of whole levels."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size] / size
    image = np.stack([90 + 60 * x, 120 - 50 * y, 80 + 30 * x * y])
    for _ in range(12):
        inside = (x - rng.random()) ** 2 + (y - rng.random()) ** 2 < rng.uniform(0.05, 0.2) ** 2
        image[:, inside] = rng.uniform(20, 235, 3)[:, None]
    image = np.clip(np.round(image + rng.normal(0, 4, image.shape)), 0, 255)
    coarse = torch.from_numpy(3 * rng.normal(size=(1, classes, 8, 8))).float()
    scores = torch.nn.functional.interpolate(coarse, (size, size), mode="bilinear")
    return -scores.log_softmax(1), torch.from_numpy(image).float()[None] / 255


def library(unary: torch.Tensor, image: torch.Tensor, iterations: int) -> torch.Tensor:
    """The same with pydensecrf; probabilities (1, C, H, W)."""
    import pydensecrf.densecrf as densecrf

    _, classes, height, width = unary.shape
    crf = densecrf.DenseCRF2D(width, height, classes)
    crf.setUnaryEnergy(np.ascontiguousarray(unary[0].flatten(1).numpy()))
    pixels = (image[0] * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
    crf.addPairwiseGaussian(sxy=3, compat=3)
    crf.addPairwiseBilateral(sxy=80, srgb=13, rgbim=pixels, compat=10)
    return torch.from_numpy(np.array(crf.inference(iterations)).reshape(unary.shape))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=int, default=321, help="of a side, in pixels")
    parser.add_argument("--small", type=int, default=64, help="size for the exact kernel on a CPU")
    parser.add_argument("--classes", type=int, default=21)
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the results there")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    packages = ("pydensecrf2",) if importlib.util.find_spec("pydensecrf") else ()
    full, small = drawn(args.size, args.classes), drawn(args.small, args.classes)
    on_device = {pair: tuple(tensor.to(args.device) for tensor in pair) for pair in (full, small)}

    def ours(pair: tuple, exact: bool) -> Callable[[], torch.Tensor]:
        return lambda: mean_field(*on_device[pair], iterations=args.iterations, exact=exact)

    sides = {"filter": ours(full, False), "filter_small": ours(small, False), "exact_small": ours(small, True)}
    if args.device.startswith("cuda"):
        sides["exact"] = ours(full, True)
    if packages:
        sides["library"] = lambda: library(*full, args.iterations)
        sides["library_small"] = lambda: library(*small, args.iterations)
    beliefs = {name: side().cpu() for name, side in sides.items()}  # warms up as well
    times = []
    for index in range(args.rounds):  # in the other order every second round
        order = list(sides) if index % 2 else list(reversed(sides))
        times.append({name: seconds(sides[name], args.device) for name in order})

    print(f"{args.classes} classes, {args.iterations} iterations, {args.device}, {args.threads} thread(s)")
    figures: dict[str, object] = {"settings": {key: value for key, value in vars(args).items() if key != "json"}}
    for name in sides:
        middle = median(each[name] for each in times)
        size = args.small if name.endswith("small") else args.size
        print(f"{name:<24} {middle:>9.3f} s   {size} x {size} pixels")
        figures[name] = {"seconds": middle}
    if packages:
        ratio = median(each["filter"] / each["library"] for each in times)
        print(f"{'filter / library':<24} {ratio:>9.3f}")
        figures["filter_to_library"] = ratio
    for one, other in (("filter", "library"), ("filter", "exact"), ("filter_small", "exact_small")):
        if one in beliefs and other in beliefs:
            same = (beliefs[one].argmax(1) == beliefs[other].argmax(1)).double().mean().item()
            distance = 0.5 * (beliefs[one] - beliefs[other]).abs().sum(1).mean().item()
            print(f"{one} and {other}: {100 * same:.2f} % equal labels, mean distance of beliefs {distance:.5f}")
            figures[f"{one}_and_{other}"] = {"same_labels": same, "distance": distance}
    if args.json:
        write(args.json, figures, args.device, args.threads, packages, part="crf")


if __name__ == "__main__":
    main()
