"""The files of ScanNet v2 as its owners publish them: lists of scans, a folder for each, labels in one of two forms.

`scans/scene0000_00/scene0000_00_vh_clean_2.ply` is the mesh whose vertices are the points. Their labels are in
`scene0000_00_vh_clean_2.labels.ply`, as numbers of NYU40. Where that file is missing they are put together from
`scene0000_00_vh_clean_2.0.010000.segs.json` (a segment for each vertex), `scene0000_00.aggregation.json` (the segments
of each object and its name) and `scannetv2-labels.combined.tsv` (the number of each name), as the owners' export does;
`scene0000_00_vh_clean.aggregation.json` belongs to a finer mesh and is not read.
The two forms are reported to differ in three scans, scene0270_00, scene0270_02 and scene0384_00, where the first has
numbers above 40 (issues 20 and 86 of the owners' repository); such points are ignored.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from labelkit.datasets.json_files import read_json
from labelkit.datasets.listing import read_names
from labelkit.datasets.ply_files import read_column, read_points
from labelkit.datasets.point_grid import IGNORE_INDEX

CLASSES = (
    "wall", "floor", "cabinet", "bed", "chair", "sofa", "table", "door", "window", "bookshelf", "picture", "counter",
    "desk", "curtain", "refrigerator", "shower curtain", "toilet", "sink", "bathtub", "otherfurniture",
)  # fmt: skip
NYU40_IDS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 24, 28, 33, 34, 36, 39)
"""The number of each class in the files; all other numbers, and 0 for no label, are ignored."""
SCANS = {"train": 1201, "val": 312, "test": 100}
ROOMS = {"train": 565, "val": 142}
NAMES = "scannetv2-labels.combined.tsv"


def list_of(folder: Path, split: str) -> Path:
    """The owners' list of a split, "train", "val" or "test"."""
    return folder / f"scannetv2_{split}.txt"


def room_of(scan: str) -> str:
    """The room of a scan: ``scene0000`` of ``scene0000_01``."""
    return scan.partition("_")[0]


def listed(folder: Path) -> dict[str, tuple[str, ...]]:
    """The scans of the owners' "train" and "val", sorted.

    Raises:
        FileNotFoundError: a list is missing, or a scan that it names.
        ValueError: a list is not what it should be, or a room is in both.
    """
    found: dict[str, tuple[str, ...]] = {}
    for split in ("train", "val"):
        path = list_of(folder, split)
        for name, line in (names := read_names(path)).items():
            if not re.fullmatch(r"scene\d{4}_\d{2}", name):
                raise ValueError(f"list {path} has {name!r} in line {line}: a name such as scene0000_00 was expected")
            if not (folder / "scans" / name).is_dir():
                raise FileNotFoundError(f"{folder / 'scans' / name} is not a folder: line {line} of {path} names it")
        found[split] = tuple(sorted(names))
    if both := sorted(set(map(room_of, found["train"])) & set(map(room_of, found["val"]))):
        raise ValueError(f"room {both[0]} is in the lists of {folder} for train and for val: one of them was expected")
    return found


def files_of(folder: Path) -> dict[str, Path]:
    """Where the files of a scan lie or would lie: its "mesh", "labels", "segments" and "objects"."""
    ends = {"mesh": "_vh_clean_2.ply", "labels": "_vh_clean_2.labels.ply",
            "segments": "_vh_clean_2.0.010000.segs.json", "objects": ".aggregation.json"}  # fmt: skip
    return {kind: folder / f"{folder.name}{end}" for kind, end in ends.items()}


def read_scan(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All points of a scan. They are not turned to the axes of the room; up is +z.

    Args:
        folder: the scan's; the table of names, if it is needed, lies beside the folder that holds it.

    Returns:
        xyz (N, 3) float32 metres, rgb (N, 3) uint8, label (N,) uint8, 255 for none.

    Raises:
        FileNotFoundError, ValueError: a file is missing or not what it should be; names it.
        ImportError: open3d cannot be loaded.
    """
    files = files_of(folder)
    numbers, source = read_numbers(folder)  # cheaper than the mesh, and refused for more reasons
    xyz, rgb = read_points(files["mesh"])
    if len(numbers) != len(xyz):
        raise ValueError(
            f"{source} has {len(numbers)} vertices, {files['mesh'].name} {len(xyz)}: equal numbers were expected"
        )
    table = np.full(max(NYU40_IDS) + 2, IGNORE_INDEX, np.uint8)
    table[list(NYU40_IDS)] = np.arange(len(CLASSES))
    return xyz, rgb, table[np.minimum(numbers, len(table) - 1)]


def read_numbers(folder: Path) -> tuple[np.ndarray, Path]:
    """The number of each vertex, (N,), and the file that says so; for errors see `read_scan`."""
    files = files_of(folder)
    if files["labels"].is_symlink() or files["labels"].exists():  # a link that leads nowhere is no reason for JSON
        numbers = read_column(files["labels"], "label")
        if numbers.dtype.kind not in "ui" or (numbers < 0).any():
            raise ValueError(f"{files['labels']} has labels of the type {numbers.dtype}: numbers from 0 were expected")
        return numbers.astype(np.int64), files["labels"]
    for kind in ("objects", "segments"):
        if not files[kind].is_file():
            raise FileNotFoundError(
                f"{folder} has neither {files['labels'].name} nor {files[kind].name}: labels were expected"
            )
    return _assembled(files, read_table(folder.parent.parent / NAMES)), files["segments"]


def read_table(path: Path) -> dict[str, int]:
    """The owners' table: number in NYU40 of each name that objects have.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it has not the columns `raw_category` and `nyu40id`, or a number is none.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: the names of objects are mapped by it")
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            return {row["raw_category"]: int(row["nyu40id"]) for row in csv.DictReader(file, delimiter="\t")}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a table with the columns raw_category and nyu40id ({error!r})") from None


def _assembled(files: Mapping[str, Path], table: Mapping[str, int]) -> np.ndarray:
    """Numbers from segments and objects; where objects share a segment the last one counts."""
    try:
        segments = np.array(read_json(files["segments"])["segIndices"])
        if segments.dtype.kind != "i" or segments.ndim != 1:
            raise TypeError
    except (KeyError, TypeError):
        raise ValueError(f"{files['segments']} has no list `segIndices` with a whole number a vertex") from None
    known, place = np.unique(segments, return_inverse=True)
    of_segment = np.zeros(len(known), np.int64)
    for name, owned in _objects(files["objects"]):
        if name not in table:
            raise ValueError(f"{files['objects']} has an object {name!r}: a name of {NAMES} was expected")
        missing = np.setdiff1d(owned, known)
        if len(missing):
            raise ValueError(f"{files['objects']} has the segment {missing[0]}, which {files['segments'].name} has not")
        of_segment[np.searchsorted(known, owned)] = table[name]
    return of_segment[place]


def _objects(path: Path) -> list[tuple[str, np.ndarray]]:
    """Name and segments of each object."""
    try:
        groups: list[Any] = read_json(path)["segGroups"]
        found = [(str(group["label"]), np.array(group["segments"], dtype=np.int64).reshape(-1)) for group in groups]
    except (KeyError, TypeError, ValueError) as error:
        if str(path) in str(error):
            raise  # no JSON at all, which was said
        raise ValueError(f"{path} has no list `segGroups` of objects with `label` and `segments`") from None
    return found
