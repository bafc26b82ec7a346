"""ScanNet v2: scans of indoor rooms as coloured point clouds with 20 classes [dai2017scannet].

The owners' layout is read, `scans/SCAN/` beside the lists `scannetv2_train.txt` and `scannetv2_val.txt`; see
`scannet_files`. Which scan is in which part:

- test: the owners' val, 312 scans of 142 rooms. (The owners' test has no public labels.)
- val: one in twenty of the owners' 1,201 training scans, chosen by a hash of the rooms' names. Most rooms were scanned
  more than once; all scans of one are in the same part.
- train: the others.

`scannet-official` trains on all 1,201, as most papers do; what is chosen on its val is chosen on test scans.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from labelkit.datasets.locate import check_split, locate
from labelkit.datasets.picking import HELD_OUT
from labelkit.datasets.point_grid import IGNORE_INDEX
from labelkit.datasets.scannet_files import CLASSES, files_of, listed, read_scan, room_of
from labelkit.datasets.tagged import SPLITS, one_in

PALETTE = np.array(
    [[174, 199, 232], [152, 223, 138], [31, 119, 180], [255, 187, 120], [188, 189, 34], [140, 86, 75],
     [255, 152, 150], [214, 39, 40], [197, 176, 213], [148, 103, 189], [196, 156, 148], [23, 190, 207],
     [247, 182, 210], [219, 219, 141], [255, 127, 14], [158, 218, 229], [44, 160, 44], [112, 128, 144],
     [227, 119, 194], [82, 84, 163]],
    dtype=np.uint8,
)  # fmt: skip
VARIANTS = ("", "official")
LICENCE = "Non-commercial research use after a signed agreement."
SUBFOLDERS = ("scannet", "ScanNet", "scannetv2")


class Scannet:
    """One part of ScanNet; a sample is a scan.

    Args:
        root: the folder with `scans` and the lists, or one that holds it; see `find`.
        split: "train", "val" or "test".
        variant: "" or "official"; see the module.
        points: deliver at most so many points of a scan, drawn once by a hash of its name; None delivers all.

    Raises:
        FileNotFoundError: the layout is not found, or a scan that a list names.
        ValueError: split, variant or points are out of range, a list is broken, or the part is empty.
    """

    classes = CLASSES
    palette = PALETTE
    ignore_index = IGNORE_INDEX
    licence = LICENCE

    def __init__(self, root: str | Path, split: str = "train", variant: str = "", points: int | None = None) -> None:
        check_split(split, "ScanNet")
        if variant not in VARIANTS:
            raise ValueError(f"ScanNet has no variant {variant!r}: scannet or scannet-official was expected")
        if points is not None and points < 1:
            raise ValueError(f"{points} points of a scan: at least 1, or None for all, was expected")
        self.root, self.split, self.variant, self.points = find(root), split, variant, points
        self.name = "-".join(filter(None, ("scannet", variant)))
        self.names = scans_of(listed(self.root), split, variant)
        if not self.names:
            raise ValueError(
                f"the part {split} of ScanNet in {self.root} is empty: lists with more rooms were expected"
            )

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """A scan: `xyz` (N, 3) float32 metres, `rgb` (N, 3) float32 in 0..1, `label` (N,) int64, `name`.

        Raises:
            FileNotFoundError, ValueError: a file is missing or not what it should be; names it.
            ImportError: open3d cannot be loaded.
        """
        import torch

        name = self.names[index]
        xyz, rgb, label = read_scan(self.root / "scans" / name)
        if self.points is not None and self.points < len(xyz):
            rng = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))
            chosen = np.sort(rng.choice(len(xyz), self.points, replace=False))
            xyz, rgb, label = xyz[chosen], rgb[chosen], label[chosen]
        return {
            "xyz": torch.from_numpy(xyz),
            "rgb": torch.from_numpy(rgb.astype(np.float32) / 255),
            "label": torch.from_numpy(label.astype(np.int64)),
            "name": name,
        }

    @cached_property
    def fingerprint(self) -> str:
        """First 16 hex digits of a sha256 over classes, names, the number of points, and the lengths of all files."""
        digest = hashlib.sha256(repr(("scannet 1", self.classes, self.split, self.points)).encode())
        for name in self.names:
            for file in files_of(self.root / "scans" / name).values():
                if file.is_file():
                    digest.update(f"{file.name} {file.stat().st_size}\n".encode())
        return digest.hexdigest()[:16]


def parts(root: str | Path, variant: str = "", points: int | None = None) -> dict[str, Scannet]:
    """The three parts of a run file's ``scannet`` or ``scannet-official``.

    Args:
        root, variant, points: see `Scannet`.

    Raises:
        FileNotFoundError, ValueError: see `Scannet`.
    """
    return {part: Scannet(root, part, variant, points) for part in SPLITS}


def scans_of(owner: dict[str, tuple[str, ...]], split: str, variant: str = "") -> tuple[str, ...]:
    """The scans of one of our parts, sorted.

    Args:
        owner: see `scannet_files.listed`.
        split: "train", "val" or "test".
        variant: "" or "official".
    """
    if split == "test" or (split == "val" and variant == "official"):
        return owner["val"]
    if variant == "official":
        return owner["train"]
    scans = Counter(map(room_of, owner["train"]))
    held_out = one_in(HELD_OUT, scans, "validation", size=scans.__getitem__)
    return tuple(name for name in owner["train"] if (room_of(name) in held_out) == (split == "val"))


def layout_of(folder: Path) -> str | None:
    """ "scans", or None if the folder is not ScanNet."""
    return "scans" if any((folder / "scans").glob("scene[0-9]*_[0-9]*/")) else None


def find(root: str | Path) -> Path:
    """Find ScanNet in a folder: there, or in its folder `scannet`.

    Raises:
        FileNotFoundError: it is not there; the sentence says what was looked for.
    """
    return locate(root, SUBFOLDERS, layout_of, "ScanNet", "folders scans/scene0000_00 and so on")[0]
