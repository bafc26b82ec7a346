"""ACDC: short-axis cardiac MR slices with both ventricles and the muscle [bernard2018acdc].

Two layouts are read. The owner's has `training/patient001/` (and perhaps `testing/patient101/`) with `Info.cfg`,
`patient001_frame01.nii.gz` and `patient001_frame01_gt.nii.gz`; `acdc_nifti` reads it. The compact one has
`acdc_slices_128.npz`, `splits.json` and `classes.json`; `acdc_compact` reads it. Slices are samples; parts never share
a patient.
"""

from pathlib import Path

import numpy as np

from labelkit.datasets import acdc_compact, acdc_nifti
from labelkit.datasets.locate import locate, sized
from labelkit.datasets.volumes import VolumeSlices

CLASSES = ("background", "right ventricle", "myocardium", "left ventricle")
PALETTE = np.array([[0, 0, 0], [70, 130, 220], [230, 160, 40], [220, 50, 60]], dtype=np.uint8)
PATIENTS = {"compact": (50,), "official": (100, 150)}  # a whole set has; 150 with `testing`
LICENCE = "Registration; non-commercial, CC BY-NC-SA 4.0, with citation."
COMPACT = "acdc_slices_128.npz"
SIDE = 128  # pixels delivered if no size is given
SUBFOLDERS = ("acdc", "ACDC", "ACDC/database", "acdc_slices_128")  # looked into, in this order, below a given folder


def parts(root: Path, variant: str, height: int | None = None, width: int | None = None) -> dict[str, VolumeSlices]:
    """The three parts of a run file's ``acdc``, the samples sorted by patient, frame and slice.

    Images of the owner's layout are scaled volume by volume: 0 stays black, the 99.5th percentile becomes white, what
    is brighter is clipped. Those of the compact layout were scaled by its maker. The owner's patients are split by the
    last digit of their number: 7 and 8 to val; `testing`, if it is there with labels, is the test part, otherwise 9 and
    0 are; the others are for training. The compact layout's splits agree with this rule.

    Args:
        root: the data set's folder, or one that holds it as `acdc`, `ACDC`, `ACDC/database` or `acdc_slices_128`.
        variant: empty for the whole square, or "centre" for its middle, half of each side: where the heart lies (99.9 %
            of the labelled pixels of the compact layout), so that small sizes still show it.
        height, width: delivered size in pixels, after padding to a square; None delivers 128.

    Returns:
        "train", "val" and "test". Broken pixels are found when a slice is asked for, everything else now.

    Raises:
        FileNotFoundError: no known layout is found, or a file is missing.
        ValueError: the variant is neither, a part is empty, two parts share a patient, or a file is not what it should
            be.
        ModuleNotFoundError: the files are NIfTI and nibabel is missing.
    """
    if variant not in ("", "centre"):
        raise ValueError(f"ACDC has no variant {variant!r}: the name acdc or acdc-centre was expected")
    folder, layout = find(root)
    found = acdc_compact.read_file(folder / COMPACT) if layout == "compact" else acdc_nifti.read_patients(folder)
    height, width = height or SIDE, width or SIDE
    for part, volumes in found.items():
        if not any(volume.slices for volume in volumes):
            raise ValueError(f"the split {part} of ACDC in {folder} is empty: slices with labels were expected")
    name, share = ("acdc-centre", 0.5) if variant else ("acdc", 1.0)
    return {
        part: VolumeSlices(sized(name, height, width), volumes, CLASSES, PALETTE, LICENCE, height, width, share)
        for part, volumes in found.items()
    }


def layout_of(folder: Path) -> str | None:
    """The layout of a folder, "compact" or "official"; None if it is not ACDC."""
    if (folder / COMPACT).is_file():
        return "compact"
    return "official" if any(path.is_dir() for path in (folder / "training").glob("patient[0-9]*")) else None


def find(root: str | Path) -> tuple[Path, str]:
    """ACDC's folder, the given one or a folder below it, and its layout, "compact" or "official"; see `locate`."""
    expected = f"either training/patient001/ (and so on), or {COMPACT} with splits.json"
    return locate(root, SUBFOLDERS, layout_of, "ACDC", expected)
