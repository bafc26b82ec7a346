"""The check of DAVIS 2016."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from labelkit.datasets.report import Report
from labelkit.datasets.seen import Pixels, add_shares, check_manifest, counted, opened, read_all


def recognised(folder: Path) -> Callable[[Path], Report] | None:
    """The check that fits a folder, or None if it is no set of videos.

    Args:
        folder: what the user gave.
    """
    from labelkit.datasets.davis2016_files import layout_of

    return check_davis2016 if layout_of(folder) else None


def check_davis2016(root: str | Path) -> Report:
    """Read all of DAVIS 2016 and report on it: videos, frames, sizes, masks without an object.

    Args:
        root: its folder, or one that holds it.

    Returns:
        The report.

    Raises:
        FileNotFoundError: no known layout is found.
    """
    from labelkit.datasets import davis2016, davis2016_files

    folder, layout = davis2016_files.find(root)
    report, pixels = Report("davis2016", folder, layout), Pixels()
    for split in davis2016_files.splits(folder):
        dataset = opened(report, split, davis2016.Davis2016, folder, split, cache=False)
        if dataset is None:
            continue
        count, good = counted(len(dataset), [davis2016_files.SEQUENCES[split]], "videos")
        report.add(split, f"{count}, {len(dataset.files)} frames, fingerprint {dataset.fingerprint}", good)
        problems = read_all(dataset.files, pixels)
        report.add_problems(split, problems)
        if layout == "official":
            report.add_problems(split, _unlisted(dataset))
        if problems:
            continue
        for sequence, window in zip(dataset.sequences, dataset.windows):
            sizes = {dataset.files.mask(index).shape for index in window}
            words = ", ".join(f"{width}x{height}" for height, width in sorted(sizes))
            if len(sizes) > 1:
                report.add(split, f"the video {sequence} has frames of {words}: one size was expected", False)
        bare = sum(not dataset.files.mask(index).any() for index in range(len(dataset.files)))
        if bare:
            report.add(split, f"{bare} frames show no object")
    if not davis2016_files.splits(folder):
        report.add("files", "no video: folders of frames were expected in JPEGImages/480p", False)
    report.variant = f"{layout}, {pixels.words()}"
    add_shares(report, davis2016.CLASSES, pixels.shares, all_expected=True)
    check_manifest(report, folder)
    return report


def _unlisted(dataset: Any) -> list[str]:
    """A sentence for each frame beside those of a part that its list leaves out."""
    from labelkit.datasets.listing import files_in

    named = {pair.image for pair in dataset.files.pairs}
    try:
        there = [path for place in sorted({path.parent for path in named}) for path in files_in(place).values()]
    except (FileNotFoundError, ValueError) as error:
        return [str(error)]
    return [f"{path} is not in the list of frames: every frame was expected" for path in there if path not in named]


CHECKS = {"davis2016": ("DAVIS 2016", check_davis2016)}
