"""The checks of data sets with image tags: magnetic tiles, COCO128 and ECSSD."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from labelkit.datasets.report import Report
from labelkit.datasets.seen import Pixels, add_shares, check_manifest, opened, read_all


def recognised(folder: Path) -> Callable[[Path], Report] | None:
    """The check that fits a folder, or None if it is none of the three.

    Args:
        folder: what the user gave.
    """
    from labelkit.datasets import coco128, ecssd, magnetic_tile_files

    for module, check in ((magnetic_tile_files, check_magnetic_tile), (coco128, check_coco128), (ecssd, check_ecssd)):
        if module.layout_of(folder):
            return check
    return None


def check_magnetic_tile(root: str | Path) -> Report:
    """Read all magnetic tiles and report on them.

    Args:
        root: their folder, or one that holds it.

    Returns:
        The report.

    Raises:
        FileNotFoundError: no known layout is found.
    """
    from labelkit.datasets import magnetic_tile

    return _check("magnetic-tiles", *magnetic_tile.find(root), magnetic_tile)


def check_coco128(root: str | Path) -> Report:
    """Read all of COCO128 and report on it; see `check_magnetic_tile`."""
    from labelkit.datasets import coco128

    return _check("coco128", coco128.find(root), "compact", coco128)


def check_ecssd(root: str | Path) -> Report:
    """Read all of ECSSD and report on it; see `check_magnetic_tile`."""
    from labelkit.datasets import ecssd

    return _check("ecssd", *ecssd.find(root), ecssd)


def _check(name: str, folder: Path, layout: str, module: Any) -> Report:
    report, pixels = Report(name, folder, layout), Pixels()
    parts = opened(report, "files", module.parts, folder, "")
    if parts is None:
        return report
    for part, dataset in parts.items():
        problems = read_all(dataset, pixels)
        report.add_problems(part, problems)
        if problems:
            continue
        tags = np.stack([dataset.tags(index).numpy() for index in range(len(dataset))])
        counts = ", ".join(f"{name} {int(count)}" for name, count in zip(dataset.classes[1:], tags.sum(0)) if count)
        bare = int((tags.sum(1) == 0).sum())
        without = f", {bare} without a tag" if bare else ""
        report.add(part, f"{len(dataset)} images{without}, fingerprint {dataset.fingerprint}")
        report.add(f"{part} tags", counts or "none")
        report.add_problems(f"{part} tags", _disagreeing(dataset, tags))
    report.variant = f"{layout}, {pixels.words()}"
    add_shares(report, module.CLASSES, pixels.shares, all_expected=False)
    check_manifest(report, folder)
    return report


def _disagreeing(dataset: Any, tags: np.ndarray) -> list[str]:
    """A sentence for each image whose tags and mask differ."""
    problems = []
    for index, row in enumerate(tags > 0):
        seen = np.bincount(dataset.mask(index).ravel(), minlength=256)[1 : len(dataset.classes)] > 0
        if differing := np.flatnonzero(seen != row).tolist():
            names = ", ".join(dataset.classes[1 + each] for each in differing)
            problems.append(f"{dataset.names[index]}: tags and mask differ in {names}")
    return problems


CHECKS = {
    "magnetic-tiles": ("magnetic tiles", check_magnetic_tile),
    "coco128": ("COCO128", check_coco128),
    "ecssd": ("ECSSD", check_ecssd),
}
