"""Cityscapes [cordts2016cityscapes]: street scenes of German cities and of their neighbours, 19 classes.

The owner's layout is read: `leftImg8bit/SPLIT/CITY/NAME_leftImg8bit.png` beside
`gtFine/SPLIT/CITY/NAME_gtFine_labelIds.png`. Of the owner's 34 ids 19 are classes, the others are ignored; files
`NAME_gtFine_labelTrainIds.png` hold the same and are taken where a part has no `labelIds`.

Which image is in which part:

- test: the owner's val, 500 images of three cities. (The owner's test has no public labels.)
- val: the training images of Bochum, Krefeld and Ulm, 290 of 2,975; so no city is on two sides, as the owner has it.
- train: the other 2,685.

`cityscapes-official` trains on all 2,975, as most papers do; what is chosen on its val is chosen on test images.
`cityscapes-coarse` trains on the 19,998 coarsely labelled images of `train_extra`.
"""

from pathlib import Path

import numpy as np

from labelkit.datasets.grey_labels import GreyLabelFiles
from labelkit.datasets.images import image_size, label_table
from labelkit.datasets.listing import files_in, folders_in, paired
from labelkit.datasets.locate import check_split, locate, sized
from labelkit.datasets.pairs import Pair

CLASSES = (
    "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation", "terrain",
    "sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle",
)  # fmt: skip
THINGS = CLASSES[11:]
OWNER_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
OWNER_LABELS = 34  # ids 0 to 33; a licence plate, -1, is never drawn
PALETTE = np.array(
    [[128, 64, 128], [244, 35, 232], [70, 70, 70], [102, 102, 156], [190, 153, 153], [153, 153, 153], [250, 170, 30],
     [220, 220, 0], [107, 142, 35], [152, 251, 152], [70, 130, 180], [220, 20, 60], [255, 0, 0], [0, 0, 142],
     [0, 0, 70], [0, 60, 100], [0, 80, 100], [0, 0, 230], [119, 11, 32]],
    dtype=np.uint8,
)  # fmt: skip
HEIGHT, WIDTH = 1024, 2048
CITIES = {
    "train": {
        "aachen": 174, "bochum": 96, "bremen": 316, "cologne": 154, "darmstadt": 85, "dusseldorf": 221, "erfurt": 109,
        "hamburg": 248, "hanover": 196, "jena": 119, "krefeld": 99, "monchengladbach": 94, "strasbourg": 365,
        "stuttgart": 196, "tubingen": 144, "ulm": 95, "weimar": 142, "zurich": 122,
    },
    "val": {"frankfurt": 267, "lindau": 59, "munster": 174},
}  # fmt: skip
"""Images with fine labels of each city, by the owner's splits."""
HELD_OUT = ("bochum", "krefeld", "ulm")
COARSE = 19_998  # images of train_extra
BLACK = "troisdorf_000000_000073"  # an image of train_extra that is black: left out
VARIANTS = ("", "official", "coarse")
LICENCE = "Non-commercial research use after registration."
KINDS = ("labelIds", "labelTrainIds")  # of label files, in the order in which they are looked for
SUBFOLDERS = ("cityscapes", "Cityscapes")  # looked into, in this order, below a given folder


class Cityscapes(GreyLabelFiles):
    """One part of Cityscapes. Files are decoded when they are asked for.

    Args:
        root: the folder with `leftImg8bit` and `gtFine`, or one that holds it as `cityscapes`. The folders into
            which the archives unpack, such as `leftImg8bit_trainvaltest`, may stay between.
        split: "train", "val" or "test".
        height, width: delivered size in pixels; None delivers 1024 x 2048.
        cache: keep decoded samples in memory, 8 MiB each at full size; see `GreyLabelFiles`.
        variant: "", "official" or "coarse"; see the module.

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
        check_split(split, "Cityscapes")
        if variant not in VARIANTS:
            raise ValueError(f"Cityscapes has no variant {variant!r}: official or coarse, or none, was expected")
        self.root, self.split, self.variant = find(root), split, variant
        extra = variant == "coarse" and split == "train"
        owner = "train_extra" if extra else owner_split(split, variant)
        pairs, kind = owner_pairs(self.root, owner, "gtCoarse" if extra else "gtFine")
        if extra:
            pairs = [pair for pair in pairs if pair.name != BLACK]
        elif owner == "train" and variant != "official":
            pairs = [pair for pair in pairs if (city(pair.name) in HELD_OUT) == (split == "val")]
        if not pairs:
            where = f" (the cities {', '.join(HELD_OUT)})" if split == "val" else ""
            raise ValueError(f"the part {split} of Cityscapes in {self.root} is empty: images were expected{where}")
        rows, columns = (height, width) if height and width else image_size(pairs[0].image)
        super().__init__(
            name=sized(f"cityscapes-{variant}" if variant else "cityscapes", rows, columns), pairs=pairs,
            classes=CLASSES, palette=PALETTE, licence=LICENCE, table=id_table(kind),
            height=height, width=width, cache=cache,
        )  # fmt: skip


def parts(
    root: str | Path, variant: str = "", height: int | None = None, width: int | None = None
) -> dict[str, Cityscapes]:
    """The three parts of a run file's ``cityscapes``, ``cityscapes-official`` or ``cityscapes-coarse``.

    Args:
        root, variant: see `Cityscapes`.
        height, width: delivered size in pixels; None delivers the size of the files.

    Raises:
        FileNotFoundError, ValueError: see `Cityscapes`.
    """
    return {split: Cityscapes(root, split, height, width, None, variant) for split in ("train", "val", "test")}


def owner_split(split: str, variant: str = "") -> str:
    """The owner's split that a part of ours is taken from, "train" or "val"."""
    return "val" if split == "test" or (variant == "official" and split == "val") else "train"


def city(name: str) -> str:
    """The city of an image, from a name such as ``aachen_000000_000019``."""
    return name.partition("_")[0]


def id_table(kind: str) -> np.ndarray:
    """From the values of label files to class numbers, see `images.label_table`.

    Args:
        kind: "labelIds" or "labelTrainIds".
    """
    if kind == "labelTrainIds":
        return label_table(range(len(CLASSES)), (255,))
    return label_table(OWNER_IDS, sorted(set(range(OWNER_LABELS)) - set(OWNER_IDS)))


def owner_pairs(folder: Path, split: str, labels: str = "gtFine", kind: str = "") -> tuple[list[Pair], str]:
    """Every image of one of the owner's splits, sorted by city and name, with its label file.

    Args:
        folder: see `find`.
        split: "train", "val" or "train_extra".
        labels: "gtFine" or "gtCoarse".
        kind: "labelIds" or "labelTrainIds"; empty takes the former if there is any, otherwise the latter.

    Returns:
        The pairs, and which kind of label file they have.

    Raises:
        FileNotFoundError: a folder is missing, or a file has no partner.
        ValueError: a name does not begin with its city, or as for `listing.entries`.
    """
    images, masks = (_place(folder, each, split) for each in ("leftImg8bit", labels))
    places = {place.name: place for place in folders_in(images)}
    there = {place.name: place for place in folders_in(masks)}
    for name in sorted(places.keys() ^ there.keys()):
        raise FileNotFoundError(f"only one of {images} and {masks} has the city {name}: the same were expected")
    if not kind:
        some = [each for each in KINDS if any(any(at.glob(f"*_{labels}_{each}.png")) for at in there.values())]
        kind = some[0] if some else KINDS[0]
    pairs: list[Pair] = []
    for name, place in places.items():
        ending = f"_{labels}_{kind}"
        pictures, ids = files_in(place, "_leftImg8bit"), files_in(there[name], ending)
        pairs += paired(pictures, ids, place, there[name], ending)
        if odd := [each for each in pictures if city(each) != name]:
            raise ValueError(f"{pictures[odd[0]]} does not begin with its city: a name {name}_... was expected")
    return pairs, kind


def layout_of(folder: Path) -> str | None:
    """ "official", or None if the folder is not Cityscapes."""
    there = [(_place(folder, kind, split)).is_dir() for kind in ("leftImg8bit", "gtFine") for split in ("train", "val")]
    return "official" if all(there) else None


def find(root: str | Path) -> Path:
    """Cityscapes' folder: the given one or a folder below it; see `locate`."""
    expected = "leftImg8bit/ and gtFine/, each with train/ and val/,"
    return locate(root, SUBFOLDERS, layout_of, "Cityscapes", expected)[0]


def _place(folder: Path, kind: str, split: str) -> Path:
    """The folder of pictures or labels of a split; the archives' own folders may lie between."""
    for between in (f"{kind}_trainvaltest", f"{kind}_trainextra", kind):
        if (folder / between / kind / split).is_dir():
            return folder / between / kind / split
    return folder / kind / split
