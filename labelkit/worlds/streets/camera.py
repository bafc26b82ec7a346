"""The camera, and the canvas it paints on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import sqrt

import numpy as np

from labelkit.worlds.streets.scene import Scene

# Surfaces that every scene has; then come blocks, barriers and things, in the scene's order.
SKY_SURFACE, BACKDROP_SURFACE, ROAD_SURFACE, WALK_SURFACE, GRASS_SURFACE, FIRST_BLOCK = range(6)


@dataclass(slots=True)
class Camera:
    """A pinhole camera that looks along the street, without roll or turn.

    A point (x, y, z) is seen at column `centre + focal * (x - self.x) / (z - self.z)` and at row
    `horizon - focal * (y - self.height) / (z - self.z)`; the middle of pixel i lies at i + 0.5.
    """

    rows: int
    columns: int
    focal: float  # pixels
    centre: float  # column of the vanishing point
    horizon: float  # its row
    x: float
    height: float
    z: float


def look_into(scene: Scene, rows: int, columns: int, seconds: float) -> Camera:
    """The camera of a scene after some seconds of driving."""
    return Camera(
        rows=rows,
        columns=columns,
        focal=sqrt(rows * columns),
        centre=scene.vanishing * columns,
        horizon=scene.horizon * rows,
        x=scene.camera_x,
        height=scene.camera_height,
        z=scene.speed * seconds,
    )


class Canvas:
    """What is drawn of one frame.

    Attributes:
        image: (3, H, W) float32, linear from 0 (black) to 1.
        surface: (H, W) int16: which surface is seen.
        inverse_depth: (H, W) float32: 1 / metres ahead of the camera; 0 at infinity.
    """

    def __init__(self, rows: int, columns: int) -> None:
        self.image = np.empty((3, rows, columns), np.float32)
        self.surface = np.zeros((rows, columns), np.int16)
        self.inverse_depth = np.zeros((rows, columns), np.float32)


@cache
def middles(count: int) -> np.ndarray:
    """Middles of pixels 0..count-1, (count,) float32."""
    values = np.arange(count, dtype=np.float32) + np.float32(0.5)
    values.setflags(write=False)
    return values
