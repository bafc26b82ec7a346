"""Look at a folder of data and report, line by line, what is there and what is wrong. Nothing is changed.

A check comes in by its file alone: a module `checking_*` of this folder offers ``CHECKS``, the catalogue's names with a
title and a function from the data root (or the data set's own folder) to a report, and ``recognised``, which gives the
check that fits a folder, or None. The readers, and with them torch, are imported when a folder is read: listing the
catalogue stays quick.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from labelkit.datasets.checking_terms import complete
from labelkit.datasets.report import Report
from labelkit.datasets.seen import Pixels, add_shares, check_manifest, read_all
from labelkit.datasets.sources import Entry, find_entry

HERE = Path(__file__).parent


def check(name_or_path: str | Path, root: str | Path | None = None) -> Report:
    """Check a data set.

    A data set that this version can read is read whole, unless its check says otherwise (of ImageNet one image of each
    class is decoded): counts, sizes, label values, class shares, broken files, fingerprints. So is a folder with
    images/, masks/ or labels/, and classes.json. Of a data set without a reader only the layout is looked at.

    Args:
        name_or_path: a name of the catalogue, or a folder.
        root: the data root; needed for a name.

    Returns:
        The report; a broken or missing file is a row of it, not an exception.

    Raises:
        FileNotFoundError: the data are not there; the sentence says what to place where.
        ValueError: the name is unknown.
    """
    path = Path(name_or_path)
    if path.is_dir():
        return complete(_check_of(path)(path), path)
    known = find_entry(str(name_or_path))
    if root is None or not Path(root).is_dir():
        none = "LABELKIT_DATA is not set and no folder is given"
        found = none if root is None else f"the data root {root} is not a folder"
        raise FileNotFoundError(f"{found}: {known.instructions(root)}")
    if known.name not in checks():
        return _check_layout(known, Path(root))
    title, check_whole = checks()[known.name]
    try:
        return complete(check_whole(root), root)
    except FileNotFoundError:
        raise FileNotFoundError(f"no {title} below {root}: {known.instructions(root)}") from None


def checks() -> dict[str, tuple[str, Callable[[str | Path], Report]]]:
    """All checks: the catalogue's name to title and function."""
    return {name: check for module in _modules() for name, check in module.CHECKS.items()}


def _modules() -> list[ModuleType]:
    names = sorted(path.stem for path in HERE.glob("checking_*.py"))
    modules = [importlib.import_module(f"labelkit.datasets.{name}") for name in names]
    return [module for module in modules if hasattr(module, "CHECKS")]


def _check_of(folder: Path) -> Callable[[Path], Report]:
    for module in _modules():
        if fitting := module.recognised(folder):
            return fitting
    if (folder / "classes.json").is_file():
        return check_folder
    return checks()["camvid"][1]  # refuses, and says what a folder of street scenes should hold


def check_folder(folder: Path) -> Report:
    """Read a folder with images/, masks/ or labels/, and classes.json (`classes` with `id` and `name`, in order of id).

    Args:
        folder: the folder.

    Returns:
        The report.
    """
    from labelkit.datasets.folder import ImageMaskFolder

    report, pixels = Report(folder.resolve().name, folder, "images and masks"), Pixels()
    try:
        stated = json.loads((folder / "classes.json").read_text(encoding="utf-8"))
        ignored = {255, stated.get("ignore_index", 255)}
        classes = {int(known["id"]): str(known["name"]) for known in stated["classes"] if known["id"] not in ignored}
        if sorted(classes) != list(range(len(classes))):
            raise ValueError(f"the ids in {folder / 'classes.json'} have gaps: 0, 1, 2 and so on were expected")
        names = [classes[index] for index in range(len(classes))]
        masks = "masks" if (folder / "masks").is_dir() else "labels"
        dataset = ImageMaskFolder(folder, masks=masks, classes=names, ignore_values=sorted(ignored), cache=False)
    except (KeyError, TypeError, AttributeError):
        report.add("classes", f"{folder / 'classes.json'} has no list `classes` with `id` and `name`", False)
        return report
    except (FileNotFoundError, ValueError) as error:
        report.add("files", str(error), False)
        return report
    report.add("images", f"{len(dataset)} images, fingerprint {dataset.fingerprint}")
    report.add_problems("images", read_all(dataset, pixels))
    report.variant = f"images and {masks}, {pixels.words()}"
    add_shares(report, names, pixels.shares, all_expected=False)
    check_manifest(report, folder)
    return report


def _check_layout(known: Entry, root: Path) -> Report:
    folder = root / known.folder
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not a folder: {known.instructions(root)}")
    report = Report(known.name, folder, "layout only: this version has no reader for it")
    for name in known.layout:
        path = folder / name
        there = path.is_dir() if name.endswith("/") else path.is_file()
        report.add(name, "there" if there else "missing", there)
    return report
