"""ACDC as its owner publishes it: a folder a patient with `Info.cfg` and NIfTI files."""

import gzip
import hashlib
import re
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from labelkit.datasets.volumes import Volume

BRIGHTEST = 99.5  # percentile of a volume that becomes white
VAL_DIGITS, TEST_DIGITS = (7, 8), (9, 0)  # last digits of the patients of these parts


def part_of(number: int, labelled_test: bool) -> str:
    """The part that a patient of the owner's folder `training` goes to, by the last digit of the number.

    The owner orders patients by disease, twenty of each in turn, so every part gets the same share of each.

    Args:
        number: the patient's.
        labelled_test: whether the owner's folder `testing` is there with labels, so that nothing need be set apart.

    Returns:
        "val" for 7 and 8, "test" for 9 and 0 (if nothing else is there to test on), otherwise "train".
    """
    if number % 10 in VAL_DIGITS:
        return "val"
    return "test" if number % 10 in TEST_DIGITS and not labelled_test else "train"


def read_patients(folder: Path) -> dict[str, list[Volume]]:
    """The volumes at end of diastole and end of systole of all patients, by part.

    Args:
        folder: holds `training` and perhaps `testing`.

    Returns:
        Volumes of "train", "val" and "test". Only the heads of the files have been read.

    Raises:
        FileNotFoundError: a frame, its labels or Info.cfg is missing.
        ValueError: a patient is in both folders, or a file is not what it should be.
        ModuleNotFoundError: nibabel is missing.
    """
    training, testing = _patients(folder / "training"), _patients(folder / "testing")
    if twice := sorted(training.keys() & testing.keys()):
        raise ValueError(f"{twice[0]} is in training and in testing of {folder}: one part a patient was expected")
    labelled = any(
        path.name.endswith(("_gt.nii.gz", "_gt.nii")) for home in testing.values() for path in home.iterdir()
    )
    parts: dict[str, list[Volume]] = {"train": [], "val": [], "test": []}
    for name, home in training.items():
        parts[part_of(int(name.removeprefix("patient")), labelled)] += _volumes(home)
    if labelled:
        for home in testing.values():
            parts["test"] += _volumes(home)
    return parts


def _patients(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        return {}
    return {path.name: path for path in sorted(folder.iterdir()) if re.fullmatch(r"patient\d+", path.name)}


def _volumes(home: Path) -> list[Volume]:
    made = []
    for frame in _frames(home / "Info.cfg"):
        image, label = (_file(home / f"{home.name}_frame{frame:02d}{end}") for end in ("", "_gt"))
        (shape, axes), (other, turned) = heads = head_of(image), head_of(label)
        if heads[0] != heads[1]:
            what, ours, theirs = ("shape", shape, other) if shape != other else ("axes", axes, turned)
            raise ValueError(f"{image} has the {what} {ours}, but {label} has {theirs}: equal ones were expected")
        slices = tuple(range(shape[2]))
        read, content = partial(_read, image, label), partial(_digest, image, label)
        made.append(Volume(home.name, frame, slices, read, content))
    return made


def _frames(path: Path) -> list[int]:
    """The frames that have labels, as Info.cfg says: of end of diastole, then of end of systole."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: it was expected to name the frames ED and ES")
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    found = [re.search(rf"(?m)^\s*{phase}\s*:\s*(\d+)\s*$", text) for phase in ("ED", "ES")]
    for phase, match in zip(("ED", "ES"), found, strict=True):
        if match is None:
            raise ValueError(f"{path} has no line `{phase}: number`: the frames ED and ES were expected")
    frames = [int(match.group(1)) for match in found if match is not None]
    if frames[0] == frames[1]:
        raise ValueError(f"{path} gives frame {frames[0]} as ED and as ES: two frames were expected")
    return frames


def _file(stem: Path) -> Path:
    for end in (".nii.gz", ".nii"):
        path = stem.with_name(stem.name + end)
        if path.is_file():
            return path
    raise FileNotFoundError(f"{stem}.nii.gz does not exist: {stem.parent / 'Info.cfg'} names this frame")


def _decoded(path: Path, take: Callable[[Any], Any]) -> Any:
    """What `take` finds in a NIfTI file; a broken file becomes one sentence."""
    try:
        import nibabel
    except ModuleNotFoundError:
        raise ModuleNotFoundError("reading the NIfTI files of ACDC needs nibabel: pip install nibabel") from None
    broken = (OSError, EOFError, ValueError, zlib.error, gzip.BadGzipFile, nibabel.filebasedimages.ImageFileError)
    try:
        return take(nibabel.load(path))
    except broken as error:
        reason = str(error).rstrip(".").split("\n")[0] or type(error).__name__
        raise ValueError(f"{path} cannot be decoded ({reason}): a whole NIfTI file was expected") from None


def head_of(path: Path) -> tuple[tuple[int, ...], str]:
    """Shape of a NIfTI file, and where its axes lead: "LPS" if to the left, to the back and up, as the owner's do.

    Raises:
        ValueError: it is broken, or holds no single frame.
        ModuleNotFoundError: nibabel is missing.
    """

    def take(found: Any) -> tuple[tuple[int, ...], str]:
        from nibabel.orientations import aff2axcodes

        return tuple(int(length) for length in found.shape), "".join(map(str, aff2axcodes(found.affine)))

    shape, axes = _decoded(path, take)
    if len(shape) != 3:
        raise ValueError(f"{path} has {len(shape)} dimensions {shape}: one frame with three was expected")
    return shape, axes


def _read(image: Path, label: Path) -> tuple[np.ndarray, np.ndarray]:
    """Slices along the last axis, transposed so that rows run along the second axis, as viewers show them."""
    signal = _decoded(image, lambda found: found.get_fdata(dtype=np.float32))
    owner = _decoded(label, lambda found: np.asanyarray(found.dataobj))
    if not np.isfinite(signal).all():
        raise ValueError(f"{image} holds values that are not numbers: finite intensities were expected")
    if wrong := [value for value in np.unique(owner).tolist() if value not in (0, 1, 2, 3)]:
        raise ValueError(f"{label} holds the label value {wrong[0]:g}: 0, 1, 2 or 3 was expected")
    white = float(np.percentile(signal, BRIGHTEST))
    scaled = np.clip(signal / np.float32(white if white > 0 else 1), 0, 1) * np.float32(255) + np.float32(0.5)
    return scaled.astype(np.uint8).transpose(2, 1, 0), owner.astype(np.uint8).transpose(2, 1, 0)


def _digest(image: Path, label: Path) -> bytes:
    return b"".join(hashlib.sha256(path.read_bytes()).digest() for path in (image, label))
