"""CIFAR-10 [krizhevsky2009cifar] in two layouts.

The official one is the folder `cifar-10-batches-py` of the python version: 50,000 training and 10,000 test images. The
compact one is a file `cifar10_subset.npz` with `x_train` and `x_test` (n, 32, 32, 3) uint8, `y_train` and `y_test`
(n,), `file_train` and `file_test` (n,) and `class_names` (10,). In both, validation is a tenth of the training images,
as many of each class, chosen by a fixed rule; those images are no longer part of training.
"""

import hashlib
import zipfile
import zlib
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from labelkit.datasets.images import resize_image
from labelkit.datasets.splits import class_balanced_split

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
PALETTE = np.array(
    [[31, 119, 180], [255, 127, 14], [44, 160, 44], [214, 39, 40], [148, 103, 189],
     [140, 86, 75], [227, 119, 194], [127, 127, 127], [188, 189, 34], [23, 190, 207]],
    dtype=np.uint8,
)  # fmt: skip
LICENCE = "Research use with citation of Krizhevsky 2009."
SPLITS = ("train", "val", "test")
COUNTS = {"train": 45_000, "val": 5_000, "test": 10_000}  # images in each part of the official layout
HELD_OUT = 10  # validation is one in so many training images of each class
BATCHES, SUBSET = "cifar-10-batches-py", "cifar10_subset.npz"
SUBFOLDERS = ("cifar10_subset", "cifar10")  # looked into, in this order, below a given folder
_UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


class Cifar10:
    """One part of CIFAR-10, held in memory as bytes.

    Args:
        root: the data set's folder, or one that holds it as `cifar10_subset` or `cifar10`.
        split: "train", "val" or "test".
        height, width: delivered size in pixels; None delivers 32x32.

    Raises:
        FileNotFoundError: no known layout is found.
        ValueError: the split is unknown, only one of height and width is given, or a file is not what it should be.
    """

    classes = CLASSES
    palette = PALETTE
    ignore_index = 255
    licence = LICENCE

    def __init__(
        self, root: str | Path, split: str = "train", height: int | None = None, width: int | None = None
    ) -> None:
        if split not in SPLITS:
            raise ValueError(f"CIFAR-10 has no split {split!r}: train, val or test was expected")
        if (height is None) != (width is None) or min(height or 1, width or 1) < 1:
            raise ValueError(f"height {height} and width {width} were given for CIFAR-10: two sizes were expected")
        self.root, self.layout = find(root)
        self.split, self.height, self.width = split, height or 32, width or 32
        self.name = "cifar10" if self.layout == "official" else "cifar10-subset"
        read = _read_official if self.layout == "official" else _read_compact
        images, labels, names = read(self.root, "test" if split == "test" else "train")
        if split != "test":
            # The rule that draws labelled images; those come from what is left, so that nothing is shared.
            held_out = class_balanced_split(labels, max(1, int(np.bincount(labels).min()) // HELD_OUT), 0)
            chosen = list(held_out.labelled if split == "val" else held_out.unlabelled)
            images, labels, names = images[chosen], labels[chosen], tuple(names[index] for index in chosen)
        self.images, self.labels, self.names = images, labels, names

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """A sample: `image` float32 (3, H, W) in whole 255ths, `label` int64 scalar, `name`.

        Raises:
            IndexError: the index is outside 0..len-1.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of {self.name} does not exist: 0 to {len(self) - 1} was expected")
        image = np.ascontiguousarray(resize_image(self.images[index], self.height, self.width).transpose(2, 0, 1))
        return {
            "image": torch.from_numpy(image).float().div_(255),
            "label": torch.tensor(int(self.labels[index]), dtype=torch.int64),
            "name": self.names[index],
        }

    @cached_property
    def fingerprint(self) -> str:
        """First 16 hex digits of a sha256 over classes, size, names, labels and the bytes of all images."""
        digest = hashlib.sha256(repr(("cifar10 1", self.classes, self.height, self.width, self.names)).encode())
        digest.update(self.labels.astype(np.uint8).tobytes())
        digest.update(np.ascontiguousarray(self.images).tobytes())
        return digest.hexdigest()[:16]


def parts(root: Path, variant: str, height: int | None = None, width: int | None = None) -> dict[str, Cifar10]:
    """The three parts of a run file's ``cifar10``.

    Args:
        root: see `Cifar10`.
        variant: must be empty; which layout there is decides.
        height, width: delivered size in pixels; None delivers 32x32.

    Raises:
        ValueError: a variant is asked for, or a file is not what it should be.
        FileNotFoundError: no known layout is found.
    """
    if variant:
        raise ValueError(f"CIFAR-10 has no variant {variant!r}: the name cifar10 was expected")
    return {part: Cifar10(root, part, height, width) for part in SPLITS}


def find(root: str | Path) -> tuple[Path, str]:
    """Find CIFAR-10 in a folder and recognise its layout; the official one comes first.

    Args:
        root: the data set's folder or one that holds it.

    Returns:
        The folder that holds `cifar-10-batches-py` or `cifar10_subset.npz`, and "official" or "compact".

    Raises:
        FileNotFoundError: neither layout is there; the sentence says what was looked for.
    """
    root = Path(root)
    folders = (root, *(root / name for name in SUBFOLDERS))
    for folder in folders:
        if (folder / BATCHES).is_dir():
            return folder, "official"
    if root.name == BATCHES and root.is_dir():
        return root.parent, "official"
    for folder in folders:
        if (folder / SUBSET).is_file():
            return folder, "compact"
    raise FileNotFoundError(
        f"no CIFAR-10 in {root}: {BATCHES}/ or {SUBSET} was expected there or in its folder {' or '.join(SUBFOLDERS)}"
    )


def _read_official(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    from torchvision.datasets import CIFAR10

    try:
        read = CIFAR10(folder, train=part == "train", download=False)  # compares the files with their checksums
    except RuntimeError:
        raise ValueError(
            f"{folder / BATCHES} lacks a file or holds one that its checksum refuses: "
            "the seven files of the python version were expected"
        ) from None
    names = tuple(f"{part}-{index:05d}" for index in range(len(read.targets)))
    return _checked(folder / BATCHES, part, read.data, np.array(read.targets), names, read.classes)


def _read_compact(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    path = folder / SUBSET
    keys = (f"x_{part}", f"y_{part}", f"file_{part}", "class_names")
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = [key for key in keys if key not in archive.files]
            images, labels, names, classes = (None if missing else archive[key] for key in keys)
    except _UNREADABLE as error:
        reason = str(error).rstrip(".") or type(error).__name__
        raise ValueError(f"{path} cannot be read ({reason}): a whole npz file was expected") from None
    if missing:
        raise ValueError(f"{path} has no array {missing[0]}: {', '.join(keys)} were expected")
    return _checked(path, part, images, labels, tuple(map(str, names.ravel())), [str(name) for name in classes.ravel()])


def _checked(
    path: Path, part: str, images: np.ndarray, labels: np.ndarray, names: tuple[str, ...], classes: list[str]
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    if images.ndim != 4 or images.shape[1:] != (32, 32, 3) or images.dtype != np.uint8 or not len(images):
        raise ValueError(
            f"the {part} images of {path} are {images.dtype} of shape {images.shape}: "
            "uint8 of (n, 32, 32, 3) was expected"
        )
    if labels.shape != (len(images),) or len(names) != len(images):
        raise ValueError(
            f"{path} has {len(images)} {part} images, labels of shape {labels.shape} and {len(names)} names: "
            "one label and one name an image were expected"
        )
    if not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0 or labels.max() >= len(CLASSES):
        raise ValueError(
            f"the {part} labels of {path} are {labels.dtype} from {labels.min()} to {labels.max()}: "
            "whole numbers from 0 to 9 were expected"
        )
    if tuple(classes) != CLASSES:
        raise ValueError(f"{path} has the classes {', '.join(classes)}: {', '.join(CLASSES)} was expected")
    if len(set(names)) < len(names):
        raise ValueError(f"{path} names an image of {part} twice: every name was expected once")
    return images, labels.astype(np.int64), names
