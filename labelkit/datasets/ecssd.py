"""ECSSD, the extended complex scene saliency dataset [yan2013hierarchical]: 1,000 photographs, salient object or not.

Two layouts are read. The owner's has `images/NNNN.jpg` and `ground_truth_mask/NNNN.png` (0 and 255); as it has no
parts, one in five images, by a hash of the names, is the test part. The compact one is that of `tagged`, with 0 and 1
in its masks. In both, validation is one in eight of the other images.
"""

from pathlib import Path

import numpy as np

from labelkit.datasets.images import label_table
from labelkit.datasets.listing import match_by_stem
from labelkit.datasets.locate import check_split, locate, sized
from labelkit.datasets.tagged import SPLITS, TaggedFiles, compact_layout, compact_names, compact_pairs, one_in, part_of

CLASSES = ("background", "object")
PALETTE = np.array([[30, 30, 34], [240, 240, 240]], dtype=np.uint8)
IMAGES = 1000
TEST_SHARE = 5  # of the owner's layout, one in so many images is for the test
LICENCE = "Research use with citation of Yan et al. 2013 and Shi et al. 2016; no formal licence."
SUBFOLDERS = ("ecssd_200", "ecssd", "ECSSD")  # looked into, in this order, below a given folder


class Ecssd(TaggedFiles):
    """One part of ECSSD; label 1 is the salient object, and the only tag says that there is one.

    Args:
        root: the data set's folder, or one that holds it as `ecssd_200`, `ecssd` or `ECSSD`.
        split: "train", "val" or "test".
        height, width: delivered size in pixels; None delivers the size of the files.
        cache: keep decoded samples in memory.

    Raises:
        FileNotFoundError: no known layout is found, or a file is missing.
        ValueError: the split is unknown, or a file is not what it should be.
    """

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        height: int | None = None,
        width: int | None = None,
        cache: bool = True,
    ) -> None:
        check_split(split, "ECSSD")
        self.root, self.layout = find(root)
        self.split = split
        owner = self.layout == "official"
        if owner:
            pairs = {pair.name: pair for pair in match_by_stem(self.root / "images", self.root / "ground_truth_mask")}
            tested = one_in(TEST_SHARE, pairs, "test")
            names = part_of({"train": sorted(pairs.keys() - tested), "val": sorted(tested)}, split)
            chosen = [pairs[name] for name in names]
        else:
            chosen = compact_pairs(self.root, part_of(compact_names(self.root), split))
        super().__init__(
            name=sized("ecssd", height, width),
            pairs=chosen, classes=CLASSES, palette=PALETTE, licence=LICENCE,
            table=label_table((0, 255) if owner else (0, 1), ()), height=height, width=width, cache=cache,
        )  # fmt: skip


def parts(root: Path, variant: str, height: int | None = None, width: int | None = None) -> dict[str, Ecssd]:
    """The three parts of a run file's ``ecssd``.

    Args:
        root: see `Ecssd`.
        variant: must be empty.
        height, width: delivered size in pixels; None delivers the size of the files.

    Raises:
        ValueError: a variant is asked for.
    """
    if variant:
        raise ValueError(f"ECSSD has no variant {variant!r}: the name ecssd was expected")
    return {part: Ecssd(root, part, height, width) for part in SPLITS}


def layout_of(folder: Path) -> str | None:
    """ "official", "compact", or None if the folder is not ECSSD."""
    if (folder / "images").is_dir() and (folder / "ground_truth_mask").is_dir():
        return "official"
    listing = folder / "classes.json"
    named = listing.is_file() and '"salient object"' in listing.read_text(encoding="utf-8", errors="replace")
    return "compact" if named and compact_layout(folder) else None


def find(root: str | Path) -> tuple[Path, str]:
    """ECSSD's folder, the given one or a folder below it, and its layout, "official" or "compact"; see `locate`."""
    expected = "images/ and ground_truth_mask/, or images/, labels/, splits.json and classes.json,"
    return locate(root, SUBFOLDERS, layout_of, "ECSSD", expected)
