"""A list of image files with their label files, read with checks: the common part of all folder readers."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labelkit.datasets.images import read_image, read_label, resize_image, resize_label


@dataclass(frozen=True)
class Pair:
    """One image file and its label file.

    Attributes:
        name: the name of the sample, as its owner wrote it, without suffix.
        image: path of the picture.
        mask: path of the label file.
    """

    name: str
    image: Path
    mask: Path


class PairedFiles:
    """A data set of image and label files.

    With `cache`, a sample is kept in memory as uint8 after its first reading (4 bytes a pixel), so that later epochs
    cost no decoding. Call `load()` to read everything at once, for instance before worker processes fork.

    Args:
        name: the data set's name in records and protocols.
        pairs: the files, in the order of the samples.
        classes: class names; the position is the label id.
        palette: (C, 3) uint8, a colour per class.
        licence: one sentence.
        table: (65536,) uint8 from `images.label_table`: the owner's label values to ours.
        colours: (K, 3) uint8 or None: the colours of the owner's label values, for label files that hold colours.
        height, width: delivered size in pixels; None delivers the size of the files.
        cache: keep decoded samples in memory.

    Raises:
        ValueError: there is no pair, a name occurs twice, or height and width are not both given and positive.
    """

    ignore_index = 255

    def __init__(
        self,
        name: str,
        pairs: Sequence[Pair],
        classes: Sequence[str],
        palette: np.ndarray,
        licence: str,
        table: np.ndarray,
        colours: np.ndarray | None = None,
        height: int | None = None,
        width: int | None = None,
        cache: bool = True,
    ) -> None:
        if not pairs:
            raise ValueError(f"data set {name} has no image with a mask: at least one pair of files was expected")
        if len(names := Counter(pair.name for pair in pairs)) < len(pairs):
            raise ValueError(f"data set {name} lists {names.most_common(1)[0][0]} twice: every name was expected once")
        if (height is None) != (width is None):
            raise ValueError(f"height {height} and width {width} were given for {name}: both or neither were expected")
        if height is not None and width is not None and min(height, width) < 1:
            raise ValueError(f"height {height} and width {width} were given for {name}: positive numbers were expected")
        self.name, self.classes, self.licence = name, tuple(classes), licence
        self.palette = np.asarray(palette, dtype=np.uint8)
        self.pairs = tuple(pairs)
        self.height, self.width = height, width
        self._table, self._colours = table, colours
        self._cache: list[tuple[Tensor, Tensor] | None] | None = [None] * len(self.pairs) if cache else None

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each sample."""
        return tuple(pair.name for pair in self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> dict[str, Tensor | str]:
        """Deliver a sample: `image` float32 (3, H, W) in 0..1, `mask` int64 (H, W) with 255 = ignore, `name`."""
        sample = self.bytes(index)
        return sample | {"image": sample["image"].float().div_(255), "mask": sample["mask"].long()}

    def bytes(self, index: int) -> dict[str, Any]:
        """Deliver a sample with `image` and `mask` as `arrays` gives them, for an augmentation that cuts first."""
        image, mask = self.arrays(index)
        return {"image": image, "mask": mask, "name": self.pairs[index].name}

    def arrays(self, index: int) -> tuple[Tensor, Tensor]:
        """Deliver a sample as bytes. The tensors may be shared with the cache: do not write into them.

        Args:
            index: 0 to len - 1.

        Returns:
            image uint8 (3, H, W) and mask uint8 (H, W) with 255 = ignore.

        Raises:
            IndexError: the index lies outside the data set.
            FileNotFoundError, ValueError: a file is missing, broken, or does not fit its partner.
        """
        if not 0 <= index < len(self.pairs):
            raise IndexError(f"sample {index} of {self.name} does not exist: 0 to {len(self.pairs) - 1} was expected")
        if self._cache is not None and (kept := self._cache[index]) is not None:
            return kept
        image, mask = self._read(self.pairs[index])
        arrays = torch.from_numpy(image.transpose(2, 0, 1).copy()), torch.from_numpy(mask)
        if self._cache is not None:
            self._cache[index] = arrays
        return arrays

    def mask(self, index: int) -> np.ndarray:
        """Deliver only the mask, uint8 (H, W) with 255 = ignore; without a cache the picture is not decoded."""
        if self._cache is None and 0 <= index < len(self.pairs):
            return self._resized_mask(self._read_mask(self.pairs[index]))
        return self.arrays(index)[1].numpy()

    def load(self) -> "PairedFiles":
        """Read every sample once, so that a broken file is found now and not in the middle of a run."""
        for index in range(len(self)):
            self.arrays(index)
        return self

    @cached_property
    def fingerprint(self) -> str:
        """First 16 hex digits of a sha256 over classes, size, label values, and the names and bytes of all files."""
        digest = hashlib.sha256(repr(("pairs 1", self.classes, self.height, self.width)).encode())
        digest.update(self._table.tobytes())
        digest.update(b"" if self._colours is None else np.ascontiguousarray(self._colours).tobytes())
        for pair in self.pairs:
            digest.update(hashlib.sha256(pair.name.encode()).digest())
            for path in (pair.image, pair.mask):
                if not path.is_file():
                    raise FileNotFoundError(f"{path} does not exist: a file of the data set {self.name} was expected")
                digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()[:16]

    def _read(self, pair: Pair) -> tuple[np.ndarray, np.ndarray]:
        image, mask = read_image(pair.image), self._read_mask(pair)
        if image.shape[:2] != mask.shape:
            raise ValueError(
                f"mask {pair.mask} is {mask.shape[1]}x{mask.shape[0]} pixels: "
                f"{image.shape[1]}x{image.shape[0]} was expected, the size of {pair.image.name}"
            )
        if self.height is not None and self.width is not None:
            image = resize_image(image, self.height, self.width)
        return image, self._resized_mask(mask)

    def _read_mask(self, pair: Pair) -> np.ndarray:
        owner = read_label(pair.mask, self._colours)
        mask = mapped(owner, self._table)
        if (mask == 254).any():
            ids = ", ".join(str(value) for value in np.unique(owner[mask == 254])[:5])
            raise ValueError(
                f"mask {pair.mask} holds the label value {ids}: "
                f"values of the {len(self.classes)} classes or an ignored value were expected"
            )
        return mask

    def _resized_mask(self, mask: np.ndarray) -> np.ndarray:
        if self.height is None or self.width is None:
            return mask
        return resize_label(mask, self.height, self.width)


def mapped(values: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Label values (H, W) uint8 or uint16 through a table (65536,) uint8; a byte string maps bytes fastest."""
    if values.dtype != np.uint8:
        return table[values]
    translated = bytearray(np.ascontiguousarray(values)).translate(table[:256].tobytes())
    return np.frombuffer(translated, np.uint8).reshape(values.shape)
