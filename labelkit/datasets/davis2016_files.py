"""Where the files of DAVIS 2016 are, in the layouts that `davis2016` reads."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

from labelkit.datasets.json_files import read_json
from labelkit.datasets.listing import match_by_stem, named_files, read_file_pairs
from labelkit.datasets.pairs import Pair

SEQUENCES = {"train": 30, "val": 20}
VALIDATION = (
    "blackswan", "bmx-trees", "breakdance", "camel", "car-roundabout", "car-shadow", "cows", "dance-twirl", "dog",
    "drift-chicane", "drift-straight", "goat", "horsejump-high", "kite-surf", "libby", "motocross-jump",
    "paragliding-launch", "parkour", "scooter-black", "soapbox",
)  # fmt: skip
SUBFOLDERS = ("davis2016_val_214x120", "davis2016", "DAVIS2016", "DAVIS")  # looked into, in this order


def splits(folder: Path) -> tuple[str, ...]:
    """The splits of a DAVIS folder: those with a list or videos in the owner's layout, "val" in the compact one."""
    if layout_of(folder) == "compact":
        return ("val",)
    return tuple(split for split in SEQUENCES if _listing(folder, split).is_file() or _unlisted(folder, split))


def layout_of(folder: Path) -> str | None:
    """ "official", "compact", or None if the folder is not DAVIS 2016."""
    if all((folder / each / "480p").is_dir() for each in ("JPEGImages", "Annotations")):
        return "official"
    compact = all((folder / each).exists() for each in ("images", "labels", "sequences.json", "classes.json"))
    named = compact and '"foreground object(s)"' in (folder / "classes.json").read_text("utf-8", errors="replace")
    return "compact" if named else None


def find(root: str | Path) -> tuple[Path, str]:
    """Find DAVIS 2016 in a folder and recognise its layout.

    Args:
        root: the data set's folder or one that holds it.

    Returns:
        The data set's folder, and "official" or "compact".

    Raises:
        FileNotFoundError: neither layout is there; the sentence says what was looked for.
    """
    root = Path(root)
    for folder in (root, *(root / name for name in SUBFOLDERS)):
        if layout := layout_of(folder):
            return folder, layout
    raise FileNotFoundError(
        f"no DAVIS 2016 in {root}: JPEGImages/480p/ and Annotations/480p/, or images/, labels/, "
        f"sequences.json and classes.json, were expected there or in its folder {', '.join(SUBFOLDERS[:-1])} or "
        f"{SUBFOLDERS[-1]}"
    )


def videos_of(folder: Path, layout: str, split: str) -> dict[str, list[Pair]]:
    """The frames of each video, in order.

    Args:
        folder: the data set's folder.
        layout: "official" or "compact".
        split: one that the folder has.

    Returns:
        Name of the video to its frames with their masks, sorted; a frame is named SEQUENCE/NUMBER.

    Raises:
        FileNotFoundError: a frame or its mask is missing.
        ValueError: a list is broken, or a video has no frame.
    """
    found = dict(sorted((_compact(folder) if layout == "compact" else _official(folder, split)).items()))
    for sequence, pairs in found.items():
        _check_numbers(sequence, [Path(pair.name).name for pair in pairs], folder)
    return found


def _official(folder: Path, split: str) -> dict[str, list[Pair]]:
    listing = _listing(folder, split)
    if not listing.is_file():
        return {sequence: _folders(folder, sequence) for sequence in _unlisted(folder, split)}
    videos: dict[str, list[Pair]] = {}
    for image, mask in read_file_pairs(listing, lambda path: folder / path.lstrip("/")):
        sequence = image.parent.name
        videos.setdefault(sequence, []).append(Pair(f"{sequence}/{image.stem}", image, mask))
    return {sequence: sorted(pairs, key=lambda pair: pair.name) for sequence, pairs in videos.items()}


def _listing(folder: Path, split: str) -> Path:
    return folder / "ImageSets" / "480p" / f"{split}.txt"


def _unlisted(folder: Path, split: str) -> list[str]:
    """The videos of a split in an owner's copy without lists."""
    there = sorted(each.name for each in (folder / "JPEGImages" / "480p").iterdir() if each.is_dir())
    return [name for name in there if (name in VALIDATION) == (split == "val")]


def _folders(folder: Path, sequence: str) -> list[Pair]:
    found = match_by_stem(*(folder / kind / "480p" / sequence for kind in ("JPEGImages", "Annotations")))
    if not found:
        raise ValueError(f"the video {sequence} in {folder} has no frame: at least one was expected")
    return [Pair(f"{sequence}/{pair.name}", pair.image, pair.mask) for pair in found]


def _compact(folder: Path) -> dict[str, list[Pair]]:
    listing = folder / "sequences.json"
    stated = read_json(listing)
    videos: dict[str, list[Pair]] = {}
    try:
        named = {sequence: [str(frame) for frame in entry["frames"]] for sequence, entry in stated.items()}
    except (AttributeError, KeyError, TypeError):
        raise ValueError(f"{listing} is no list of videos: `frames` for each name was expected") from None
    for sequence, frames in named.items():
        listed = [f"{sequence}/{frame}" for frame in sorted(frames)]
        images, masks = (
            named_files(folder / kind / sequence, sorted(frames), "sequences.json") for kind in ("images", "labels")
        )
        videos[sequence] = [Pair(*each) for each in zip(listed, images, masks)]
    if not videos or not all(videos.values()):
        raise ValueError(f"{listing} names no video, or one without frames: frames for each name were expected")
    return videos


def _check_numbers(sequence: str, frames: list[str], folder: Path) -> None:
    """The frames of a video are numbered without a gap, or flow from one to the next means nothing."""
    for name in frames:
        if not re.fullmatch(r"\d+", name):
            raise ValueError(
                f"the video {sequence} in {folder} has a frame {name}: a number such as 00012 was expected"
            )
    for before, after in pairwise(frames):
        if int(after) != int(before) + 1:
            missing = str(int(before) + 1).zfill(len(before))
            raise FileNotFoundError(f"the video {sequence} in {folder} lacks frame {missing}: every frame was expected")
