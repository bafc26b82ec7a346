"""`Rooms`: the world as a data set."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any

import numpy as np

from labelkit.worlds.rooms.classes import CLASSES, KINDS, PALETTE
from labelkit.worlds.rooms.draw import Draw
from labelkit.worlds.rooms.layout import Room, furnish
from labelkit.worlds.rooms.scanner import scan

WORLD_VERSION = 1  # raise it when any point changes
SPLITS = {"train": 0, "val": 1, "test": 2}
VARIANTS = {"": (1.0, 8_000), "large": (2.2, 60_000)}  # stretch of the floor, points of a room


def _require_integer(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"rooms: {name} is {value!r}, expected an integer of at least {least}.")
    return int(value)


class Rooms:
    """Scanned, furnished rooms with a class for every point.

    Room i depends on (seed, split, i), the variant and the number of points only; the same room with more points is
    the same room. Among five rooms in a row each of the five kinds is once. Splits are disjoint random streams.

    Args:
        split: "train", "val" or "test".
        length: number of rooms.
        points: of each room.
        variant: "" for small rooms, "large" for large ones, seen by two scanners.
        seed: of the whole set.

    Raises:
        ValueError: an argument is not what it should be.
    """

    classes = CLASSES
    palette = PALETTE
    ignore_index = 255
    licence = "Drawn by labelkit from a seed; free of any rights."

    def __init__(
        self, split: str = "train", length: int = 60, points: int | None = None, variant: str = "", seed: int = 0
    ) -> None:
        if split not in SPLITS:
            raise ValueError(f"rooms: split is {split!r}, expected one of {', '.join(SPLITS)}.")
        if variant not in VARIANTS:
            raise ValueError(f"rooms: variant is {variant!r}, expected nothing or 'large'.")
        self.split, self.variant = split, variant
        self.length = _require_integer("length", length, 1)
        self.stretch, usual = VARIANTS[variant]
        self.points = _require_integer("points", usual if points is None else points, 16)
        self.seed = _require_integer("seed", seed, 0)
        self.name = "-".join(filter(None, ("rooms", variant)))

    def __len__(self) -> int:
        return self.length

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The name of every room."""
        return tuple(f"{self.split}-{index:06d}" for index in range(self.length))

    def kind(self, index: int) -> str:
        """What kind of room it is, a key of `classes.KINDS`."""
        turn, place = divmod(int(index), len(KINDS))
        lots = Draw(self.seed, SPLITS[self.split], turn, 1)
        order = np.argsort([lots.unit() for _ in KINDS], kind="stable")
        return tuple(KINDS)[int(order[place])]

    def room(self, index: int) -> Room:
        """Lay out a room, without scanning it.

        Raises:
            IndexError: the index is outside 0..len-1.
        """
        if not 0 <= index < self.length:
            raise IndexError(f"rooms: index {index} is outside 0..{self.length - 1}.")
        return furnish(Draw(self.seed, SPLITS[self.split], int(index), 0), self.kind(index), self.stretch)

    def scan(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A room's points as arrays: xyz, rgb, label."""
        return scan(Draw(self.seed, SPLITS[self.split], int(index), 2), self.room(index), self.points)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """A sample.

        Returns:
            `xyz` (N, 3) float32 metres, `rgb` (N, 3) float32 in whole 255ths, `label` (N,) int64, `name`; N is
            `points`. One corner of the room is the origin.

        Raises:
            IndexError: the index is outside 0..len-1.
        """
        import torch

        xyz, rgb, label = (torch.from_numpy(np.ascontiguousarray(each)) for each in self.scan(index))
        return {"xyz": xyz, "rgb": rgb, "label": label, "name": self.names[index]}

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the world's version, all arguments and the first room, 16 hex digits."""
        arguments = (self.split, self.length, self.points, self.variant, self.seed)
        digest = hashlib.sha256(f"rooms {WORLD_VERSION} {arguments}".encode())
        for each in self.scan(0):
            digest.update(np.ascontiguousarray(each).tobytes())
        return digest.hexdigest()[:16]


def parts(variant: str, lengths: dict[str, int], points: int | None = None) -> dict[str, Rooms]:
    """The parts of a run file's ``rooms``.

    Args:
        variant: "" or "large".
        lengths: number of rooms by part: "train", "val", "test".
        points: of each room; the variant's usual number if None.

    Raises:
        ValueError: the variant is none of these, or an argument is not what it should be.
    """
    if variant not in VARIANTS:
        raise ValueError(f"rooms has no variant {variant!r}: rooms or rooms-large was expected")
    return {part: Rooms(part, length, points, variant) for part, length in lengths.items()}
