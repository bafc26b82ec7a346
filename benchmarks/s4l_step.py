"""An S4L-Rotation step against a supervised step on the same four-fold batch, as a ratio of one run.

    python benchmarks/s4l_step.py                    # lesson network, 8 + 8 images of 32 x 32, one thread
    python benchmarks/s4l_step.py --network resnet50v2 --batch 32 --size 224 --classes 1000 --device cuda

Both sides pass the four rotations of the same 16 images through the same body and update it with the same optimiser.
The supervised side has a label for every image. What rotation costs beyond that is its second head and its two losses.
Rounds alternate; the ratio is the median over rounds.
"""

import argparse
import statistics
import time
from pathlib import Path

import torch

from labelkit.losses.rotation import TURNS
from labelkit.methods.s4l import S4LRotation, Supervised
from labelkit.models.lesson_classifier import LessonClassifier
from labelkit.models.resnet_v2 import ResNet50V2
from labelkit.publish.benchmarks import write


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
    sides = {
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
    for name, (method, _) in sides.items():
        method.to(device=args.device, memory_format=torch.channels_last).train()
        optimizers[name] = torch.optim.SGD(method.parameters(), lr=1e-3, momentum=0.9)

    def seconds(name: str) -> float:
        method, batch = sides[name]
        if args.device.startswith("cuda"):
            torch.cuda.synchronize()
        start = time.perf_counter()
        optimizers[name].zero_grad(set_to_none=True)
        method.training_step(batch)["loss"].backward()
        optimizers[name].step()
        if args.device.startswith("cuda"):
            torch.cuda.synchronize()
        return time.perf_counter() - start

    for name in ("rotation", "supervised") * 3:
        seconds(name)
    times = []
    for index in range(args.rounds):  # each side comes first in every second round
        order = ("rotation", "supervised") if index % 2 else ("supervised", "rotation")
        times.append({name: seconds(name) for name in order})
    rotation, supervised = (statistics.median(each[name] for each in times) for name in ("rotation", "supervised"))
    ratio = statistics.median(each["rotation"] / each["supervised"] for each in times)
    print(f"{args.network}, four rotations of {args.batch} + {args.batch} images of {args.size} pixels, {args.device}")
    print(f"{'rotation step':<24} {1e3 * rotation:>9.1f} ms")
    print(f"{'supervised step':<24} {1e3 * supervised:>9.1f} ms")
    print(f"{'ratio':<24} {ratio:>9.3f}")
    if args.json:
        settings = {k: v for k, v in vars(args).items() if k != "json"}
        result = {
            "settings": settings,
            "rotation_seconds": rotation,
            "supervised_seconds": supervised,
            "ratio": ratio,
        }
        write(args.json, result, args.device, args.threads)


if __name__ == "__main__":
    main()
