"""ImageNet, ILSVRC 2012 classification [russakovsky2015imagenet], unpacked: `train/<wnid>/*.JPEG`, `val/<wnid>/*.JPEG`.

The 1000 folder names (wnids), sorted, give the labels. The official validation images are the test part: S4L's code
calls them so. The validation part, for tuning, is 50 training images of each class, chosen by a fixed rule among those
that no list in the folder `lists/` names; so a published list of labelled images stays whole.
"""

import hashlib
import os
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from labelkit.datasets.ilsvrc2012_lists import names_in
from labelkit.datasets.images import read_image
from labelkit.datasets.listing import entries
from labelkit.datasets.splits import class_balanced_split

CLASSES = 1000
HELD_OUT = 50  # training images of each class that are the validation part
SPLITS = ("train", "val", "test")
COUNTS = {"train": 1_231_167, "val": 50_000, "test": 50_000}  # of a complete copy; train and val make 1,281,167
LICENCE = "Non-commercial research and education after registration."
LISTS = "lists"  # folder of lists of labelled images
SUFFIXES = (".jpeg", ".jpg", ".png")
MARGIN = 8 / 7  # the shorter side before the central crop, in crops: 256 for 224


class ImageNet:
    """One part of ImageNet; an image is decoded when it is asked for.

    Args:
        split: "train", "val" or "test".
        folder: holds the class folders.
        files: path of each image below the folder, such as "n01440764/n01440764_18.JPEG".
        labels: the class of each, (n,) int64.
        wnids: the class folders, sorted.
        height, width: of a central crop; None delivers whole images, which differ in size.
    """

    name = "ilsvrc2012"
    ignore_index = 255
    licence = LICENCE

    def __init__(
        self,
        split: str,
        folder: Path,
        files: tuple[str, ...],
        labels: np.ndarray,
        wnids: tuple[str, ...],
        height: int | None = None,
        width: int | None = None,
    ) -> None:
        self.split, self.folder, self.files, self.labels, self.classes = split, folder, files, labels, wnids
        self.height, self.width = height, width

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The file name of each image, as the published lists write it."""
        return tuple(file.rpartition("/")[2] for file in self.files)

    @cached_property
    def palette(self) -> np.ndarray:
        """A colour for each class, (C, 3) uint8: the binary digits of its number, spread over three channels."""
        numbers = np.arange(len(self.classes))[:, None] + 1
        colours = np.zeros((len(self.classes), 3), dtype=np.int64)
        for digit in range(4):
            colours += ((numbers >> (3 * digit + np.arange(3))) & 1) << (7 - digit)
        return colours.astype(np.uint8)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """A sample: `image` float32 (3, H, W) in 0..1, `label` int64 scalar, `name`.

        Raises:
            IndexError: the index is outside 0..len-1.
            FileNotFoundError, ValueError: the file is gone or cannot be decoded; the sentence names it.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of {self.name} does not exist: 0 to {len(self) - 1} was expected")
        image = read_image(self.folder / self.files[index])
        if self.height is not None and self.width is not None:
            image = _central(image, self.height, self.width)
        return {
            "image": torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).float().div_(255),
            "label": torch.tensor(int(self.labels[index]), dtype=torch.int64),
            "name": self.files[index].rpartition("/")[2],
        }

    def centred(self, height: int, width: int) -> "ImageNet":
        """The same images as central crops, for prediction in batches.

        Args:
            height, width: of the crop in pixels; before it, the shorter side becomes 8/7 of the larger of the two.
        """
        return ImageNet(self.split, self.folder, self.files, self.labels, self.classes, height, width)

    @cached_property
    def fingerprint(self) -> str:
        """First 16 hex digits of a sha256 over classes, delivered size, and the paths and lengths of all files."""
        digest = hashlib.sha256(repr(("ilsvrc2012 1", self.classes, self.height, self.width)).encode())
        for file in self.files:
            digest.update(f"{file} {os.path.getsize(self.folder / file)}\n".encode())
        return digest.hexdigest()[:16]


def parts(
    root: Path, variant: str, height: int | None = None, width: int | None = None, classes: int | None = None
) -> dict[str, ImageNet]:
    """The three parts of a run file's ``ilsvrc2012``.

    Args:
        root: the folder that holds `train` and `val`, or one that holds it as `ilsvrc2012`.
        variant: must be empty.
        height, width: of the central crops that "val" and "test" deliver. "train" delivers whole images, because the
            random crop of training is taken from them; see `ImageNet.centred`.
        classes: number of class folders that are expected; None expects ImageNet's 1000.

    Raises:
        FileNotFoundError: a folder is missing.
        ValueError: a variant is asked for, only one of height and width is given, or the class folders are not what
            they should be.
    """
    if variant:
        raise ValueError(f"ILSVRC 2012 has no variant {variant!r}: the name ilsvrc2012 was expected")
    if (height is None) != (width is None) or min(height or 1, width or 1) < 1:
        raise ValueError(f"height {height} and width {width} were given for ILSVRC 2012: two sizes were expected")
    folder = find(root)
    wnids = class_folders(folder / "train", classes or CLASSES)
    other = class_folders(folder / "val", classes or CLASSES)
    if wnids != other:
        odd = sorted(set(wnids) ^ set(other))[0]
        raise ValueError(f"only one of train and val in {folder} has the class folder {odd}: the same were expected")
    files, labels = _listing(folder / "train", wnids)
    held_out = _held_out(folder, files, labels)
    kept = np.setdiff1d(np.arange(len(files)), held_out)
    found = {
        "train": ImageNet("train", folder / "train", _some(files, kept), labels[kept], wnids),
        "val": ImageNet("val", folder / "train", _some(files, held_out), labels[held_out], wnids, height, width),
    }
    files, labels = _listing(folder / "val", wnids)
    return found | {"test": ImageNet("test", folder / "val", files, labels, wnids, height, width)}


def find(root: str | Path) -> Path:
    """Find ImageNet in a folder.

    Args:
        root: the folder that holds `train` and `val`, or one that holds it as `ilsvrc2012`.

    Returns:
        The folder that holds `train` and `val`.

    Raises:
        FileNotFoundError: neither is there.
    """
    for folder in (Path(root), Path(root) / "ilsvrc2012"):
        if (folder / "train").is_dir() and (folder / "val").is_dir():
            return folder
    raise FileNotFoundError(
        f"no ILSVRC 2012 in {root}: train/ and val/ were expected there or in its folder ilsvrc2012"
    )


def class_folders(folder: Path, expected: int) -> tuple[str, ...]:
    """The names of the class folders, sorted.

    Args:
        folder: `train` or `val`.
        expected: how many there should be.

    Raises:
        ValueError: their number differs; images that lie there without class folders are pointed out. Or two names
            differ only in case, or a link leads nowhere.
    """
    listed = entries(folder)
    wnids = [path.name for path in listed if path.is_dir()]
    if len(wnids) != expected:
        loose = any(path.suffix.lower() in SUFFIXES for path in listed)
        where = "; images lie there without class folders" if loose else ""
        raise ValueError(
            f"{folder} has {len(wnids)} class folders{where}: {expected} were expected, one a class (wnid)"
        )
    return tuple(wnids)


def _listing(folder: Path, wnids: tuple[str, ...]) -> tuple[tuple[str, ...], np.ndarray]:
    """Path of every image below the folder, sorted by class and name, and its label."""
    files: list[str] = []
    counts = []
    for wnid in wnids:
        with os.scandir(folder / wnid) as there:
            found = {
                entry.name: os.path.isfile(entry.path) if entry.is_symlink() else entry.is_file()
                for entry in there
                if entry.name.lower().endswith(SUFFIXES) and not entry.name.startswith(".")
            }
        names = sorted(found)
        if lost := [name for name in names if not found[name]]:
            raise ValueError(
                f"{folder / wnid / lost[0]} is a folder, or a link that leads nowhere: an image file was expected"
            )
        if not names:
            raise ValueError(f"class folder {folder / wnid} has no image: JPEG files were expected")
        files += [f"{wnid}/{name}" for name in names]
        counts.append(len(files) - sum(counts))
    return tuple(files), np.repeat(np.arange(len(wnids), dtype=np.int64), counts)


def _held_out(folder: Path, files: tuple[str, ...], labels: np.ndarray) -> np.ndarray:
    listed: set[str] = set()
    if (folder / LISTS).is_dir():
        for path in sorted((folder / LISTS).iterdir()):
            if path.is_file() and not path.name.startswith("."):
                listed.update(names_in(path))
    free = np.array(
        [index for index, file in enumerate(files) if file.rpartition("/")[2] not in listed], dtype=np.int64
    )
    counts = np.bincount(labels[free], minlength=int(labels.max()) + 1)
    # A complete class has 732 images or more; a small excerpt of ImageNet gives up to a tenth of its smallest class.
    each = min(HELD_OUT, max(1, int(np.bincount(labels).min()) // 10))
    if counts.min() < each:
        wnid = files[int(np.flatnonzero(labels == counts.argmin())[0])].partition("/")[0]
        raise ValueError(
            f"class {wnid} has {counts.min()} training images that no list in {folder / LISTS} names: "
            f"{each} were expected for validation"
        )
    return free[list(class_balanced_split(labels[free], each, 0).labelled)]


def _some(files: tuple[str, ...], indices: np.ndarray) -> tuple[str, ...]:
    return tuple(files[index] for index in indices.tolist())


def _central(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize the shorter side, bilinear with antialiasing, and cut the middle out."""
    from PIL import Image

    rows, columns = image.shape[:2]
    share = round(max(height, width) * MARGIN) / min(rows, columns)
    size = max(width, round(columns * share)), max(height, round(rows * share))
    resized = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return np.array(resized.crop((left, top, left + width, top + height)))
