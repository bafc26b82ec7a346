"""Clouds and open3d: its point clouds, PLY files for its viewer and for others, and a picture without a window.

A file that `save_ply` wrote opens with ``open3d draw FILE`` on a machine with a screen. A picture is drawn by open3d
where its off-screen renderer works, which needs Vulkan with a driver (on Debian ``libvulkan1 mesa-vulkan-drivers``),
and by matplotlib everywhere else; both look from the same side, and points have about the same size.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from labelkit.figures.cloud_layers import UNSHOWN
from labelkit.figures.cloud_stills import by_matplotlib, by_open3d
from labelkit.open3d_library import open3d_library

VIEW = (52.0, -60.0)
"""Elevation and azimuth of the eye in degrees, as `points3d.cloud_panels` has them."""
TRIAL_SECONDS = 120
_TRIAL = "import open3d; open3d.visualization.rendering.OffscreenRenderer(16, 16).render_to_image()"


def to_open3d(xyz: Any, rgb: Any) -> Any:
    """A cloud as ``open3d.geometry.PointCloud``, for its viewer and its algorithms.

    Args:
        xyz: (N, 3).
        rgb: (N, 3), floats in 0..1 or uint8.

    Raises:
        ValueError: shapes do not fit, or a coordinate is not finite.
        ImportError: open3d cannot be loaded.
    """
    xyz, colours = _checked(xyz, rgb)
    library = open3d_library()
    cloud = library.geometry.PointCloud(library.utility.Vector3dVector(xyz))
    cloud.colors = library.utility.Vector3dVector(colours / 255)
    return cloud


def save_ply(path: str | Path, cloud: Any, labels: Any = None, palette: Any = None) -> None:
    """Write a cloud as a binary PLY file, whole or not at all.

    Args:
        path: ends in ``.ply``.
        cloud: a sample with ``xyz``, ``rgb`` and, if it has them, ``label``; or the pair (xyz, rgb) as for `to_open3d`.
        labels: (N,) whole numbers, such as predictions; the sample's own by default. They are written as the property
            ``label`` of the type int.
        palette: (C, 3) uint8; points then have the colours of their labels, and a pale grey for one outside of it.

    Raises:
        ValueError: the ending is another, arrays do not fit, or there is a palette and no labels.
        ImportError: open3d cannot be loaded.
        OSError: the file cannot be written.
    """
    from labelkit.files import write_whole

    path = Path(path)
    if path.suffix.lower() != ".ply":
        raise ValueError(f"{path}: a name that ends in .ply was expected")
    if isinstance(cloud, Mapping):
        labels = cloud.get("label") if labels is None else labels
        cloud = cloud["xyz"], cloud["rgb"]
    xyz, colours = _checked(*cloud)
    if labels is not None:
        labels = np.asarray(labels)
        if labels.shape != xyz.shape[:1] or labels.dtype.kind not in "iub":
            raise ValueError(f"labels {labels.shape} of {labels.dtype}: {len(xyz)} whole numbers were expected")
    if palette is not None:
        if labels is None:
            raise ValueError("a palette without labels: labels to colour by were expected")
        colours = _coloured(labels, np.asarray(palette, np.uint8))
    library = open3d_library()
    tensor, written = library.core.Tensor, library.t.geometry.PointCloud(library.core.Tensor(xyz.astype(np.float32)))
    written.point.colors = tensor(colours)
    if labels is not None:
        written.point.label = tensor(labels.astype(np.int32)[:, None])

    def write(partial: Path) -> None:
        named = partial.with_name(f"{partial.name}.ply")  # open3d goes by the ending
        try:
            if not library.t.io.write_point_cloud(str(named), written):
                raise OSError("open3d could not write it")
            os.replace(named, partial)
        finally:
            named.unlink(missing_ok=True)

    write_whole(path, write)


def render(xyz: Any, rgb: Any, size: tuple[int, int] = (360, 480), view: tuple[float, float] = VIEW) -> np.ndarray:
    """A picture of a cloud on white, by open3d if `off_screen` and by matplotlib otherwise.

    Args:
        xyz, rgb: as for `to_open3d`.
        size: height and width in pixels.
        view: elevation and azimuth of the eye in degrees.

    Returns:
        (H, W, 3) uint8.

    Raises:
        ValueError: shapes do not fit, a coordinate is not finite, or the size is not positive.
    """
    xyz, colours = _checked(xyz, rgb)
    if min(size) < 1:
        raise ValueError(f"size {size}: a positive height and width were expected")
    centred = xyz - (xyz.min(0) + xyz.max(0)) / 2
    if off_screen():
        return by_open3d(open3d_library(), to_open3d(centred, colours), size, view)
    return by_matplotlib(centred, colours, size, view)


@lru_cache(maxsize=1)
def off_screen() -> bool:
    """Whether open3d can draw without a window here.

    Without Vulkan it raises an error, and with Vulkan but without a driver it ends the whole process (open3d 0.20). So
    the first picture is drawn in a process of its own, which takes seconds, once.
    """
    try:
        ctypes.CDLL("libvulkan.so.1")
    except OSError:
        return False
    if importlib.util.find_spec("open3d") is None:
        return False
    environment = dict(os.environ, OPEN3D_DISABLE_WEB_VISUALIZER="true")
    command = [sys.executable, "-c", _TRIAL]
    try:
        tried = subprocess.run(command, env=environment, capture_output=True, timeout=TRIAL_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return tried.returncode == 0


def _coloured(labels: np.ndarray, palette: np.ndarray) -> np.ndarray:
    table = np.vstack([palette, np.array([UNSHOWN], np.uint8)])
    numbers = labels.astype(np.int64)
    return table[np.where((numbers >= 0) & (numbers < len(palette)), numbers, len(palette))]


def _checked(xyz: Any, rgb: Any) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates as (N, 3) float64 and colours as (N, 3) uint8."""
    xyz, rgb = np.asarray(xyz, np.float64), np.asarray(rgb)
    if xyz.ndim != 2 or xyz.shape[1] != 3 or not len(xyz) or rgb.shape != xyz.shape:
        raise ValueError(f"coordinates {xyz.shape} and colours {rgb.shape}: both (N, 3), with a point, were expected")
    if not np.isfinite(xyz).all():
        raise ValueError(f"{(~np.isfinite(xyz)).any(axis=1).sum()} of {len(xyz)} points are not finite")
    if rgb.dtype.kind in "ui":
        return xyz, rgb.astype(np.uint8)
    return xyz, (np.clip(rgb, 0, 1) * 255).round().astype(np.uint8)
