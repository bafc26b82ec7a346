"""The checks of ADE20K and of Look into Person. Both counts are the owners'."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from labelkit.datasets.checking_terms import add_terms
from labelkit.datasets.report import Report
from labelkit.datasets.seen import Pixels, add_shares, counted, opened, read_all


def recognised(folder: Path) -> Callable[[Path], Report] | None:
    """The check that fits a folder, or None if it is neither of the two.

    Args:
        folder: what the user gave.
    """
    from labelkit.datasets import ade20k, lip

    known = ((ade20k, check_ade20k), (lip, check_lip))
    return next((check for module, check in known if module.layout_of(folder)), None)


def check_ade20k(root: str | Path) -> Report:
    """Read all of ADE20K's challenge, which takes minutes, and report.

    Args:
        root: its folder, or one that holds it.

    Returns:
        The report.

    Raises:
        FileNotFoundError: it is not there.
    """
    from labelkit.datasets import ade20k

    report, names = _read("ade20k", ade20k.find(root), ade20k.Ade20k, ade20k)
    folder = report.folder
    if (folder / "objectInfo150.txt").is_file():
        report.add_problems("objectInfo150.txt", _other_classes(folder / "objectInfo150.txt", ade20k.CLASSES))
    if (folder / "sceneCategories.txt").is_file():
        report.add_problems("sceneCategories.txt", _other_images(folder / "sceneCategories.txt", names))
    return add_terms(report, root)


def check_lip(root: str | Path) -> Report:
    """Read all of Look into Person, which takes minutes, and report; see `check_ade20k`."""
    from labelkit.datasets import lip

    return add_terms(_read("lip", lip.find(root), lip.Lip, lip)[0], root)


def _read(name: str, folder: Path, reader: Any, module: Any) -> tuple[Report, dict[str, Path]]:
    """The report so far, and the images by name."""
    report, pixels = Report(name, folder, "official"), Pixels()
    images: dict[str, Path] = {}
    for owner, expected in module.OWNER_COUNTS.items():
        found = opened(report, owner, module.owner_pairs, folder, owner)
        if found is not None:
            report.add(f"owner's {owner}", *counted(len(found), [expected], "images"))
            images |= {pair.name: pair.image for pair in found}
    for split in ("train", "val", "test"):
        dataset = opened(report, split, reader, folder, split, cache=False)
        if dataset is not None:
            report.add(split, f"{len(dataset)} images, fingerprint {dataset.fingerprint}")
            report.add_problems(split, read_all(dataset, pixels))
    report.variant = f"official, {pixels.words()}"
    add_shares(report, module.CLASSES, pixels.shares, all_expected=True)
    return report, images


def _other_classes(path: Path, classes: tuple[str, ...]) -> list[str]:
    """A sentence for each line of the owner's class list that does not name our class."""
    try:
        lines = [line for line in path.read_text(encoding="utf-8-sig").splitlines()[1:] if line.strip()]
    except UnicodeDecodeError:
        return [f"{path} is not UTF-8 text: the owner's list of classes was expected"]
    if len(lines) != len(classes):
        return [f"{path} names {len(lines)} classes: {len(classes)} were expected"]
    stated = [line.split("\t")[-1].split(",")[0].strip() for line in lines]
    return [
        f"{path} calls class {number} {theirs!r}: {ours!r} was expected"
        for number, (theirs, ours) in enumerate(zip(stated, classes), start=1)
        if theirs != ours
    ]


def _other_images(path: Path, images: dict[str, Path]) -> list[str]:
    """A sentence for each image that the owner's list of scenes lacks, or names without its being there."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        return [f"{path} is not UTF-8 text: the owner's list of scenes was expected"]
    listed: dict[str, int] = {}
    problems = []
    for number, line in enumerate(lines, start=1):
        if not (words := line.split()):
            continue
        if words[0] in listed:
            problems.append(f"{path} names {words[0]} in lines {listed[words[0]]} and {number}: once was expected")
        listed.setdefault(words[0], number)
    problems += [f"{path} names {name}, which is not there" for name in listed if name not in images]
    return problems + [f"{path} does not name {images[name]}" for name in images if name not in listed]


CHECKS = {"ade20k": ("ADE20K", check_ade20k), "lip": ("LIP", check_lip)}
