"""How much instances overlap, as masks and as boxes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labelkit.run_lengths import Rle, encode_instances, encode_masks, mask_library

__all__ = ["box_iou", "encode_instances", "encode_masks", "mask_iou", "mask_library"]


def mask_iou(predicted: Sequence[Rle], true: Sequence[Rle]) -> np.ndarray:
    """Intersection over union of every pair of masks, (N, K) float64."""
    if not len(predicted) or not len(true):
        return np.zeros((len(predicted), len(true)))
    return np.asarray(mask_library().iou(list(predicted), list(true), [0] * len(true)))


def box_iou(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Intersection over union of every pair of boxes x0, y0, x1, y1, (N, K) float64."""
    a, b = np.asarray(predicted, float).reshape(-1, 4), np.asarray(true, float).reshape(-1, 4)
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.maximum(high - low, 0).prod(2)
    areas = [(x[:, 2] - x[:, 0]) * (x[:, 3] - x[:, 1]) for x in (a, b)]
    return shared / np.maximum(areas[0][:, None] + areas[1][None, :] - shared, 1e-12)
