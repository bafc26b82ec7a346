"""The files of Cityscapes-VPS: names, lists of segments, and panoptic PNG."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from labelkit.datasets.images import read_image
from labelkit.datasets.json_files import read_json
from labelkit.datasets.listing import files_in, paired
from labelkit.datasets.pairs import Pair

Segments = Mapping[str, Mapping[int, int]]
"""For each frame the class number, 0 to 18, of each segment."""

NAME = re.compile(r"(\d{4})_\d{4}_([a-z-]+_\d{6})_(\d{6})")
ENDINGS = {"_newImg8bit": "_final_mask", "_leftImg8bit": "_gtFine_color"}  # of pictures, and of their labels
CATEGORIES = 19


@dataclass(frozen=True)
class Frame:
    """A labelled frame.

    Attributes:
        video: its number, such as "0001".
        place: city and sequence of Cityscapes, such as "frankfurt_000000".
        number: of the frame in that sequence.
        pair: its files.
    """

    video: str
    place: str
    number: int
    pair: Pair


def owner_frames(folder: Path, split: str) -> list[Frame]:
    """Every labelled frame of a split, sorted by name, so by video and time.

    Args:
        folder: holds `train` and `val`.
        split: "train" or "val".

    Raises:
        FileNotFoundError: a file has no partner.
        ValueError: a name does not tell its video, two frames share a name, or the list of segments misses a frame
            or names one that is not there.
    """
    images = folder / split / "img"
    masks = folder / split / ("panoptic_video" if _listing(folder, split) else "labelmap")
    pairs: list[Pair] = []
    for picture, label in ENDINGS.items():
        pairs += paired(files_in(images, picture), files_in(masks, label), images, masks, label)
    pairs.sort(key=lambda pair: pair.name)
    frames = []
    for pair in pairs:
        if not (match := NAME.fullmatch(pair.name)):
            expected = "a name such as 0001_0001_frankfurt_000000_000279"
            raise ValueError(f"{pair.image} does not tell its video and frame: {expected} was expected")
        frames.append(Frame(match[1], match[2], int(match[3]), pair))
    for before, after in pairwise(pairs):
        if before.name == after.name:
            raise ValueError(f"{images} holds {before.image.name} and {after.image.name}: one of them was expected")
    _check_listed(folder, split, {pair.name: pair.mask for pair in pairs})
    return frames


def owner_segments(folder: Path, split: str) -> Segments | None:
    """The segments of each frame of a split, or None if the split has no panoptic PNG with its list.

    Raises:
        ValueError: the list is not what it should be, names a frame or a segment twice, or a class outside 0 to 18.
    """
    path = _listing(folder, split)
    if path is None:
        return None
    stated = read_json(path)
    try:
        listed = [
            (str(entry["file_name"]), [(int(each["id"]), int(each["category_id"])) for each in entry["segments_info"]])
            for entry in stated["annotations"]
        ]
    except (KeyError, TypeError, ValueError):
        raise ValueError(
            f"{path} is no list of segments: `annotations` with `file_name` and `segments_info` (`id`, `category_id`) "
            "was expected"
        ) from None
    found: dict[str, dict[int, int]] = {}
    for file_name, pairs in listed:
        name = Path(file_name).stem
        for label in ENDINGS.values():
            name = name.removesuffix(label)
        if name in found:
            raise ValueError(f"{path} names {file_name} twice: every frame was expected once")
        found[name] = dict(pairs)
        if len(found[name]) < len(pairs):
            raise ValueError(f"{path} gives {file_name} a segment twice: every id was expected once")
        if wrong := [each for each in found[name].values() if not 0 <= each < CATEGORIES]:
            raise ValueError(f"{path} gives {file_name} the category {wrong[0]}: 0 to {CATEGORIES - 1} was expected")
    return found


def read_ids(path: Path) -> np.ndarray:
    """The ids of segments in a panoptic PNG, (H, W) int32: red + 256 green + 65536 blue, 0 where there is none.

    Raises:
        FileNotFoundError, ValueError: see `images.read_image`.
    """
    return read_image(path).astype(np.int32) @ np.array([1, 256, 65536], dtype=np.int32)


def unlabelled_frames(folder: Path, first: Frame, last: Frame) -> list[Pair]:
    """The pictures of a video from one labelled frame to another, without labels.

    Args:
        folder: such as `val/img_all`, with `frankfurt_000000_000279_leftImg8bit.png` and so on.
        first, last: the frames.

    Returns:
        The pictures in order of time, each as its own label file.

    Raises:
        FileNotFoundError: the folder or a frame is missing.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not a folder: all frames of the videos were expected there")
    pairs = []
    for number in range(first.number, last.number + 1):
        name = f"{first.place}_{number:06d}"
        path = folder / f"{name}_leftImg8bit.png"
        if not path.is_file():
            raise FileNotFoundError(f"{path} does not exist: every frame of the video {first.video} was expected")
        pairs.append(Pair(name, path, path))
    return pairs


def layout_of(folder: Path) -> str | None:
    """ "official", or None if the folder is not Cityscapes-VPS."""
    labelled = [
        (folder / split / kind).is_dir() for split in ("train", "val") for kind in ("labelmap", "panoptic_video")
    ]
    there = all((folder / split / "img").is_dir() for split in ("train", "val"))
    return "official" if there and any(labelled[:2]) and any(labelled[2:]) else None


def _listing(folder: Path, split: str) -> Path | None:
    """The list of segments of a split that has panoptic PNG, or None."""
    path = folder / f"panoptic_gt_{split}_city_vps.json"
    return path if path.is_file() and (folder / split / "panoptic_video").is_dir() else None


def _check_listed(folder: Path, split: str, there: Mapping[str, Path]) -> None:
    segments = owner_segments(folder, split)
    if segments is None:
        return
    path = _listing(folder, split)
    for name in sorted(there.keys() - segments.keys()):
        raise ValueError(f"{path} does not name {there[name].name}: every frame of {there[name].parent} was expected")
    for name in sorted(segments.keys() - there.keys()):
        raise FileNotFoundError(f"{folder / split / 'panoptic_video'} has no file of the frame {name}: {path} names it")
