"""The checks of COCO and COCO-Stuff. Counts and names are checked whole; of the many pictures some are decoded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from labelkit.datasets.checking_voc import add_drawn
from labelkit.datasets.report import Report
from labelkit.datasets.seen import Pixels, add_shares, counted, opened

DECODED = 100  # one in so many pictures, by a hash of the names, is decoded


def recognised(folder: Path) -> Callable[[Path], Report] | None:
    """The check that fits a folder, or None if it is neither of the two.

    Args:
        folder: what the user gave.
    """
    from labelkit.datasets.coco_stuff_files import layout_of

    if any((folder / "annotations").glob("instances_val20*.json")):
        return check_coco
    return check_coco_stuff if layout_of(folder) else None


def check_coco(root: str | Path) -> Report:
    """Check COCO 2014 and 2017, whichever is there.

    Args:
        root: its folder, or one that holds it.

    Returns:
        The report.

    Raises:
        FileNotFoundError: neither is there.
    """
    from labelkit.datasets import coco

    try:
        years, folder = ["2014"], coco.find(root, "2014")
    except FileNotFoundError:
        years, folder = [], coco.find(root, "2017")
    if (folder / "annotations" / "instances_val2017.json").is_file():
        years.append("2017")
    report, pixels = Report("coco", folder, " and ".join(years)), Pixels()
    for split in (f"{part}{year}" for year in years for part in ("train", "val")):
        found = opened(report, split, coco.Annotated, folder, split, keep=False)
        if found is None:
            continue
        images, annotated = coco.COUNTS[split]
        report.add(split, *counted(len(found.tags), [images], "images"))
        tagged = sum(map(bool, found.tags.values()))
        report.add(split, *counted(tagged, [annotated], "images with an annotation"))
        report.add(split, f"fingerprint of the annotations {found.digest[:16]}")
        if opened(report, split, found.images, sorted(found.tags)) is not None:
            _decode_some(report, split, found, pixels)
        wanted = [name for name, tags in found.tags.items() if tags or split.startswith("val")]
        add_drawn(report, f"{split} as PNG", found.masks(wanted))
    report.variant = f"{' and '.join(years)}, {pixels.words()}"
    add_shares(report, coco.CLASSES, pixels.shares, all_expected=False)
    report.add("licence", coco.LICENCE)
    return report


def _decode_some(report: Report, split: str, found: Any, pixels: Pixels) -> None:
    from labelkit.datasets.images import read_image
    from labelkit.datasets.tagged import one_in

    some = sorted(one_in(DECODED, found.tags, "check"))
    problems = []
    for name, path in zip(some, found.images(some)):
        try:
            image, mask = read_image(path), found.masks([name]).draw(name)
        except (FileNotFoundError, ValueError) as error:
            problems.append(str(error))
            continue
        except ImportError as error:
            report.add(split, str(error), False)
            return
        if image.shape[:2] != mask.shape:
            stated = f"{mask.shape[1]}x{mask.shape[0]} pixels was expected, as in {found.path.name}"
            problems.append(f"image {path} is {image.shape[1]}x{image.shape[0]} pixels: {stated}")
            continue
        pixels.sizes.add(mask.shape)
        pixels.shares += np.bincount(mask.ravel(), minlength=256)
    report.add_problems(split, problems)
    if not problems:
        report.add(split, f"{len(some)} pictures were decoded and their class maps drawn")


def check_coco_stuff(root: str | Path) -> Report:
    """Check COCO-Stuff, 10k or 164k, whichever is there.

    Args:
        root: its folder, or one that holds it.

    Returns:
        The report.

    Raises:
        FileNotFoundError: neither is there.
    """
    from labelkit.datasets import coco_stuff_files as files
    from labelkit.datasets.coco_stuff import CLASSES, LICENCE

    try:
        edition, folder = "10k", files.find(root, "10k")
    except FileNotFoundError:
        edition, folder = "164k", files.find(root, "164k")
    report, pixels = Report("coco-stuff", folder, edition), Pixels()
    for part, expected in zip(("train", "test"), files.COUNTS[edition]):
        names = opened(report, part, files.owner_names, folder, edition, part)
        if names is None:
            continue
        report.add(part, *counted(len(names), [expected], "images"))
        pairs = opened(report, part, files.owner_files, folder, edition, part, names)
        if pairs is not None:
            _read_some(report, part, edition, pairs, pixels)
        if edition == "10k" and pairs is not None:
            add_drawn(report, f"{part} as PNG", files.masks_10k(folder, names))
    report.variant = f"{edition}, {pixels.words()}"
    add_shares(report, CLASSES, pixels.shares, all_expected=False)
    report.add("licence", LICENCE)
    return report


def _read_some(report: Report, part: str, edition: str, pairs: list[Any], pixels: Pixels) -> None:
    from labelkit.datasets import coco_stuff_files as files
    from labelkit.datasets.images import read_image, read_label
    from labelkit.datasets.tagged import one_in

    some = one_in(DECODED, (pair.name for pair in pairs), "check")
    table, problems = files.id_table(edition), []
    for pair in (pair for pair in pairs if pair.name in some):
        try:
            owner = files.read_10k(pair.mask) if edition == "10k" else read_label(pair.mask)
            image = read_image(pair.image)
        except (FileNotFoundError, ValueError) as error:
            problems.append(str(error))
            continue
        mask = table[owner]
        if (mask == 254).any():
            problems.append(
                f"label file {pair.mask} holds the id {owner[mask == 254][0]}: an id of the owner was expected"
            )
        elif mask.shape != image.shape[:2]:
            size = f"{image.shape[1]}x{image.shape[0]} pixels was expected, the size of {pair.image.name}"
            problems.append(f"label file {pair.mask} is {mask.shape[1]}x{mask.shape[0]} pixels: {size}")
        else:
            pixels.sizes.add(mask.shape)
            pixels.shares += np.bincount(mask.ravel(), minlength=256)
    report.add_problems(part, problems)
    if not problems:
        report.add(part, f"{len(some)} images were decoded with their labels")


CHECKS = {"coco": ("COCO", check_coco), "coco-stuff": ("COCO-Stuff", check_coco_stuff)}
