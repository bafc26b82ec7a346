"""Clips of files whose things are numbered, the same thing with the same number in every frame of a clip."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from labelkit.datasets.clip_files import ClipFiles
from labelkit.datasets.pairs import PairedFiles

CLASS_STEP = 1 << 24  # between the numbers of two classes: an owner's number is below it


class InstanceClips(ClipFiles):
    """Clips with `instances` beside `frames` and `masks`.

    Args:
        name, files, windows: see `ClipFiles`.
        numbered: for each frame of `files` the file that numbers its things.
        read: gives the owner's numbers, (H, W) integers from 0 to 2^24 - 1, of such a file.
        things: names of the classes whose things are counted.

    Raises:
        ValueError: as `ClipFiles`, or there is not one file for each frame.
    """

    def __init__(
        self,
        name: str,
        files: PairedFiles,
        windows: Iterable[Sequence[int]],
        numbered: Sequence[Path],
        read: Callable[[Path], np.ndarray],
        things: Collection[str],
    ) -> None:
        super().__init__(name, files, windows)
        if len(numbered) != len(files):
            raise ValueError(
                f"{name} has {len(files)} frames and {len(numbered)} files of instances: one each was expected"
            )
        self.numbered, self._read = tuple(numbered), read
        self._counted = np.zeros(256, dtype=bool)
        self._counted[[place for place, each in enumerate(files.classes) if each in things]] = True

    def __getitem__(self, index: int) -> dict[str, Any]:
        """As `ClipFiles`, and `instances` (T, H, W) int64: a number from 1 where a thing is counted, otherwise 0.

        Raises:
            IndexError, FileNotFoundError, ValueError: as `ClipFiles`, or the instances differ in size from the mask.
        """
        sample = super().__getitem__(index)
        frames = [self.instances(frame, mask.numpy()) for frame, mask in zip(self.windows[index], sample["masks"])]
        return sample | {"instances": torch.from_numpy(np.stack(frames))}

    def instances(self, frame: int, mask: np.ndarray) -> np.ndarray:
        """The numbers of one frame.

        Args:
            frame: its index in `files`.
            mask: (H, W) its classes as they are delivered.

        Returns:
            (H, W) int64. No number is in two classes.
        """
        path = self.numbered[frame]
        numbers = self._read(path)
        if self.files.height is None or self.files.width is None:
            if numbers.shape != mask.shape:
                raise ValueError(
                    f"instances {path} are {numbers.shape[1]}x{numbers.shape[0]} pixels: "
                    f"{mask.shape[1]}x{mask.shape[0]} was expected, the size of the mask"
                )
        else:
            size = (self.files.width, self.files.height)  # the same pixels are taken as in the mask
            numbers = np.array(Image.fromarray(numbers.astype(np.int32)).resize(size, Image.Resampling.NEAREST))
        counted = self._counted[mask] & (numbers > 0)
        return np.where(counted, mask.astype(np.int64) * CLASS_STEP + numbers, 0)

    @cached_property
    def fingerprint(self) -> str:
        """As that of `ClipFiles`, and of the names and lengths of the files of instances."""
        digest = hashlib.sha256(super().fingerprint.encode())
        for path in self.numbered:
            digest.update(f"{path.name} {path.stat().st_size}\n".encode())
        return digest.hexdigest()[:16]
