"""The files of S3DIS as its owners publish them: a folder for each area, in it one for each room.

`Area_1/office_1/Annotations/chair_1.txt` holds the points of one object, a line "x y z red green blue" each, metres
and 0..255; the object's class is the name before the number. The points of all objects of a room are the room.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from labelkit.datasets.listing import entries, folders_in
from labelkit.datasets.point_grid import checked

CLASSES = (
    "ceiling", "floor", "wall", "beam", "column", "window", "door", "chair", "table", "bookcase", "sofa", "board",
    "clutter",
)  # fmt: skip
ALSO_CLUTTER = ("stairs",)  # annotated apart in a few rooms, and no class of the benchmark
AREAS = {1: 44, 2: 40, 3: 23, 4: 49, 5: 68, 6: 48}  # rooms of a complete copy


def area_folders(folder: Path) -> dict[int, Path]:
    """The areas that lie in a folder, by number."""
    found = {int(match[1]): path for path in folder.glob("Area_*") if (match := re.fullmatch(r"Area_(\d+)", path.name))}
    return {number: found[number] for number in sorted(found) if found[number].is_dir()}


def room_folders(area: Path) -> list[Path]:
    """The rooms of an area, in order of their names: folders that have annotations."""
    return sorted(path for path in area.iterdir() if (path / "Annotations").is_dir())


def check_rooms(area: Path) -> None:
    """Refuse an area one of whose folders has no annotations, so that a room would be lost in silence.

    Raises:
        ValueError: there is one, a link leads nowhere, or two names differ only in case.
    """
    for folder in folders_in(area):
        if not (folder / "Annotations").is_dir():
            raise ValueError(f"{folder} has no folder Annotations: a room with a file for each object was expected")


def version_of(folder: Path) -> str:
    """ "aligned" or "raw", as far as the name of the folder or of one above it tells; otherwise "unknown version".

    The owners' two archives differ by turns of whole rooms, and their files look alike; what the folder is called is
    all that tells them apart.
    """
    names = [part.lower() for part in folder.resolve().parts]
    if any("aligned" in name for name in names):
        return "aligned"
    return "raw" if any("stanford3ddataset" in name for name in names) else "unknown version"


def read_room(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All points of a room.

    Args:
        folder: the room's folder.

    Returns:
        xyz (N, 3) float32 metres, rgb (N, 3) uint8, label (N,) uint8.

    Raises:
        FileNotFoundError: there are no annotations.
        ValueError: a file's class is unknown, a line is not six finite numbers, a link leads nowhere, or two names
            differ only in case.
    """
    files = [path for path in entries(folder / "Annotations") if path.suffix.lower() == ".txt"]
    if not files:
        raise FileNotFoundError(f"{folder / 'Annotations'} holds no .txt file: one for each object was expected")
    points, labels = [], []
    for file in files:
        label = class_of(file)
        points.append(read_points(file))
        labels.append(np.full(len(points[-1]), label, np.uint8))
    rows = np.concatenate(points)
    return rows[:, :3].copy(), rows[:, 3:].astype(np.uint8), np.concatenate(labels)


def class_of(file: Path) -> int:
    """The class of an object's file.

    Raises:
        ValueError: its name begins with no class.
    """
    name = file.stem.split("_")[0]
    if name in ALSO_CLUTTER:
        name = "clutter"
    if name not in CLASSES:
        raise ValueError(f"{file}: {name!r} is no class of S3DIS; one of {', '.join(CLASSES)} was expected")
    return CLASSES.index(name)


def read_points(file: Path) -> np.ndarray:
    """The rows of an object's file, (N, 6) float32. Control characters, which one file is known to hold, are spaces.

    Raises:
        ValueError: a line is not six finite numbers, or a colour is outside 0..255.
    """
    import io

    import pandas

    raw = file.read_bytes().translate(bytes(32 if code < 32 and code not in b"\t\r\n" else code for code in range(256)))
    try:
        table = pandas.read_csv(io.BytesIO(raw), sep=r"\s+", header=None, dtype=np.float32)
        rows = table.to_numpy()
        if rows.shape[1] != 6:
            raise ValueError
    except ValueError:
        raise ValueError(
            f"{file}, line {_broken_line(raw)}: six numbers, x y z red green blue, were expected"
        ) from None
    checked(rows[:, :3], str(file))
    if not ((rows[:, 3:] >= 0) & (rows[:, 3:] <= 255)).all():
        raise ValueError(f"{file}: a colour is outside 0..255")
    return rows


def _broken_line(raw: bytes) -> int:
    """Number of the first line that is not six numbers, from 1."""
    for number, line in enumerate(raw.splitlines(), start=1):
        try:
            if len([float(each) for each in line.split()]) != 6:
                return number
        except ValueError:
            return number
    return 1
