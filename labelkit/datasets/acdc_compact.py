"""ACDC slices in one file: `acdc_slices_128.npz` beside `splits.json` and `classes.json`."""

import hashlib
import zipfile
import zlib
from functools import partial
from pathlib import Path

import numpy as np

from labelkit.datasets.json_files import read_json
from labelkit.datasets.volumes import Volume

SPLITS = ("train", "val", "test")
OWNER_NAMES = ("background", "right ventricle cavity", "myocardium", "left ventricle cavity")
COLUMNS = ("patient", "frame", "slice", "split")


def read_file(path: Path) -> dict[str, list[Volume]]:
    """The volumes of each part.

    Args:
        path: the .npz file, with `image` and `label` uint8 (N, H, W), and `patient`, `frame`, `slice` and `split` (N,).
            Scribbles in it are not used.

    Returns:
        Volumes of "train", "val" and "test", sorted by patient, frame and slice.

    Raises:
        FileNotFoundError: splits.json is missing.
        ValueError: the file is broken, its arrays do not fit each other, a label is not one of 0..3, or the parts share
            a patient.
    """
    held = _arrays(path)
    image, label = held["image"], held["label"]
    if image.ndim != 3 or image.dtype != np.uint8:
        raise ValueError(f"{path} holds image as {image.dtype} {image.shape}: uint8 (N, H, W) was expected")
    if image.shape != label.shape:
        raise ValueError(f"{path} holds image {image.shape}, but label {label.shape}: equal shapes were expected")
    for column in COLUMNS:
        if held[column].shape != image.shape[:1]:
            raise ValueError(
                f"{path} holds {column} {held[column].shape}: {image.shape[:1]} was expected, as for image"
            )
    wrong = np.flatnonzero((label > 3).any(axis=(1, 2)) | (label < 0).any(axis=(1, 2)))
    if wrong.size:
        value = label[wrong[0]][(label[wrong[0]] > 3) | (label[wrong[0]] < 0)][0]
        raise ValueError(f"{path} holds the label value {value} in slice {wrong[0]}: 0, 1, 2 or 3 was expected")
    _check_classes(path.with_name("classes.json"))
    owner = _part_of_patient(path.with_name("splits.json"))
    parts: dict[str, list[Volume]] = {split: [] for split in SPLITS}
    order = np.lexsort((held["slice"], held["frame"], held["patient"]))
    keys = [(int(held["patient"][index]), int(held["frame"][index])) for index in order]
    members: dict[tuple[int, int], list[int]] = {}
    for key, index in zip(keys, order.tolist(), strict=True):
        stated, listed = str(held["split"][index]), owner.get(key[0])
        if stated != listed:
            raise ValueError(
                f"{path} has patient {key[0]} in {stated}, but splits.json has it in {listed or 'no split'}: "
                "the same split was expected"
            )
        members.setdefault(key, []).append(index)
    for (patient, frame), rows in members.items():
        numbers = tuple(int(held["slice"][row]) for row in rows)
        read = partial(_take, image[rows], label[rows].astype(np.uint8))
        content = partial(_digest, image[rows], label[rows].astype(np.uint8))
        parts[owner[patient]].append(Volume(f"patient{patient:03d}", frame, numbers, read, content))
    return parts


def _take(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return images, labels


def _digest(images: np.ndarray, labels: np.ndarray) -> bytes:
    return hashlib.sha256(images.tobytes() + labels.tobytes()).digest()


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            if missing := [key for key in ("image", "label", *COLUMNS) if key not in file.files]:
                raise KeyError(missing[0])
            return {key: file[key] for key in ("image", "label", *COLUMNS)}
    except KeyError as error:
        raise ValueError(f"{path} has no array {error}: image, label, {', '.join(COLUMNS)} were expected") from None
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        reason = str(error).rstrip(".").split("\n")[0] or type(error).__name__
        raise ValueError(f"{path} cannot be decoded ({reason}): a whole .npz file was expected") from None


def _part_of_patient(path: Path) -> dict[int, str]:
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: it was expected to list the patients of train, val and test")
    splits = read_json(path)
    owner: dict[int, str] = {}
    for split in SPLITS:
        if not isinstance(splits, dict) or not isinstance(splits.get(split), list):
            raise ValueError(f"{path} has no list {split!r}: train, val and test were expected")
        for patient in splits[split]:
            if patient in owner:
                raise ValueError(
                    f"{path} lists patient {patient} in {owner[patient]} and in {split}: "
                    "one part a patient was expected"
                )
            owner[patient] = split
    return owner


def _check_classes(path: Path) -> None:
    if not path.is_file():
        return
    stated = read_json(path)
    try:
        names = {entry["id"]: entry["name"] for entry in stated["classes"]}
    except (KeyError, TypeError):
        raise ValueError(f"{path} is not a class list: `classes` with `id` and `name` was expected") from None
    for index, name in enumerate(OWNER_NAMES):
        if names.get(index) != name:
            raise ValueError(f"{path} calls class {index} {names.get(index)!r}: {name!r} was expected")
