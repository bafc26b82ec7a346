"""Which objects are found: recall by object, so that objects can be compared by what is special about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from labelkit.metrics.instance_masks import box_iou, mask_iou
from labelkit.run_lengths import boxes_around, encode_instances, encode_masks


def recalled(
    prediction: Mapping[str, Any], target: Mapping[str, Any], iou: float = 0.5, most: int = 1000, kind: str = "mask"
) -> np.ndarray:
    """Which objects of an image are found.

    Detections of a class are matched from the highest score down, each with the free object of that class that it
    covers best, as in COCO.

    Args:
        prediction, target: as of `InstanceAP.update`.
        iou: intersection over union that a match needs.
        most: detections by class that count.
        kind: "mask" or "box".

    Returns:
        (K,) bool.

    Raises:
        ValueError: the kind is unknown.
    """
    if kind not in ("mask", "box"):
        raise ValueError(f"instances cannot be found by {kind!r}: mask or box was expected")
    labels, classes = (np.asarray(each["labels"]).reshape(-1) for each in (target, prediction))
    scores = np.asarray(prediction["scores"], float).reshape(-1)
    overlaps = (
        mask_iou(_masks(prediction), _masks(target)) if kind == "mask" else box_iou(*map(_boxes, (prediction, target)))
    )
    found = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        objects = np.flatnonzero(labels == label)
        guesses = np.flatnonzero(classes == label)
        guesses = guesses[np.argsort(-scores[guesses], kind="stable")][:most]
        free = np.ones(len(objects), bool)
        for row in overlaps[np.ix_(guesses, objects)]:
            best = int(np.where(free, row, -1).argmax())
            if free[best] and row[best] >= min(iou, 1 - 1e-10):
                free[best] = False
        found[objects] = ~free
    return found


def _masks(objects: Mapping[str, Any]) -> list[dict[str, Any]]:
    if "instances" in objects:
        return encode_instances(objects["instances"], len(objects["labels"]))
    return encode_masks(objects["masks"])


def _boxes(objects: Mapping[str, Any]) -> np.ndarray:
    if "boxes" in objects:
        return np.asarray(objects["boxes"], float).reshape(-1, 4)
    boxes = boxes_around(_masks(objects))
    boxes[:, 2:] += boxes[:, :2]
    return boxes
