"""The checks of street scenes: Cityscapes, VIPER and Cityscapes-VPS.

The counts of Cityscapes are its owner's, and those of its cities were counted in published lists. Those of VIPER's
sequences and of Cityscapes-VPS' videos are what papers and the owners' tools say; for the latter's val two are about.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from labelkit.datasets.checking_terms import add_terms
from labelkit.datasets.report import Report
from labelkit.datasets.seen import Pixels, add_shares, counted, opened, read_all

VPS_VIDEOS = {"train": (360,), "val": (40,), "test": (50, 100)}  # of 400 for training, one in ten is held out


def recognised(folder: Path) -> Callable[[Path], Report] | None:
    """The check that fits a folder, or None if it is none of the three.

    Args:
        folder: what the user gave.
    """
    from labelkit.datasets import cityscapes, cityscapes_vps_files, viper

    known = ((cityscapes, check_cityscapes), (cityscapes_vps_files, check_cityscapes_vps), (viper, check_viper))
    return next((check for module, check in known if module.layout_of(folder)), None)


def check_cityscapes(root: str | Path) -> Report:
    """Read all fine labels and pictures of Cityscapes, which takes minutes, and report.

    Args:
        root: its folder, or one that holds it.

    Returns:
        The report.

    Raises:
        FileNotFoundError: it is not there.
    """
    from labelkit.datasets import cityscapes

    folder = cityscapes.find(root)
    report, pixels = Report("cityscapes", folder, "official"), Pixels()
    for split in ("train", "val", "test"):
        dataset = opened(report, split, cityscapes.Cityscapes, folder, split, cache=False)
        if dataset is None:
            continue
        cities = cityscapes.CITIES[cityscapes.owner_split(split)]
        expected = {name: cities[name] for name in cities if (name in cityscapes.HELD_OUT) == (split == "val")}
        count, good = counted(len(dataset), [sum(expected.values())], "images")
        report.add(split, f"{count}, fingerprint {dataset.fingerprint}", good)
        there = Counter(map(cityscapes.city, dataset.names))
        for name in sorted(there.keys() | expected.keys()):
            if there[name] != expected.get(name, 0):
                words = f"{name} has {there[name]} images: {expected.get(name, 0)} were expected"
                report.add(f"{split} cities", words, False)
        report.add_problems(split, read_all(dataset, pixels))
    for owner in ("train", "val"):
        report.add_problems("training ids", _other_ids(folder, owner))
    report.variant = f"official, {pixels.words()}"
    report.add("sizes", pixels.words(), pixels.sizes <= {(cityscapes.HEIGHT, cityscapes.WIDTH)})
    add_shares(report, cityscapes.CLASSES, pixels.shares, all_expected=True)
    extra = opened(
        Report("", folder, ""), "coarse", cityscapes.Cityscapes, folder, "train", None, None, False, "coarse"
    )
    if extra is not None:
        count, good = counted(len(extra), [cityscapes.COARSE - 1], "images without the black one")
        report.add("coarse", count, good)
    return add_terms(report, root)


def check_viper(root: str | Path) -> Report:
    """List all of VIPER, read the first clip of each sequence, and report.

    Args:
        root: its folder, or one that holds it.

    Returns:
        The report.

    Raises:
        FileNotFoundError: it is not there.
    """
    from labelkit.datasets import viper

    folder = viper.find(root)
    report, pixels = Report("viper", folder, "official"), Pixels()
    for split, expected in viper.SPLITS.items():
        files = opened(report, split, viper.ViperFrames, folder, split, cache=False)
        clips = None if files is None else opened(report, split, viper.clips, files, 6)
        if files is None or clips is None:
            continue
        sequences: dict[str, list[int]] = {}
        for index, name in enumerate(files.names):
            sequences.setdefault(viper.moment(name)[0], []).append(index)
        listing = folder / f"{split}.txt"
        expects = [len(sequences)] if listing.is_file() else [expected]  # a list leaves sequences out
        count, good = counted(len(sequences), expects, "sequences")
        things = "with instances" if hasattr(clips, "numbered") else "without instances"
        gaps = Counter(
            viper.moment(files.names[after])[1] - viper.moment(files.names[before])[1]
            for run in sequences.values()
            for before, after in pairwise(run)
        )
        step = f"every {gaps.most_common(1)[0][0]}." if gaps else "a"
        other = gaps.total() - gaps.most_common(1)[0][1] if gaps else 0
        step += f" frame; {other} gaps of another length" if other else " frame"
        words = f"{count}, {len(files)} labelled frames ({step}), {len(clips)} clips of 6 {things}"
        report.add(split, f"{words}, fingerprint {clips.fingerprint}", good)
        if listing.is_file():
            report.add(split, f"{listing.name} leaves other frames out")
        firsts = {viper.moment(names[0])[0]: index for index, names in reversed(list(enumerate(clips.frame_names)))}
        report.add_problems(split, _unreadable(clips, firsts.values(), pixels))
    report.variant = f"official, {pixels.words()}"
    report.add("sizes", pixels.words(), pixels.sizes <= {(viper.HEIGHT, viper.WIDTH)})
    add_shares(report, viper.CLASSES, pixels.shares, all_expected=False)
    return add_terms(report, root)


def check_cityscapes_vps(root: str | Path) -> Report:
    """Read all of Cityscapes-VPS and report.

    Args:
        root: its folder, or one that holds it.

    Returns:
        The report.

    Raises:
        FileNotFoundError: it is not there.
    """
    from labelkit.datasets import cityscapes, cityscapes_vps

    folder = cityscapes_vps.find(root)
    report, pixels = Report("cityscapes-vps", folder, "official"), Pixels()
    for part, clips in (opened(report, "files", cityscapes_vps.parts, folder) or {}).items():
        count, good = counted(len(clips), VPS_VIDEOS[part], "videos")
        things = "with instances" if hasattr(clips, "numbered") else "without instances"
        report.add(part, f"{count} of 6 labelled frames {things}, fingerprint {clips.fingerprint}", good)
        report.add_problems(part, read_all(clips.files, pixels))
        if part == "test" and not hasattr(clips, "numbered"):
            words = "val/panoptic_video/ and panoptic_gt_val_city_vps.json were expected: VPQ needs the things"
            report.add(part, words, False)
    dense = opened(report, "all frames", cityscapes_vps.dense, folder)
    if dense is not None:
        report.add("all frames", f"{len(dense)} clips of 6 in val/img_all")
    report.variant = f"official, {pixels.words()}"
    report.add("sizes", pixels.words(), pixels.sizes <= {(cityscapes.HEIGHT, cityscapes.WIDTH)})
    add_shares(report, cityscapes.CLASSES, pixels.shares, all_expected=False)
    return add_terms(report, root)


def _other_ids(folder: Path, split: str) -> list[str]:
    """A sentence for each city whose first image has training ids that differ from its ids."""
    from labelkit.datasets import cityscapes
    from labelkit.datasets.images import read_label

    try:
        pairs, kind = cityscapes.owner_pairs(folder, split)
    except (FileNotFoundError, ValueError):
        return []  # said before
    problems = []
    for pair in {cityscapes.city(pair.name): pair for pair in reversed(pairs)}.values():
        other = pair.mask.with_name(pair.mask.name.replace("_labelIds", "_labelTrainIds"))
        if kind != "labelIds" or not other.is_file():
            continue
        try:
            ids, training = (
                cityscapes.id_table(each)[read_label(path)]
                for each, path in (("labelIds", pair.mask), ("labelTrainIds", other))
            )
        except (FileNotFoundError, ValueError) as error:
            problems.append(str(error))
            continue
        if not np.array_equal(ids, training):
            problems.append(f"{other} differs from {pair.mask.name}: the owner's 19 training ids were expected")
    return problems


def _unreadable(clips: Any, indices: Sequence[int] | Any, pixels: Pixels) -> list[str]:
    """A sentence for each of some clips that cannot be read."""
    problems = []
    for index in indices:
        try:
            clip = clips[index]
        except (FileNotFoundError, ValueError) as error:
            problems.append(str(error))
            continue
        pixels.sizes.add(tuple(clip["masks"].shape[1:]))
        pixels.shares += np.bincount(clip["masks"].numpy().ravel(), minlength=256)
    return problems


CHECKS = {
    "cityscapes": ("Cityscapes", check_cityscapes),
    "viper": ("VIPER", check_viper),
    "cityscapes-vps": ("Cityscapes-VPS", check_cityscapes_vps),
}
