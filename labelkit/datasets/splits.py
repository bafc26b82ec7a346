"""Labelled and unlabelled parts of a data set: seeded, stratified, nested, and named by a hash.

The images are put in one order per seed; a fraction takes the front of that order. So for one seed the 1/16 part lies
inside the 1/8 part, and so on. The order starts with a few images that together show every class that occurs.

A split drawn at run time, without a seed of its own, has leaked labels on resume in published code: hence the hash.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

ROOM_FOR_COVER = Fraction(1, 16)  # of the images; if a random cover of all classes needs more, a shorter one is sought


@dataclass(frozen=True)
class Split:
    """Which images have labels.

    Attributes:
        name: the fraction, such as "1/8".
        seed: the seed of the order.
        labelled: sorted indices of the images whose labels may be used.
        unlabelled: sorted indices of all the others.
        hash: 16 hex digits over the sorted identities of both parts (names where the data set has them, otherwise
            indices). It covers neither seed nor fraction nor pixels: equal hashes mean equally labelled images.
    """

    name: str
    seed: int
    labelled: tuple[int, ...]
    unlabelled: tuple[int, ...]
    hash: str

    def summary(self) -> dict[str, Any]:
        """What a record says about the split."""
        return {"name": self.name, "seed": self.seed, "hash": self.hash, "labelled": len(self.labelled)}


def labelled_split(
    data: Any,
    fraction: Fraction | str | int,
    seed: int,
    names: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
) -> Split:
    """Draw the labelled part of a data set.

    The count is the fraction of the images rounded up, as in the lists of CPS: 662, 1323, 2646 and 5291 of 10,582.

    Args:
        data: a data set, or a class presence (n, C) from `class_presence`, which saves reading all masks per split.
        fraction: share of labelled images in (0, 1], such as "1/8".
        seed: a seed of 0 or above; another seed draws another order.
        names: identity of each image for the hash; by default the data set's `names` where it has them.
        classes: class names for the error; by default the data set's.
        groups: what each image is taken from, such as its patient; by default the data set's `groups`, if it has them.
            A group is labelled whole or not at all, and the fraction counts groups: slices of one patient look alike.

    Returns:
        The split. Every class that occurs in the data occurs in its labelled part.

    Raises:
        ValueError: the fraction or seed is unusable, or so few images do not show every class. (Below 1/16 a lucky
            choice might have shown them: the order is one for all fractions.)
    """
    share = _fraction(fraction)
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"split seed {seed!r} was given: an integer of 0 or above was expected")
    presence = np.asarray(data, dtype=bool) if isinstance(data, np.ndarray) else class_presence(data)
    names = getattr(data, "names", None) if names is None else names
    classes = getattr(data, "classes", None) if classes is None else classes
    groups = getattr(data, "groups", None) if groups is None else groups
    if names is not None and (len(names) != len(presence) or len(set(names)) != len(presence)):
        raise ValueError(f"{len(set(names))} different names for {len(presence)} images: one name each was expected")
    if groups is not None and len(groups) != len(presence):
        raise ValueError(f"{len(groups)} groups for {len(presence)} images: one for each image was expected")

    order, count = _order_and_count(presence, share, int(seed), groups)
    missing = np.flatnonzero(presence.any(axis=0) & ~presence[order[:count]].any(axis=0))
    if missing.size:
        left_out = repr(classes[missing[0]]) if classes is not None else str(missing[0])
        raise ValueError(
            f"{count} labelled of {len(order)} images (fraction {share}, seed {seed}) leave out class {left_out}: "
            "a larger fraction was expected, so that every class occurs"
        )
    labelled, unlabelled = sorted(order[:count]), sorted(order[count:])
    return Split(str(share), int(seed), tuple(labelled), tuple(unlabelled), _hash(labelled, unlabelled, names))


def _order_and_count(
    presence: np.ndarray, share: Fraction, seed: int, groups: Sequence[str] | None
) -> tuple[list[int], int]:
    """The images in the order in which they receive labels, and how many of them do."""
    if groups is None:
        order = labelled_order(presence, seed)
        return order, -(-len(order) * share.numerator // share.denominator)
    members: dict[str, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    each = list(members.values())
    ranked = labelled_order(np.stack([presence[group].any(axis=0) for group in each]), seed)
    chosen = ranked[: -(-len(ranked) * share.numerator // share.denominator)]
    return [index for group in ranked for index in each[group]], sum(len(each[group]) for group in chosen)


def class_balanced_split(
    labels: Sequence[int] | np.ndarray, per_class: int, seed: int, names: Sequence[str] | None = None
) -> Split:
    """Draw as many labelled images of each class, as S4L's lists of ImageNet hold 13 or 128 of each.

    Args:
        labels: the class of each image.
        per_class: labelled images of each class; for one seed, fewer are part of more.
        seed: a seed of 0 or above.
        names: identity of each image for the hash; indices by default.

    Returns:
        The split; its name is the number of labelled images of a class.

    Raises:
        ValueError: a class has fewer images, or the number or the seed is unusable.
    """
    labels = np.asarray(labels)
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"split seed {seed!r} was given: an integer of 0 or above was expected")
    if per_class < 1:
        raise ValueError(f"per_class {per_class} was given: at least 1 labelled image of each class was expected")
    labelled: list[int] = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        if len(members) < per_class:
            raise ValueError(f"class {label} has {len(members)} images: at least {per_class} were expected")
        labelled += [int(members[place]) for place in _shuffled(len(members), f"{seed} class {label}")[:per_class]]
    chosen = set(labelled)
    unlabelled = [index for index in range(len(labels)) if index not in chosen]
    labelled = sorted(labelled)
    return Split(
        f"{per_class} a class", int(seed), tuple(labelled), tuple(unlabelled), _hash(labelled, unlabelled, names)
    )


def refuse_overlap(training: Sequence[str], held_out: Sequence[str], part: str) -> None:
    """Refuse training images, labelled or not, that are also held out: unlabelled pixels of a test image leak, too.

    Args:
        training: identities of the training images, both parts.
        held_out: identities of the images of another part.
        part: what the other part is called, e.g. "validation".

    Raises:
        ValueError: an image is in both; names the first and says how many there are.
    """
    there = set(held_out)
    both = [name for name in training if name in there]
    if both:
        more = f" (and {len(both) - 1} more)" if len(both) > 1 else ""
        raise ValueError(f"training image {both[0]}{more} is also a {part} image: parts without overlap were expected")


def class_presence(dataset: Any) -> np.ndarray:
    """See which class occurs in which image, at the size in which the data set delivers its masks.

    Args:
        dataset: a data set; its method `mask(i)` is used if it has one, otherwise `dataset[i]["mask"]`.

    Returns:
        bool array (n, C).
    """
    classes = len(dataset.classes)
    presence = np.zeros((len(dataset), classes), dtype=bool)
    for index in range(len(dataset)):
        mask = dataset.mask(index) if hasattr(dataset, "mask") else dataset[index]["mask"]
        counts = np.bincount(np.asarray(mask).ravel(), minlength=classes)
        presence[index] = counts[:classes] > 0
    return presence


def labelled_order(presence: np.ndarray, seed: int) -> list[int]:
    """Put the images in the order in which they receive labels.

    Args:
        presence: bool (n, C), which class occurs in which image.
        seed: a seed of 0 or above.

    Returns:
        A permutation of 0..n-1: first a cover of all classes that occur, then the rest at random.

    Raises:
        ValueError: the presence is not a matrix with at least one image.
    """
    if presence.ndim != 2 or len(presence) == 0:
        raise ValueError(f"class presence has shape {presence.shape}: (images, classes) with images was expected")
    shuffled = _shuffled(len(presence), str(seed))
    cover = _cover(presence, shuffled, crowded_first=False)
    if len(cover) > ROOM_FOR_COVER * len(presence):
        cover = min(cover, _cover(presence, shuffled, crowded_first=True), key=len)
    chosen = set(cover)
    return cover + [index for index in shuffled if index not in chosen]


def _shuffled(length: int, key: str) -> list[int]:
    """0..length-1 in an order that the key chooses: the same on every machine and under every version of a library."""
    lots = [hashlib.sha256(f"labelkit split {key} {index}".encode()).digest() for index in range(length)]
    return sorted(range(length), key=lots.__getitem__)


def _cover(presence: np.ndarray, shuffled: Sequence[int], crowded_first: bool) -> list[int]:
    """Pick images until every class that occurs is shown, the rarest class first.

    `crowded_first` picks the image that shows most missing classes: fewer images, but the crowded ones in every seed.
    """
    occurring = presence.sum(axis=0)
    missing = occurring > 0
    cover: list[int] = []
    ranked = np.asarray(shuffled)
    while missing.any():
        rarest = int(np.argmin(np.where(missing, occurring, len(presence) + 1)))
        holders = ranked[presence[ranked, rarest]]  # in shuffled order
        gains = presence[np.ix_(holders, np.flatnonzero(missing))].sum(axis=1)
        chosen = int(holders[int(np.argmax(gains))] if crowded_first else holders[0])
        cover.append(chosen)
        missing &= ~presence[chosen]
    return cover


def _fraction(value: Fraction | str | int) -> Fraction:
    try:
        if isinstance(value, float):  # 0.1 is not a tenth
            raise ValueError
        share = Fraction(value)
    except (ValueError, TypeError, ZeroDivisionError):
        raise ValueError(f'labelled fraction {value!r} was given: a text such as "1/8" was expected') from None
    if not 0 < share <= 1:
        raise ValueError(f"labelled fraction {value!r} was given: a number above 0 and at most 1 was expected")
    return share


def _hash(labelled: Sequence[int], unlabelled: Sequence[int], names: Sequence[str] | None) -> str:
    parts = [sorted(index if names is None else names[index] for index in part) for part in (labelled, unlabelled)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
