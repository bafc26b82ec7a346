"""Look at a folder of data and report, line by line, what is there and what is wrong. Nothing is changed.

The readers, and with them torch, are imported when a folder is read: listing the catalogue stays quick.
"""

from __future__ import annotations

import json
from pathlib import Path

from labelkit.datasets.checking_labels import check_cifar10, check_ilsvrc2012, recognised
from labelkit.datasets.checking_tags import check_coco128, check_ecssd, check_magnetic_tile, recognised_tags
from labelkit.datasets.checking_video import check_davis2016, recognised_video
from labelkit.datasets.report import Report
from labelkit.datasets.seen import Pixels, add_shares, check_manifest, counted, opened, read_all
from labelkit.datasets.sources import Entry, find_entry


def check(name_or_path: str | Path, root: str | Path | None = None) -> Report:
    """Check a data set.

    CamVid, ACDC, CIFAR-10, magnetic tiles, COCO128, ECSSD, DAVIS 2016, and a folder with images/, masks/ or labels/, and
    classes.json, are read whole: counts, sizes, label values, class shares, tags, broken files, fingerprints. Of
    ImageNet one image of each class is decoded; of a data set without a reader only the layout is looked at.

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
        from labelkit.datasets.acdc import layout_of

        if layout_of(path):
            return check_acdc(path)
        if fitting := recognised(path) or recognised_tags(path) or recognised_video(path):
            return fitting(path)
        listing = path / "classes.json"
        named = listing.is_file() and '"Sky"' not in listing.read_text(encoding="utf-8", errors="replace")
        return check_folder(path) if named else check_camvid(path)
    known = find_entry(str(name_or_path))
    if root is None or not Path(root).is_dir():
        found = "no data root is set" if root is None else f"the data root {root} is not a folder"
        raise FileNotFoundError(f"{found}: {known.instructions(root)}")
    readers = {
        "camvid": ("CamVid", check_camvid),
        "acdc": ("ACDC", check_acdc),
        "cifar10": ("CIFAR-10", check_cifar10),
        "ilsvrc2012": ("ILSVRC 2012", check_ilsvrc2012),
        "magnetic-tiles": ("magnetic tiles", check_magnetic_tile),
        "coco128": ("COCO128", check_coco128),
        "ecssd": ("ECSSD", check_ecssd),
        "davis2016": ("DAVIS 2016", check_davis2016),
    }
    if known.name not in readers:
        return _check_layout(known, Path(root))
    title, check_whole = readers[known.name]
    try:
        return check_whole(root)
    except FileNotFoundError:
        raise FileNotFoundError(f"no {title} below {root}: {known.instructions(root)}") from None


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
    from labelkit.datasets.images import image_files

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
    report.variant = f"{layout}, {pixels.words()}"
    report.add("sizes", pixels.words(), len(pixels.sizes) == 1)
    add_shares(report, camvid.CLASSES, pixels.shares, all_expected=True)
    if layout == "compact":
        lone = sorted(image_files(folder / "images").keys() ^ image_files(folder / "labels").keys())
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
    report.variant = f"{layout}, delivered at {pixels.words()}"
    add_shares(report, acdc.CLASSES, pixels.shares, all_expected=True)
    check_manifest(report, folder)
    return report


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
