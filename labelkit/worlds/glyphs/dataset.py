"""`Glyphs`: the world as a data set."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any

import numpy as np

from labelkit.worlds.glyphs.classes import CLASSES, FAMILIES, PALETTE
from labelkit.worlds.glyphs.draw import Draw
from labelkit.worlds.glyphs.picture import picture

WORLD_VERSION = 1  # raise it when any pixel changes
SPLITS = {"train": 0, "val": 1, "test": 2}


def _require_integer(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"glyphs: {name} is {value!r}, expected an integer of at least {least}.")
    return int(value)


class Glyphs:
    """Pictures of one object each, with its class.

    Picture i depends on (seed, split, i) and the size only, and its class on (seed, split, i): a longer set begins with
    the shorter one. Every twenty pictures in a row show every class once, in a random order; so classes are balanced,
    up to one picture where the length is no multiple of twenty. Splits are disjoint random streams.

    Args:
        split: "train", "val" or "test".
        length: number of pictures.
        height, width: pixels; equal, so that a quarter turn fits.
        seed: of the whole set.

    Raises:
        ValueError: an argument is not what it should be.
    """

    name = "glyphs"
    classes = CLASSES
    families = FAMILIES
    palette = PALETTE
    ignore_index = 255
    licence = "Drawn by labelkit from a seed; free of any rights."

    def __init__(
        self, split: str = "train", length: int = 2000, height: int = 32, width: int = 32, seed: int = 0
    ) -> None:
        if split not in SPLITS:
            raise ValueError(f"glyphs: split is {split!r}, expected one of {', '.join(SPLITS)}.")
        self.split = split
        self.length = _require_integer("length", length, 1)
        self.height = _require_integer("height", height, 16)
        self.width = _require_integer("width", width, 16)
        if self.height != self.width:
            raise ValueError(f"glyphs: height is {height} and width is {width}, expected a square.")
        self.seed = _require_integer("seed", seed, 0)

    def __len__(self) -> int:
        return self.length

    @cached_property
    def labels(self) -> np.ndarray:
        """The class of every picture, int64 (N,), known without drawing."""
        count = len(CLASSES)
        rounds = []
        for turn in range(-(-self.length // count)):
            lots = Draw(self.seed, SPLITS[self.split], turn, 1)
            rounds.append(np.argsort([lots.unit() for _ in range(count)], kind="stable"))
        labels = np.concatenate(rounds)[: self.length].astype(np.int64)
        labels.setflags(write=False)
        return labels

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The name of every picture."""
        return tuple(f"{self.split}-{index:06d}" for index in range(self.length))

    def array(self, index: int) -> np.ndarray:
        """Draw a picture as bytes.

        Args:
            index: 0 to len - 1.

        Returns:
            uint8 (3, H, W).

        Raises:
            IndexError: the index is outside 0..len-1.
        """
        if not 0 <= index < self.length:
            raise IndexError(f"glyphs: index {index} is outside 0..{self.length - 1}.")
        return picture(Draw(self.seed, SPLITS[self.split], int(index), 0), int(self.labels[index]), self.height)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """A sample: `image` (3, H, W) float32 in whole 255ths, `label` int64 scalar, `name`.

        Raises:
            IndexError: the index is outside 0..len-1.
        """
        import torch

        image = self.array(index)
        return {
            "image": torch.from_numpy(np.divide(image, np.float32(255), dtype=np.float32)),
            "label": torch.tensor(int(self.labels[index]), dtype=torch.int64),
            "name": self.names[index],
        }

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the world's version, all arguments, the labels and the first picture, 16 hex digits."""
        arguments = (self.split, self.length, self.height, self.width, self.seed)
        digest = hashlib.sha256(f"glyphs {WORLD_VERSION} {arguments}".encode())
        digest.update(self.labels.astype(np.uint8).tobytes())
        digest.update(self.array(0).tobytes())
        return digest.hexdigest()[:16]


def parts(variant: str, height: int, width: int, lengths: dict[str, int]) -> dict[str, Glyphs]:
    """The parts of a run file's ``glyphs``.

    Args:
        variant: must be empty; the world has none.
        height, width: pixels, equal.
        lengths: number of pictures by part: "train", "val", "test".

    Raises:
        ValueError: a variant is asked for, or an argument is not what it should be.
    """
    if variant:
        raise ValueError(f"glyphs has no variant {variant!r}: the name glyphs was expected")
    return {part: Glyphs(part, length, height, width) for part, length in lengths.items()}
