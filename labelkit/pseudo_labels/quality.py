"""How good pseudo labels are: their class distribution, how many pixels they cover, and how many of them are right.

Everything follows from three banks of the same predictions (all of them, those whose truth is known, those that are
right), so that any number of schemes and ratios costs one pass over the maps. What random sampling leaves is counted
in expectation: it keeps the share ``sampling`` of each class, right and wrong alike.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from labelkit.pseudo_labels.histograms import IGNORE, Float16Bank
from labelkit.pseudo_labels.selection import Selection


class Judged:
    """Predictions with their truth, counted.

    Args:
        num_classes: C.

    Attributes:
        all, known, right: banks of all predictions, of those whose true label is not ignored, and of those equal to it.
        truth: (C,) true pixels of each class, ignored ones left out.
    """

    def __init__(self, num_classes: int) -> None:
        self.all, self.known, self.right = (Float16Bank(num_classes) for _ in range(3))
        self.truth = np.zeros(num_classes, dtype=np.int64)

    def add(self, confidence: Any, classes: Any, mask: Any) -> None:
        """Count one image: float16 confidences, uint8 classes, true labels with 255 to ignore, all (H, W)."""
        classes, mask = np.asarray(classes), np.asarray(mask)
        self.all.add(confidence, classes)
        self.known.add(confidence, np.where(mask == IGNORE, IGNORE, classes).astype(np.uint8))
        self.right.add(confidence, np.where(mask == classes, classes, IGNORE).astype(np.uint8))
        labelled = mask[mask != IGNORE].reshape(-1)
        self.truth += np.bincount(labelled, minlength=len(self.truth))

    def describe(self, selection: Selection) -> dict[str, Any]:
        """What the labels of a selection are worth.

        Returns:
            ``kl`` (nats, true distribution against that of the labels), ``coverage`` (share of all pixels that get a
            label), ``precision`` (share of the labels with a known truth that are right), ``kept`` (labels) and
            ``kept_by_class``.
        """
        kept = selection.kept * selection.sampling
        known = self.known.kept(selection.thresholds) * selection.sampling
        right = self.right.kept(selection.thresholds) * selection.sampling
        return {
            "kl": kl_divergence(self.truth, kept),
            "coverage": float(kept.sum() / max(self.all.pixels, 1)),
            "precision": float(right.sum() / known.sum()) if known.sum() else float("nan"),
            "kept": float(kept.sum()),
            "kept_by_class": kept.tolist(),
        }


def kl_divergence(truth: Iterable[float], pseudo: Iterable[float]) -> float:
    """KL divergence, in nats, of the class distribution of pseudo labels from the true one: KL(true || pseudo).

    One pixel is added to the pseudo labels of every class, so that a class without any gives a large number and not
    infinity.

    Args:
        truth, pseudo: pixels of each class.
    """
    true, labels = np.asarray(list(truth), dtype=np.float64), np.asarray(list(pseudo), dtype=np.float64) + 1
    true, labels = true / true.sum(), labels / labels.sum()
    there = true > 0
    return float((true[there] * np.log(true[there] / labels[there])).sum())


def overshoot(selection: Selection, kept: Iterable[float] | None = None) -> float:
    """How much more is kept than was asked for, as a share of it: (kept - target) / target.

    Args:
        selection: whose targets count, cut to what was predicted.
        kept: (C,) labels of each class; those at or above the thresholds if None.
    """
    total = float(np.sum(selection.kept if kept is None else list(kept)))
    return (total - selection.within_reach) / max(selection.within_reach, 1)
