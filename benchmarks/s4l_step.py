"""An S4L-Rotation step against a supervised step on the same four-fold batch, as a ratio of one run.

    python benchmarks/s4l_step.py                    # lesson network, 8 + 8 images of 32 x 32, one thread
    python benchmarks/s4l_step.py --network resnet50v2 --batch 32 --size 224 --classes 1000 --device cuda

Both sides pass the four rotations of the same 16 images through the same body and update it with the same optimiser.
The supervised side has a label for every image. What rotation costs beyond that is its second head and its two losses.
Rounds alternate; the ratio is the median over rounds.
"""

import argparse
from pathlib import Path

import torch

from labelkit.losses.rotation import TURNS
from labelkit.methods.s4l import S4LRotation, Supervised
from labelkit.models.lesson_classifier import LessonClassifier
from labelkit.models.resnet_v2 import ResNet50V2
from labelkit.publish.benchmarks import write
from labelkit.publish.timing import compare


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--network", choices=("lesson", "resnet50v2"), default="lesson")
    parser.add_argument("--batch", type=int, default=8, help="labelled images, and as many unlabelled")
    parser.add_argument("--size", type=int, default=32, help="of a side, in pixels")
    parser.add_argument("--classes", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the results there")
    args = parser.parse_args()

    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    build = LessonClassifier if args.network == "lesson" else ResNet50V2
    images = torch.rand(2 * args.batch, 3, args.size, args.size, device=args.device)
    labels = torch.randint(0, args.classes, (2 * args.batch,), device=args.device)
    half = {"image": images[: args.batch], "label": labels[: args.batch]}
    methods = {
        "rotation": (
            S4LRotation(build({"classes": args.classes, "rotations": TURNS})),
            {"labelled": half, "unlabelled": {"image": images[args.batch :]}},
        ),
        "supervised": (
            Supervised(build({"classes": args.classes}), rotations=True),
            {"labelled": {"image": images, "label": labels}},
        ),
    }
    optimizers = {}
    for name, (method, _) in methods.items():
        method.to(device=args.device, memory_format=torch.channels_last).train()
        optimizers[name] = torch.optim.SGD(method.parameters(), lr=1e-3, momentum=0.9)

    def step(name: str) -> None:
        method, batch = methods[name]
        optimizers[name].zero_grad(set_to_none=True)
        method.training_step(batch)["loss"].backward()
        optimizers[name].step()

    sides = {
        "rotation": ("rotation step", lambda: step("rotation")),
        "supervised": ("supervised step", lambda: step("supervised")),
    }
    title = f"{args.network}, four rotations of {args.batch} + {args.batch} images of {args.size} pixels, {args.device}"
    figures = compare(sides, args.rounds, args.device, title)
    if args.json:
        settings = {k: v for k, v in vars(args).items() if k != "json"}
        write(args.json, {"settings": settings} | figures, args.device, args.threads)


if __name__ == "__main__":
    main()
