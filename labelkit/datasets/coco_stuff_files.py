"""The files of COCO-Stuff in the owner's two editions: folders, lists, label files, ids."""

from pathlib import Path

import numpy as np

from labelkit.datasets.coco_classes import NEVER_DRAWN, STUFF_IDS, THING_IDS
from labelkit.datasets.converting import Conversion
from labelkit.datasets.images import label_table
from labelkit.datasets.listing import files_in, picked, read_names
from labelkit.datasets.locate import locate
from labelkit.datasets.mat_files import read_mat
from labelkit.datasets.pairs import Pair

OWNER_IDS = (*THING_IDS, *STUFF_IDS)  # 1 to 182, as in the MAT files; one less in the maps of 164k
COUNTS = {"10k": (9_000, 1_000), "164k": (118_287, 5_000)}  # training and test images
RULE = "coco-stuff 1: S as it is"
PARTS_164K = {"train": "train2017", "test": "val2017"}
MADE_BY_OTHERS = "_labelTrainIds"  # mmsegmentation writes such copies beside the owner's maps
SUBFOLDERS = ("coco-stuff", "coco_stuff", "cocostuff", "coco-stuff-164k", "cocostuff-10k-v1.1")


def layout_of(folder: Path) -> str | None:
    """ "10k", "164k", or None if the folder is not COCO-Stuff."""
    if (folder / "imageLists" / "train.txt").is_file() and (folder / "annotations").is_dir():
        return "10k"
    return "164k" if all((folder / "annotations" / part).is_dir() for part in ("train2017", "val2017")) else None


def find(root: str | Path, edition: str) -> Path:
    """The folder of an edition, "10k" or "164k": the given one or a folder below it; see `locate`."""
    expected = {
        "10k": "images/, annotations/ and imageLists/train.txt",
        "164k": "images/train2017/ and annotations/train2017/ (and so on)",
    }[edition]
    who = f"COCO-Stuff {edition}"
    return locate(root, SUBFOLDERS, lambda folder: edition if layout_of(folder) == edition else None, who, expected)[0]


def owner_names(folder: Path, edition: str, part: str) -> list[str]:
    """The owner's images of "train" or "test", sorted: those of a list, or those that have a map.

    Raises:
        FileNotFoundError, ValueError: the list or the folder of maps is missing or broken.
    """
    if edition == "10k":
        return sorted(read_names(folder / "imageLists" / f"{part}.txt"))
    return sorted(_maps(folder, PARTS_164K[part]))


def owner_files(folder: Path, edition: str, part: str, names: list[str]) -> list[Pair]:
    """Pictures and the owner's label files, MAT of 10k and PNG of 164k.

    Args:
        folder, edition, part: as for `owner_names`.
        names: some of these names.

    Raises:
        FileNotFoundError: a file is missing.
    """
    if edition == "10k":
        pictures, listing = folder / "images", f"imageLists/{part}.txt"
        masks = [folder / "annotations" / f"{name}.mat" for name in names]
        for path in masks:
            if not path.is_file():
                raise FileNotFoundError(f"{path} does not exist: {listing} names {path.stem}")
    else:
        name = PARTS_164K[part]
        places, listing = [folder / "images" / name, folder / name], f"annotations/{name}"
        pictures = next((place for place in places if place.is_dir()), places[0])
        maps = _maps(folder, name)
        masks = [maps[name] for name in names]
    images = picked(files_in(pictures), names, pictures, ".jpg", listing)
    return [Pair(*each) for each in zip(names, images, masks)]


def _maps(folder: Path, part: str) -> dict[str, Path]:
    found = files_in(folder / "annotations" / part)
    found = {name: path for name, path in found.items() if not name.endswith(MADE_BY_OTHERS)}
    if not found:
        raise FileNotFoundError(
            f"{folder / 'annotations' / part} holds no label map: the owner's NAME.png were expected"
        )
    return found


def id_table(edition: str) -> np.ndarray:
    """From the owner's ids to class numbers, see `images.label_table`; the maps of 164k count from 0."""
    shift = int(edition == "164k")
    ignored = {255 if shift else 0, *(number - shift for number in NEVER_DRAWN)}
    return label_table([number - shift for number in OWNER_IDS], sorted(ignored))


def masks_10k(folder: Path, names: list[str]) -> Conversion:
    """The masks of 10k as PNG with the owner's ids; nothing is drawn before `run`.

    Raises:
        FileNotFoundError: a MAT file is missing.
    """
    return Conversion.of_files(folder / "annotations", ".mat", names, RULE, read_10k, "a list in imageLists")


def read_10k(path: Path) -> np.ndarray:
    """The owner's ids of an image of 10k, uint8 (H, W) of 0 to 182.

    Raises:
        FileNotFoundError, ValueError: the MAT file is missing or broken, or holds other ids.
    """
    labels = read_mat(path, "S")
    if labels.max() > OWNER_IDS[-1]:
        raise ValueError(f"label file {path} holds the id {labels.max()}: 0 to {OWNER_IDS[-1]} was expected")
    return labels.astype(np.uint8)
