"""A CPS step against two supervised steps on the same joined batch, as a ratio of one run.

    python benchmarks/cps_step.py                    # lesson network, 8 + 8 images of 72 x 96, one thread
    python benchmarks/cps_step.py --network deeplab --height 512 --width 512 --classes 21 --device cuda

Both sides update the same two networks with the same optimiser and see the same 16 images: CPS half of them without
labels, the supervised step all of them with labels. What CPS costs beyond that is its extra loss and two passes of half
the batch instead of one of the whole. Rounds alternate; the ratio is the median over rounds.
"""

import argparse
from pathlib import Path

import torch

from labelkit.losses.cross_entropy import cross_entropy
from labelkit.methods.cps import CPS
from labelkit.models.deeplab import DeepLabV3Plus
from labelkit.models.lesson import LessonNet
from labelkit.publish.benchmarks import write
from labelkit.publish.timing import compare


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--network", choices=("lesson", "deeplab"), default="lesson")
    parser.add_argument("--batch", type=int, default=8, help="labelled images, and as many unlabelled")
    parser.add_argument("--height", type=int, default=72)
    parser.add_argument("--width", type=int, default=96)
    parser.add_argument("--classes", type=int, default=11)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the results there")
    args = parser.parse_args()

    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    build = LessonNet if args.network == "lesson" else DeepLabV3Plus
    networks = [build(args.classes).to(args.device).train() for _ in range(2)]
    method = CPS(*networks, weight=1.5)
    optimizer = torch.optim.SGD(method.parameters(), lr=1e-3, momentum=0.9)
    images = torch.rand(2 * args.batch, 3, args.height, args.width, device=args.device)
    masks = torch.randint(0, args.classes, (2 * args.batch, args.height, args.width), device=args.device)
    batch = {
        "labelled": {"image": images[: args.batch], "mask": masks[: args.batch]},
        "unlabelled": {"image": images[args.batch :]},
    }

    def cps_step() -> None:
        optimizer.zero_grad(set_to_none=True)
        method.training_step(batch)["loss"].backward()
        optimizer.step()

    def two_supervised_steps() -> None:
        optimizer.zero_grad(set_to_none=True)
        for network in networks:
            cross_entropy(network(images), masks).backward()
        optimizer.step()

    sides = {"cps": ("CPS step", cps_step), "supervised": ("two supervised steps", two_supervised_steps)}
    title = f"{args.network}, {args.batch} + {args.batch} images of {args.height} x {args.width}, {args.device}"
    figures = compare(sides, args.rounds, args.device, title)
    if args.json:
        settings = {k: v for k, v in vars(args).items() if k != "json"}
        write(args.json, {"settings": settings} | figures, args.device, args.threads)


if __name__ == "__main__":
    main()
