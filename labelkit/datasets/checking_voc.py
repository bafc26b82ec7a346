"""The checks of PASCAL VOC 2012 with SBD, and of PASCAL-Context. Nothing is drawn or changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labelkit.datasets.report import Report
from labelkit.datasets.seen import Pixels, add_shares, counted, opened, read_all

if TYPE_CHECKING:
    from labelkit.datasets.converting import Conversion

BELOW = ("", "VOCdevkit/VOC2012", "VOC2012", "VOCdevkit/VOC2010", "VOC2010")


def recognised(folder: Path) -> Callable[[Path], Report] | None:
    """The check that fits a folder, or None if it is neither of the two.

    Args:
        folder: what the user gave.
    """
    from labelkit.datasets import pascal_context_files, voc2012_files

    for name in BELOW:
        if pascal_context_files.layout_of(folder / name):
            return check_pascal_context
        if voc2012_files.layout_of(folder / name):
            return check_voc2012
    return None


def check_voc2012(root: str | Path) -> Report:
    """Read all of VOC 2012 and SBD and report on them.

    Args:
        root: the folder of both, or one that holds it.

    Returns:
        The report; without SBD a row says how to get it.

    Raises:
        FileNotFoundError: VOC 2012 is not there.
    """
    from labelkit.datasets import voc2012_files as files
    from labelkit.datasets.listing import files_in
    from labelkit.datasets.voc2012 import CLASSES, LICENCE, Voc2012

    folder = files.find(root)
    report, pixels = Report("voc2012", folder, "official"), Pixels()
    owner = opened(report, "lists", files.voc_names, folder)
    for key, names in (owner or {}).items():
        _add_names(report, f"list {key}", names, files.LISTS[key], files.DIGESTS[key])
    for row, split in (("VOC train", "train"), ("VOC val", "test")):
        dataset = opened(report, row, Voc2012, root, split, "train-official", cache=False) if owner else None
        if dataset is not None:
            problems = [*read_all(dataset, pixels), *_tag_problems(dataset)]
            report.add_problems(row, problems)
            if not problems:
                report.add(row, f"{len(dataset)} images, fingerprint {dataset.fingerprint}")
                report.add(f"{row} tags", _differing_tags(dataset))
    if owner:
        masks = opened(report, "masks", files_in, folder / "SegmentationClass") or {}
        lone = sorted(set(masks) - {*owner["train"], *owner["val"]})
        report.add_problems("masks", [f"{masks[name]} is in no list: every mask was expected in one" for name in lone])
        _check_sbd(report, root, owner, pixels)
    report.variant = f"official, {pixels.words()}"
    add_shares(report, CLASSES, pixels.shares, all_expected=False)
    report.add("licence", LICENCE)
    return report


def _check_sbd(report: Report, root: str | Path, owner: dict[str, list[str]], pixels: Pixels) -> None:
    from labelkit.datasets import voc2012_files as files

    sbd = opened(report, "SBD", files.find_sbd, root)
    lists = opened(report, "SBD lists", files.sbd_names, sbd) if sbd else None
    if lists is None:
        return
    for key, names in lists.items():
        report.add(f"SBD list {key}", *counted(len(names), [files.SBD_LISTS[key]], "names"))
    trainaug = files.trainaug(owner, lists)
    _add_names(report, "trainaug", trainaug, files.TRAINAUG, files.DIGESTS["trainaug"])
    others = [name for name in trainaug if name not in set(owner["train"])]
    problems = _mat_problems(others, sbd / "cls", files.find(root) / "JPEGImages", files.read_sbd, pixels)
    report.add_problems("SBD", problems)
    if not problems:
        report.add("SBD", f"{len(others)} masks that VOC does not have")
        add_drawn(report, "SBD masks as PNG", files.sbd_masks(sbd, others))


def check_pascal_context(root: str | Path) -> Report:
    """Read all of PASCAL-Context and report on it.

    Args:
        root: its folder, or one that holds it.

    Returns:
        The report.

    Raises:
        FileNotFoundError: no known layout is found.
    """
    from labelkit.datasets import pascal_context_files as context
    from labelkit.datasets.pascal_context import CLASSES, LICENCE, PascalContext

    folder, layout = context.find(root)
    report, pixels = Report("pascal-context", folder, layout), Pixels()
    owner = opened(report, "lists", context.owner_names, folder, layout)
    for key, names in (owner or {}).items():
        report.add(f"list {key}", *counted(len(names), [context.COUNTS[key]], "names"))
    if owner and layout == "official":
        maps = context.find_maps(folder)
        opened(report, "labels.txt", context.check_labels, maps.parent / "labels.txt")
        everything = sorted({*owner["train"], *owner["val"]})
        problems = _mat_problems(everything, maps, folder / "JPEGImages", context.read_map, pixels)
        report.add_problems("images", problems)
        if not problems:
            report.add("images", f"{len(everything)} with their masks")
            add_drawn(report, "masks as PNG", context.masks_of(maps, everything))
    elif owner:
        for row, split in (("train", "train"), ("val", "test")):
            dataset = opened(report, row, PascalContext, root, split, "60-official", cache=False)
            if dataset is not None:
                report.add(row, f"{len(dataset)} images, fingerprint {dataset.fingerprint}")
                report.add_problems(row, read_all(dataset, pixels))
    report.variant = f"{layout}, {pixels.words()}"
    add_shares(report, ("others", *CLASSES), pixels.shares, all_expected=False)
    report.add("licence", LICENCE)
    return report


def add_drawn(report: Report, row: str, conversion: Conversion) -> None:
    """Add what there is of masks that the reader draws, and each that differs from what was drawn.

    Args:
        report: receives the rows.
        row: their name.
        conversion: of all masks.
    """
    missing, total = len(conversion.missing()), len(conversion.sources)
    later = ", the reader draws the others when it is first used" if missing else ""
    report.add(row, f"{total - missing} of {total} in {conversion.folder}{later}")
    report.add_problems(row, conversion.problems())


def _add_names(report: Report, row: str, names: Iterable[str], expected: int, digest: str) -> None:
    from labelkit.datasets.voc2012_files import names_digest

    listed = list(names)
    words, good = counted(len(listed), [expected], "names")
    if good and names_digest(listed) != digest:
        words, good = f"{words}, but not those that the owners and the papers list", False
    report.add(row, words, good)


def _mat_problems(
    names: Iterable[str], maps: Path, pictures: Path, read: Callable[[Path], np.ndarray], pixels: Pixels
) -> list[str]:
    """A sentence for each MAT file or picture that cannot be read, and for each pair of different sizes."""
    from labelkit.datasets.images import read_image
    from labelkit.datasets.listing import files_in

    try:
        problems, there = [], files_in(pictures)
    except (FileNotFoundError, ValueError) as error:
        return [str(error)]
    for name in names:
        path = maps / f"{name}.mat"
        try:
            mask, image = read(path), read_image(there.get(name, pictures / f"{name}.jpg"))
        except (FileNotFoundError, ValueError) as error:
            problems.append(str(error))
            continue
        if mask.shape != image.shape[:2]:
            size = f"{image.shape[1]}x{image.shape[0]} pixels was expected, the size of {name}.jpg"
            problems.append(f"label file {path} is {mask.shape[1]}x{mask.shape[0]} pixels: {size}")
            continue
        pixels.sizes.add(mask.shape)
        pixels.shares += np.bincount(mask.ravel(), minlength=256)
    return problems


def _tag_problems(dataset: Any) -> list[str]:
    problems = []
    for index in range(len(dataset)):
        try:
            dataset.tags(index)
        except (FileNotFoundError, ValueError) as error:
            problems.append(str(error))
    return problems


def _differing_tags(dataset: Any) -> str:
    """In how many images the owner's objects and the classes of the mask differ; the owner's own, nothing to repair."""
    more = fewer = 0
    for index in range(len(dataset)):
        tagged = {int(place) + 1 for place in dataset.tags(index).nonzero()[:, 0]}
        seen = set(np.unique(dataset.mask(index)).tolist()) - {0, 255}
        more, fewer = more + bool(tagged - seen), fewer + bool(seen - tagged)
    return f"{more} images with a tag that is not in the mask, {fewer} with a class in the mask that has no tag"


CHECKS = {"voc2012": ("PASCAL VOC 2012", check_voc2012), "pascal-context": ("PASCAL-Context", check_pascal_context)}
