"""Clips of image and label files: windows of consecutive frames over files that `PairedFiles` reads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import torch

from labelkit.datasets.pairs import PairedFiles


class ClipFiles:
    """A data set of clips; sample i is a window of frames, in order of time.

    Args:
        name: the data set's name in records and protocols.
        files: all frames; they do the reading and keep what was read.
        windows: for each clip the indices of its frames in `files`.

    Raises:
        ValueError: there is no clip, or one has no frame.
    """

    ignore_index = 255

    def __init__(self, name: str, files: PairedFiles, windows: Iterable[Sequence[int]]) -> None:
        self.name, self.files = name, files
        self.windows = tuple(tuple(window) for window in windows)
        if not self.windows or not all(self.windows):
            raise ValueError(f"{name} has no clip, or one without frames: at least one frame in each was expected")
        self.classes, self.palette, self.licence = files.classes, files.palette, files.licence

    def __len__(self) -> int:
        return len(self.windows)

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each clip: that of its first frame and the number of frames."""
        return tuple(f"{self.files.pairs[window[0]].name}+{len(window)}" for window in self.windows)

    @property
    def frame_names(self) -> tuple[tuple[str, ...], ...]:
        """The names of the frames of each clip."""
        return tuple(tuple(self.files.pairs[index].name for index in window) for window in self.windows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """A clip: `frames` (T, 3, H, W) float32 in 0..1, `masks` (T, H, W) int64 with 255 = ignore, `name`.

        Raises:
            IndexError: the index lies outside the data set.
            FileNotFoundError, ValueError: a file is missing or broken, or the frames differ in size.
        """
        if not 0 <= index < len(self.windows):
            raise IndexError(f"clip {index} of {self.name} does not exist: 0 to {len(self.windows) - 1} was expected")
        window = self.windows[index]
        arrays = [self.files.arrays(frame) for frame in window]
        expected = arrays[0][1].shape
        for frame, (_, mask) in zip(window, arrays):
            if mask.shape != expected:
                raise ValueError(
                    f"frame {self.files.pairs[frame].image} is {mask.shape[1]}x{mask.shape[0]} pixels: "
                    f"{expected[1]}x{expected[0]} was expected, the size of {self.files.pairs[window[0]].name}"
                )
        return {
            "frames": torch.stack([image for image, _ in arrays]).float().div_(255),
            "masks": torch.stack([mask for _, mask in arrays]).long(),
            "name": self.names[index],
        }

    @cached_property
    def fingerprint(self) -> str:
        """First 16 hex digits of a sha256 over the files and the windows."""
        return hashlib.sha256(f"clips 1 {self.files.fingerprint} {self.windows}".encode()).hexdigest()[:16]


def windows_of(indices: Sequence[int], frames: int, stride: int) -> list[tuple[int, ...]]:
    """Windows of `frames` entries over a run of consecutive frames, `stride` apart; what is left over is dropped."""
    return [tuple(indices[start : start + frames]) for start in range(0, len(indices) - frames + 1, stride)]
