"""`Cardiac`: the world as a data set."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any

import numpy as np

from labelkit.worlds.cardiac.build import draw_patient
from labelkit.worlds.cardiac.cuts import LEVELS, level_of
from labelkit.worlds.cardiac.patient import Patient
from labelkit.worlds.cardiac.scanner import scan
from labelkit.worlds.draw import Draw

WORLD_VERSION = 1  # raise it when any pixel changes
SPLITS = {"train": 0, "val": 1, "test": 2}
SLICES_PER_PATIENT = 2 * LEVELS  # base to apex, relaxed; then base to apex, contracted
CLASSES = ("background", "right ventricle", "myocardium", "left ventricle")
PALETTE = np.array([[0, 0, 0], [70, 130, 220], [230, 160, 40], [220, 50, 60]], np.uint8)
PALETTE.setflags(write=False)


def _require_integer(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"cardiac: {name} is {value!r}, expected an integer of at least {least}.")
    return int(value)


class Cardiac:
    """Short-axis slices of the heart with exact masks.

    Slice i belongs to patient i // 8: slices 0..3 of a patient go from base to apex at the end of diastole, 4..7 at
    the end of systole. A patient depends on (seed, split, number) only, so the splits share no patient. The classes
    are numbered as in ACDC. The field of view is about that of the usual central crop of an ACDC slice.

    Args:
        split: "train", "val" or "test".
        length: number of slices; the last patient may have fewer than eight.
        height, width: pixels.
        seed: of the whole set.
        keep_mib: memory for slices already drawn; it changes no sample.

    Raises:
        ValueError: an argument is not what it should be.
    """

    name = "cardiac"
    classes = CLASSES
    palette = PALETTE
    ignore_index = 255
    licence = "Drawn by labelkit from a seed; free of any rights."

    def __init__(
        self,
        split: str = "train",
        length: int = 640,
        height: int = 64,
        width: int = 64,
        seed: int = 0,
        keep_mib: int = 32,
    ) -> None:
        if split not in SPLITS:
            raise ValueError(f"cardiac: split is {split!r}, expected one of {', '.join(SPLITS)}.")
        self.split = split
        self.length = _require_integer("length", length, 1)
        self.height = _require_integer("height", height, 16)
        self.width = _require_integer("width", width, 16)
        self.seed = _require_integer("seed", seed, 0)
        self.keep_mib = _require_integer("keep_mib", keep_mib, 0)
        self._room = (self.keep_mib << 20) // (2 * self.height * self.width)
        self._kept: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def __len__(self) -> int:
        return self.length

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": {}}  # a copy for another process starts empty

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Name of each slice: split, patient, phase (ed or es), position from the base."""
        return tuple(
            f"{self.groups[index]}-{'es' if step >= LEVELS else 'ed'}-{step % LEVELS}"
            for index in range(self.length)
            for step in (index % SLICES_PER_PATIENT,)
        )

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Patient of each slice."""
        return tuple(f"{self.split}-{index // SLICES_PER_PATIENT:05d}" for index in range(self.length))

    def patient(self, number: int) -> Patient:
        """The patient with the given number."""
        return draw_patient(Draw(self.seed, SPLITS[self.split], number))

    def _drawn(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        if index in self._kept:
            return self._kept[index]
        number, step = divmod(index, SLICES_PER_PATIENT)
        patient = self.patient(number)
        key = np.random.SeedSequence((self.seed, SPLITS[self.split], number, 1 + step))
        noise = np.random.Generator(np.random.PCG64(key))
        level = level_of(patient, step % LEVELS)
        drawn = scan(patient, level, step >= LEVELS, noise, self.height, self.width)
        if len(self._kept) < self._room:
            self._kept[index] = drawn
        return drawn

    def __getitem__(self, index: int) -> dict[str, Any]:
        """A slice.

        Returns:
            `image` (3, H, W) float32 in 0..1 with three equal channels in whole 255ths, `mask` (H, W) int64, `name`.

        Raises:
            IndexError: the index is outside 0..len-1.
        """
        import torch

        if not 0 <= index < self.length:
            raise IndexError(f"cardiac: index {index} is outside 0..{self.length - 1}.")
        image, mask = self._drawn(int(index))
        grey = torch.from_numpy(np.divide(image, np.float32(255), dtype=np.float32))
        return {
            "image": grey.repeat(3, 1, 1),
            "mask": torch.from_numpy(mask.astype(np.int64)),
            "name": self.names[index],
        }

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the world's version, all arguments and the first sample, 16 hex digits."""
        arguments = (self.split, self.length, self.height, self.width, self.seed)
        digest = hashlib.sha256(f"cardiac {WORLD_VERSION} {arguments}".encode())
        for drawn in self._drawn(0):
            digest.update(drawn.tobytes())
        return digest.hexdigest()[:16]


def parts(variant: str, height: int, width: int, lengths: dict[str, int]) -> dict[str, Cardiac]:
    """The splits of a run file's ``cardiac``, nothing kept in memory.

    Args:
        variant: must be empty; the world has none.
        height, width: pixels.
        lengths: number of slices by part: "train", "val", "test"; eight make a patient.

    Raises:
        ValueError: a variant is asked for.
    """
    if variant:
        raise ValueError(f"cardiac has no variant {variant!r}: the name cardiac was expected.")
    return {part: Cardiac(part, length, height, width, keep_mib=0) for part, length in lengths.items()}
