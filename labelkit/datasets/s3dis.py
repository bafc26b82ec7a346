"""S3DIS: indoor rooms as coloured point clouds with 13 classes [armeni2016s3dis].

Two layouts are read: the owners' (`s3dis_rooms`), where one of the six areas is the test part, Area 5 as a rule; and a
compact crop of one room (`s3dis_crop`). A run file names them ``s3dis``, ``s3dis-area3`` and so on, and ``s3dis-crop``.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from labelkit.datasets.point_grid import IGNORE_INDEX
from labelkit.datasets.s3dis_crop import FILE, S3disCrop
from labelkit.datasets.s3dis_rooms import AREAS, CLASSES, area_folders, check_rooms, read_room, room_folders, version_of
from labelkit.datasets.tagged import SPLITS, one_in

PALETTE = np.array(
    [[214, 214, 204], [120, 110, 96], [174, 199, 232], [255, 127, 14], [148, 103, 189], [23, 190, 207], [140, 86, 75],
     [214, 39, 40], [44, 160, 44], [31, 119, 180], [227, 119, 194], [188, 189, 34], [82, 84, 163]],
    dtype=np.uint8,
)  # fmt: skip
LICENCE = "Research use after the request form of Stanford; no redistribution."
TEST_AREA = 5
HELD_OUT = 10  # validation is one in so many rooms of the other areas
SUBFOLDERS = ("s3dis", "Stanford3dDataset_v1.2_Aligned_Version", "Stanford3dDataset_v1.2", "pointclouds")


class S3dis:
    """One part of S3DIS, in the owners' layout; a sample is a room.

    Validation is one in ten rooms of the training areas, chosen by a hash of their names, so that nothing is chosen on
    the test area.

    Args:
        root: the data set's folder, or one that holds it; see `find`.
        split: "train", "val" or "test".
        test_area: 1 to 6.

    Attributes:
        version: "aligned", "raw" or "unknown version"; see `s3dis_rooms.version_of`.

    Raises:
        FileNotFoundError: the layout is not found.
        ValueError: the split is unknown, the test area is not there, or nothing else is.
    """

    classes = CLASSES
    palette = PALETTE
    ignore_index = IGNORE_INDEX
    licence = LICENCE

    def __init__(self, root: str | Path, split: str = "train", test_area: int = TEST_AREA) -> None:
        if split not in SPLITS:
            raise ValueError(f"S3DIS has no split {split!r}: train, val or test was expected")
        self.root = find(root, "areas")
        self.split, self.test_area, self.version = split, test_area, version_of(self.root)
        self.name = "s3dis" if test_area == TEST_AREA else f"s3dis-area{test_area}"
        areas = area_folders(self.root)
        if test_area not in areas or len(areas) < 2:
            raise ValueError(
                f"{self.root} has areas {', '.join(map(str, areas)) or 'none'}: Area {test_area} for the test and at "
                "least one other were expected"
            )
        for area in areas.values():
            check_rooms(area)
        rooms = {f"{area.name}/{room.name}": room for area in areas.values() for room in room_folders(area)}
        tested = {name for name in rooms if name.startswith(f"Area_{test_area}/")}
        held_out = one_in(HELD_OUT, rooms.keys() - tested, "val")
        chosen = {"train": rooms.keys() - tested - held_out, "val": held_out, "test": tested}[split]
        self.names = tuple(sorted(chosen))
        self._folders = [rooms[name] for name in self.names]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """A room: `xyz` (N, 3) float32 metres, `rgb` (N, 3) float32 in 0..1, `label` (N,) int64, `name`.

        Raises:
            FileNotFoundError, ValueError: a file is missing or not what it should be; names it.
        """
        import torch

        xyz, rgb, label = read_room(self._folders[index])
        return {
            "xyz": torch.from_numpy(xyz),
            "rgb": torch.from_numpy(rgb.astype(np.float32) / 255),
            "label": torch.from_numpy(label.astype(np.int64)),
            "name": self.names[index],
        }

    @cached_property
    def fingerprint(self) -> str:
        """First 16 hex digits of a sha256 over classes, version, and the paths and lengths of all files."""
        digest = hashlib.sha256(repr(("s3dis 1", self.classes, self.version, self.split)).encode())
        for folder in self._folders:
            for file in sorted((folder / "Annotations").glob("*.[tT][xX][tT]")):
                digest.update(f"{file.relative_to(self.root).as_posix()} {file.stat().st_size}\n".encode())
        return digest.hexdigest()[:16]


def parts(root: Path, variant: str) -> dict[str, S3dis] | dict[str, S3disCrop]:
    """The three parts of a run file's ``s3dis``, ``s3dis-area1`` to ``s3dis-area6``, or ``s3dis-crop``.

    Args:
        root: the data set's folder, or one that holds it; see `find`.
        variant: "", "area1" to "area6", or "crop".

    Raises:
        FileNotFoundError: the layout is not found.
        ValueError: the variant is none of these, or a file is not what it should be.
    """
    if variant == "crop":
        folder = find(root, "crop")
        return {part: S3disCrop(folder, part, PALETTE) for part in SPLITS}
    areas = {"": TEST_AREA} | {f"area{number}": number for number in AREAS}
    if variant not in areas:
        raise ValueError(f"S3DIS has no variant {variant!r}: s3dis, s3dis-area1 to s3dis-area6 or s3dis-crop")
    return {part: S3dis(root, part, areas[variant]) for part in SPLITS}


def layout_of(folder: Path) -> str | None:
    """ "areas", "crop", or None if the folder is not S3DIS."""
    if any(room_folders(area) for area in area_folders(folder).values()):
        return "areas"
    return "crop" if (folder / FILE).is_file() else None


def find(root: str | Path, layout: str | None = None) -> Path:
    """Find S3DIS in a folder.

    Args:
        root: the data set's folder or one that holds it.
        layout: "areas" or "crop"; either if None.

    Returns:
        The data set's folder.

    Raises:
        FileNotFoundError: it is not there; the sentence says what was looked for.
    """
    root = Path(root)
    for folder in (root, *(root / name for name in SUBFOLDERS)):
        if folder.is_dir() and (found := layout_of(folder)) and layout in (None, found):
            return folder
    expected = {"areas": "Area_1/ROOM/Annotations/", "crop": FILE}
    wanted = expected[layout] if layout else " or ".join(expected.values())
    raise FileNotFoundError(
        f"no S3DIS in {root}: {wanted} was expected there or in its folder "
        f"{', '.join(SUBFOLDERS[:-1])} or {SUBFOLDERS[-1]}"
    )
