"""The checks of data sets with a class an image: CIFAR-10 and ImageNet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from labelkit.datasets.report import Report
from labelkit.datasets.seen import check_manifest, counted, opened


def recognised(folder: Path) -> Callable[[Path], Report] | None:
    """The check that fits a folder, or None if it is neither of the two.

    Args:
        folder: what the user gave.
    """
    from labelkit.datasets import cifar10

    if (folder / cifar10.BATCHES).is_dir() or folder.name == cifar10.BATCHES or (folder / cifar10.SUBSET).is_file():
        return check_cifar10
    inside = folder / "train"
    if inside.is_dir() and (folder / "val").is_dir() and any(inside.glob("n[0-9]*/")):
        return check_ilsvrc2012
    return None


def check_cifar10(root: str | Path) -> Report:
    """Read all of CIFAR-10 and report on it.

    Args:
        root: its folder, or one that holds it.

    Returns:
        The report.

    Raises:
        FileNotFoundError: no known layout is found.
    """
    from labelkit.datasets import cifar10

    folder, layout = cifar10.find(root)
    report = Report("cifar10", folder, f"{layout}, 32x32")
    found = opened(report, "files", cifar10.parts, folder, "")
    if found is None:
        return report
    for part, dataset in found.items():
        expected = cifar10.COUNTS[part] if layout == "official" else len(dataset)
        _add_part(report, part, dataset, expected)
    report.add("pictures", f"{_shared(found)} occur in two parts, byte for byte")  # the owner's set: nothing to repair
    check_manifest(report, folder)
    return report


def check_ilsvrc2012(root: str | Path) -> Report:
    """Look at the folders of ImageNet, decode one image of each class and part, and report.

    Args:
        root: its folder, or one that holds it.

    Returns:
        The report.

    Raises:
        FileNotFoundError: it is not there.
    """
    from labelkit.datasets import ilsvrc2012
    from labelkit.datasets.ilsvrc2012_lists import read_list
    from labelkit.datasets.images import read_image

    folder = ilsvrc2012.find(root)
    report = Report("ilsvrc2012", folder, "class folders")
    found = opened(report, "folders", ilsvrc2012.parts, folder, "")
    if found is None:
        return report
    for part, dataset in found.items():
        _add_part(report, part, dataset, ilsvrc2012.COUNTS[part])
        problems, first = [], np.unique(dataset.labels, return_index=True)[1]
        for index in first.tolist():
            try:
                read_image(dataset.folder / dataset.files[index])
            except (FileNotFoundError, ValueError) as error:
                problems.append(str(error))
        if not problems:
            report.add(part, "the first image of each class can be decoded")
        paths = (dataset.folder / file for file in dataset.files)
        problems += [f"image {path} is empty: a JPEG file was expected" for path in paths if not path.stat().st_size]
        report.add_problems(part, problems)
    lists = folder / ilsvrc2012.LISTS
    for path in sorted(lists.iterdir()) if lists.is_dir() else ():
        listed = opened(report, path.name, read_list, path, found["train"])
        if listed is not None:
            report.add(path.name, f"{listed.per_class} images of each class, hash {listed.hash}")
    return report


def _add_part(report: Report, part: str, dataset: Any, expected: int) -> None:
    counts = np.bincount(dataset.labels, minlength=len(dataset.classes))
    each = f"{counts.min()}" if counts.min() == counts.max() else f"{counts.min()} to {counts.max()}"
    count, good = counted(len(dataset), [expected], "images")
    report.add(part, f"{count}, {each} of each of {len(counts)} classes, fingerprint {dataset.fingerprint}", good)


def _shared(found: dict[str, Any]) -> int:
    """The number of pictures that occur in more than one part."""
    parts = [{image.tobytes() for image in dataset.images} for dataset in found.values()]
    return sum(map(len, parts)) - len(set().union(*parts))


CHECKS = {"cifar10": ("CIFAR-10", check_cifar10), "ilsvrc2012": ("ILSVRC 2012", check_ilsvrc2012)}
