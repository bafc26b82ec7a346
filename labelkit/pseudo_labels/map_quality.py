"""How good activation maps are at every threshold, and how good finished labels are.

Both count over a whole set without holding it, and leave out pixels whose truth is 255. A label of 255 is a miss: a
pixel that was left unsure is not found, though nothing wrong was said about it.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from labelkit import distributed

IGNORE = 255
THRESHOLDS = torch.arange(100, dtype=torch.float64) / 100  # 0.00, 0.01, ..., 0.99
PARTS = {"part": 1, "body": 2}  # labels in the map of parts


def _ratio(above: Tensor, below: Tensor) -> Tensor:
    """above / below, NaN where below is 0."""
    return torch.where(below > 0, above / below, torch.nan)


def _number(value: Tensor) -> float | None:
    return None if bool(value.isnan()) else float(value)


class MapQuality:
    """What labels maps would give, for thresholds 0.00, 0.01, ..., 0.99 at once.

    A pixel gets the present class with the largest map if that map is above the threshold, else background. Counts are
    kept by (class of the largest map, true class, thresholds under its value), from which those of every threshold
    follow by a cumulative sum: one pass, whatever the number of thresholds.

    Args:
        num_foreground: C, classes without the background.
    """

    def __init__(self, num_foreground: int) -> None:
        self.num_foreground = num_foreground
        bins = len(THRESHOLDS) + 1
        self.counts = torch.zeros(num_foreground, num_foreground + 1, bins, dtype=torch.int64)
        self.parts = torch.zeros(len(PARTS), 2, bins, dtype=torch.int64)  # of the objects; second axis: class right
        self._parts_given = False

    def update(self, maps: Tensor, tags: Tensor, truth: Tensor, parts: Tensor | None = None) -> None:
        """Count the pixels of some images.

        Args:
            maps: (B, C, H, W) in 0..1, maps of the foreground classes.
            tags: (B, C), above 0 where a class is present; the maps of the others do not count.
            truth: (B, H, W) integer, 0 background, 1..C classes, 255 ignored.
            parts: (B, H, W) integer, 1 discriminative part, 2 body, anything else neither.

        Raises:
            ValueError: the shapes do not fit, a map is not finite, or a true label is outside the list.
        """
        size = self.num_foreground
        if maps.dim() != 4 or maps.shape[1] != size or tags.shape != maps.shape[:2]:
            raise ValueError(
                f"maps have shape {tuple(maps.shape)} and tags {tuple(tags.shape)}; "
                f"expected (B, {size}, H, W) and (B, {size})."
            )
        for name, labels in (("truth", truth), ("parts", parts)):
            if labels is not None and labels.shape != maps.shape[:1] + maps.shape[2:]:
                raise ValueError(f"{name} has shape {tuple(labels.shape)}; expected (B, H, W) of {tuple(maps.shape)}.")
        if not bool(maps.isfinite().all()):
            raise ValueError("maps hold values that are not finite; expected 0..1.")
        truth = truth.to(maps.device)
        known = truth != IGNORE
        wrong = truth[known & ((truth < 0) | (truth > size))]
        if wrong.numel():
            raise ValueError(f"truth holds label {int(wrong[0])}; expected 0..{size}, or {IGNORE} to ignore.")
        # Maps of absent classes go below every threshold; an image without any tag is background throughout.
        maps = maps.detach().to(torch.promote_types(maps.dtype, torch.float32))
        largest, label = maps.masked_fill(~(tags > 0)[:, :, None, None], -1).max(1)
        passed = torch.bucketize(largest, THRESHOLDS.to(largest))  # how many thresholds the value is above
        bins, true = self.counts.shape[2], truth[known].long()
        place = (label[known] * (size + 1) + true) * bins + passed[known]
        self.counts += torch.bincount(place, minlength=self.counts.numel()).cpu().view_as(self.counts)
        if parts is None:
            return
        self._parts_given = True
        parts = parts.to(maps.device)
        right = (label + 1 == truth).long()
        for row, number in enumerate(PARTS.values()):
            here = known & (truth > 0) & (parts == number)
            place = right[here] * bins + passed[here]
            self.parts[row] += torch.bincount(place, minlength=2 * bins).cpu().view(2, bins)

    def merge(self) -> "MapQuality":
        """Add up the counts of all processes that work together, in place; all of them must call it."""
        self.counts, self.parts = distributed.add_up(self.counts), distributed.add_up(self.parts)
        self._parts_given = distributed.any_of(self._parts_given)
        return self

    def curves(self) -> dict[str, Tensor]:
        """Every measure against the threshold, each (100,) float64.

        Returns:
            ``threshold``; ``miou`` over the classes (with background) that occur in truth or labels; ``precision``,
            right foreground pixels / pixels called foreground; ``recall``, right foreground pixels / foreground pixels
            of the truth, both pooled over classes; ``recall_part`` and ``recall_body``, right pixels / pixels of the
            discriminative parts and of the bodies, if parts were given. NaN where the denominator is 0.
        """
        above = self._above(self.counts)  # (C, C + 1, 100): called class c + 1, by true class
        truth = self.counts.sum((0, 2)).double()
        hits = torch.diagonal(above[:, 1:], dim1=0, dim2=1).T  # (C, 100)
        called, missed = above.sum(1), truth[:, None] - above.sum(0)  # missed[0] is background that was called so
        foreground = _ratio(hits, called + truth[1:, None] - hits)
        background = _ratio(missed[0], truth[0] + missed[1:].sum(0))
        found = {
            "threshold": THRESHOLDS,
            "miou": torch.cat([background[None], foreground]).nanmean(0),
            "precision": _ratio(hits.sum(0), called.sum(0)),
            "recall": _ratio(hits.sum(0), truth[1:].sum().expand(len(THRESHOLDS))),
        }
        if self._parts_given:
            right = self._above(self.parts)[:, 1]
            for row, name in enumerate(PARTS):
                found[f"recall_{name}"] = _ratio(right[row], self.parts[row].sum().double().expand(len(THRESHOLDS)))
        return found

    def summary(self) -> dict[str, Any]:
        """The numbers that a record keeps, in 0..1; see `curves` for what they mean.

        Returns:
            ``miou_best`` and the ``threshold_best`` where it is reached; ``recall_at_precision_80``, the largest recall
            of the thresholds whose precision is at least 0.8, 0 if there is none; ``miou_at``, ``precision_at`` and
            ``recall_at`` by threshold ("0.05", "0.10", ..., "0.95"; None where undefined); ``recall_part`` and
            ``recall_body`` at the best threshold, if parts were given.

        Raises:
            ValueError: no pixel was counted.
        """
        if not int(self.counts.sum()):
            raise ValueError("no pixel with a known truth was counted; expected at least one update with truth.")
        curves = self.curves()
        best = int(curves["miou"].argmax())
        precise = curves["precision"] >= 0.8
        recall = curves["recall"][precise].nan_to_num(0.0)
        shown = range(5, 100, 5)
        summary = {
            "miou_best": float(curves["miou"][best]),
            "threshold_best": float(THRESHOLDS[best]),
            "recall_at_precision_80": float(recall.max()) if len(recall) else 0.0,
        }
        for name in ("miou", "precision", "recall"):
            summary[f"{name}_at"] = {f"{k / 100:.2f}": _number(curves[name][k]) for k in shown}
        for name in PARTS if self._parts_given else ():
            summary[f"recall_{name}"] = _number(curves[f"recall_{name}"][best])
        return summary

    @staticmethod
    def _above(counts: Tensor) -> Tensor:
        """(..., 101) counts by passed thresholds -> (..., 100) float64: pixels above threshold k, for every k."""
        return counts.flip(-1).cumsum(-1).flip(-1)[..., 1:].double()


class LabelQuality:
    """What finished labels are worth against the truth; 255 in the labels is a miss.

    Args:
        num_classes: with background.
        classes: names, for the IoU of each class; numbers if None.
    """

    def __init__(self, num_classes: int, classes: Sequence[str] | None = None) -> None:
        self.num_classes = num_classes
        self.names = [str(number) for number in range(num_classes)] if classes is None else list(classes)
        self.counts = torch.zeros(num_classes, num_classes + 1, dtype=torch.int64)  # truth by label; last: unlabelled

    def update(self, labels: Tensor, truth: Tensor) -> None:
        """Count the pixels of some images.

        Args:
            labels: integer, 0..num_classes-1 or 255 for none, any shape.
            truth: integer, 0..num_classes-1 or 255 to ignore, the same shape.

        Raises:
            ValueError: the shapes differ, or a label is outside the list.
        """
        if labels.shape != truth.shape:
            raise ValueError(
                f"labels have shape {tuple(labels.shape)} and truth {tuple(truth.shape)}; expected one shape."
            )
        size = self.num_classes
        for name, values in (("labels", labels), ("truth", truth)):
            wrong = values[(values != IGNORE) & ((values < 0) | (values >= size))]
            if wrong.numel():
                raise ValueError(f"{name} hold label {int(wrong[0])}; expected 0..{size - 1} or {IGNORE}.")
        truth = truth.to(labels.device)
        known = truth != IGNORE
        label = labels[known].long()
        place = truth[known].long() * (size + 1) + torch.where(label == IGNORE, size, label)
        self.counts += torch.bincount(place, minlength=self.counts.numel()).cpu().view_as(self.counts)

    def summary(self) -> dict[str, Any]:
        """The numbers that a record keeps, in 0..1.

        Returns:
            ``miou`` over the classes that occur in truth or labels; ``precision`` (right / labelled) and ``recall``
            (right / true), means over the foreground classes for which they are defined, None if for none;
            ``coverage``, the share of pixels that have a label; ``iou`` by class, None where it occurs nowhere.

        Raises:
            ValueError: no pixel was counted.
        """
        counts = self.counts.double()
        if not float(counts.sum()):
            raise ValueError("no pixel with a known truth was counted; expected at least one update with truth.")
        hits, true, labelled = counts.diagonal(), counts.sum(1), counts[:, :-1].sum(0)
        iou = _ratio(hits, true + labelled - hits)
        return {
            "miou": float(iou.nanmean()),
            "precision": _number(_ratio(hits, labelled)[1:].nanmean()),
            "recall": _number(_ratio(hits, true)[1:].nanmean()),
            "coverage": float(labelled.sum() / counts.sum()),
            "iou": {name: _number(value) for name, value in zip(self.names, iou)},
        }
