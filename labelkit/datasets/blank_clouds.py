"""Blank clouds: empty rooms whose surfaces are dense enough to fill a grid of four centimetres."""

from typing import Any

import numpy as np
import torch

ROOM = (6.0, 5.0, 3.0)
"""Length, width and height of a training room in metres, about those of an office of S3DIS."""
SMALL = (1.0, 1.0, 1.0)
"""Of a room for validation and test."""
DENSITY = 1250
"""Points a square metre: two in each cell of four centimetres."""
TABLES = 6
"""Boxes of 1.2 x 0.8 x 0.7 metres in a training room."""


class BlankClouds:
    """A part of blank rooms.

    Args:
        name, classes, palette: of the data.
        split: of the part.
        count: rooms.
        size: length, width and height in metres.
        tables: boxes on the floor.
    """

    ignore_index, licence = 255, "Noise."

    def __init__(
        self,
        name: str,
        classes: tuple[str, ...],
        palette: np.ndarray,
        split: str,
        count: int,
        size: tuple[float, float, float],
        tables: int,
    ) -> None:
        self.name, self.classes, self.palette, self.size, self.tables = name, classes, palette, size, tables
        self.names = tuple(f"{split}_{index}" for index in range(count))
        self.fingerprint = f"{name} {split} {count} {size} {tables}"

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """``xyz`` (N, 3) metres, ``rgb`` (N, 3) in 0..1, ``label`` (N,) int64, ``name``."""
        if not 0 <= index < len(self):
            raise IndexError(f"room {index} of {self.name} does not exist: 0 to {len(self) - 1} was expected")
        generator = np.random.default_rng(index)
        sides = [np.asarray(self.size)] + [np.array([1.2, 0.8, 0.7])] * self.tables
        corners = [np.zeros(3)] + [np.append(generator.random(2) * (sides[0] - 1.2)[:2], 0) for _ in sides[1:]]
        xyz = np.concatenate([shell(side, generator) + corner for side, corner in zip(sides, corners)])
        # Labels are stripes of half a metre, so that every sphere shows some.
        label = (np.floor(xyz[:, 0] * 2) + np.floor(xyz[:, 1] * 2)).astype(np.int64) % len(self.classes)
        return {
            "xyz": torch.from_numpy(xyz.astype(np.float32)),
            "rgb": torch.from_numpy(generator.random((len(xyz), 3), dtype=np.float32)),
            "label": torch.from_numpy(label),
            "name": self.names[index],
        }


def shell(size: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Points on the six sides of a box with one corner at the origin, (N, 3)."""
    found = []
    for axis in range(3):
        area = np.prod(np.delete(size, axis))
        for end in (0.0, size[axis]):
            points = generator.random((round(area * DENSITY), 3)) * size
            points[:, axis] = end
            found.append(points)
    return np.concatenate(found)


def cloud_parts(name: str, classes: tuple[str, ...], palette: np.ndarray) -> dict[str, BlankClouds]:
    """Two rooms for training, two small ones for validation, one for the test."""
    counts = {"train": 2, "val": 2, "test": 1}
    return {
        part: BlankClouds(
            name, classes, palette, part, count, *((ROOM, TABLES) if part == "train" else (SMALL, 0))
        )
        for part, count in counts.items()
    }  # fmt: skip
