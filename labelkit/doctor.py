"""What a machine has and lacks for the library, the chapters and the book."""

import ctypes.util
import importlib.util
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Finding:
    """One thing looked for. ``needed``: the two main commands do not work without it."""

    what: str
    ok: bool
    says: str
    needed: bool = True


MODULES = {
    "torch": ("networks and training", "make .venv", True),
    "torchvision": ("operators and pretrained weights", "make .venv", True),
    "timm": ("HRNet", "make .venv", True),
    "papermill": ("running chapters", "make .venv", True),
    "jupyter_book": ("building the book", "make .venv", True),
    "open3d": ("point clouds", "pip install 'labelkit[points]'", False),
    "cv2": ("optical flow between real frames", "pip install 'labelkit[video]'", False),
    "pycocotools": ("masks and average precision of instances", "pip install 'labelkit[instances]'", False),
    "faster_coco_eval": ("average precision of instances", "pip install 'labelkit[instances]'", False),
    "selenium": ("browser tests", "pip install 'labelkit[test]'", False),
    "torchmetrics": ("one benchmark", "pip install 'labelkit[bench]'", False),
}


def examine(data_root: str | None) -> list[Finding]:
    """Look at Python, modules, system libraries, disk, GPU and the data folder."""
    python = ".".join(map(str, sys.version_info[:3]))
    findings = [Finding("python", sys.version_info >= (3, 11), f"{python}; 3.11 or later is needed")]
    for name, (purpose, remedy, needed) in MODULES.items():
        found = importlib.util.find_spec(name) is not None
        findings.append(Finding(name, found, purpose if found else f"{purpose}; get it with: {remedy}", needed))
    for library, package in (("GL", "libgl1"), ("EGL", "libegl1"), ("X11", "libx11-6"), ("usb-1.0", "libusb-1.0-0")):
        found = ctypes.util.find_library(library) is not None
        remedy = "for open3d" if found else f"open3d needs it; get it with: apt-get install {package}"
        findings.append(Finding(f"lib{library}", found, remedy, False))
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    findings.append(Finding("chromium", bool(chromium), "for browser tests; Debian's package chromium", False))
    return [*findings, _disk(), _gpu(), _data(data_root)]


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    return Finding(
        "disk", free > 2, f"{free:.0f} GiB free here; an installed environment takes about 7, the builds under 1"
    )


def _gpu() -> Finding:
    if importlib.util.find_spec("torch") is None:
        return Finding("GPU", False, "unknown without torch", False)
    import torch

    if torch.cuda.is_available():
        return Finding("GPU", True, torch.cuda.get_device_name(), False)
    return Finding("GPU", False, f"none seen; everything runs on {os.cpu_count()} CPU cores, only slower", False)


def _data(root: str | None) -> Finding:
    if not root:
        says = "LABELKIT_DATA is not set; chapters then use the embedded worlds only (labelkit data list: what else)"
        return Finding("real data", False, says, False)
    if not Path(root).is_dir():
        return Finding("real data", False, f"LABELKIT_DATA names {root}, which is no folder", False)
    return Finding("real data", True, f"LABELKIT_DATA names {root}; labelkit data check tells more", False)
