"""What a check of data takes note of while it reads, and the rows that come of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labelkit.datasets.report import Report

if TYPE_CHECKING:
    from labelkit.datasets.pairs import PairedFiles
    from labelkit.datasets.volumes import VolumeSlices


@dataclass
class Pixels:
    """What was seen while reading.

    Attributes:
        shares: (256,) pixels of each label id.
        sizes: heights and widths of the images.
    """

    shares: np.ndarray = field(default_factory=lambda: np.zeros(256, dtype=np.int64))
    sizes: set[tuple[int, int]] = field(default_factory=set)

    def words(self) -> str:
        """Up to three of the sizes, in words."""
        some = [f"{width}x{height}" for height, width in sorted(self.sizes)[:3]]
        return "no image read" if not some else ", ".join(some) + (" and others" if len(self.sizes) > 3 else "")


def opened(report: Report, row: str, reader: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """What a reader gives, or None and a row with what is wrong if it raises OSError or ValueError.

    Args:
        report: receives the row.
        row: its name.
        reader: what to call.
        arguments, named: what to call it with.
    """
    try:
        return reader(*arguments, **named)
    except (OSError, ValueError) as error:
        report.add(row, str(error), False)
        return None


def counted(number: int, expected: Collection[int], of: str = "") -> tuple[str, bool]:
    """A count in words, with what was expected where it differs, and whether it is right.

    Args:
        number: what was counted.
        expected: the right numbers.
        of: word behind the number, for example "images".
    """
    words, good = f"{number} {of}".strip(), number in expected
    return (words if good else f"{words}, {' or '.join(map(str, expected))} were expected"), good


def read_all(dataset: PairedFiles | VolumeSlices, pixels: Pixels) -> list[str]:
    """Read every sample.

    Args:
        dataset: what to read.
        pixels: takes note of sizes and labels.

    Returns:
        A sentence for each sample that cannot be read.
    """
    problems = []
    for index in range(len(dataset)):
        try:
            image, mask = dataset.arrays(index)
        except (FileNotFoundError, ValueError) as error:
            problems.append(str(error))
            continue
        pixels.sizes.add((image.shape[1], image.shape[2]))
        pixels.shares += np.bincount(mask.numpy().ravel(), minlength=256)
    return problems


def add_shares(report: Report, classes: Sequence[str], shares: np.ndarray, all_expected: bool) -> None:
    """Add rows on how often each class occurs.

    Args:
        report: receives the rows.
        classes: names.
        shares: (256,) pixels of each label id.
        all_expected: whether a class that does not occur is wrong.
    """
    total = max(int(shares.sum()), 1)
    words = [f"{name} {shares[index] / total:.4f}" for index, name in enumerate(classes) if shares[index]]
    absent = [name for index, name in enumerate(classes) if not shares[index]]
    report.add("class shares", ", ".join([*words, f"ignored {shares[255] / total:.4f}"]))
    if absent:
        report.add("class shares", f"no pixel of {', '.join(absent)}", not all_expected)


def check_manifest(report: Report, folder: Path) -> None:
    """Compare the files of a folder with its MANIFEST.sha256, if it has one.

    Args:
        report: receives a row, or one for each file that differs.
        folder: may hold the manifest.
    """
    if not (folder / "MANIFEST.sha256").is_file():
        return
    problems, count = [], 0
    for line in (folder / "MANIFEST.sha256").read_text(encoding="utf-8-sig", errors="replace").splitlines():
        digest, _, name = line.partition("  ")
        if not name:
            continue
        count += 1
        path = folder / name
        if not path.is_file():
            problems.append(f"{path} does not exist: MANIFEST.sha256 lists it")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            problems.append(f"{path} differs from MANIFEST.sha256")
    if not problems:
        report.add("manifest", f"{count} files are as listed")
    report.add_problems("manifest", problems)
