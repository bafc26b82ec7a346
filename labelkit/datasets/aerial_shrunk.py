"""Aerial scenes shrunk as a whole: what a detector sees that does not tile."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import torch

from labelkit.datasets.aerial_tiles import Window, boxes_of, cut_instances


class Shrunk:
    """Scenes at a fraction of their size.

    A pixel is the mean of the pixels that it covers, and belongs to the instance that has most of them, but no fewer
    than the background has. Objects that keep no pixel are gone: `ids` says which are left.

    Args:
        scenes: a data set of scenes.
        factor: pixels along each side that become one; rows and columns that do not fill a block are left away.

    Raises:
        ValueError: the factor is not positive.
    """

    def __init__(self, scenes: Any, factor: int) -> None:
        if factor < 1:
            raise ValueError(f"scenes cannot be shrunk by {factor}: a factor of at least 1 was expected")
        self.scenes, self.factor = scenes, factor
        self.name = f"{scenes.name}-shrunk{factor}"

    def __len__(self) -> int:
        return len(self.scenes)

    def __getattr__(self, name: str) -> Any:
        if name in ("classes", "palette", "licence", "ignore_index", "names"):
            return getattr(self.scenes, name)
        raise AttributeError(f"Shrunk has no attribute {name!r}")

    def __getitem__(self, index: int) -> dict[str, Any]:
        """A scene at its smaller size: the keys of a scene, and `ids` (K,) int64, the numbers in the scene."""
        scene, factor = self.scenes[index], self.factor
        height, width = (side // factor for side in scene["instances"].shape)
        image = scene["image"][:, : height * factor, : width * factor]
        image = image.reshape(3, height, factor, width, factor).mean((2, 4)).mul(255).round().div(255)
        blocks = scene["instances"][: height * factor, : width * factor].numpy()
        blocks = blocks.reshape(height, factor, width, factor).swapaxes(1, 2).reshape(-1, factor * factor)
        small, ids = cut_instances(_majority(blocks).reshape(height, width), Window(0, height, 0, width))
        return {
            "image": image,
            "instances": torch.from_numpy(small),
            "labels": scene["labels"][torch.from_numpy(ids - 1)],
            "boxes": torch.from_numpy(boxes_of(small, len(ids))),
            "ids": torch.from_numpy(ids),
            "name": scene["name"],
        }

    @property
    def fingerprint(self) -> str:
        """Digest of the scenes' fingerprint and the factor, 16 hex digits."""
        return hashlib.sha256(f"shrunk {self.scenes.fingerprint} {self.factor}".encode()).hexdigest()[:16]


def _majority(blocks: np.ndarray) -> np.ndarray:
    """The most frequent number of each row; of equally frequent ones the largest, so an object before the background.

    Args:
        blocks: (n, m) integers from 0.
    """
    result = np.zeros(len(blocks), blocks.dtype)
    busy = np.flatnonzero(blocks.any(1))
    rows = np.sort(blocks[busy], 1)
    run, most, winner = np.ones(len(busy), int), np.ones(len(busy), int), rows[:, 0].copy()
    for column in range(1, rows.shape[1]):
        run = np.where(rows[:, column] == rows[:, column - 1], run + 1, 1)
        better = run >= most
        most[better], winner[better] = run[better], rows[better, column]
    result[busy] = winner
    return result
