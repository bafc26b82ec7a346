"""The check of iSAID."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from labelkit.datasets.report import Report
from labelkit.datasets.seen import check_manifest, counted, opened

COUNTS = {"train": 1411, "val": 458}  # images of the owner's parts


def recognised(folder: Path) -> Callable[[Path], Report] | None:
    """`check_isaid` if the folder is iSAID, otherwise None."""
    from labelkit.datasets import isaid_files

    return check_isaid if isaid_files.layout_of(folder) else None


def check_isaid(root: str | Path) -> Report:
    """Read all labelled images of iSAID and report on them.

    Args:
        root: its folder, or one that holds it.

    Returns:
        The report; a broken or missing file, a colour of no class, an instance that spans two classes, and categories
        that differ from the list are rows of it.

    Raises:
        FileNotFoundError: no known layout is found.
    """
    from labelkit.datasets import isaid, isaid_files
    from labelkit.datasets.aerial_tiles import SKIPPED, stays_whole, windows
    from labelkit.datasets.isaid_coco import read_coco
    from labelkit.datasets.isaid_colours import CLASSES

    folder, layout = isaid_files.find(root)
    report = Report("isaid", folder, layout)
    whole = opened(report, "files", isaid.ISAID, folder, "all", strict=True)
    if whole is None:
        return report
    problems, counts, patches, small, sizes = [], np.zeros(len(CLASSES), int), 0, 0, []
    for index in range(len(whole)):
        try:
            sample = whole[index]
        except (FileNotFoundError, ValueError) as error:
            problems.append(str(error))
            continue
        height, width = sample["instances"].shape
        sizes += [height, width]
        patches += len(windows(height, width))
        small += stays_whole(height, width)
        counts += np.bincount(sample["labels"].numpy(), minlength=len(CLASSES))
    for part, expected in COUNTS.items() if layout == "owner" else ():
        found = len(isaid_files.scene_files(folder, layout)[part])
        report.add(part, *counted(found, range(expected - len(SKIPPED), expected + 1), "images"))
    report.add("images", f"{len(whole)} with labels, fingerprint {whole.fingerprint}")
    report.add_problems("images", problems)
    if sizes:
        report.variant = f"{layout}, sides of {min(sizes)} to {max(sizes)} pixels"
        report.add("patches", f"{patches} of 800 with overlap 200; {small} images stay whole")
    named = [f"{name} {count}" for name, count in zip(CLASSES[1:], counts[1:].tolist()) if count]
    report.add("instances", f"{int(counts.sum())}: {', '.join(named) or 'none'}")
    for path in sorted([*folder.glob("*.json"), *folder.glob("*/*.json"), *folder.glob("*/Annotations/*.json")]):
        if "instances" in path.name or path.name.startswith("iSAID_"):
            coco = opened(report, path.name, read_coco, path)
            if coco is not None:
                report.add(path.name, f"{len(coco['annotations'])} annotations, categories mapped by name")
    check_manifest(report, folder)
    return report


CHECKS = {"isaid": ("iSAID", check_isaid)}
