"""The union of many random localisation maps (FickleNet), and how good it is at every threshold.

A pixel belongs to a class if any of the maps of that class is above the threshold there; where several classes claim
it, the one whose mean map is larger wins; where none does, it has no label. So the largest and the mean value of each
pixel are all that has to be kept, whatever the number of maps and of thresholds. No public text settles the rule in
this form: it is from memory, and that ties go by the mean and not by the largest value matters.
"""

import torch
from torch import Tensor

from labelkit.pseudo_labels.map_quality import PARTS, THRESHOLDS, MapQuality

IGNORE = 255


class StochasticUnion:
    """Largest and mean value of the maps of one image, over all that were added.

    More maps never take a pixel away from the union, for any threshold.

    Attributes:
        highest: largest value, (C, h, w); None before the first maps.
        total: sum, (C, h, w) float64 on the CPU, float32 elsewhere.
        count: maps added.
    """

    def __init__(self) -> None:
        self.highest: Tensor | None = None
        self.total: Tensor | None = None
        self.count = 0

    def add(self, maps: Tensor) -> None:
        """Add maps (n, C, h, w) in 0..1, each divided by its own maximum (a draw has a scale of its own).

        Raises:
            ValueError: the maps have another shape than those before.
        """
        if maps.dim() != 4 or (self.highest is not None and maps.shape[1:] != self.highest.shape):
            expected = "(n, C, h, w)" if self.highest is None else f"(n, {', '.join(map(str, self.highest.shape))})"
            raise ValueError(f"maps have shape {tuple(maps.shape)}; expected {expected}.")
        highest = maps.amax(0)
        total = maps.sum(0, dtype=torch.float64 if maps.device.type == "cpu" else None)
        self.highest = highest if self.highest is None else torch.maximum(self.highest, highest)
        self.total = total if self.total is None else self.total + total
        self.count += len(maps)

    @property
    def mean(self) -> Tensor:
        """Mean map (C, h, w)."""
        return (self.total / self.count).to(self.highest.dtype)

    def fired(self, threshold: float = 0.35) -> Tensor:
        """(C, h, w) bool: where any map of a class is above the threshold. Paper: 0.35 (from memory)."""
        return self.highest > threshold


def union_labels(fired: Tensor, mean: Tensor, tags: Tensor) -> Tensor:
    """Labels of a union.

    Args:
        fired: (B, C, h, w) bool, or (C, h, w).
        mean: mean maps of the same shape.
        tags: (B, C) or (C,), above 0 where a class is present; others never get a pixel.

    Returns:
        (B, h, w) or (h, w) int64: 1..C where a class fired, 255 elsewhere.

    Raises:
        ValueError: the shapes do not fit.
    """
    if fired.shape != mean.shape or tags.shape != fired.shape[:-2]:
        raise ValueError(
            f"fired, mean and tags have shapes {tuple(fired.shape)}, {tuple(mean.shape)} and {tuple(tags.shape)}; "
            "expected (B, C, h, w) twice and (B, C)."
        )
    fired = fired & (tags > 0)[..., None, None]
    label = mean.masked_fill(~fired, -1).argmax(-3) + 1
    return label.masked_fill(~fired.any(-3), IGNORE)


class UnionQuality(MapQuality):
    """What labels unions would give, for thresholds 0.00, 0.01, ..., 0.99 at once; see `MapQuality`.

    Pixels that no class claims are background, as there. With classes in the order of their means, a class owns a
    pixel from the threshold where all before it have stopped firing to the one where it stops itself. So a pixel is
    counted under the first class, and moved to the next ones by counts that add up to 0.
    """

    def update(self, highest: Tensor, mean: Tensor, tags: Tensor, truth: Tensor, parts: Tensor | None = None) -> None:
        """Count the pixels of some images.

        Args:
            highest, mean: (B, C, H, W) in 0..1, of the foreground classes.
            tags, truth, parts: as for `MapQuality.update`.

        Raises:
            ValueError: the shapes do not fit, a map is not finite, or a true label is outside the list.
        """
        size = self.num_foreground
        if highest.shape != mean.shape or highest.shape[1:2] != (size,) or tags.shape != highest.shape[:2]:
            raise ValueError(
                f"highest, mean and tags have shapes {tuple(highest.shape)}, {tuple(mean.shape)} and "
                f"{tuple(tags.shape)}; expected (B, {size}, H, W) twice and (B, {size})."
            )
        for name, labels in (("truth", truth), ("parts", parts)):
            if labels is not None and labels.shape != highest.shape[:1] + highest.shape[2:]:
                raise ValueError(f"{name} has shape {tuple(labels.shape)}; expected (B, H, W) of the maps.")
        known = truth != IGNORE
        wrong = truth[known & ((truth < 0) | (truth > size))]
        if wrong.numel():
            raise ValueError(f"truth holds label {int(wrong[0])}; expected 0..{size}, or {IGNORE} to ignore.")
        present = tags > 0
        absent = ~present[:, :, None, None]
        most = max(1, int(present.sum(1).max()) if present.numel() else 1)
        order = mean.masked_fill(absent, -1).topk(most, dim=1).indices
        values = highest.masked_fill(absent, -1).gather(1, order)
        self._parts_given = self._parts_given or parts is not None
        until = values[:, 0]
        self._count(order[:, 0], until, known, truth, parts)
        for place in range(1, most):
            label, value = order[:, place], values[:, place]
            takes = known & (value > until)
            self._count(label, until, takes, truth, parts, -1)
            self._count(label, value, takes, truth, parts)
            until = torch.maximum(until, value)

    def _count(
        self, label: Tensor, value: Tensor, where: Tensor, truth: Tensor, parts: Tensor | None, sign: int = 1
    ) -> None:
        """Count pixels as belonging to a class for the thresholds below a value; all (B, H, W)."""
        size, bins = self.num_foreground, self.counts.shape[2]
        label, truth = label[where], truth[where].long()
        passed = torch.bucketize(value[where], THRESHOLDS.to(value))
        place = (label * (size + 1) + truth) * bins + passed
        self.counts += sign * torch.bincount(place, minlength=self.counts.numel()).cpu().view_as(self.counts)
        if parts is None:
            return
        place = (label + 1 == truth).long() * bins + passed
        for row, number in enumerate(PARTS.values()):
            here = (truth > 0) & (parts[where] == number)
            self.parts[row] += sign * torch.bincount(place[here], minlength=2 * bins).cpu().view(2, bins)
