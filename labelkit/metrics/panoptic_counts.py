"""Matching of true and predicted tubes, and the counts by class that panoptic quality is made of.

A tube is all that one id covers in a window of frames; an image is a window of one. The rules are those of the official
evaluators, cocodataset/panopticapi and, for tubes, mcahny/vps:

- A true and a predicted tube of one class match if their overlap over their union is more than one half; predicted
  pixels on void do not enter the union. The match is a true positive and adds its overlap over union.
- Other true tubes are false negatives, unless they are crowd.
- Other predicted tubes are false positives, unless more than half of their pixels are on void or on a crowd of their
  class. Of several crowds of a class in one window only the last listed one forgives, as in the evaluators.
- The class of a tube is that of its first frame in the window.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from labelkit.metrics.panoptic_pairs import VOID, FramePairs


@dataclass
class PanopticCounts:
    """Counts by class; add those of several windows, images and clips before anything is divided.

    Attributes:
        iou: (C,) float64, sum of overlap over union of the matches.
        tp, fp, fn: (C,) int64.
    """

    iou: np.ndarray
    tp: np.ndarray
    fp: np.ndarray
    fn: np.ndarray

    @classmethod
    def zeros(cls, num_classes: int) -> PanopticCounts:
        """Nothing counted yet."""
        return cls(np.zeros(num_classes), *(np.zeros(num_classes, np.int64) for _ in range(3)))

    def __add__(self, other: PanopticCounts) -> PanopticCounts:
        return PanopticCounts(self.iou + other.iou, self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    @property
    def seen(self) -> np.ndarray:
        """(C,) bool: the classes with TP + FP + FN > 0; the others enter no mean."""
        return (self.tp + self.fp + self.fn) > 0

    def pq(self) -> np.ndarray:
        """Panoptic quality of each class, (C,) 0..1: sum of IoU / (TP + FP / 2 + FN / 2); NaN where nothing is seen."""
        return self._over(self.iou, self.tp + (self.fp + self.fn) / 2)

    def sq(self) -> np.ndarray:
        """Segmentation quality of each class, (C,) 0..1: mean IoU of the matches, 0 without a match; NaN unseen."""
        return self._over(self.iou, np.maximum(self.tp, 1))

    def rq(self) -> np.ndarray:
        """Recognition quality of each class, (C,) 0..1: TP / (TP + FP / 2 + FN / 2); NaN where nothing is seen."""
        return self._over(self.tp, self.tp + (self.fp + self.fn) / 2)

    def mean(self, quality: str = "pq", classes: Collection[int] | None = None) -> float:
        """Mean over the classes that are seen.

        Args:
            quality: "pq", "sq" or "rq".
            classes: only of these, such as the things; all if None.

        Returns:
            0..1; NaN if none of the classes is seen.
        """
        chosen = self.seen.copy()
        if classes is not None:
            chosen &= np.isin(np.arange(chosen.size), list(classes))
        return float(getattr(self, quality)()[chosen].mean()) if chosen.any() else float("nan")

    def _over(self, above: np.ndarray, below: np.ndarray) -> np.ndarray:
        return np.where(self.seen, above / np.maximum(below, 0.5), np.nan)


def window_counts(pairs: Sequence[FramePairs], window: int, num_classes: int, void: int = VOID) -> PanopticCounts:
    """Counts over all windows of a clip, stride one.

    Args:
        pairs: of the clip's frames, in order.
        window: frames in a tube.
        num_classes: C.
        void: the id of pixels without a segment.

    Returns:
        The counts, zero if the clip is shorter than the window.
    """
    total = PanopticCounts.zeros(num_classes)
    for start in range(len(pairs) - window + 1):
        total = total + _tube_counts(pairs[start : start + window], num_classes, void)
    return total


def _tube_counts(pairs: Sequence[FramePairs], num_classes: int, void: int) -> PanopticCounts:
    joined = {name: np.concatenate([getattr(each, name) for each in pairs]) for name in FramePairs.__annotations__}
    # Ids of the window in ascending order; `first` is where each is listed first.
    truth_ids, truth_first = np.unique(joined["truth_ids"], return_index=True)
    guess_ids, guess_first = np.unique(joined["guess_ids"], return_index=True)
    truth_class, guess_class = joined["truth_classes"][truth_first], joined["guess_classes"][guess_first]
    crowd = joined["crowd"][truth_first]

    # A pair's row and column; the last row and column are void.
    rows, columns = len(truth_ids), len(guess_ids)
    row = np.where(joined["truth"] == void, rows, np.searchsorted(truth_ids, joined["truth"]))
    column = np.where(joined["guess"] == void, columns, np.searchsorted(guess_ids, joined["guess"]))
    key, where = np.unique(row * (columns + 1) + column, return_inverse=True)
    overlap = np.bincount(where, joined["area"], len(key)).astype(np.int64)  # exact below 2^53 pixels
    row, column = key // (columns + 1), key % (columns + 1)
    truth_area = np.bincount(row, overlap, rows + 1)[:rows]
    guess_area = np.bincount(column, overlap, columns + 1)[:columns]
    on_void = np.bincount(column[row == rows], overlap[row == rows], columns + 1)[:columns]

    inner = (row < rows) & (column < columns)
    row, column, overlap = row[inner], column[inner], overlap[inner]
    alike = truth_class[row] == guess_class[column]
    union = truth_area[row] + guess_area[column] - overlap - on_void[column]
    match = alike & ~crowd[row] & (2 * overlap > union)
    hit, found = np.zeros(rows, bool), np.zeros(columns, bool)
    hit[row[match]] = found[column[match]] = True

    last_crowd = np.full(num_classes, -1)
    for index in sorted(np.flatnonzero(crowd).tolist(), key=lambda each: truth_first[each]):
        last_crowd[truth_class[index]] = index
    forgiving = last_crowd[guess_class[column]] == row
    forgiven = on_void + np.bincount(column[forgiving], overlap[forgiving], columns)[:columns]

    def by_class(classes: np.ndarray) -> np.ndarray:
        return np.bincount(classes, minlength=num_classes)

    classes = truth_class[row[match]]
    iou = np.bincount(classes, overlap[match] / union[match], num_classes)
    wrong = ~found & ~(2 * forgiven > guess_area)
    return PanopticCounts(iou, by_class(classes), by_class(guess_class[wrong]), by_class(truth_class[~hit & ~crowd]))
