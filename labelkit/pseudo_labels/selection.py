"""Which predictions become labels: by one threshold, by one share for all classes (CBST), or by the true class shares.

The three are settings of one function, `select`. The third is DARS (He, Yang, Qi; ICCV 2021): thresholds by which the
pseudo labels are distributed over classes as the labels are (distribution alignment), and random sampling where ties
let more through than was asked for. Read against the authors' code, CVMI-Lab/DARS at 0cfe09a.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from labelkit.pseudo_labels.histograms import IGNORE, Float16Bank, Float32Bank, Maps

SCHEMES = ("single", "cbst", "alignment")


@dataclass(frozen=True)
class Selection:
    """Thresholds of one relabelling, and what they keep.

    Attributes:
        scheme: "single", "cbst" or "alignment".
        ratio: share of all pixels that is to be labelled.
        sizes: (C,) predictions of each class.
        target: pixels that are to be kept in all.
        targets: (C,) pixels of each class that are to be kept; None for a single threshold, which has no such aim.
        thresholds: (C,) float64; infinity where a class gets nothing.
        kept: (C,) pixels at or above the threshold.
        sampling: (C,) share of these that random sampling keeps; 1 keeps all.
    """

    scheme: str
    ratio: float
    sizes: np.ndarray
    target: int
    targets: np.ndarray | None
    thresholds: np.ndarray
    kept: np.ndarray
    sampling: np.ndarray

    @property
    def within_reach(self) -> int:
        """Pixels that can be kept at most: the targets, cut to what was predicted."""
        if self.targets is None:
            return min(self.target, int(self.sizes.sum()))
        return int(np.minimum(self.targets, self.sizes).sum())


def class_prior(
    masks: Iterable[Any],
    num_classes: int,
    classes: Sequence[str] | None = None,
    ignore_index: int = IGNORE,
    refuse_absent: bool = False,
) -> np.ndarray:
    """Share of each class among the labelled pixels, which alignment takes for the truth.

    Args:
        masks: label maps, any shape, 0..C-1 or ``ignore_index``; ignored pixels count nowhere.
        num_classes: C.
        classes: names, for errors.
        ignore_index: label of pixels that do not count.
        refuse_absent: raise if a class has no pixel at all; else its share is 0, and it will get no pseudo label.

    Returns:
        (C,) float64, sum 1.

    Raises:
        ValueError: a label outside the list, no labelled pixel at all, or an absent class; names it.
    """
    counts = np.zeros(num_classes, dtype=np.int64)
    for number, mask in enumerate(masks):
        labels = np.asarray(mask).reshape(-1)
        labels = labels[labels != ignore_index]
        if labels.size and not 0 <= labels.min() <= labels.max() < num_classes:
            outside = labels[(labels < 0) | (labels >= num_classes)][0]
            raise ValueError(
                f"labelled mask {number} holds label {outside}; expected 0..{num_classes - 1} or {ignore_index}"
            )
        counts += np.bincount(labels, minlength=num_classes)
    if not counts.sum():
        raise ValueError("the labelled masks hold no labelled pixel; a prior needs some")
    if refuse_absent and not counts.all():
        absent = int(np.argmin(counts))
        name = f"{classes[absent]!r} (label {absent})" if classes is not None else str(absent)
        raise ValueError(f"class {name} has no labelled pixel, so its prior is 0 and it would never get a pseudo label")
    return counts / counts.sum()


def select(
    bank: Float16Bank | Float32Bank,
    ratio: float,
    scheme: str = "alignment",
    prior: Sequence[float] | np.ndarray | None = None,
    random_sampling: bool = True,
    pixels: int | None = None,
    again: Maps | None = None,
) -> Selection:
    """Thresholds and sampling shares for a bank of confidences.

    - ``single``: one threshold; the most confident ``ratio`` of all pixels, whatever their class.
    - ``cbst``: the most confident ``ratio`` of the predictions of each class. As in the code, the threshold is the
      number at place floor(ratio * size) of the sorted bank, counted from zero.
    - ``alignment``: class c gets floor(ratio * prior_c * pixels), however often it is predicted.

    If a target is larger than the bank, the class is taken whole, without a lower bound on its confidence, as in the
    code. A class with target 0 or an empty bank gets nothing (in the code the first keeps nothing after sampling
    alone, and the second stops the program).

    Args:
        bank: of all unlabelled images.
        ratio: labelling ratio r in (0, 1], a share of all pixels.
        scheme: see above.
        prior: (C,) class shares, sum 1; for ``alignment``.
        random_sampling: give back what ties keep above the target, by chance; else ``sampling`` is 1.
        pixels: pixels of the unlabelled set; those of the bank if None.
        again: the maps once more, for a float32 bank.

    Returns:
        The selection.

    Raises:
        ValueError: an argument is out of range; names it.
    """
    if scheme not in SCHEMES:
        raise ValueError(f"scheme is {scheme!r}; expected one of {', '.join(SCHEMES)}")
    if not 0 < ratio <= 1:
        raise ValueError(f"labelling ratio is {ratio}; expected a number above 0 and at most 1")
    sizes, pixels = bank.sizes, bank.pixels if pixels is None else pixels
    targets = None
    if scheme == "single":
        target = int(ratio * pixels)
        cut = bank.kth_largest_of_all(target, again)
        share = np.full(bank.num_classes, target / max(int(cut.kept.sum()), 1))
    else:
        if scheme == "cbst":
            targets = np.minimum((ratio * sizes).astype(np.int64) + 1, sizes)
        else:
            targets = np.floor(ratio * _checked_prior(prior, bank.num_classes) * pixels).astype(np.int64)
        target = int(targets.sum())
        cut = bank.kth_largest(targets, again)
        share = targets / np.maximum(cut.kept, 1)
    sampling = np.minimum(1.0, share) if random_sampling else np.ones(bank.num_classes)
    return Selection(scheme, float(ratio), sizes, target, targets, cut.thresholds, cut.kept, sampling)


def label_map(confidence: Any, classes: Any, selection: Selection, rng: np.random.Generator) -> np.ndarray:
    """The pseudo labels of one image, (H, W) uint8; see :func:`label_and_count`."""
    return label_and_count(confidence, classes, selection, rng)[0]


def label_and_count(
    confidence: Any, classes: Any, selection: Selection, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The pseudo labels of one image, and how many there are of each class.

    Of the n pixels of a class that reach its threshold, floor(n - n * share) are dropped, drawn uniformly among them.
    The floor keeps up to one pixel more an image and class than the share says.

    Args:
        confidence: (H, W) float16 or float32, as the bank that was selected from.
        classes: (H, W) uint8.
        selection: of `select`.
        rng: draws what is dropped.

    Returns:
        The labels (H, W) uint8, 255 where there is none, and how many there are of each class, (C,) int64.
    """
    confidence, classes = np.ascontiguousarray(confidence), np.asarray(classes)
    pattern = np.uint16 if confidence.dtype == np.float16 else np.uint32
    # Bit patterns of numbers in 0..1 are ordered as the numbers are, and integers compare much faster than halves.
    table = np.full(256, np.iinfo(pattern).max, dtype=pattern)
    finite = np.isfinite(selection.thresholds)
    table[: len(finite)][finite] = selection.thresholds[finite].astype(confidence.dtype).view(pattern)
    reached = confidence.view(pattern) >= np.take(table, classes)
    mask = classes | (reached.view(np.uint8) - np.uint8(1))  # 0 - 1 is 255: what does not reach it is ignored
    return mask, _drop(mask.reshape(-1), selection.sampling, rng)


def _drop(mask: np.ndarray, sampling: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Take labels of a flat mask away, in place; gives how many are left of each class."""
    left = np.zeros(len(sampling), dtype=np.int64)
    for label, share in enumerate(sampling):
        there = mask == np.uint8(label)  # of the mask's own type: no wider copy of the mask is made
        n = int(np.count_nonzero(there))
        surplus = int(np.floor(n - n * share))
        if surplus:
            mask[np.flatnonzero(there)[_chosen(n, surplus, rng)]] = IGNORE
        left[label] = n - surplus
    return left


def _chosen(n: int, k: int, rng: np.random.Generator) -> np.ndarray:
    """k of n places, every set of k equally likely."""
    if k < n / 50:
        return rng.choice(n, k, replace=False, shuffle=False)
    # Those with the smallest of n random numbers, ties drawn by lot; several times as fast as a permutation.
    draws = rng.integers(0, 1 << 16, n, dtype=np.uint16)
    last = np.partition(draws, k - 1)[k - 1]
    below = np.flatnonzero(draws < last)
    tied = rng.permutation(np.flatnonzero(draws == last))
    return np.concatenate([below, tied[: k - len(below)]])


def _checked_prior(prior: Sequence[float] | np.ndarray | None, num_classes: int) -> np.ndarray:
    if prior is None:
        raise ValueError("alignment needs a prior: the share of each class")
    shares = np.asarray(prior, dtype=np.float64)
    if shares.shape != (num_classes,):
        raise ValueError(f"the prior has shape {shares.shape}; expected ({num_classes},), a share for each class")
    if not (np.isfinite(shares).all() and (shares >= 0).all() and abs(shares.sum() - 1) < 0.01):
        raise ValueError(f"the prior adds up to {shares.sum():.4g}; expected shares of 0 or more that add up to 1")
    return shares
