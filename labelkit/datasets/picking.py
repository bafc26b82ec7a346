"""What readers of large data sets share: a fingerprint without reading pictures, parts."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from labelkit.datasets.tagged import one_in

HELD_OUT = 20  # validation is one in so many training images
ROOM = 2 << 30  # bytes that a part may take in memory


def fits(count: int, height: int | None, width: int | None) -> bool:
    """Whether so many samples of this size may stay in memory: 4 bytes a pixel, at most 2 GiB; not without a size."""
    return bool(height and width) and 4 * int(height or 0) * int(width or 0) * count <= ROOM


def light_fingerprint(dataset: Any, *extra: object, sources: Mapping[str, Path] | None = None) -> str:
    """First 16 hex digits of a sha256 over what a data set delivers, without reading its pictures.

    Pictures count by name and length, as the whole set has gigabytes of them. Label files count by their bytes.

    Args:
        dataset: paired files.
        extra: whatever else changes the samples, such as a rule of drawing.
        sources: the owner's label file of each name; without it, `extra` has to say where the labels come from.

    Raises:
        FileNotFoundError: a file is missing.
    """
    size = dataset.height, dataset.width
    digest = hashlib.sha256(repr(("light 1", dataset.classes, size, extra)).encode())
    digest.update(np.ascontiguousarray(dataset._table).tobytes())
    for pair in dataset.pairs:
        try:
            digest.update(f"{pair.name} {pair.image.stat().st_size}\n".encode())
            if sources is not None:
                digest.update(hashlib.sha256(sources[pair.name].read_bytes()).digest())
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"{error.filename} does not exist: a file of the data set {dataset.name} was expected"
            ) from None
    return digest.hexdigest()[:16]


def three_parts(train: Iterable[str], test: Iterable[str], official: bool, watched: int = 1) -> dict[str, list[str]]:
    """The names of the three parts, sorted.

    The test part is what the owner calls validation. Our validation part is one in twenty of the owner's training
    images, by a hash of their names, and is not trained on.

    Args:
        train, test: the owner's names.
        official: train on all training images, as the papers do. The validation part is then the test part; whatever
            is chosen on it is chosen on test images.
        watched: with `official`, validation is one in so many test images, where there are too many to look at often.
    """
    train, test = sorted(train), sorted(test)
    if official:
        return {"train": train, "val": test if watched == 1 else sorted(one_in(watched, test, "watched")), "test": test}
    val = one_in(HELD_OUT, train, "validation")
    return {"train": [name for name in train if name not in val], "val": sorted(val), "test": test}


def flags(variant: str, known: Iterable[str], who: str) -> set[str]:
    """The words of a variant such as "train-official".

    Args:
        variant: what follows the first hyphen of a run file's name.
        known: the words that may occur, each once.
        who: the data set's name in run files, for the error.

    Raises:
        ValueError: a word is unknown or comes twice.
    """
    words = variant.split("-") if variant else []
    if len(set(words)) < len(words) or set(words) - set(known):
        names = ", ".join(f"{who}-{word}" for word in known)
        raise ValueError(f"{who} has no variant {variant!r}: the name {who}, {names} or several of these was expected")
    return set(words)
