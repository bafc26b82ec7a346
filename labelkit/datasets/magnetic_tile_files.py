"""The files of the magnetic tiles: their two layouts, which images show the same tile, and the three parts."""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from labelkit.datasets.listing import entries, like
from labelkit.datasets.locate import locate
from labelkit.datasets.pairs import Pair
from labelkit.datasets.tagged import compact_layout, compact_names, compact_pairs, one_in, part_of, read_tags

FOLDERS = ("MT_Blowhole", "MT_Break", "MT_Crack", "MT_Fray", "MT_Uneven", "MT_Free")  # the owner's; the last has none
TEST_SHARE = 4  # one in so many images of each class is for the test, or a few more: tiles stay whole
SAME_TILE = 200  # pictures with numbers at most so far apart count as pictures of one tile
SUBFOLDERS = ("magnetic_tile_240", "magnetic-tiles", "Magnetic-tile-defect-datasets.")  # looked into below a folder


def layout_of(folder: Path) -> str | None:
    """ "official", "compact", or None if the folder does not hold magnetic tiles."""
    if all((folder / name / "Imgs").is_dir() for name in FOLDERS):
        return "official"
    listing = folder / "classes.json"
    named = listing.is_file() and '"Blowhole"' in listing.read_text(encoding="utf-8", errors="replace")
    return "compact" if named and compact_layout(folder) and (folder / "image_labels.json").is_file() else None


def find(root: str | Path) -> tuple[Path, str]:
    """The tiles' folder, the given one or a folder below it, and its layout, "official" or "compact"; see `locate`."""
    official = f"{FOLDERS[0]}/Imgs/ to {FOLDERS[-1]}/Imgs/"
    expected = f"{official}, or images/, labels/, splits.json, image_labels.json and classes.json,"
    return locate(root, SUBFOLDERS, layout_of, "magnetic tiles", expected, named=2)


def tiles(names: Iterable[str]) -> dict[str, str]:
    """Which images show the same tile.

    Args:
        names: such as "Crack__exp3_num_3223": exposure 3, picture 3223.

    Returns:
        The name of the first picture of its tile for each image. Pictures at most 200 numbers apart count as one tile.
    """
    numbered, found = [], {}
    for name in names:
        number = re.search(r"exp\d+_num_(\d+)$", name)
        if number:
            numbered.append((int(number[1]), name))
        else:
            found[name] = name
    first, last = "", -1
    for number, name in sorted(numbered):
        if last < 0 or number - last > SAME_TILE:
            first = name
        found[name], last = first, number
    return found


def read_layout(folder: Path, layout: str) -> tuple[dict[str, Pair], dict[str, tuple[int, ...]]]:
    """All images of a layout with their masks, and their label ids, both by name.

    Args:
        folder, layout: from `find`.

    Raises:
        FileNotFoundError: an image or a mask is missing.
        ValueError: tag file and image list disagree.
    """
    return _compact(folder) if layout == "compact" else _official(folder)


def _compact(folder: Path) -> tuple[dict[str, Pair], dict[str, tuple[int, ...]]]:
    names = sorted(name for listed in compact_names(folder).values() for name in listed)
    tags = read_tags(folder / "image_labels.json", names, range(1, len(FOLDERS)))
    return {pair.name: pair for pair in compact_pairs(folder, names)}, tags


def _official(folder: Path) -> tuple[dict[str, Pair], dict[str, tuple[int, ...]]]:
    pairs = {}
    for group in FOLDERS:
        images, masks = ({path.stem: path for path in entries(folder / group / "Imgs") if path.suffix.lower() == suffix}
                         for suffix in (".jpg", ".png"))  # fmt: skip
        for stem in sorted(images.keys() ^ masks.keys()):
            lone, suffix = (images[stem], ".png") if stem in images else (masks[stem], ".jpg")
            partner = lone.with_suffix(suffix)
            raise FileNotFoundError(
                f"{lone} has no partner: a file {partner.name} was expected beside it{like(partner)}"
            )
        for stem, image in images.items():
            name = f"{group.removeprefix('MT_')}__{stem}"
            pairs[name] = Pair(name, image, masks[stem])
    return pairs, {name: (label,) if (label := folder_label(pair)) else () for name, pair in pairs.items()}


def names_of_part(tags: dict[str, tuple[int, ...]], split: str) -> list[str]:
    """Names of the images of a part: a tile is in one part only, and each part has its share of each class.

    Args:
        tags: label ids of all images by name.
        split: "train", "val" or "test".
    """
    groups = tiles(tags)
    sizes = Counter(groups.values())
    kinds: dict[str, int] = {}  # the largest label that occurs on a tile, 0 if it is flawless
    for name, group in groups.items():
        kinds[group] = max(kinds.get(group, 0), *tags[name], 0)
    rule = {"group": kinds.__getitem__, "size": sizes.__getitem__}
    tested = one_in(TEST_SHARE, kinds, "test", **rule)
    chosen = set(part_of({"train": sorted(kinds.keys() - tested), "val": sorted(tested)}, split, **rule))
    return sorted(name for name, group in groups.items() if group in chosen)


def folder_label(pair: Pair) -> int:
    """The label id that the owner's folder stands for; 0 for tiles without a defect."""
    return (FOLDERS.index(pair.mask.parent.parent.name) + 1) % len(FOLDERS)
