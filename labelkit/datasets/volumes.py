"""Stacks of labelled slices: the common form in which cardiac exams of any layout are delivered."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from labelkit.datasets.images import resize_image, resize_label


@dataclass(frozen=True)
class Volume:
    """The slices of one patient at one moment of the heartbeat.

    Attributes:
        patient: whose, such as "patient001".
        frame: number of the moment in the recording.
        slices: number of each slice.
        read: gives images and labels, both uint8 (slices, height, width), checked, not yet square.
        content: gives the bytes that a fingerprint is made of.
    """

    patient: str
    frame: int
    slices: tuple[int, ...]
    read: Callable[[], tuple[np.ndarray, np.ndarray]]
    content: Callable[[], bytes]


class VolumeSlices:
    """A data set of slices, each a sample; a volume is read when its first slice is asked for, and then kept.

    A slice is padded with zeros (background) to a centred square and resized: the image by area average where it
    shrinks, the labels by nearest neighbour.

    Args:
        name: the data set's name in records and protocols.
        volumes: in the order of the samples.
        classes: class names; the position is the label id.
        palette: (C, 3) uint8, a colour per class.
        licence: one sentence.
        height, width: delivered size in pixels; 2 bytes a pixel are kept.
        share: of the padded square's side that is delivered, around its centre.

    Raises:
        ValueError: there is no slice, height or width is not positive, or the share is not in (0, 1].
    """

    ignore_index = 255

    def __init__(
        self,
        name: str,
        volumes: Sequence[Volume],
        classes: Sequence[str],
        palette: np.ndarray,
        licence: str,
        height: int,
        width: int,
        share: float = 1.0,
    ) -> None:
        if not 0 < share <= 1:
            raise ValueError(f"share {share} was given for {name}: a number above 0 and at most 1 was expected")
        if min(height, width) < 1:
            raise ValueError(f"height {height} and width {width} were given for {name}: positive numbers were expected")
        self.name, self.classes, self.licence = name, tuple(classes), licence
        self.palette = np.asarray(palette, dtype=np.uint8)
        self.volumes, self.height, self.width, self.share = tuple(volumes), height, width, share
        self._places = [(owner, row) for owner, volume in enumerate(self.volumes) for row in range(len(volume.slices))]
        if not self._places:
            raise ValueError(f"data set {name} has no slice: at least one image with labels was expected")
        self._kept: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Name of each slice: patient, frame, number of the slice."""
        volumes = ((self.volumes[owner], row) for owner, row in self._places)
        return tuple(
            f"{volume.patient}-frame{volume.frame:02d}-slice{volume.slices[row]:02d}" for volume, row in volumes
        )

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Patient of each slice."""
        return tuple(self.volumes[owner].patient for owner, _ in self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> dict[str, Tensor | str]:
        """Deliver a sample: `image` float32 (3, H, W) in whole 255ths, `mask` int64 (H, W), `name`."""
        image, mask = self.arrays(index)
        return {"image": image.float().div_(255), "mask": mask.long(), "name": self.names[index]}

    def arrays(self, index: int) -> tuple[Tensor, Tensor]:
        """Deliver a sample as bytes.

        Args:
            index: 0 to len - 1.

        Returns:
            image uint8 (3, H, W) with three equal channels, and mask uint8 (H, W).

        Raises:
            IndexError: the index lies outside the data set.
            FileNotFoundError, ValueError: a file is missing, broken, or does not fit its partner.
        """
        images, masks, row = self._stack(index)
        return torch.from_numpy(images[row].copy()).repeat(3, 1, 1), torch.from_numpy(masks[row].copy())

    def mask(self, index: int) -> np.ndarray:
        """Deliver only the mask, uint8 (H, W)."""
        _, masks, row = self._stack(index)
        return masks[row].copy()

    def _stack(self, index: int) -> tuple[np.ndarray, np.ndarray, int]:
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of {self.name} does not exist: 0 to {len(self) - 1} was expected")
        owner, row = self._places[index]
        if owner not in self._kept:
            images, labels = self.volumes[owner].read()
            size = self.height, self.width
            self._kept[owner] = (
                np.stack([resize_image(square(image, self.share), *size) for image in images]),
                np.stack([resize_label(square(label, self.share), *size) for label in labels]),
            )
        return *self._kept[owner], row

    @cached_property
    def fingerprint(self) -> str:
        """First 16 hex digits of a sha256 over classes, size, names, and the bytes of images and labels."""
        form = ("volumes 1", self.classes, self.height, self.width, self.share, self.names)
        digest = hashlib.sha256(repr(form).encode())
        for volume in self.volumes:
            digest.update(volume.content())
        return digest.hexdigest()[:16]


def square(image: np.ndarray, share: float = 1.0) -> np.ndarray:
    """Pad (H, W) with zeros to a square, the content in the middle; an odd rest goes below and to the right.

    With a ``share`` below 1 only the middle of the square is returned, that share of its side, rounded.
    """
    height, width = image.shape
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    padded = np.pad(image, ((top, side - height - top), (left, side - width - left)))
    kept = max(1, round(side * share))
    start = (side - kept) // 2
    return padded[start : start + kept, start : start + kept]
