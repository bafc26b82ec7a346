"""The compact crop of S3DIS: one cylinder of a room on a grid of 3 cm, as `s3dis_demo_crop.npz`.

Its parts are wedges of the circle: 16 of equal angle, counted counter-clockwise from the x axis about the middle of the
cloud's bounding box. Every fourth, from wedge 0, is a test cloud, every fourth from wedge 2 one for validation, and the
odd ones are for training. Neighbouring wedges share borders and objects: this is a check on real points, not a
benchmark.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from labelkit.datasets.json_files import read_json
from labelkit.datasets.point_grid import IGNORE_INDEX, checked
from labelkit.datasets.s3dis_rooms import CLASSES

FILE = "s3dis_demo_crop.npz"
WEDGES = 16
PARTS = {"train": tuple(range(1, WEDGES, 2)), "val": tuple(range(2, WEDGES, 4)), "test": tuple(range(0, WEDGES, 4))}
LICENCE = "S3DIS is handed out by Stanford after a request form; research use. Terms of redistribution are not known."


class S3disCrop:
    """The wedges of one part.

    Args:
        folder: holds the file, and classes.json with the names of its labels.
        split: "train", "val" or "test".
        palette: (13, 3) uint8.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is not what it should be.
    """

    classes = CLASSES
    ignore_index = IGNORE_INDEX
    licence = LICENCE

    def __init__(self, folder: Path, split: str, palette: np.ndarray) -> None:
        self.folder, self.split, self.palette, self.name = folder, split, palette, "s3dis-crop"
        self.names = tuple(f"wedge-{number:02d}" for number in PARTS[split])
        self._xyz, self._rgb, self._label = read_crop(folder)
        wedge = wedge_of(self._xyz)
        self._indices = [np.flatnonzero(wedge == number) for number in PARTS[split]]
        for name, indices in zip(self.names, self._indices):
            if not len(indices):
                raise ValueError(f"{folder / FILE}: {name} holds no point; a crop with points all around was expected")

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """A sample: `xyz` (N, 3) float32 metres, `rgb` (N, 3) float32 in 0..1, `label` (N,) int64, `name`."""
        import torch

        chosen = self._indices[index]
        return {
            "xyz": torch.from_numpy(self._xyz[chosen]),
            "rgb": torch.from_numpy(self._rgb[chosen].astype(np.float32) / 255),
            "label": torch.from_numpy(self._label[chosen].astype(np.int64)),
            "name": self.names[index],
        }

    @cached_property
    def fingerprint(self) -> str:
        """First 16 hex digits of a sha256 over the part's names, points, colours and labels."""
        digest = hashlib.sha256(repr(("s3dis-crop 1", self.classes, self.split, self.names)).encode())
        for indices in self._indices:
            for values in (self._xyz, self._rgb, self._label):
                digest.update(np.ascontiguousarray(values[indices]).tobytes())
        return digest.hexdigest()[:16]


def read_crop(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The whole crop, its labels brought by name into the order of the benchmark.

    Returns:
        xyz (N, 3) float32 metres, rgb (N, 3) uint8, label (N,) uint8, 255 for none.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is not readable, rows do not fit, or a label has no name.
    """
    path = folder / FILE
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist")
    try:
        with np.load(path, allow_pickle=False) as file:
            xyz, rgb, label = (file[name] for name in ("xyz", "rgb", "label"))
    except Exception as error:  # np.load has no exception of its own
        raise ValueError(f"{path} is not a readable file with xyz, rgb and label ({type(error).__name__})") from error
    xyz = checked(xyz, str(path)).astype(np.float32, copy=False)
    if rgb.shape != xyz.shape or label.shape != xyz.shape[:1]:
        raise ValueError(f"{path}: colours {rgb.shape} and labels {label.shape} do not fit {len(xyz)} points")
    table = _table(folder / "classes.json")
    if (table[np.unique(label)] == len(CLASSES)).any():
        raise ValueError(f"{path}: label {int(label[table[label] == len(CLASSES)][0])} has no name in classes.json")
    return xyz, rgb.astype(np.uint8, copy=False), table[label]


def wedge_of(xyz: np.ndarray) -> np.ndarray:
    """Number of each point's wedge, (N,) in 0..15."""
    middle = (xyz[:, :2].min(0).astype(np.float64) + xyz[:, :2].max(0)) / 2
    angle = np.arctan2(xyz[:, 1] - middle[1], xyz[:, 0] - middle[0]) / (2 * np.pi) % 1
    return np.minimum((angle * WEDGES).astype(np.int64), WEDGES - 1)


def _table(path: Path) -> np.ndarray:
    """Label of the file to label of the benchmark, (256,) uint8; 13 where a label has no name."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: it names the labels")
    try:
        listed = read_json(path)["s3dis"]
        names = {int(each["id"]): str(each["name"]) for each in listed["classes"]}
        ignored = int(listed["ignore_index"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: no list `s3dis` with `classes` of `id` and `name`, and `ignore_index`") from error
    table = np.full(256, len(CLASSES), np.uint8)
    for number, name in names.items():
        if number == ignored:
            continue
        if name not in CLASSES:
            raise ValueError(f"{path}: {name!r} is no class of S3DIS; one of {', '.join(CLASSES)} was expected")
        table[number] = CLASSES.index(name)
    table[ignored] = table[IGNORE_INDEX] = IGNORE_INDEX
    return table
