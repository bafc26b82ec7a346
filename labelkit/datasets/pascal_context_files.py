"""The files of PASCAL-Context: folders, lists, and the owner's MAT files with ids of 459 labels."""

import re
from pathlib import Path

import numpy as np

from labelkit.datasets.converting import Conversion
from labelkit.datasets.listing import read_names
from labelkit.datasets.locate import locate
from labelkit.datasets.mat_files import read_mat

OWNER_IDS = {
    "aeroplane": 2, "bag": 9, "bed": 18, "bedclothes": 19, "bench": 22, "bicycle": 23, "bird": 25, "boat": 31,
    "book": 33, "bottle": 34, "building": 44, "bus": 45, "cabinet": 46, "car": 59, "cat": 65, "ceiling": 68,
    "chair": 72, "cloth": 80, "computer": 85, "cow": 98, "cup": 104, "curtain": 105, "dog": 113, "door": 115,
    "fence": 144, "floor": 158, "flower": 159, "food": 162, "grass": 187, "ground": 189, "horse": 207,
    "keyboard": 220, "light": 232, "motorbike": 258, "mountain": 259, "mouse": 260, "person": 284, "plate": 295,
    "platform": 296, "pottedplant": 308, "road": 324, "rock": 326, "sheep": 347, "shelves": 349, "sidewalk": 354,
    "sign": 355, "sky": 360, "snow": 366, "sofa": 368, "table": 397, "track": 415, "train": 416, "tree": 420,
    "truck": 424, "tvmonitor": 427, "wall": 440, "water": 445, "window": 454, "wood": 458,
}  # fmt: skip
"""The id of each class among the owner's 459 labels."""
LABELS = 459
COUNTS = {"train": 4_998, "val": 5_105}
RULE = "pascal-context 1: 59 of 459 ids as 1 to 59, others 0"
SUBFOLDERS = (
    "VOCdevkit/VOC2010",
    "VOC2010",
    "pascal-context/VOCdevkit/VOC2010",
    "pascal-context/VOC2010",
    "pascal-context",
)


def layout_of(folder: Path) -> str | None:
    """ "official" (MAT files), "converted" (PNG), or None if the folder is not VOC 2010 with these annotations."""
    if not (folder / "JPEGImages").is_dir():
        return None
    if _maps(folder) is not None:
        return "official"
    return "converted" if (folder / "SegmentationClassContext").is_dir() else None


def find(root: str | Path) -> tuple[Path, str]:
    """The folder with `JPEGImages`, the given one or a folder below it, and its layout; see `locate`."""
    expected = "JPEGImages/ and, beside or above it, trainval/ with MAT files (or SegmentationClassContext/)"
    return locate(root, SUBFOLDERS, layout_of, "PASCAL-Context", expected)


def find_maps(folder: Path) -> Path:
    """The folder `trainval` with the owner's MAT files, for a folder of the official layout."""
    found = _maps(folder)
    if found is None:
        raise FileNotFoundError(
            f"no trainval/ with MAT files in or above {folder}: the owner's annotations were expected"
        )
    return found


def _maps(folder: Path) -> Path | None:
    for place in (folder, folder.parent, folder.parent.parent):
        if (place / "trainval").is_dir() and next((place / "trainval").glob("*.mat"), None):
            return place / "trainval"
    return None


def owner_names(folder: Path, layout: str) -> dict[str, list[str]]:
    """The owner's "train" and "val", sorted: VOC 2010's lists, or those that came with the converted PNG.

    Raises:
        FileNotFoundError, ValueError: a list is missing or broken, or an image is in both.
    """
    lists = folder / "ImageSets" / ("Main" if layout == "official" else "SegmentationContext")
    names = {key: sorted(read_names(lists / f"{key}.txt")) for key in COUNTS}
    if both := sorted(set(names["train"]) & set(names["val"])):
        raise ValueError(
            f"{lists} has image {both[0]} in train.txt and in val.txt: lists without overlap were expected"
        )
    return names


def check_labels(path: Path) -> None:
    """Compare the owner's list of 459 labels with the ids that are known here.

    Args:
        path: lines such as "2: aeroplane"; a list that is not there is passed over.

    Raises:
        ValueError: it calls an id otherwise.
    """
    if not path.is_file():
        return
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    stated = {int(number): re.sub(r"\s", "", name) for number, name in re.findall(r"^\s*(\d+)\s*:(.+)$", text, re.M)}
    for name, number in OWNER_IDS.items():
        if stated.get(number) != name:
            raise ValueError(f"{path} calls label {number} {stated.get(number)!r}: {name!r} was expected")


def masks_of(folder: Path, names: list[str]) -> Conversion:
    """The masks as PNG with 0 to 59; nothing is drawn before `run`.

    Args:
        folder: `trainval` with the MAT files.
        names: of the images.

    Raises:
        FileNotFoundError: a MAT file is missing.
    """
    return Conversion.of_files(folder, ".mat", names, RULE, read_map, "a list in ImageSets/Main")


def read_map(path: Path) -> np.ndarray:
    """The class map of an image, uint8 (H, W): 1 to 59 for the classes, 0 for other labels.

    Raises:
        FileNotFoundError, ValueError: the MAT file is missing or broken, or holds other ids.
    """
    labels = read_mat(path, "LabelMap")
    if labels.max() > LABELS:
        raise ValueError(f"label file {path} holds the id {labels.max()}: 0 to {LABELS} was expected")
    table = np.zeros(LABELS + 1, dtype=np.uint8)
    table[list(OWNER_IDS.values())] = np.arange(1, len(OWNER_IDS) + 1)
    return table[labels]
