"""Whether a network's confidence can be believed: reliability in bins, and the expected calibration error.

Pseudo labels are chosen by confidence, so a method that learns from them stands on its calibration [Guo et al., On
Calibration of Modern Neural Networks, ICML 2017].
"""

from typing import Any

import torch
from torch import Tensor


class Calibration:
    """Counts pixels by confidence; adds up over images without holding them.

    Args:
        bins: of equal width over 0..1; a confidence on a border counts in the bin below.
        ignore_index: label of pixels that do not count.
    """

    def __init__(self, bins: int = 15, ignore_index: int = 255) -> None:
        self.ignore_index = ignore_index
        self.count = torch.zeros(bins, dtype=torch.float64)
        self.right = torch.zeros(bins, dtype=torch.float64)
        self.confidence = torch.zeros(bins, dtype=torch.float64)

    def update(self, logits: Tensor, masks: Tensor) -> None:
        """Count the pixels of some images.

        Args:
            logits: class scores (B, C, ...).
            masks: truth (B, ...) int64.

        Raises:
            ValueError: the shapes do not fit.
        """
        if logits.shape[:1] + logits.shape[2:] != masks.shape:
            raise ValueError(
                f"logits have shape {tuple(logits.shape)} and masks {tuple(masks.shape)}; "
                "expected (B, C, ...) and (B, ...)"
            )
        confidence, label = logits.float().softmax(1).max(1)
        valid = masks != self.ignore_index
        confidence, right = confidence[valid].double().cpu(), (label == masks)[valid].double().cpu()
        place = (confidence * len(self.count)).ceil().long().clamp(1, len(self.count)) - 1
        self.count += torch.bincount(place, minlength=len(self.count))
        self.right += torch.bincount(place, right, minlength=len(self.count))
        self.confidence += torch.bincount(place, confidence, minlength=len(self.count))

    def error(self) -> float:
        """Expected calibration error in 0..1: the gap of accuracy and mean confidence, averaged over pixels by bin."""
        return float((self.right - self.confidence).abs().sum() / self.count.sum().clamp(min=1))

    def summary(self) -> dict[str, Any]:
        """The numbers that a record keeps.

        Returns:
            ``ece``, ``accuracy`` and mean ``confidence`` in 0..1, and ``bins`` by number from 0: ``share`` of pixels,
            ``accuracy`` and ``confidence`` (None where a bin is empty).
        """
        total = float(self.count.sum().clamp(min=1))
        bins = {}
        for number, (count, right, confidence) in enumerate(zip(self.count, self.right, self.confidence)):
            held = float(count) > 0
            bins[str(number)] = {
                "share": float(count) / total,
                "accuracy": float(right / count) if held else None,
                "confidence": float(confidence / count) if held else None,
            }
        return {
            "ece": self.error(),
            "accuracy": float(self.right.sum()) / total,
            "confidence": float(self.confidence.sum()) / total,
            "bins": bins,
        }
