"""Surface defects of magnetic tiles [huang2020surface]: photographs with at most one of five kinds of defect each.

Two layouts are read. The owner's has `MT_CLASS/Imgs/NAME.jpg` beside `NAME.png` (0 and 255), six folders with
`MT_Free`. The compact one is that of `tagged`, with images named `CLASS__NAME`, label ids in the masks and
`image_labels.json`. A tile without a defect has no tag and stays in the data: it is background throughout.

The owner made no parts, and photographed each tile up to six times at different exposures, under numbers that follow
each other. Images divided at random leave other photographs of most test tiles among the training images; so the parts
here divide tiles, by a hash of their names. Of each class, tiles with one image in four are for the test, tiles with
one in eight of the other images for validation. The lists in the compact layout's `splits.json` are joined for this.

Many defects are a few pixels wide, and little of them is left when a whole tile is shrunk to the size of a lesson. The
variant "windows" therefore delivers one fixed square window of each tile; "even" takes the difference of exposures
between photographs out of these windows, too. Both are our constructions, not the owner's.
"""

import hashlib
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from labelkit.datasets.images import label_table, read_label, resize_image, resize_label
from labelkit.datasets.locate import check_split, sized
from labelkit.datasets.magnetic_tile_files import find, folder_label, names_of_part, read_layout, tiles
from labelkit.datasets.pairs import Pair
from labelkit.datasets.tagged import SPLITS, TaggedFiles
from labelkit.datasets.tile_windows import EVEN, PLACES, WINDOW, even_exposure, window

CLASSES = ("background", "blowhole", "break", "crack", "fray", "uneven")
PALETTE = np.array(
    [[30, 30, 34], [230, 75, 50], [240, 180, 40], [70, 160, 230], [150, 90, 210], [60, 180, 110]], dtype=np.uint8
)
LICENCE = "Free use with citation of Huang et al.; no formal licence."


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
        check_split(split, "the data set of magnetic tiles")
        self.root, self.layout = find(root)
        self.split = split
        pairs, tags = read_layout(self.root, self.layout)
        chosen, tile = names_of_part(tags, split), tiles(pairs)
        self.groups = tuple(tile[name] for name in chosen)
        super().__init__(
            name=sized("magnetic_tile", height, width), pairs=[pairs[name] for name in chosen],
            classes=CLASSES, palette=PALETTE, licence=LICENCE,
            table=label_table(range(len(CLASSES)), (255,)), tags=tags, height=height, width=width, cache=cache,
        )  # fmt: skip

    def _read_mask(self, pair: Pair) -> np.ndarray:
        if self.layout == "compact":
            return super()._read_mask(pair)
        # The owner's masks say only where the defect is; the folder says which.
        return np.where(read_label(pair.mask) > 127, folder_label(pair), 0).astype(np.uint8)


class TileWindows(MagneticTile):
    """One part of the magnetic tiles, of each tile the same square window; tags are those of the tile.

    Args:
        root, split, cache: see `MagneticTile`.
        height, width: size in pixels to which windows are resized; None delivers them as they are cut.
        even: bring every window to one mean and one spread of grey, see `even_exposure`.
    """

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        height: int | None = None,
        width: int | None = None,
        cache: bool = True,
        even: bool = False,
    ) -> None:
        super().__init__(root, split, cache=cache)  # whole tiles, from which windows are cut
        self.even = even
        self.name = sized(f"magnetic_tile-{'even' if even else 'windows'}", height, width)
        self._size = (height, width) if height and width else None

    def mask(self, index: int) -> np.ndarray:
        """Deliver only the mask, uint8 (H, W) with 255 = ignore."""
        return self.arrays(index)[1].numpy()

    @cached_property
    def fingerprint(self) -> str:
        """As that of the tiles, and of the rule and the size of the windows."""
        key = (super().fingerprint, "windows 1", WINDOW, PLACES, self._size, *(("even 1", *EVEN) if self.even else ()))
        return hashlib.sha256(repr(key).encode()).hexdigest()[:16]

    def _read(self, pair: Pair) -> tuple[np.ndarray, np.ndarray]:
        image, mask = super()._read(pair)
        top, left, side = window(mask, pair.name)
        image, mask = image[top : top + side, left : left + side], mask[top : top + side, left : left + side]
        if self._size:
            image, mask = resize_image(image, *self._size), resize_label(mask, *self._size)
        if self.even:
            image = even_exposure(image)
        return np.ascontiguousarray(image), np.ascontiguousarray(mask)


def parts(root: Path, variant: str, height: int | None = None, width: int | None = None) -> dict[str, MagneticTile]:
    """The three parts of a run file's ``magnetic_tile``, ``magnetic_tile-windows`` or ``magnetic_tile-even``.

    Args:
        root: see `MagneticTile`.
        variant: "" for whole tiles, "windows" for one window of each, see `tile_windows.window`, "even" for the same
            windows at one exposure, see `tile_windows.even_exposure`.
        height, width: delivered size in pixels; None delivers the size of the files or windows.

    Raises:
        ValueError: another variant is asked for.
    """
    readers = {"": MagneticTile, "windows": TileWindows, "even": partial(TileWindows, even=True)}
    if variant not in readers:
        names = "the name magnetic_tile, magnetic_tile-windows or magnetic_tile-even"
        raise ValueError(f"magnetic tiles have no variant {variant!r}: {names} was expected")
    return {part: readers[variant](root, part, height, width) for part in SPLITS}
