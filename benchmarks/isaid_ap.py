"""Average precision of crowded patches: the library that we take against pycocotools, as a ratio of one run.

    python benchmarks/isaid_ap.py    # 500 patches of 256 x 256, masks, iSAID's settings, one thread; some minutes

The patches are cut from drawn scenes, those with 50 objects and more; the detections are their objects, moved by up to
two pixels, some with another class, with random scores, and a third of another patch's as false alarms. Both libraries
get the same run lengths and the same settings. The largest difference of any precision or recall is printed beside the
ratio.
"""

import argparse
import os
from pathlib import Path

import numpy as np

from labelkit.datasets.aerial_patches import AerialPatches
from labelkit.metrics.instances import InstanceAP
from labelkit.publish.benchmarks import write
from labelkit.publish.timing import seconds
from labelkit.worlds.aerial import CLASSES, Aerial

LEAST = 50  # objects of a crowded patch


def crowded(patches: int, side: int) -> list[dict]:
    """Patches with at least `LEAST` objects."""
    found: list[dict] = []
    number = 0
    while len(found) < patches:
        cut = AerialPatches(Aerial("train", 1, 1000, 1000, seed=number), side, side // 4)
        found += [sample for sample in (cut[index] for index in range(len(cut))) if len(sample["labels"]) >= LEAST]
        number += 1
    return found[:patches]


def detections(sample: dict, other: dict, rng: np.random.Generator) -> dict:
    """Objects of a patch, moved, and those of another one."""
    moved = np.roll(sample["instances"].numpy(), rng.integers(-2, 3, 2), (0, 1))
    masks = [moved == number for number in range(1, len(sample["labels"]) + 1)]
    masks += [other["instances"].numpy() == number for number in range(1, len(other["labels"]) + 1, 3)]
    labels = np.concatenate([sample["labels"].numpy(), other["labels"].numpy()[::3]])
    labels = np.where(rng.random(len(labels)) < 0.1, rng.integers(1, 16, len(labels)), labels)
    return {"masks": np.stack(masks), "labels": labels, "scores": rng.random(len(labels))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--patches", type=int, default=500)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--kind", default="mask", choices=("mask", "box"))
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the results there")
    args = parser.parse_args()

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # one core for both
    rng = np.random.default_rng(0)
    samples = crowded(args.patches, args.side)
    ap = InstanceAP(CLASSES[1:], (args.kind,), (1, 10, 1000))
    for sample, other in zip(samples, [*samples[1:], samples[0]]):
        ap.update(detections(sample, other, rng), sample)
    scores: dict = {}

    def score(library: str) -> None:
        ap.library = library
        scores[library] = ap.compute()[args.kind]

    times: dict[str, list[float]] = {"faster-coco-eval": [], "pycocotools": []}
    for _ in range(args.rounds):
        for library, taken in times.items():
            taken.append(seconds(lambda library=library: score(library)))
    ours, theirs = scores.values()
    difference = max(
        float(np.abs(ours.precision - theirs.precision).max()), float(np.abs(ours.recall - theirs.recall).max())
    )
    fast, slow = (float(np.median(taken)) for taken in times.values())
    objects = sum(len(sample["labels"]) for sample in samples)
    print(f"{len(samples)} patches, {objects} objects, AP {ours.ap():.4f}")
    print(f"faster-coco-eval {fast:8.2f} s\npycocotools      {slow:8.2f} s\nratio            {slow / fast:8.1f}")
    print(f"largest difference {difference:.1e}")
    if args.json:
        settings = {k: v for k, v in vars(args).items() if k != "json"}
        figures = {
            "settings": settings, "objects": objects, "ap_faster_seconds": fast, "ap_pycocotools_seconds": slow,
            "ap_speedup": slow / fast, "ap_difference": difference,
        }  # fmt: skip
        write(args.json, figures, "cpu", 1, ("pycocotools", "faster-coco-eval"), part="average_precision")


if __name__ == "__main__":
    main()
