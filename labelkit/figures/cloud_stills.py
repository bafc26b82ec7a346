"""A picture of a cloud as an array, drawn by open3d without a window or by matplotlib; `clouds.render` chooses.

Both look at a cloud whose bounding box lies about the origin, from the same side, and put all points in the picture.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from labelkit.figures.cloud_layers import Layer, thinned
from labelkit.figures.cloud_panels import cloud_panels, fit

FIELD = 30.0  # of view of open3d's eye, degrees from top to bottom
FILLED = 0.9  # share of the picture's height or width that the cloud takes in matplotlib
DOTS = 100  # per inch; only the number of pixels comes out


def by_open3d(library: Any, cloud: Any, size: tuple[int, int], view: tuple[float, float]) -> np.ndarray:
    """Draw with the off-screen renderer.

    Args:
        library: the module open3d.
        cloud: an ``open3d.geometry.PointCloud`` about the origin.
        size: height and width in pixels.
        view: elevation and azimuth of the eye in degrees.

    Returns:
        (H, W, 3) uint8.
    """
    rendering, xyz = library.visualization.rendering, np.asarray(cloud.points)
    with library.utility.VerbosityContextManager(library.utility.VerbosityLevel.Error):
        renderer = rendering.OffscreenRenderer(size[1], size[0])
        material = rendering.MaterialRecord()
        material.shader, material.point_size = "defaultUnlit", _dot(len(xyz), size)
        renderer.scene.set_background(np.ones(4))
        renderer.scene.view.set_post_processing(False)  # it would change the colours, white to a warm grey
        renderer.scene.add_geometry("cloud", cloud, material)
        eye, up = _eye(xyz, size, view)
        renderer.setup_camera(FIELD, np.zeros(3, np.float32), eye.astype(np.float32), up.astype(np.float32))
        return np.asarray(renderer.render_to_image())[..., :3].copy()


def by_matplotlib(xyz: np.ndarray, colours: np.ndarray, size: tuple[int, int], view: tuple[float, float]) -> np.ndarray:
    """Draw with `cloud_panels.cloud_panels`.

    Args:
        xyz: (N, 3) about the origin.
        colours: (N, 3) uint8.
        size, view: as for `by_open3d`.

    Returns:
        (H, W, 3) uint8.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    height, width = size
    kept = thinned(len(xyz), most=height * width)  # more points than pixels only take time
    palette, index = np.unique(colours[kept], axis=0, return_inverse=True)
    dot = _dot(len(kept), size) * 72 / DOTS  # pixels to points of type
    layers = {"": Layer(index.reshape(-1), palette, {})}
    figure = cloud_panels(xyz[kept], layers, columns=1, size=dot**2, view=view)
    figure.set_layout_engine("none")
    figure.set_dpi(DOTS)
    figure.set_size_inches((width + 0.01) / DOTS, (height + 0.01) / DOTS)  # a hundredth: nothing is rounded off
    figure.axes[0].set_position((0, 0, 1, 1))  # no room for a title
    for drawn in figure.axes[0].collections:
        drawn.set_clip_on(False)  # the panel is a square within the picture
    fit(figure.axes[0], xyz[kept], figure.transFigure, FILLED)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _eye(xyz: np.ndarray, size: tuple[int, int], view: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Where the eye is so that all points are in the picture, and which way is up for it."""
    elevation, azimuth = np.deg2rad(view)
    back = np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
    up = np.array([-np.sin(elevation) * np.cos(azimuth), -np.sin(elevation) * np.sin(azimuth), np.cos(elevation)])
    tangent = np.tan(np.deg2rad(FIELD) / 2)
    across = np.abs(xyz @ np.cross(up, back)) / (tangent * size[1] / size[0])
    distance = (xyz @ back + np.maximum(across, np.abs(xyz @ up) / tangent)).max()
    return back * max(1.08 * distance, 1e-2), up


def _dot(count: int, size: tuple[int, int]) -> float:
    """Side of a point in pixels, so that clouds of any length fill the picture alike."""
    return float(np.clip(1.4 * np.sqrt(size[0] * size[1] / max(count, 1)), 1.5, 8))
