"""Banks of confidences as histograms: exact order statistics in memory that does not grow with the number of images.

A float16 between 0 and 1 has one of 15,361 bit patterns, and the patterns are ordered as the numbers are. A count for
each class and pattern is therefore the sorted bank itself: no number is lost and none has to be sorted. A float32 has
65,536 times as many patterns; two passes over the maps, the upper and then the lower 16 bits, are exact as well.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import torch

IGNORE = 255
_ONE16 = 0x3C00  # bit pattern of 1.0 in float16
_ONE32 = 0x3F800000  # and in float32
PATTERNS = _ONE16 + 1
_HIGH = (_ONE32 >> 16) + 1
_LOW = 1 << 16

Maps = Iterable[tuple[Any, Any]]


class Cut(NamedTuple):
    """Where a bank is cut.

    Attributes:
        thresholds: (C,) float64, exact values of the bank's type; infinity where nothing is kept.
        kept: (C,) int64, how many confidences of a class are at or above its threshold.
    """

    thresholds: np.ndarray
    kept: np.ndarray


class Float16Bank:
    """Counts of (class, float16 confidence) over any number of maps.

    Args:
        num_classes: C; classes are 0..C-1.

    Attributes:
        counts: (C, 15361) int64; column b counts the confidences with the bit pattern b.
    """

    dtype = np.dtype(np.float16)

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self.counts = np.zeros((num_classes, PATTERNS), dtype=np.int64)
        self.pixels = 0

    @property
    def sizes(self) -> np.ndarray:
        """(C,) int64: predictions of each class."""
        return self.counts.sum(1)

    def add(self, confidence: Any, classes: Any) -> None:
        """Count one map.

        Args:
            confidence: float16 in 0..1, any shape.
            classes: uint8, the same shape; 255 for pixels without a prediction.

        Raises:
            ValueError: shape, type, a confidence outside 0..1 or a class outside the list.
        """
        bits, labels = _checked(confidence, classes, self.num_classes, self.dtype)
        self.pixels += labels.size
        keys = labels.astype(np.int32)  # 32 bits are enough, and half the memory to go through
        keys *= PATTERNS
        keys += bits
        self.counts += _counted(keys, self.counts.shape)

    def merge(self, other: "Float16Bank") -> None:
        """Add what another bank of the same classes has counted."""
        self.counts += other.counts
        self.pixels += other.pixels

    def kth_largest(self, ranks: np.ndarray, again: Maps | None = None) -> Cut:
        """The confidence at a rank of each class, counted from the largest (rank 1).

        Args:
            ranks: (C,) int. Rank 0 keeps nothing; a rank beyond the bank gives its smallest confidence.
            again: not needed; the float32 bank reads the maps once more.
        """
        return self._cut(self.counts, np.asarray(ranks))

    def kth_largest_of_all(self, rank: int, again: Maps | None = None) -> Cut:
        """One threshold for all classes: the confidence at a rank of all classes together."""
        pooled = self._cut(self.counts.sum(0, keepdims=True), np.asarray([rank]))
        thresholds = np.repeat(pooled.thresholds, self.num_classes)
        return Cut(thresholds, self.kept(thresholds))

    def kept(self, thresholds: np.ndarray) -> np.ndarray:
        """(C,) int64: confidences at or above thresholds (C,)."""
        values = np.arange(PATTERNS, dtype=np.uint16).view(np.float16).astype(np.float64)
        first = np.searchsorted(values, thresholds, side="left")
        return np.array([row[start:].sum() for row, start in zip(self.counts, first)], dtype=np.int64)

    @staticmethod
    def _cut(counts: np.ndarray, ranks: np.ndarray) -> Cut:
        places, kept = _from_the_top(counts, ranks)
        values = places.astype(np.uint16).view(np.float16).astype(np.float64)
        return Cut(np.where(kept > 0, values, np.inf), kept)


class Float32Bank:
    """The same for float32, by the upper 16 bits in a first pass and the lower ones in a second.

    Args:
        num_classes: C.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self.counts = np.zeros((num_classes, _HIGH), dtype=np.int64)
        self.pixels = 0

    @property
    def sizes(self) -> np.ndarray:
        """(C,) int64: predictions of each class."""
        return self.counts.sum(1)

    def add(self, confidence: Any, classes: Any) -> None:
        """Count one map, float32 in 0..1; else as :meth:`Float16Bank.add`."""
        bits, labels = _checked(confidence, classes, self.num_classes, self.dtype)
        self.pixels += labels.size
        keys = labels.astype(np.int32)
        keys *= _HIGH
        keys += (bits >> 16).astype(np.int32)
        self.counts += _counted(keys, self.counts.shape)

    def merge(self, other: "Float32Bank") -> None:
        """Add what another bank of the same classes has counted."""
        self.counts += other.counts
        self.pixels += other.pixels

    def kth_largest(self, ranks: np.ndarray, again: Maps | None = None) -> Cut:
        """As :meth:`Float16Bank.kth_largest`; ``again`` gives the same maps once more.

        Raises:
            ValueError: ``again`` is missing.
        """
        return self._cut(np.asarray(ranks), again, pooled=False)

    def kth_largest_of_all(self, rank: int, again: Maps | None = None) -> Cut:
        """As :meth:`Float16Bank.kth_largest_of_all`; ``again`` gives the same maps once more."""
        return self._cut(np.asarray([rank]), again, pooled=True)

    def _cut(self, ranks: np.ndarray, again: Maps | None, pooled: bool) -> Cut:
        if again is None:
            raise ValueError("a float32 bank needs the maps a second time: give `again`")
        high, low_kept = _from_the_top(self.counts.sum(0, keepdims=True) if pooled else self.counts, ranks)
        some = np.broadcast_to(low_kept > 0, self.num_classes)
        high = np.broadcast_to(high, self.num_classes)
        above = np.array([row[start + 1 :].sum() for row, start in zip(self.counts, high)], dtype=np.int64)
        lower = np.zeros((self.num_classes, _LOW), dtype=np.int64)
        bucket = np.append(high, np.full(256 - self.num_classes, _HIGH))  # by label; no pixel lies in bucket _HIGH
        for confidence, classes in again:
            bits, labels = _checked(confidence, classes, self.num_classes, self.dtype)
            inside = (bits >> 16) == bucket[labels]
            keys = labels[inside].astype(np.int32) * _LOW + (bits[inside] & 0xFFFF).astype(np.int32)
            lower += _counted(keys, lower.shape)
        if pooled:
            place, _ = _from_the_top(lower.sum(0, keepdims=True), ranks - above.sum())
            low = np.broadcast_to(place, self.num_classes)
        else:
            low, _ = _from_the_top(lower, ranks - above)
        kept = above + np.array([row[start:].sum() for row, start in zip(lower, low)], dtype=np.int64)
        bits = (high.astype(np.uint32) << 16) | low.astype(np.uint32)
        values = bits.view(np.float32).astype(np.float64)
        return Cut(np.where(some, values, np.inf), np.where(some, kept, 0))


def empty_bank(num_classes: int, dtype: Any = np.float16) -> Float16Bank | Float32Bank:
    """A bank for maps of a type.

    Args:
        num_classes: C.
        dtype: float16 or float32; the maps' own.
    """
    return Float16Bank(num_classes) if np.dtype(dtype) == np.float16 else Float32Bank(num_classes)


def bank_of(maps: Maps, num_classes: int, dtype: Any = np.float16) -> Float16Bank | Float32Bank:
    """The bank of some maps: pairs (confidence, classes) of the given type."""
    bank = empty_bank(num_classes, dtype)
    for confidence, classes in maps:
        bank.add(confidence, classes)
    return bank


def _counted(keys: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """How often each key 0.. occurs, as a table; keys beyond it, of pixels without a prediction, are left out."""
    size = shape[0] * shape[1]
    return torch.bincount(torch.from_numpy(keys), minlength=size)[:size].numpy().reshape(shape)


def _from_the_top(counts: np.ndarray, ranks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns that hold the given ranks, counted from the last column, and how many counts lie in them and after.

    A rank beyond the row's sum gives its lowest filled column. Where nothing is to be kept, 0 are.
    """
    places, kept = np.zeros(len(counts), dtype=np.int64), np.zeros(len(counts), dtype=np.int64)
    for row, (line, rank) in enumerate(zip(counts, ranks)):
        rank = min(int(rank), int(line.sum()))
        if rank > 0:
            downward = np.cumsum(line[::-1])
            back = int(np.searchsorted(downward, rank, side="left"))
            places[row], kept[row] = len(line) - 1 - back, downward[back]
    return places, kept


def _checked(confidence: Any, classes: Any, num_classes: int, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    """Bit patterns and labels of one map, flat."""
    confidence, labels = np.asarray(confidence), np.asarray(classes)
    if confidence.shape != labels.shape:
        raise ValueError(f"confidence has shape {confidence.shape} and classes {labels.shape}; expected one shape")
    if confidence.dtype != dtype or labels.dtype != np.uint8:
        raise ValueError(
            f"a map holds {confidence.dtype} confidences and {labels.dtype} classes; expected {dtype} and uint8"
        )
    bits = np.ascontiguousarray(confidence).reshape(-1).view(np.uint16 if dtype == np.float16 else np.uint32)
    labels = labels.reshape(-1)
    if labels.size == 0:
        return bits, labels
    if bits.max() > (_ONE16 if dtype == np.float16 else _ONE32):  # negative numbers and NaN have larger patterns too
        raise ValueError("a map holds a confidence outside 0..1, or one that is not a number")
    if (highest := int(labels.max())) >= num_classes:
        outside = labels[(labels >= num_classes) & (labels != IGNORE)]
        if outside.size:
            raise ValueError(
                f"a map holds class {int(outside[0])}; expected 0..{num_classes - 1}, or {IGNORE} for no prediction"
            )
        assert highest == IGNORE
    return bits, labels
