"""Training time of each method of the common recipe of image tags, as a multiple of plain maps, in one run.

    python benchmarks/image_tags_time.py    # lesson size, 60 steps a stage, one thread, about two minutes

A cell's time in training steps is taken, both stages together, after one round that does not count. In each round every
arm is run once; the ratio is taken within a round, and the median over rounds is told.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

import torch

from labelkit import runs
from labelkit.experiments import image_tags
from labelkit.experiments.settings import Context
from labelkit.publish.benchmarks import write


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--run", type=Path, default=runs.ROOT / "data" / "runs" / "image_tags" / "lesson.yaml")
    parser.add_argument("--steps", type=int, default=60, help="of each stage; the run file's ratio of stages is kept")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the results there")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    lesson = runs.load(args.run)
    settings = lesson.model_copy(
        update={
            "steps": args.steps,
            "segmentation_steps": round(args.steps * lesson.segmentation_steps / lesson.steps),
            "images": args.images,
            "test_images": 8,
            "counts": [1],
            "data": ["objects"],
            "pretraining": "none",
        }
    )
    times: dict[str, list[float]] = {arm: [] for arm in lesson.arms}
    for number in range(args.rounds + 1):
        for arm in lesson.arms:
            with tempfile.TemporaryDirectory() as folder:
                context = Context(device=args.device, workspace=Path(folder), shared=Path(folder), identity=arm)
                seconds = image_tags.run(arm, "objects", 0, settings, context).train_seconds
            if number:
                times[arm].append(seconds)
    ratios = {
        arm: statistics.median(one / plain for one, plain in zip(taken, times["cam"])) for arm, taken in times.items()
    }
    for arm, ratio in ratios.items():
        print(f"{arm:<16}{statistics.median(times[arm]):>8.2f} s {ratio:>8.2f} times plain maps")
    if args.json:
        settings = {k: str(v) if isinstance(v, Path) else v for k, v in vars(args).items() if k not in ("json", "run")}
        write(args.json, {"settings": settings, "ratio": ratios}, args.device, args.threads)


if __name__ == "__main__":
    main()
