"""The check of point clouds: S3DIS in both layouts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from labelkit.datasets import s3dis
from labelkit.datasets.point_grid import IGNORE_INDEX
from labelkit.datasets.report import Report
from labelkit.datasets.s3dis_crop import S3disCrop, read_crop
from labelkit.datasets.s3dis_rooms import AREAS, area_folders, check_rooms, read_room, room_folders, version_of
from labelkit.datasets.seen import add_shares, check_manifest, counted, opened
from labelkit.datasets.tagged import SPLITS

MANY_DUPLICATES = 0.05  # share of points at the very place of another one above which a cloud is reported


def recognised(folder: Path) -> Callable[[Path], Report] | None:
    """`check_s3dis` if the folder is S3DIS, otherwise None."""
    return check_s3dis if s3dis.layout_of(folder) else None


def check_s3dis(root: str | Path) -> Report:
    """Read all of S3DIS, or its compact crop, and report on it. The whole data set takes minutes: it is text.

    Args:
        root: its folder, or one that holds it.

    Returns:
        The report; a broken file is a row of it, not an exception.

    Raises:
        FileNotFoundError: no known layout is found.
    """
    folder = s3dis.find(root)
    return _check_crop(folder) if s3dis.layout_of(folder) == "crop" else _check_areas(folder)


def _check_areas(folder: Path) -> Report:
    version, areas = version_of(folder), area_folders(folder)
    report = Report("s3dis", folder, f"areas, {version}")
    told = {"aligned": True, "raw": True}.get(version, False)
    report.add("version", f"{version}, as far as the folder's name tells" if told else f"{version}: raw and aligned "
               "rooms give different results; say which these are in the folder's name")  # fmt: skip
    report.add("areas", *counted(len(areas), [len(AREAS)]))
    shares = np.zeros(256, np.int64)
    for number, area in areas.items():
        opened(report, area.name, check_rooms, area)
        rooms, points, problems = room_folders(area), 0, []
        for name, found in ((room.name, _read(room)) for room in rooms):
            if isinstance(found, str):
                problems.append(found)
                continue
            xyz, label = found
            points += len(xyz)
            shares += np.bincount(label, minlength=256)
            problems += [f"{area.name}/{name}: {words}" for words in cloud_problems(xyz, label)]
        words, good = counted(len(rooms), [AREAS[number]] if number in AREAS else [], "rooms")
        report.add(area.name, f"{words}, {points} points", good)
        report.add_problems(area.name, problems)
    add_shares(report, s3dis.CLASSES, shares, all_expected=False)
    check_manifest(report, folder)
    return report


def _read(room: Path) -> tuple[np.ndarray, np.ndarray] | str:
    try:
        xyz, _, label = read_room(room)
    except (FileNotFoundError, ValueError) as error:
        return str(error)
    return xyz, label


def _check_crop(folder: Path) -> Report:
    report = Report("s3dis-crop", folder, "compact crop")
    whole = opened(report, "points", read_crop, folder)
    if whole is not None:
        xyz, _, label = whole
        extent = " x ".join(f"{each:.2f}" for each in np.ptp(xyz, axis=0))
        report.add("points", f"{len(xyz)} points, {extent} m")
        report.add_problems("points", list(cloud_problems(xyz, label)))
        for split in SPLITS:
            part = opened(report, split, S3disCrop, folder, split, s3dis.PALETTE)
            if part is not None:
                points = sum(len(part[index]["label"]) for index in range(len(part)))
                report.add(split, f"{len(part)} wedges, {points} points, fingerprint {part.fingerprint}")
        add_shares(report, s3dis.CLASSES, np.bincount(label, minlength=256), all_expected=False)
    check_manifest(report, folder)
    return report


def cloud_problems(xyz: np.ndarray, label: np.ndarray) -> Iterator[str]:
    """What is wrong with a cloud whose coordinates are finite, in words.

    Args:
        xyz: (N, 3).
        label: (N,), 255 for none.
    """
    if (label == IGNORE_INDEX).all():
        yield f"none of {len(label)} points is of any class"
    order = np.lexsort(xyz.T)
    same = int((np.diff(xyz[order], axis=0) == 0).all(axis=1).sum())
    if same > MANY_DUPLICATES * len(xyz):
        yield f"{same} of {len(xyz)} points lie at the very place of another"


CHECKS = {"s3dis": ("S3DIS", check_s3dis)}
