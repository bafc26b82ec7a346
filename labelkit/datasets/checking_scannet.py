"""The check of ScanNet: lists, rooms, and every point of every labelled scan."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from labelkit.datasets import scannet
from labelkit.datasets.checking_points import cloud_problems
from labelkit.datasets.listing import read_names
from labelkit.datasets.report import Report
from labelkit.datasets.scannet_files import ROOMS, SCANS, files_of, list_of, listed, read_scan, room_of
from labelkit.datasets.seen import add_shares, check_manifest, counted, opened


def recognised(folder: Path) -> Callable[[Path], Report] | None:
    """`check_scannet` if the folder is ScanNet, otherwise None."""
    return check_scannet if scannet.layout_of(folder) else None


def check_scannet(root: str | Path) -> Report:
    """Read all labelled scans of ScanNet and report on them; of the whole data set this takes minutes.

    Args:
        root: its folder, or one that holds it.

    Returns:
        The report; a broken file is a row of it, not an exception.

    Raises:
        FileNotFoundError: the layout is not found.
    """
    folder = scannet.find(root)
    report = Report("scannet", folder, "scans")
    owner = opened(report, "lists", listed, folder)
    if owner is None:
        return report
    shares = np.zeros(256, np.int64)
    for split, names in owner.items():
        report.add(f"list of {split}", *counted(len(names), [SCANS[split]], "scans"))
        report.add(f"list of {split}", *counted(len(set(map(room_of, names))), [ROOMS[split]], "rooms"))
        try:
            _read_all(report, folder, split, names, shares)
        except ImportError as error:
            report.add(split, str(error), False)
            return report
    if list_of(folder, "test").is_file():
        tested = opened(report, "list of test", read_names, list_of(folder, "test"))
        if tested is not None:
            words, good = counted(len(tested), [SCANS["test"]], "scans")
            report.add("list of test", f"{words}; they have no public labels and are not read", good)
    there = {path.name for path in (folder / "scans").iterdir() if path.is_dir()}
    if unlisted := sorted(there - set(owner["train"]) - set(owner["val"])):
        more = f" (and {len(unlisted) - 1} more)" if len(unlisted) > 1 else ""
        first = folder / "scans" / unlisted[0]
        report.add("scans", f"{first}{more} is in no list: every scan was expected in one", False)
    for part in scannet.SPLITS:
        found = opened(report, part, scannet.Scannet, folder, part)
        if found is not None:
            rooms = len(set(map(room_of, found.names)))
            report.add(part, f"{len(found)} scans of {rooms} rooms, fingerprint {found.fingerprint}")
    add_shares(report, scannet.CLASSES, shares, all_expected=False)
    check_manifest(report, folder)
    return report


def _read_all(report: Report, folder: Path, split: str, names: tuple[str, ...], shares: np.ndarray) -> None:
    """Read the scans of a list; adds to `shares`, (256,) points of each label."""
    points, drawn, problems = 0, 0, []
    for name in names:
        try:
            xyz, _, label = read_scan(folder / "scans" / name)
        except (FileNotFoundError, ValueError) as error:
            problems.append(str(error))
            continue
        points += len(xyz)
        drawn += files_of(folder / "scans" / name)["labels"].is_file()
        shares += np.bincount(label, minlength=256)
        problems += [f"{name}: {words}" for words in cloud_problems(xyz, label)]
    report.add(f"scans of {split}", f"{points} points; labels of {drawn} scans from labels.ply, of others from JSON")
    report.add_problems(f"scans of {split}", problems)


CHECKS = {"scannet": ("ScanNet", check_scannet)}
