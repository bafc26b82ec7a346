"""Temporal consistency: how often the predicted class of a point flips from one frame to the next."""

from __future__ import annotations

import torch
from torch import Tensor


def flipped(current: Tensor, carried: Tensor, visible: Tensor, ignore_index: int = 255) -> tuple[Tensor, Tensor]:
    """Pixels whose class differs from what was predicted for the same point one frame before.

    Args:
        current: predicted classes of a frame, integers, any shape.
        carried: predicted classes of the frame before, carried to this frame by backward warping (nearest), same shape.
        visible: bool, same shape: the point is inside the other frame and seen there.
        ignore_index: a label that stands for no prediction; such pixels are not counted.

    Returns:
        flipped and counted, bool, same shape; what is flipped is counted.

    Raises:
        ValueError: the shapes differ, or `visible` is not bool.
    """
    if not current.shape == carried.shape == visible.shape:
        shapes = ", ".join(str(tuple(each.shape)) for each in (current, carried, visible))
        raise ValueError(f"current, carried and visible have the shapes {shapes}; expected one shape.")
    if visible.dtype != torch.bool:
        raise ValueError(f"visible is {visible.dtype}; expected bool.")
    counted = visible & (current != ignore_index) & (carried != ignore_index)
    return counted & (current != carried), counted


class TemporalConsistency:
    """Share of flipping pixels over a whole set: counts are pooled over all frames and clips before dividing.

    Args:
        ignore_index: a label that stands for no prediction.

    Attributes:
        flips, counted, pixels: flipping, counted and all pixels so far.
    """

    def __init__(self, ignore_index: int = 255) -> None:
        self.ignore_index = ignore_index
        self.flips = self.counted = self.pixels = 0

    def update(self, current: Tensor, carried: Tensor, visible: Tensor) -> float:
        """Count one or more frames; see `flipped`.

        Returns:
            The share of flipping pixels in these frames alone; NaN if none counts.
        """
        changed, counted = flipped(current, carried, visible, self.ignore_index)
        flips, number = int(changed.sum()), int(counted.sum())
        self.flips, self.counted, self.pixels = self.flips + flips, self.counted + number, self.pixels + counted.numel()
        return flips / number if number else float("nan")

    def summary(self) -> dict[str, float]:
        """``flips``: share of the counted pixels that flip, 0..1; ``consistency`` = 1 - flips; ``counted``: share of
        all pixels that count. NaN before anything was counted."""
        flips = self.flips / self.counted if self.counted else float("nan")
        share = self.counted / self.pixels if self.pixels else float("nan")
        return {"flips": flips, "consistency": 1 - flips, "counted": share}
