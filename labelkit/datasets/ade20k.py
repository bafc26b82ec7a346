"""ADE20K as in the scene parsing challenge of 2016 [zhou2017scene]: 150 classes, scenes of every kind.

The owner's layout is read: `images/{training,validation}/NAME.jpg` beside `annotations/{training,validation}/NAME.png`,
with values 1 to 150 for the classes in the order of objectInfo150.txt, and 0 for everything else, which is ignored.

Which image is in which part: the owner's validation, 2,000 images, is the test part. Of the 20,210 training images one
in twenty, chosen by a hash of its name, is the validation part. `ade20k-official` trains on all of them; what is chosen
on its val is chosen on test images.
"""

from pathlib import Path

from labelkit.datasets.ade20k_classes import CLASSES
from labelkit.datasets.folder import spread_colours
from labelkit.datasets.grey_labels import GreyLabelFiles
from labelkit.datasets.images import label_table
from labelkit.datasets.listing import files_in, paired
from labelkit.datasets.locate import check_split, locate, sized
from labelkit.datasets.pairs import Pair
from labelkit.datasets.picking import HELD_OUT
from labelkit.datasets.tagged import one_in

PALETTE = spread_colours(len(CLASSES))
OTHER = 0  # the owner's value of everything that is none of the 150
OWNER_COUNTS = {"training": 20_210, "validation": 2_000}
VARIANTS = ("", "official")
LICENCE = "Non-commercial research and education."
SUBFOLDERS = ("ade20k", "ADEChallengeData2016", "ade20k/ADEChallengeData2016")  # looked into below a given folder


class Ade20k(GreyLabelFiles):
    """One part of ADE20K; its images differ in size.

    Args:
        root: the folder with `images` and `annotations`, or one that holds it as `ade20k` or `ADEChallengeData2016`.
        split: "train", "val" or "test".
        height, width: delivered size in pixels; None delivers the size of the files.
        cache: keep decoded samples in memory; see `GreyLabelFiles`.
        variant: "" or "official"; see the module.

    Raises:
        FileNotFoundError: the layout is not found, or a file has no partner.
        ValueError: split or variant are unknown, a part is empty, or a listing is not what it should be.
    """

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        height: int | None = None,
        width: int | None = None,
        cache: bool | None = None,
        variant: str = "",
    ) -> None:
        check_split(split, "ADE20K")
        if variant not in VARIANTS:
            raise ValueError(f"ADE20K has no variant {variant!r}: official, or none, was expected")
        self.root, self.split, self.variant = find(root), split, variant
        pairs = owner_pairs(self.root, owner_split(split, variant))
        if split != "test" and not variant:
            held_out = one_in(HELD_OUT, [pair.name for pair in pairs], "validation")
            pairs = [pair for pair in pairs if (pair.name in held_out) == (split == "val")]
        if not pairs:
            raise ValueError(f"the part {split} of ADE20K in {self.root} is empty: images with labels were expected")
        super().__init__(
            name=sized(f"ade20k-{variant}" if variant else "ade20k", height, width), pairs=pairs, classes=CLASSES,
            palette=PALETTE, licence=LICENCE, table=label_table(range(1, len(CLASSES) + 1), (OTHER,)),
            height=height, width=width, cache=cache,
        )  # fmt: skip


def parts(
    root: str | Path, variant: str = "", height: int | None = None, width: int | None = None
) -> dict[str, Ade20k]:
    """The three parts of a run file's ``ade20k`` or ``ade20k-official``.

    Args:
        root, variant: see `Ade20k`.
        height, width: delivered size in pixels; None delivers the size of the files.

    Raises:
        FileNotFoundError, ValueError: see `Ade20k`.
    """
    return {split: Ade20k(root, split, height, width, None, variant) for split in ("train", "val", "test")}


def owner_split(split: str, variant: str = "") -> str:
    """The owner's split that a part of ours is taken from, "training" or "validation"."""
    return "validation" if split == "test" or (variant == "official" and split == "val") else "training"


def owner_pairs(folder: Path, split: str) -> list[Pair]:
    """Every image of "training" or "validation", sorted by name, with its label file; for errors see `listing`."""
    images, masks = folder / "images" / split, folder / "annotations" / split
    return paired(files_in(images), files_in(masks), images, masks)


def layout_of(folder: Path) -> str | None:
    """ "official", or None if the folder is not ADE20K's challenge."""
    there = all((folder / kind / "training").is_dir() for kind in ("images", "annotations"))
    return "official" if there else None


def find(root: str | Path) -> Path:
    """ADE20K's folder: the given one or a folder below it; see `locate`."""
    return locate(root, SUBFOLDERS, layout_of, "ADE20K", "images/training/ and annotations/training/")[0]
