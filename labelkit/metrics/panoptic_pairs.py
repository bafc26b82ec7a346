"""The overlaps of true and predicted segments in one frame, and id maps made from class maps.

A segment map holds a number for each pixel: the id of its segment, or a number that stands for void. Which class a
segment has stands beside it, in a mapping from id to class.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Ids = Any  # an integer array or tensor (H, W)
VOID = 0


@dataclass(frozen=True)
class FramePairs:
    """What a frame contributes to panoptic quality: no pixels any more, only its segments and how they overlap.

    Attributes:
        truth, guess, area: (n,) int64: ids of each pair of overlapping segments, void included, and their pixels.
        truth_ids, truth_classes, crowd: (m,) int64, int64, bool: true segments in the order of the mapping.
        guess_ids, guess_classes: (q,) int64: predicted segments.
    """

    truth: np.ndarray
    guess: np.ndarray
    area: np.ndarray
    truth_ids: np.ndarray
    truth_classes: np.ndarray
    crowd: np.ndarray
    guess_ids: np.ndarray
    guess_classes: np.ndarray


def frame_pairs(
    truth_ids: Ids,
    truth_classes: Mapping[int, int],
    guess_ids: Ids,
    guess_classes: Mapping[int, int],
    num_classes: int,
    crowd: Collection[int] = (),
    void: int = VOID,
) -> FramePairs:
    """Count how the segments of a frame overlap.

    Segment maps are constant over long runs of a row, so it is the runs that are sorted and added up, not the pixels.

    Args:
        truth_ids, guess_ids: (H, W) integers: the segment of each pixel, or `void`.
        truth_classes, guess_classes: id to class 0..C-1. Ids that the maps lack are passed over.
        num_classes: C.
        crowd: true ids that stand for many things at once: they are never missed, and forgive predictions inside.
        void: the id of pixels without a segment. In the truth they count for nothing.

    Returns:
        The pairs.

    Raises:
        ValueError: the maps differ in size, hold an id that the mapping lacks, or a class is outside 0..C-1.
    """
    truth, guess = _flat(truth_ids, "true"), _flat(guess_ids, "predicted")
    if truth_ids.shape != guess_ids.shape:
        raise ValueError(
            f"the true segments have shape {tuple(truth_ids.shape)} and the predicted ones "
            f"{tuple(guess_ids.shape)}; expected one size."
        )
    first, second, area = _overlaps(truth, guess)
    true = _listed(np.unique(first), truth_classes, num_classes, void, "true")
    predicted = _listed(np.unique(second), guess_classes, num_classes, void, "predicted")
    marked = np.fromiter((each in crowd for each in true[0].tolist()), bool, len(true[0]))
    return FramePairs(first, second, area, *true, marked, *predicted)


def semantic_segments(labels: Ids, num_classes: int, ignore_index: int = 255) -> tuple[np.ndarray, dict[int, int]]:
    """Every class as one segment with a constant id: how a method without instances enters video panoptic quality.

    Args:
        labels: classes 0..C-1 or `ignore_index`, integers, any shape.
        num_classes: C.
        ignore_index: becomes void.

    Returns:
        ids of the same shape (class + 1, void 0; int32), and the class of each id.

    Raises:
        ValueError: a label is outside the list.
    """
    labels = _array(labels)
    ignored = labels == ignore_index
    wrong = ~ignored & ((labels < 0) | (labels >= num_classes))
    if wrong.any():
        raise ValueError(f"a label map holds {labels[wrong][0]}; expected 0..{num_classes - 1}, or {ignore_index}.")
    ids = np.where(ignored, VOID, labels.astype(np.int32) + 1)
    return ids, {label + 1: label for label in range(num_classes)}


def instance_segments(
    labels: Ids, instances: Ids, num_classes: int, ignore_index: int = 255
) -> tuple[np.ndarray, dict[int, int]]:
    """Classes and instance numbers as segments: one for each class without numbers, one for each instance.

    Args:
        labels: classes 0..C-1 or `ignore_index`, integers, any shape.
        instances: number of the thing from 1, 0 where nothing is counted; same shape.
        num_classes: C.
        ignore_index: becomes void.

    Returns:
        ids of the same shape, int64: class + 1 + (C + 1) * instance, void 0; and the class of each id that occurs.

    Raises:
        ValueError: a label is outside the list, the shapes differ, or an instance number is negative or spans two
            classes.
    """
    stuff, _ = semantic_segments(labels, num_classes, ignore_index)
    numbers = _array(instances).astype(np.int64)
    if numbers.shape != stuff.shape or (numbers.size and numbers.min() < 0):
        raise ValueError(f"instances have shape {numbers.shape}; expected {stuff.shape}, with numbers from 0.")
    ids = np.where(stuff == VOID, VOID, stuff + (num_classes + 1) * numbers)
    found = [each for each in np.unique(ids).tolist() if each != VOID]
    classes: dict[int, int] = {each: each % (num_classes + 1) - 1 for each in found}
    of_instance: dict[int, int] = {}
    for each, label in classes.items():
        number = each // (num_classes + 1)
        if number and of_instance.setdefault(number, label) != label:
            raise ValueError(f"instance {number} spans the classes {of_instance[number]} and {label}; expected one.")
    return ids, classes


def _overlaps(truth: np.ndarray, guess: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of ids at the same pixels and their number of pixels, sorted by pair."""
    if not truth.size:
        return (np.zeros(0, np.int64),) * 3
    changes = truth[1:] != truth[:-1]
    changes |= guess[1:] != guess[:-1]
    starts = np.concatenate([[0], np.flatnonzero(changes) + 1])
    lengths = np.diff(starts, append=truth.size)
    (first, row), (second, column) = (_numbered(ids[starts]) for ids in (truth, guess))
    pair, where = _numbered(row * len(second) + column)
    area = np.bincount(where, lengths, len(pair)).astype(np.int64)  # exact below 2^53 pixels
    return first[pair // len(second)], second[pair % len(second)], area


def _numbered(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ids that occur, ascending, int64, and for each entry its place among them."""
    found = np.unique(ids)  # without the inverse: that would sort
    return found.astype(np.int64), np.searchsorted(found, ids)


def _listed(
    found: np.ndarray, classes: Mapping[int, int], num_classes: int, void: int, kind: str
) -> tuple[np.ndarray, np.ndarray]:
    """Ids of a frame in the order of the mapping, and their classes."""
    there = set(found.tolist()) - {void}
    if unknown := there - classes.keys():
        raise ValueError(
            f"the {kind} segments hold id {min(unknown)}, which has no class; expected ids of the mapping."
        )
    ids = [each for each in classes if each in there]
    labels = np.array([classes[each] for each in ids], np.int64)
    if labels.size and not (labels.min() >= 0 and labels.max() < num_classes):
        raise ValueError(
            f"a {kind} segment has class {labels.min() if labels.min() < 0 else labels.max()}; "
            f"expected 0..{num_classes - 1}."
        )
    return np.array(ids, np.int64), labels


def _array(values: Ids) -> np.ndarray:
    values = values.detach().cpu().numpy() if hasattr(values, "detach") else np.asarray(values)
    if values.dtype.kind not in "iu":
        raise ValueError(f"a segment or label map is {values.dtype}; expected integers.")
    return values


def _flat(values: Ids, kind: str) -> np.ndarray:
    values = _array(values)
    if values.ndim != 2:
        raise ValueError(f"a map of {kind} segments has shape {values.shape}; expected (H, W).")
    return np.ascontiguousarray(values).ravel()
