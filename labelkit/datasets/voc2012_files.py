"""The files of PASCAL VOC 2012 and SBD: folders, lists, objects of an image, masks in MAT files.

VOC: `VOCdevkit/VOC2012/` with `JPEGImages/NAME.jpg`, `SegmentationClass/NAME.png`, `Annotations/NAME.xml` and
`ImageSets/Segmentation/{train,val}.txt`. SBD: `benchmark_RELEASE/dataset/` with `cls/NAME.mat` and `{train,val}.txt`;
its pictures are VOC's.
"""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from labelkit.datasets.coco128 import CLASSES
from labelkit.datasets.converting import Conversion
from labelkit.datasets.listing import read_names
from labelkit.datasets.locate import locate
from labelkit.datasets.mat_files import read_mat

LISTS = {"train": 1464, "val": 1449}  # VOC's own
SBD_LISTS = {"train": 8498, "val": 2857}
TRAINAUG = 10_582  # SBD's two lists and VOC's train, less VOC's val
# Of the sorted names. Those of the lists that TorchSemiSeg, DARS, DSRG, Group-WSSS and RIB publish are the same.
DIGESTS = {"train": "129f1fe991729b18", "val": "6f8edc37993764f6", "trainaug": "855dff350b7f447b"}
SUBFOLDERS = ("VOCdevkit/VOC2012", "VOC2012", "voc2012/VOCdevkit/VOC2012", "voc2012/VOC2012")
SBD_FOLDERS = ("benchmark_RELEASE/dataset", "sbd", "SBD", "VOCaug/dataset")  # looked into below each place
RULE = "sbd 1: GTcls.Segmentation as it is"


def layout_of(folder: Path) -> str | None:
    """ "official", or None if the folder is not that of VOC 2012 (or of another year)."""
    needed = ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation")
    return "official" if all((folder / name).is_dir() for name in needed) else None


def find(root: str | Path) -> Path:
    """The folder VOC2012: the given one or a folder below it; see `locate`."""
    expected = "JPEGImages/, SegmentationClass/ and ImageSets/Segmentation/"
    return locate(root, SUBFOLDERS, layout_of, "PASCAL VOC 2012", expected)[0]


def find_sbd(root: str | Path) -> Path:
    """SBD's folder with `cls/` and its lists: beside VOC's, above it, or below the given one.

    Raises:
        FileNotFoundError: it is not there; the sentence says how to get it, and how to do without.
    """
    voc = find(root)
    for place in (voc, voc.parent, voc.parent.parent, Path(root)):
        for name in SBD_FOLDERS:
            folder = place / name
            if (folder / "cls").is_dir():
                return folder
    raise FileNotFoundError(
        f"no SBD beside {voc}: {voc.parent.parent / SBD_FOLDERS[0]} with cls/, train.txt and val.txt was expected "
        "(labelkit data fetch voc2012 gets it); the name voc2012-train does without"
    )


def voc_names(voc: Path) -> dict[str, list[str]]:
    """VOC's own "train" and "val", sorted.

    Raises:
        FileNotFoundError, ValueError: a list is missing or broken, or an image is in both.
    """
    folder = voc / "ImageSets" / "Segmentation"
    names = {key: sorted(read_names(folder / f"{key}.txt")) for key in LISTS}
    if both := sorted(set(names["train"]) & set(names["val"])):
        raise ValueError(
            f"{folder} has image {both[0]} in train.txt and in val.txt: lists without overlap were expected"
        )
    return names


def sbd_names(sbd: Path) -> dict[str, list[str]]:
    """SBD's own "train" and "val", sorted; they are not VOC's, and share images with VOC's val.

    Raises:
        FileNotFoundError, ValueError: a list is missing or broken.
    """
    return {key: sorted(read_names(sbd / f"{key}.txt")) for key in SBD_LISTS}


def trainaug(voc: Mapping[str, list[str]], sbd: Mapping[str, list[str]]) -> list[str]:
    """All images with a mask from either, less VOC's val: 10,582 names, sorted.

    Args:
        voc, sbd: the owners' lists "train" and "val".
    """
    return sorted({*voc["train"], *sbd["train"], *sbd["val"]} - set(voc["val"]))


def names_digest(names: Iterable[str]) -> str:
    """16 hex digits over the names, whatever their order."""
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:16]


def sbd_masks(sbd: Path, names: Iterable[str]) -> Conversion:
    """SBD's masks as palette PNG; nothing is drawn before `run`.

    Args:
        sbd: from `find_sbd`.
        names: of the images.

    Raises:
        FileNotFoundError: a MAT file is missing.
    """
    return Conversion.of_files(sbd / "cls", ".mat", names, RULE, read_sbd, "a list of SBD")


def read_sbd(path: Path) -> np.ndarray:
    """A mask of SBD, uint8 (H, W) of 0 to 20; SBD ignores no pixel.

    Raises:
        FileNotFoundError, ValueError: the MAT file is missing or broken, or holds other label values.
    """
    labels = read_mat(path, "GTcls", "Segmentation")
    if labels.max() >= len(CLASSES):
        raise ValueError(
            f"label file {path} holds the label value {labels.max()}: 0 to {len(CLASSES) - 1} was expected"
        )
    return labels.astype(np.uint8)


def objects_in(path: Path) -> tuple[int, ...]:
    """The label ids of the objects that an annotation lists, difficult ones included, each once.

    Args:
        path: XML with a `name` in each `object`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not XML, or an object has no name or one that is not of VOC.
    """
    if not path.is_file():
        raise FileNotFoundError(f"annotation {path} does not exist: XML with the objects of the image was expected")
    try:
        root = ElementTree.fromstring(path.read_bytes())
    except ElementTree.ParseError as error:
        raise ValueError(f"annotation {path} is not XML ({error}): the objects of the image were expected") from None
    labels = set()
    for item in root.findall("object"):
        name = (item.findtext("name") or "").strip()
        if name not in CLASSES[1:]:
            raise ValueError(
                f"annotation {path} lists an object {name!r}: a class of PASCAL VOC was expected as its name"
            )
        labels.add(CLASSES.index(name))
    return tuple(sorted(labels))
