"""Look into Person, single person [gong2017lip]: 19 body parts and pieces of clothing, and the background.

The owner's layout is read: `TrainVal_images/{train,val}_images/NAME.jpg` beside
`TrainVal_parsing_annotations/{train,val}_segmentations/NAME.png` with values 0 to 19, and, where they are there, the
lists `train_id.txt` and `val_id.txt`, a name a line. Archives often unpack twice, so that a folder lies in one of the
same name; the folders of images and labels may also lie beside each other.

A picture that is mirrored must have its left and right classes exchanged: `FLIP_PAIRS`.

Which image is in which part: the owner's val, 10,000 images, is the test part. Of the 30,462 training images one in
twenty, chosen by a hash of its name, is the validation part. `lip-official` trains on all of them; what is chosen on
its val is chosen on test images.
"""

from pathlib import Path

import numpy as np

from labelkit.datasets.folder import spread_colours
from labelkit.datasets.grey_labels import GreyLabelFiles
from labelkit.datasets.images import label_table
from labelkit.datasets.listing import files_in, paired, read_names
from labelkit.datasets.locate import check_split, locate, sized
from labelkit.datasets.pairs import Pair
from labelkit.datasets.picking import HELD_OUT
from labelkit.datasets.tagged import one_in

CLASSES = (
    "background", "hat", "hair", "glove", "sunglasses", "upper clothes", "dress", "coat", "socks", "pants", "jumpsuit",
    "scarf", "skirt", "face", "left arm", "right arm", "left leg", "right leg", "left shoe", "right shoe",
)  # fmt: skip
FLIP_PAIRS = ((14, 15), (16, 17), (18, 19))
PALETTE = spread_colours(len(CLASSES))
OWNER_COUNTS = {"train": 30_462, "val": 10_000}
VARIANTS = ("", "official")
LICENCE = "Non-commercial research use."
IMAGES, LABELS = "TrainVal_images", "TrainVal_parsing_annotations"
SUBFOLDERS = ("lip", "LIP", "lip/LIP")  # looked into, in this order, below a given folder


class Lip(GreyLabelFiles):
    """One part of Look into Person; its images differ in size.

    Args:
        root: the folder with `TrainVal_images`, or one that holds it as `lip` or `LIP`.
        split: "train", "val" or "test".
        height, width: delivered size in pixels; None delivers the size of the files.
        cache: keep decoded samples in memory; see `GreyLabelFiles`.
        variant: "" or "official"; see the module.

    Attributes:
        flip_pairs: classes that change places where an image is mirrored.

    Raises:
        FileNotFoundError: the layout is not found, or a file has no partner.
        ValueError: split or variant are unknown, a part is empty, or a list and its folder disagree.
    """

    flip_pairs = FLIP_PAIRS

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        height: int | None = None,
        width: int | None = None,
        cache: bool | None = None,
        variant: str = "",
    ) -> None:
        check_split(split, "LIP")
        if variant not in VARIANTS:
            raise ValueError(f"LIP has no variant {variant!r}: official, or none, was expected")
        self.root, self.split, self.variant = find(root), split, variant
        pairs = owner_pairs(self.root, owner_split(split, variant))
        if split != "test" and not variant:
            held_out = one_in(HELD_OUT, [pair.name for pair in pairs], "validation")
            pairs = [pair for pair in pairs if (pair.name in held_out) == (split == "val")]
        if not pairs:
            raise ValueError(f"the part {split} of LIP in {self.root} is empty: images with labels were expected")
        super().__init__(
            name=sized(f"lip-{variant}" if variant else "lip", height, width), pairs=pairs, classes=CLASSES,
            palette=PALETTE, licence=LICENCE, table=label_table(range(len(CLASSES)), (255,)),
            height=height, width=width, cache=cache,
        )  # fmt: skip


def parts(root: str | Path, variant: str = "", height: int | None = None, width: int | None = None) -> dict[str, Lip]:
    """The three parts of a run file's ``lip`` or ``lip-official``.

    Args:
        root, variant: see `Lip`.
        height, width: delivered size in pixels; None delivers the size of the files.

    Raises:
        FileNotFoundError, ValueError: see `Lip`.
    """
    return {split: Lip(root, split, height, width, None, variant) for split in ("train", "val", "test")}


def mirrored(mask: np.ndarray) -> np.ndarray:
    """A mask flipped from left to right, with left and right classes exchanged.

    Args:
        mask: (H, W) uint8, 255 = ignore.

    Returns:
        The same shape.
    """
    table = np.arange(256, dtype=np.uint8)
    for left, right in FLIP_PAIRS:
        table[[left, right]] = right, left
    return table[mask[:, ::-1]]


def owner_split(split: str, variant: str = "") -> str:
    """The owner's split that a part of ours is taken from, "train" or "val"."""
    return "val" if split == "test" or (variant == "official" and split == "val") else "train"


def owner_pairs(folder: Path, split: str) -> list[Pair]:
    """Every image of the owner's "train" or "val", sorted by name, with its label file.

    Raises:
        FileNotFoundError: a file has no partner, or a list names one that is not there.
        ValueError: a list does not name a file that is there; or as for `listing`.
    """
    images, masks = _place(folder, IMAGES, f"{split}_images"), _place(folder, LABELS, f"{split}_segmentations")
    found = paired(files_in(images), files_in(masks), images, masks)
    for listing in (images.parent / f"{split}_id.txt", folder / f"{split}_id.txt"):
        if listing.is_file():
            _check_list(listing, {pair.name: pair.image for pair in found}, images)
            break
    return found


def layout_of(folder: Path) -> str | None:
    """ "official", or None if the folder is not Look into Person."""
    there = _place(folder, IMAGES, "train_images").is_dir() and _place(folder, LABELS, "train_segmentations").is_dir()
    return "official" if there else None


def find(root: str | Path) -> Path:
    """The folder of Look into Person: the given one or a folder below it; see `locate`."""
    return locate(root, SUBFOLDERS, layout_of, "LIP", f"{IMAGES}/train_images/ and {LABELS}/train_segmentations/")[0]


def _place(folder: Path, archive: str, name: str) -> Path:
    for place in (folder / archive / archive / name, folder / name):
        if place.is_dir():
            return place
    return folder / archive / name


def _check_list(listing: Path, there: dict[str, Path], images: Path) -> None:
    listed = {name.removesuffix(".jpg"): line for name, line in read_names(listing).items()}
    for name, line in listed.items():
        if name not in there:
            raise FileNotFoundError(f"{images} has no file {name}: {listing.name} line {line} names it")
    for name, path in there.items():
        if name not in listed:
            raise ValueError(f"{listing} does not name {path.name} of {path.parent.name}: every image was expected")
