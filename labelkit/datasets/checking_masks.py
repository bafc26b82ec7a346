"""The checks of the first data sets with masks: CamVid and ACDC."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from labelkit.datasets.report import Report
from labelkit.datasets.seen import Pixels, add_shares, check_manifest, counted, opened, read_all


def recognised(folder: Path) -> Callable[[Path], Report] | None:
    """The check that fits a folder, or None if it is neither of the two; see `checking`."""
    from labelkit.datasets import acdc, camvid

    if acdc.layout_of(folder):
        return check_acdc
    layout = camvid.layout_of(folder)
    if layout == "compact":  # other sets have files of these names, too: the classes tell
        listing = folder / "classes.json"
        layout = listing.is_file() and '"Sky"' in listing.read_text(encoding="utf-8", errors="replace")
    return check_camvid if layout else None


def check_camvid(root: str | Path) -> Report:
    """Read all of CamVid and report on it.

    Args:
        root: its folder, or one that holds it.

    Returns:
        The report.

    Raises:
        FileNotFoundError: no known layout is found.
    """
    from labelkit.datasets import camvid
    from labelkit.datasets.listing import files_in

    folder, layout = camvid.find(root)
    report, pixels = Report("camvid", folder, layout), Pixels()
    seen: dict[str, str] = {}
    for split, expected in camvid.SPLITS.items():
        dataset = opened(report, split, camvid.CamVid, folder, split, cache=False)
        if dataset is None:
            continue
        count, good = counted(len(dataset), [expected], "images")
        report.add(split, f"{count}, fingerprint {dataset.fingerprint}", good)
        report.add_problems(split, read_all(dataset, pixels))
        twice = [name for name in dataset.names if name in seen]
        report.add_problems(split, [f"{name} is also in {seen[name]}: disjoint splits were expected" for name in twice])
        seen.update(dict.fromkeys(dataset.names, split))
        if layout == "original":
            there = opened(report, split, files_in, folder / split) or {}
            lone = [there[name] for name in there if name not in set(dataset.names)]
            report.add_problems(split, [f"{path} is not in {split}.txt: every image was expected" for path in lone])
    report.variant = f"{layout}, {pixels.words()}"
    report.add("sizes", pixels.words(), len(pixels.sizes) == 1)
    add_shares(report, camvid.CLASSES, pixels.shares, all_expected=True)
    if layout == "compact":
        lone = sorted(files_in(folder / "images").keys() ^ files_in(folder / "labels").keys())
        if not lone:
            report.add("pairs", "every image has its label")
        report.add_problems("pairs", [f"{name} lacks its image or its label" for name in lone])
    check_manifest(report, folder)
    return report


def check_acdc(root: str | Path) -> Report:
    """Read all of ACDC and report on it.

    Args:
        root: its folder, or one that holds it.

    Returns:
        The report.

    Raises:
        FileNotFoundError: no known layout is found.
    """
    from labelkit.datasets import acdc

    folder, layout = acdc.find(root)
    report, pixels = Report("acdc", folder, layout), Pixels()
    parts = opened(report, "files", acdc.parts, folder, "")
    if parts is None:
        return report
    patients = 0
    for part, dataset in parts.items():
        count = len(set(dataset.groups))
        report.add(part, f"{len(dataset)} slices of {count} patients, fingerprint {dataset.fingerprint}")
        report.add_problems(part, list(dict.fromkeys(read_all(dataset, pixels))))  # one a volume
        patients += count
    report.add("patients", *counted(patients, acdc.PATIENTS[layout]))
    if layout == "official":
        _add_axes(report, folder)
    report.variant = f"{layout}, delivered at {pixels.words()}"
    add_shares(report, acdc.CLASSES, pixels.shares, all_expected=True)
    check_manifest(report, folder)
    return report


def _add_axes(report: Report, folder: Path) -> None:
    """Add where the axes of the volumes lead, and each volume that is turned otherwise than most."""
    from labelkit.datasets.acdc_nifti import head_of

    files = sorted(folder.glob("t*ing/patient*/patient*_frame[0-9][0-9].nii*"))
    found = {path: opened(report, "axes", head_of, path) for path in files}
    axes = {path: head[1] for path, head in found.items() if head}
    most = Counter(axes.values()).most_common(1)[0][0] if axes else "none"
    report.add("axes", f"{most} in {sum(each == most for each in axes.values())} of {len(files)} volumes")
    turned = [path for path, each in axes.items() if each != most]
    report.add_problems(
        "axes", [f"{path} has the axes {axes[path]}: {most} was expected as in most" for path in turned]
    )


CHECKS = {"camvid": ("CamVid", check_camvid), "acdc": ("ACDC", check_acdc)}
