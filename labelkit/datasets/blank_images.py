"""Blank images: noise with masks of blocks that show every class, or with a class for the whole image."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

TRAIN = 8
"""Training images: of any fraction below one, some have labels and some have none."""
SMALLER = 4
"""Sides of validation and test images are so many times shorter."""
BLOCKS = (8, 25)
"""Blocks of a mask down and across: room for 200 classes."""
LEAST = 32
IGNORED = 255


class BlankImages:
    """A part of blank images; all have one picture, and blocks in an order of their own.

    Args:
        name, classes, palette: of the data.
        split: of the part.
        count: images.
        height, width: in pixels.
        tagged: samples have ``tags`` (C - 1,), two classes each; label 0 is the background. Two images in a row share
            them.
    """

    ignore_index, licence = IGNORED, "Noise."

    def __init__(
        self,
        name: str,
        classes: tuple[str, ...],
        palette: np.ndarray,
        split: str,
        count: int,
        height: int,
        width: int,
        tagged: bool = False,
    ) -> None:
        self.name, self.classes, self.palette, self.split = name, classes, palette, split
        self.height, self.width, self.tagged = height, width, tagged
        self.names = tuple(f"{split}_{index}" for index in range(count))
        self.groups = self.names
        self.fingerprint = f"{name} {split} {count} {height} {width} {tagged}"
        self._picture = noise(height, width)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """``image`` (3, H, W) in 0..1, ``mask`` (H, W) int64, ``name``, and ``tags`` (C - 1,) where they are asked
        for."""
        _check(index, self)
        mask = blocks(len(self.classes), self.height, self.width, index)
        sample = {"image": self._picture.float().div_(255), "mask": mask, "name": self.names[index]}
        return sample | {"tags": self.tags(index)} if self.tagged else sample

    def tags(self, index: int) -> Tensor:
        """Two neighbouring classes, the same for two images in a row."""
        tags = torch.zeros(len(self.classes) - 1)
        tags[[(index // 2) % len(tags), (index // 2 + 1) % len(tags)]] = 1
        return tags


class BlankLabelled:
    """A part of blank images with a class each, two images in a row of one class.

    Args:
        name, classes, palette: of the data.
        split: of the part.
        count: images.
        height, width: in pixels.
    """

    ignore_index, licence = IGNORED, "Noise."

    def __init__(
        self, name: str, classes: tuple[str, ...], palette: np.ndarray, split: str, count: int, height: int, width: int
    ) -> None:
        self.name, self.classes, self.palette, self.split = name, classes, palette, split
        self.height, self.width = height, width
        self.names = tuple(f"{split}_{index}" for index in range(count))
        self.labels = np.arange(count) // 2 % len(classes)
        self.fingerprint = f"{name} {split} {count} {height} {width}"
        self._picture = noise(height, width)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """``image`` (3, H, W) in 0..1, ``label``, ``name``."""
        _check(index, self)
        label = torch.tensor(int(self.labels[index]))
        return {"image": self._picture.float().div_(255), "label": label, "name": self.names[index]}

    def centred(self, height: int, width: int) -> "BlankLabelled":
        """The same images as central crops."""
        return BlankLabelled(self.name, self.classes, self.palette, self.split, len(self), height, width)


def image_parts(
    name: str,
    classes: tuple[str, ...],
    palette: np.ndarray,
    own: tuple[int, int],
    *,
    tagged: bool,
    height: int | None = None,
    width: int | None = None,
) -> dict[str, BlankImages]:
    """Three parts.

    Args:
        name, classes, palette: of the data.
        own: height and width of the files.
        tagged: see `BlankImages`.
        height, width: delivered size; None delivers that of the files.
    """
    train = own if height is None or width is None else (height, width)
    size = {"train": train} | dict.fromkeys(("val", "test"), smaller(*train))
    counts = {"train": TRAIN, "val": 1, "test": 1}
    return {
        part: BlankImages(name, classes, palette, part, counts[part], *size[part], tagged=tagged) for part in counts
    }


def labelled_parts(
    name: str,
    classes: tuple[str, ...],
    palette: np.ndarray,
    own: tuple[int, int] | None,
    *,
    height: int,
    width: int,
) -> dict[str, BlankLabelled]:
    """Three parts of images with classes; ``own`` size, if given, is that of whole training images."""
    size = {"train": own or (height, width), "val": (height, width), "test": (height, width)}
    counts = {"train": TRAIN, "val": 2, "test": 2}
    return {part: BlankLabelled(name, classes, palette, part, counts[part], *size[part]) for part in counts}


def smaller(height: int, width: int) -> tuple[int, int]:
    """The size of images that only test; in whole 16s, as some networks ask for it."""

    def side(length: int) -> int:
        return min(length, max(LEAST, -(-length // SMALLER // 16) * 16))

    return side(height), side(width)


def noise(height: int, width: int) -> Tensor:
    """A picture of noise, (3, H, W) uint8; the same for the same size."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (3, height, width), generator=generator, dtype=torch.uint8)


def blocks(classes: int, height: int, width: int, seed: int) -> Tensor:
    """A mask (H, W) int64 of blocks; all classes occur where there are enough pixels, and the first column of pixels
    has no label."""
    order = np.random.default_rng(seed).permutation(BLOCKS[0] * BLOCKS[1]) % classes
    grid = torch.from_numpy(order.reshape(BLOCKS))
    rows = torch.arange(height) * BLOCKS[0] // height
    columns = torch.arange(width) * BLOCKS[1] // width
    mask = grid[rows][:, columns].clone()
    mask[:, 0] = IGNORED
    return mask


def _check(index: int, dataset: Any) -> None:
    if not 0 <= index < len(dataset):
        raise IndexError(f"sample {index} of {dataset.name} does not exist: 0 to {len(dataset) - 1} was expected")
