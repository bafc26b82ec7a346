"""Blank clips of two domains: noise that stands still, with masks of blocks and the flow of what does not move."""

from typing import Any

import numpy as np
import torch

from labelkit.datasets.blank_images import IGNORED, blocks, noise, smaller

PARTS = ("source_train", "source_val", "target_train", "target_val", "target_test", "clip")


class BlankClips:
    """A part of blank clips.

    Args:
        name, classes, palette: of the data.
        count: clips.
        frames: of a clip.
        height, width: in pixels.
    """

    ignore_index, licence = IGNORED, "Noise."

    def __init__(
        self, name: str, classes: tuple[str, ...], palette: np.ndarray, count: int, frames: int, height: int, width: int
    ) -> None:
        self.name, self.classes, self.palette = name, classes, palette
        self.frames, self.height, self.width = frames, height, width
        self.names = tuple(f"{name} {index}" for index in range(count))
        self.fingerprint = f"{name} {count} {frames} {height} {width}"

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """``frames`` (T, 3, H, W), ``masks`` (T, H, W), ``flow`` and ``flow_back`` (T - 1, 2, H, W), ``name``."""
        if not 0 <= index < len(self):
            raise IndexError(f"clip {index} of {self.name} does not exist: 0 to {len(self) - 1} was expected")
        mask = blocks(len(self.classes), self.height, self.width, index)
        still = torch.zeros(self.frames - 1, 2, self.height, self.width)
        return {
            "frames": noise(self.height, self.width).float().div_(255).repeat(self.frames, 1, 1, 1),
            "masks": mask.repeat(self.frames, 1, 1),
            "flow": still,
            "flow_back": still,
            "name": self.names[index],
        }


def clip_parts(
    name: str, classes: tuple[str, ...], palette: np.ndarray, *, height: int, width: int, frames: int
) -> dict[str, BlankClips]:
    """The parts of both domains: two clips for training, a small one for anything else."""
    shapes = {True: (2, frames, height, width), False: (1, frames, *smaller(height, width))}
    return {
        part: BlankClips(f"{name} {part}", classes, palette, *shapes[part.endswith("train")]) for part in PARTS
    }  # fmt: skip
