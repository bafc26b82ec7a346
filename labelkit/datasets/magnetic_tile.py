"""Surface defects of magnetic tiles [huang2020surface]: photographs with at most one of five kinds of defect each.

Two layouts are read. The owner's has `MT_CLASS/Imgs/NAME.jpg` beside `NAME.png` (0 and 255), six folders with
`MT_Free`. The compact one is that of `tagged`, with images named `CLASS__NAME`, label ids in the masks and
`image_labels.json`. A tile without a defect has no tag and stays in the data: it is background throughout.

The owner made no parts, and photographed each tile up to six times at different exposures, under numbers that follow
each other. Images divided at random leave other photographs of most test tiles among the training images; so the parts
here divide tiles, by a hash of their names. Of each class, tiles with one image in four are for the test, tiles with
one in eight of the other images for validation. The lists in the compact layout's `splits.json` are joined for this.

Many defects are a few pixels wide, and little of them is left when a whole tile is shrunk to the size of a lesson. The
variant "windows" therefore delivers one fixed square window of each tile. This is our construction, not the owner's.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import numpy as np

from labelkit.datasets.images import label_table, read_label, resize_image, resize_label
from labelkit.datasets.pairs import Pair
from labelkit.datasets.tagged import (
    SPLITS,
    TaggedFiles,
    compact_layout,
    compact_names,
    compact_pairs,
    one_in,
    part_of,
    read_tags,
)

CLASSES = ("background", "blowhole", "break", "crack", "fray", "uneven")
FOLDERS = ("MT_Blowhole", "MT_Break", "MT_Crack", "MT_Fray", "MT_Uneven", "MT_Free")  # the owner's; the last has none
PALETTE = np.array(
    [[30, 30, 34], [230, 75, 50], [240, 180, 40], [70, 160, 230], [150, 90, 210], [60, 180, 110]], dtype=np.uint8
)
TEST_SHARE = 4  # one in so many images of each class is for the test, or a few more: tiles stay whole
SAME_TILE = 200  # pictures with numbers at most so far apart count as pictures of one tile
LICENCE = "Free use with citation of Huang et al.; no formal licence."
SUBFOLDERS = ("magnetic_tile_240", "magnetic-tiles", "Magnetic-tile-defect-datasets.")  # looked into below a folder
WINDOW = 0.4  # side of a window, in longest sides of the tile: 96 pixels where that is 240
PLACES = 16  # windows drawn for a tile with a defect; the one that shows most of the defect is taken


class MagneticTile(TaggedFiles):
    """One part of the magnetic tiles; `groups` says which images show the same tile.

    Args:
        root: the data set's folder, or one that holds it as `magnetic_tile_240` or `magnetic-tiles`.
        split: "train", "val" or "test".
        height, width: delivered size in pixels; None delivers the size of the files.
        cache: keep decoded samples in memory.

    Raises:
        FileNotFoundError: no known layout is found, or a file is missing.
        ValueError: the split is unknown, tag file and image list disagree, or a file is not what it should be.
    """

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        height: int | None = None,
        width: int | None = None,
        cache: bool = True,
    ) -> None:
        if split not in SPLITS:
            raise ValueError(f"magnetic tiles have no split {split!r}: train, val or test was expected")
        self.root, self.layout = find(root)
        self.split = split
        pairs, tags = _compact(self.root) if self.layout == "compact" else _official(self.root)
        chosen, tile = _of_part(tags, split), tiles(pairs)
        self.groups = tuple(tile[name] for name in chosen)
        super().__init__(
            name=_sized("magnetic_tile", height, width), pairs=[pairs[name] for name in chosen],
            classes=CLASSES, palette=PALETTE, licence=LICENCE,
            table=label_table(range(len(CLASSES)), (255,)), tags=tags, height=height, width=width, cache=cache,
        )  # fmt: skip

    def _read_mask(self, pair: Pair) -> np.ndarray:
        if self.layout == "compact":
            return super()._read_mask(pair)
        # The owner's masks say only where the defect is; the folder says which.
        return np.where(read_label(pair.mask) > 127, _folder_label(pair), 0).astype(np.uint8)


class TileWindows(MagneticTile):
    """One part of the magnetic tiles, of each tile the same square window; tags are those of the tile.

    Args:
        root, split, cache: see `MagneticTile`.
        height, width: size in pixels to which windows are resized; None delivers them as they are cut.
    """

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        height: int | None = None,
        width: int | None = None,
        cache: bool = True,
    ) -> None:
        super().__init__(root, split, cache=cache)  # whole tiles, from which windows are cut
        self.name = _sized("magnetic_tile-windows", height, width)
        self._size = (height, width) if height and width else None

    def mask(self, index: int) -> np.ndarray:
        """Deliver only the mask, uint8 (H, W) with 255 = ignore."""
        return self.arrays(index)[1].numpy()

    @cached_property
    def fingerprint(self) -> str:
        """As that of the tiles, and of the rule and the size of the windows."""
        key = (super().fingerprint, "windows 1", WINDOW, PLACES, self._size)
        return hashlib.sha256(repr(key).encode()).hexdigest()[:16]

    def _read(self, pair: Pair) -> tuple[np.ndarray, np.ndarray]:
        image, mask = super()._read(pair)
        top, left, side = window(mask, pair.name)
        image, mask = image[top : top + side, left : left + side], mask[top : top + side, left : left + side]
        if self._size:
            image, mask = resize_image(image, *self._size), resize_label(mask, *self._size)
        return np.ascontiguousarray(image), np.ascontiguousarray(mask)


def parts(root: Path, variant: str, height: int | None = None, width: int | None = None) -> dict[str, MagneticTile]:
    """The three parts of a run file's ``magnetic_tile`` or ``magnetic_tile-windows``.

    Args:
        root: see `MagneticTile`.
        variant: "" for whole tiles, "windows" for one window of each, see `window`.
        height, width: delivered size in pixels; None delivers the size of the files or windows.

    Raises:
        ValueError: another variant is asked for.
    """
    readers = {"": MagneticTile, "windows": TileWindows}
    if variant not in readers:
        raise ValueError(
            f"magnetic tiles have no variant {variant!r}: the name magnetic_tile or magnetic_tile-windows was expected"
        )
    return {part: readers[variant](root, part, height, width) for part in SPLITS}


def window(mask: np.ndarray, name: str) -> tuple[int, int, int]:
    """The window of a tile; mask and name decide it, so it is the same everywhere and in every epoch.

    Its side is 0.4 of the tile's longer side, but at most the shorter one. Without a defect it lies anywhere. With one,
    a connected piece of the defect is drawn (not one that is under a quarter of the largest), and 16 times a pixel of
    it and the place of this pixel in the window; the window that shows most of the piece is taken. So a small defect is
    whole and anywhere in the window, and of a large one a part is seen.

    Args:
        mask: (H, W) uint8 label ids, 0 and 255 are no defect.
        name: of the image.

    Returns:
        Top row, left column, side, in pixels.
    """
    from scipy import ndimage

    height, width = mask.shape
    side = min(round(WINDOW * max(height, width)), height, width)
    pieces, count = ndimage.label((mask > 0) & (mask < 255), np.ones((3, 3)))
    if not count:
        row, column = _lots(name, 0)[:2]
        return int(row * (height - side + 1)), int(column * (width - side + 1)), side
    sizes = np.bincount(pieces.ravel())[1:]
    large = np.flatnonzero(4 * sizes >= sizes.max())
    piece = pieces == 1 + large[int(_lots(name, 0)[0] * len(large))]
    rows, columns = np.nonzero(piece)
    best, place = -1, (0, 0)
    for number in range(1, PLACES + 1):
        which, up, before = _lots(name, number)
        pixel = int(which * len(rows))
        top = min(max(int(rows[pixel]) - int(up * side), 0), height - side)
        left = min(max(int(columns[pixel]) - int(before * side), 0), width - side)
        shown = int(piece[top : top + side, left : left + side].sum())
        if shown > best:
            best, place = shown, (top, left)
    return *place, side


def layout_of(folder: Path) -> str | None:
    """ "official", "compact", or None if the folder does not hold magnetic tiles."""
    if all((folder / name / "Imgs").is_dir() for name in FOLDERS):
        return "official"
    listing = folder / "classes.json"
    named = listing.is_file() and '"Blowhole"' in listing.read_text(encoding="utf-8", errors="replace")
    return "compact" if named and compact_layout(folder) and (folder / "image_labels.json").is_file() else None


def find(root: str | Path) -> tuple[Path, str]:
    """Find the magnetic tiles in a folder and recognise their layout.

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
        f"no magnetic tiles in {root}: {FOLDERS[0]}/Imgs/ to {FOLDERS[-1]}/Imgs/, or images/, labels/, splits.json, "
        f"image_labels.json and classes.json, were expected there or in its folder {' or '.join(SUBFOLDERS[:2])}"
    )


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


def _compact(folder: Path) -> tuple[dict[str, Pair], dict[str, tuple[int, ...]]]:
    names = sorted(name for listed in compact_names(folder).values() for name in listed)
    tags = read_tags(folder / "image_labels.json", names, range(1, len(CLASSES)))
    return {pair.name: pair for pair in compact_pairs(folder, names)}, tags


def _official(folder: Path) -> tuple[dict[str, Pair], dict[str, tuple[int, ...]]]:
    pairs = {}
    for group in FOLDERS:
        for image in sorted((folder / group / "Imgs").glob("*.jpg")):
            mask = image.with_suffix(".png")
            if not mask.is_file():
                raise FileNotFoundError(f"{image} has no partner: a file {mask.name} was expected beside it")
            name = f"{group.removeprefix('MT_')}__{image.stem}"
            pairs[name] = Pair(name, image, mask)
    return pairs, {name: (label,) if (label := _folder_label(pair)) else () for name, pair in pairs.items()}


def _of_part(tags: dict[str, tuple[int, ...]], split: str) -> list[str]:
    """Names of the images of a part: a tile is in one part only, and each part has its share of each class."""
    groups = tiles(tags)
    sizes = Counter(groups.values())
    kinds: dict[str, int] = {}  # the largest label that occurs on a tile, 0 if it is flawless
    for name, group in groups.items():
        kinds[group] = max(kinds.get(group, 0), *tags[name], 0)
    rule = {"group": kinds.__getitem__, "size": sizes.__getitem__}
    tested = one_in(TEST_SHARE, kinds, "test", **rule)
    chosen = set(part_of({"train": sorted(kinds.keys() - tested), "val": sorted(tested)}, split, **rule))
    return sorted(name for name, group in groups.items() if group in chosen)


def _folder_label(pair: Pair) -> int:
    """The label id that the owner's folder stands for; 0 for tiles without a defect."""
    return (FOLDERS.index(pair.mask.parent.parent.name) + 1) % len(FOLDERS)


def _sized(name: str, height: int | None, width: int | None) -> str:
    return f"{name}-{width}x{height}" if height and width else name


def _lots(name: str, number: int) -> list[float]:
    """Three numbers in [0, 1) that depend on nothing else."""
    digest = hashlib.sha256(f"labelkit window {name} {number}".encode()).digest()
    return [int.from_bytes(digest[start : start + 4], "big") / 2**32 for start in (0, 4, 8)]
