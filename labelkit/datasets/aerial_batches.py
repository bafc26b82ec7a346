"""Batches of aerial patches for training: turned and mirrored at random, kept as instance maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor


def turned(sample: dict[str, Any], generator: np.random.Generator) -> dict[str, Any]:
    """A patch in one of its eight positions; seen from above no direction is special.

    Args:
        sample: image (3, h, w), instances (h, w), boxes (K, 4) x0, y0, x1, y1, labels (K,).
        generator: draws which.
    """
    across, down, swapped = (generator.random(3) < 0.5).tolist()
    image, instances, boxes = sample["image"], sample["instances"], sample["boxes"]
    height, width = instances.shape
    if across:
        image, instances = image.flip(-1), instances.flip(-1)
        boxes = torch.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], 1)
    if down:
        image, instances = image.flip(-2), instances.flip(-2)
        boxes = torch.stack([boxes[:, 0], height - boxes[:, 3], boxes[:, 2], height - boxes[:, 1]], 1)
    if swapped:
        image, instances, boxes = image.transpose(-1, -2), instances.T, boxes[:, [1, 0, 3, 2]]
    return sample | {"image": image.contiguous(), "instances": instances.contiguous(), "boxes": boxes}


def batch_of(samples: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """Patches of any size as a batch: ``images`` and ``targets`` (boxes, labels, instances), two lists.

    Masks are not drawn here: the detector cuts those that it needs from the instance map.
    """
    targets: list[dict[str, Tensor]] = [{key: s[key] for key in ("boxes", "labels", "instances")} for s in samples]
    return {"images": [sample["image"] for sample in samples], "targets": targets}
