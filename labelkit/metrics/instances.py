"""Average precision of instances, masks and boxes, with the settings of iSAID [zamir2019isaid].

The numbers are those of pycocotools. Matching and counting are done by a library, by faster-coco-eval where it is
installed. iSAID differs from COCO in two settings: up to 1,000 detections of a class in a patch are scored, not 100;
and objects are small from 10^2 pixels, medium from 144^2, large from 512^2, both ends inclusive. An object under 100
pixels is in no bin of size, but it is among all.

Detections are limited by class and image, as in COCO: a limit of 100 allows 100 vehicles and 100 planes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from labelkit.metrics.instance_coco import evaluate
from labelkit.run_lengths import areas_of, boxes_around, encode_instances, encode_masks

Areas = Mapping[str, tuple[float, float]]
ISAID_AREAS: Areas = {
    "all": (0, 1e10), "small": (10**2, 144**2), "medium": (144**2, 512**2), "large": (512**2, 1e10)
}  # fmt: skip
COCO_AREAS: Areas = {"all": (0, 1e10), "small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1e10)}
# The bins of iSAID's statistics, which are other ones: areas of 10 to 144 to 1,024 pixels, see `aerial_statistics`.
STATISTICS_AREAS: Areas = {"all": (0, 1e10), "small": (10, 144), "medium": (144, 1024), "large": (1024, 1e10)}
ISAID_MAX_DETECTIONS = (1, 10, 1000)
IOUS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True)
class InstanceScores:
    """Precision and recall, and the means that papers print.

    Attributes:
        precision: (10, 101, K, A, M): by IoU .50 to .95, recall 0 to 1, class, area, limit of detections; -1 where
            there is no object.
        recall: (10, K, A, M), likewise.
        labels: K class ids.
        names: K class names.
        areas: A names.
        limits: M limits, ascending.
    """

    precision: np.ndarray
    recall: np.ndarray
    labels: tuple[int, ...]
    names: tuple[str, ...]
    areas: tuple[str, ...]
    limits: tuple[int, ...]

    def ap(
        self, iou: float | None = None, area: str = "all", most: int | None = None, label: int | None = None
    ) -> float:
        """Average precision, 0..1; NaN where there is no object.

        Args:
            iou: one threshold; None for the mean over .50 to .95.
            area: name of a bin.
            most: a limit of detections; None for the largest.
            label: a class id; None for the mean over classes.
        """
        found = self.precision[self._thresholds(iou)][:, :, self._classes(label), *self._bin(area, most)]
        return _mean(found)

    def ar(
        self, iou: float | None = None, area: str = "all", most: int | None = None, label: int | None = None
    ) -> float:
        """Average recall; arguments as of `ap`."""
        return _mean(self.recall[self._thresholds(iou)][:, self._classes(label), *self._bin(area, most)])

    def per_class(
        self, iou: float | None = None, area: str = "all", most: int | None = None
    ) -> dict[str, float | None]:
        """Average precision by class name; None for a class without an object."""
        values = {name: self.ap(iou, area, most, label) for name, label in zip(self.names, self.labels)}
        return {name: None if math.isnan(value) else value for name, value in values.items()}

    def curve(self, iou: float = 0.5, area: str = "all", most: int | None = None) -> np.ndarray:
        """Precision at recall 0, .01, .. 1, mean over the classes with an object, (101,)."""
        found = self.precision[self._thresholds(iou)][0][:, :, *self._bin(area, most)]
        present = found[:, (found > -1).all(0)]
        return present.mean(1) if present.shape[1] else np.full(len(found), math.nan)

    def summary(self) -> dict[str, Any]:
        """The numbers that a record keeps, at the largest limit; None where there is no object."""
        values = {
            "ap": self.ap(), "ap50": self.ap(0.5), "ap75": self.ap(0.75), "ar": self.ar(),
            **{f"ap_{area}": self.ap(area=area) for area in self.areas if area != "all"},
        }  # fmt: skip
        limited = {str(limit): self.ap(most=limit) for limit in self.limits}
        return {
            **{name: _or_none(value) for name, value in values.items()},
            "ap_by_limit": {limit: _or_none(value) for limit, value in limited.items()},
            "ap_by_class": self.per_class(),
        }

    def _thresholds(self, iou: float | None) -> Any:
        if iou is None:
            return slice(None)
        found = np.flatnonzero(np.isclose(IOUS, iou))
        if not len(found):
            raise ValueError(f"no precision at IoU {iou}: one of 0.50, 0.55 to 0.95 was expected")
        return found

    def _classes(self, label: int | None) -> Any:
        return slice(None) if label is None else [self._place(self.labels, label, "class")]

    def _bin(self, area: str, most: int | None) -> tuple[int, int]:
        limit = self.limits[-1] if most is None else most
        return self._place(self.areas, area, "area"), self._place(self.limits, limit, "limit of detections")

    @staticmethod
    def _place(known: tuple, value: Any, what: str) -> int:
        if value not in known:
            raise ValueError(f"no {what} {value!r} was scored: one of {', '.join(map(str, known))} was expected")
        return known.index(value)


class InstanceAP:
    """Gathers patches, kept as run lengths, and scores them together.

    Args:
        classes: names of the classes; their ids are 1, 2 and so on.
        kinds: "mask", "box" or both.
        max_detections: limits by class and patch; matching is done once for all of them.
        areas: bins by name, in square pixels, ends inclusive; the first counts as all.
        library: "fastest" takes faster-coco-eval where it is installed; "pycocotools" or "faster-coco-eval".

    Raises:
        ValueError: a kind is unknown.
    """

    def __init__(
        self,
        classes: Sequence[str],
        kinds: Sequence[str] = ("mask", "box"),
        max_detections: Sequence[int] = (1, 10, 100, 1000),
        areas: Areas = ISAID_AREAS,
        library: str = "fastest",
    ) -> None:
        if unknown := set(kinds) - {"mask", "box"}:
            raise ValueError(f"instances cannot be scored by {unknown.pop()!r}: mask or box was expected")
        self.classes, self.kinds, self.library = tuple(classes), tuple(kinds), library
        self.max_detections, self.areas = tuple(sorted(max_detections)), dict(areas)
        self._images: list[dict[str, Any]] = []
        self._true: list[dict[str, Any]] = []
        self._found: list[dict[str, Any]] = []

    def __len__(self) -> int:
        """Patches seen."""
        return len(self._images)

    def update(self, prediction: Mapping[str, Any], target: Mapping[str, Any]) -> None:
        """Add a patch.

        Args:
            prediction: `scores` (N,), `labels` (N,), `masks` (N, H, W) of 0 and 1 or a list of RLE, `boxes` (N, 4)
                x0, y0, x1, y1. Without `boxes` those of the masks count; for the kind "box" alone masks may be missing.
            target: `labels` (K,) and the objects as `instances` (H, W) with 0 and 1..K, or as `masks` like those of
                the prediction. `boxes` are those of the masks where they are not given.

        Raises:
            ValueError: lengths differ, a label is no class, or masks are missing; nothing was added.
        """
        true = _annotations(target, self.classes, "target", "mask" in self.kinds)
        found = _annotations(prediction, self.classes, "prediction", "mask" in self.kinds)
        scores = np.asarray(prediction["scores"], float).reshape(-1)
        if len(scores) != len(found):
            raise ValueError(f"prediction has {len(found)} labels and {len(scores)} scores: as many were expected")
        number = len(self._images) + 1
        size = next((each["segmentation"]["size"] for each in [*true, *found] if "segmentation" in each), [1, 1])
        self._images.append({"id": number, "height": int(size[0]), "width": int(size[1])})
        for each in true:
            self._true.append({**each, "id": len(self._true) + 1, "image_id": number, "iscrowd": 0})
        for each, score in zip(found, scores.tolist()):
            self._found.append({**each, "id": len(self._found) + 1, "image_id": number, "score": score})

    def compute(self) -> dict[str, InstanceScores]:
        """The scores of all patches so far, by kind.

        Raises:
            ValueError: there was no patch.
            ImportError: no library for it is installed.
        """
        if not self._images:
            raise ValueError("no patch was given to score: at least one was expected")
        categories = [{"id": number, "name": name} for number, name in enumerate(self.classes, 1)]
        truth = {"images": self._images, "annotations": self._true, "categories": categories}
        scores = {}
        for kind in self.kinds:
            found = self._found
            if kind == "mask":  # with a box beside the mask, the libraries take the box's area for that of the mask
                found = [{key: each[key] for key in each if key not in ("bbox", "area")} for each in found]
            scores[kind] = evaluate_coco(truth, found, kind, self.max_detections, self.areas, self.library)
        return scores


def evaluate_coco(
    ground_truth: Mapping[str, Any],
    detections: Sequence[Mapping[str, Any]],
    kind: str = "mask",
    max_detections: Sequence[int] = ISAID_MAX_DETECTIONS,
    areas: Areas = ISAID_AREAS,
    library: str = "fastest",
) -> InstanceScores:
    """Score detections in COCO's format.

    Args:
        ground_truth: COCO's dict with `images`, `annotations` and `categories`; segmentations as RLE or polygons, areas
            as stated there.
        detections: COCO's result list, handed on as it is. A detection with a mask and a box has the area of its box
            in the libraries, which decides whether it counts as a false alarm in a bin: leave the boxes out for masks.
        kind: "mask" or "box".
        max_detections: limits by class and image.
        areas: bins by name, ends inclusive; the first counts as all.
        library: see `InstanceAP`.

    Raises:
        ValueError: the kind is unknown, or a detection names an image or a class that is not in the ground truth.
        ImportError: the library is not installed.
    """
    limits = tuple(sorted(max_detections))
    categories = sorted(ground_truth["categories"], key=lambda category: category["id"])
    labels = tuple(int(category["id"]) for category in categories)
    names = tuple(str(category["name"]) for category in categories)
    precision, recall = evaluate(ground_truth, detections, kind, limits, list(areas.values()), library)
    return InstanceScores(precision, recall, labels, names, tuple(areas), limits)


def _annotations(objects: Mapping[str, Any], classes: tuple[str, ...], what: str, masks: bool) -> list[dict[str, Any]]:
    """Objects of a patch in COCO's form, without ids."""
    labels = np.asarray(objects["labels"]).reshape(-1).astype(int)
    if len(labels) and not (labels.min() >= 1 and labels.max() <= len(classes)):
        wrong = labels[(labels < 1) | (labels > len(classes))][0]
        raise ValueError(f"{what} holds label {wrong}: 1 to {len(classes)} was expected")
    encoded = None
    if "instances" in objects:
        encoded = encode_instances(objects["instances"], len(labels))
    elif "masks" in objects:
        encoded = encode_masks(objects["masks"])
    elif masks or "boxes" not in objects:
        raise ValueError(f"{what} holds neither masks nor instances: one of them was expected")
    if "boxes" in objects:
        boxes = np.asarray(objects["boxes"], float).reshape(-1, 4)
        boxes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1)
    else:
        boxes = boxes_around(encoded or [])
    sizes = {len(labels), len(boxes), len(labels if encoded is None else encoded)}
    if len(sizes) > 1:
        raise ValueError(f"{what} holds {len(labels)} labels, but other numbers of masks or boxes: one was expected")
    areas = boxes[:, 2] * boxes[:, 3] if encoded is None else areas_of(encoded)
    rows = []
    for index, (label, box, area) in enumerate(zip(labels.tolist(), boxes.tolist(), areas.tolist())):
        rows.append({"category_id": label, "bbox": box, "area": area})
        if encoded is not None:
            rows[-1]["segmentation"] = encoded[index]
    return rows


def _mean(values: np.ndarray) -> float:
    scored = values[values > -1]
    return float(scored.mean()) if scored.size else math.nan


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
