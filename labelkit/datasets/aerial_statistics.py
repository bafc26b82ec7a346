"""Statistics of aerial scenes, as in the figures of iSAID's paper [zamir2019isaid].

Objects are small, medium or large by two definitions that are easily taken for one another. The statistics of the paper
count an object as small from 10 to 144 pixels of area, as medium up to 1,024, and as large above. The evaluation of the
devkit squares its numbers: small from 10^2, medium from 144^2, large from 512^2 square pixels. Most vehicles are in no
bin of the latter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

# Least and largest area; the ends of the statistics are the next bin's, those of the evaluation belong to both.
STATISTICS_BINS: Mapping[str, tuple[float, float]] = {"small": (10, 144), "medium": (144, 1024), "large": (1024, 1e10)}
EVALUATION_BINS: Mapping[str, tuple[float, float]] = {
    "small": (10**2, 144**2), "medium": (144**2, 512**2), "large": (512**2, 1e10)
}  # fmt: skip


@dataclass(frozen=True)
class Instances:
    """All instances of a set, one entry each.

    Attributes:
        scene: (n,) index of its scene.
        label: (n,) class id from 1.
        area: (n,) pixels.
        width, height: (n,) of its upright box, pixels.
        scenes: number of scenes, also those without an instance.
        classes: names; the position is the class id.
    """

    scene: np.ndarray
    label: np.ndarray
    area: np.ndarray
    width: np.ndarray
    height: np.ndarray
    scenes: int
    classes: tuple[str, ...]

    def per_scene(self) -> np.ndarray:
        """Instances of each scene, (scenes,)."""
        return np.bincount(self.scene, minlength=self.scenes)

    def per_class(self) -> dict[str, int]:
        """Instances of each class by name, classes that do not occur included."""
        counts = np.bincount(self.label, minlength=len(self.classes))
        return {name: int(count) for name, count in zip(self.classes[1:], counts[1:])}

    def areas_by_class(self) -> dict[str, np.ndarray]:
        """Areas of the instances of each class that occurs, by name."""
        return {self.classes[label]: self.area[self.label == label] for label in np.unique(self.label).tolist()}

    def aspect_ratio(self) -> np.ndarray:
        """Longer over shorter side of the upright box, (n,), at least 1."""
        return np.maximum(self.width, self.height) / np.maximum(np.minimum(self.width, self.height), 1)

    def area_span(self) -> np.ndarray:
        """Largest over smallest area in each scene that has instances."""
        found = [self.area[self.scene == scene] for scene in np.unique(self.scene)]
        return np.array([areas.max() / areas.min() for areas in found])

    def imbalance(self) -> float:
        """Instances of the most frequent class over those of the rarest that occurs; NaN without an instance."""
        counts = [count for count in self.per_class().values() if count]
        return max(counts) / min(counts) if counts else float("nan")

    def size_shares(self, bins: Mapping[str, tuple[float, float]] = STATISTICS_BINS) -> dict[str, float]:
        """Share of instances in each bin, and in none of them as ``none``; an area on a border counts in the lower bin.

        Args:
            bins: `STATISTICS_BINS` or `EVALUATION_BINS`.
        """
        total, free = max(len(self.area), 1), np.ones(len(self.area), bool)
        shares = {}
        for name, (low, high) in bins.items():
            chosen = free & (self.area >= low) & (self.area <= high)
            free &= ~chosen
            shares[name] = float(chosen.sum() / total)
        return {**shares, "none": float(free.sum() / total)}

    def summary(self) -> dict[str, Any]:
        """The numbers of a table: counts, aspect ratio, spans and shares by both definitions of size."""
        counts, ratio = self.per_scene(), self.aspect_ratio()
        some = len(self.area) > 0
        return {
            "scenes": self.scenes, "instances": len(self.area),
            "instances_per_scene": float(counts.mean()), "most_in_a_scene": int(counts.max(initial=0)),
            "aspect_ratio_mean": float(ratio.mean()) if some else None,
            "aspect_ratio_largest": float(ratio.max()) if some else None,
            "area_span_largest": float(self.area_span().max()) if some else None,
            "imbalance": self.imbalance() if some else None,
            "sizes_statistics": self.size_shares(STATISTICS_BINS),
            "sizes_evaluation": self.size_shares(EVALUATION_BINS),
            "per_class": self.per_class(),
        }  # fmt: skip


def gather(scenes: Any) -> Instances:
    """The instances of a data set of scenes or of patches.

    Args:
        scenes: samples with `instances`, `labels` and `boxes`, and `classes`.

    Raises:
        ValueError: there is no scene.
    """
    if not len(scenes):
        raise ValueError("a data set without a scene was given: at least one was expected")
    rows: dict[str, list[np.ndarray]] = {key: [] for key in ("scene", "label", "area", "width", "height")}
    for number in range(len(scenes)):
        sample = scenes[number]
        labels, boxes = sample["labels"].numpy(), sample["boxes"].numpy()
        rows["scene"].append(np.full(len(labels), number))
        rows["label"].append(labels)
        rows["area"].append(np.bincount(sample["instances"].numpy().ravel(), minlength=len(labels) + 1)[1:])
        rows["width"].append(boxes[:, 2] - boxes[:, 0])
        rows["height"].append(boxes[:, 3] - boxes[:, 1])
    joined = {key: np.concatenate(values) for key, values in rows.items()}
    return Instances(**joined, scenes=len(scenes), classes=tuple(scenes.classes))
