"""The canvas of one slice: soft-edged shapes in the patient's coordinates."""

from __future__ import annotations

from functools import cache

import numpy as np

from labelkit.worlds.cardiac.patient import Patient, Shape

ALL = slice(None)


@cache
def _places(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns (1, W) and rows (H, 1) from the middle of the image, in shares of the shorter side, float32."""
    side = np.float32(min(height, width))
    x = (np.arange(width, dtype=np.float32) + np.float32(0.5 - width / 2)) / side
    y = (np.arange(height, dtype=np.float32) + np.float32(0.5 - height / 2)) / side
    return x[None, :], y[:, None]


class Plane:
    """The canvas.

    Attributes:
        x, y: the patient's coordinates of each pixel, (H, W) float32.
        signal: (H, W) float32, 0 is black.
        soft: width of an edge, in the patient's unit: one pixel, for the partial volume, but not less than 0.01.

    Args:
        patient: gives place, scale and rotation.
        height, width: pixels.
    """

    def __init__(self, patient: Patient, height: int, width: int) -> None:
        self.patient = patient
        self.height, self.width, self.side = height, width, min(height, width)
        right, down = _places(height, width)
        cos, sin = patient.cos / patient.scale, patient.sin / patient.scale
        dx, dy = right - patient.x, down - patient.y
        self.x = dx * cos + dy * sin
        self.y = dy * cos - dx * sin
        self.signal = np.zeros((height, width), np.float32)
        self.soft = max(1.0 / self.side, 0.010) / patient.scale

    def distance(self, shape: Shape, window: tuple[slice, slice] | slice = ALL) -> np.ndarray:
        """Rough distance to the outline, (H, W) float32, negative inside."""
        dx, dy = self.x[window] - shape.x, self.y[window] - shape.y
        u = (dx * shape.cos + dy * shape.sin) / shape.rx
        v = (dy * shape.cos - dx * shape.sin) / shape.ry
        radius = np.sqrt(u * u + v * v) + np.float32(1e-6)
        edge = 1.0
        if any(shape.waves):
            u, v = u / radius, v / radius
            uu, vv = u * u, v * v
            a, b, c, d = shape.waves
            edge = 1 + (uu - vv) * a + u * v * (2 * b) + u * (uu - 3 * vv) * c + v * (3 * uu - vv) * d
        return (radius - edge) * min(shape.rx, shape.ry)

    def cover(
        self,
        distance: np.ndarray,
        value: float,
        grow: float = 0.0,
        most: float = 1.0,
        window: tuple[slice, slice] | slice = ALL,
    ) -> None:
        """Paint what lies inside an outline, moved outwards by `grow`, `most` opaque."""
        opacity = np.float32(0.5 + grow / self.soft) - distance * (1 / self.soft)
        np.minimum(np.maximum(opacity, 0, out=opacity), 1, out=opacity)
        opacity *= most
        view = self.signal[window]
        view += (value - view) * opacity

    def paint(self, shape: Shape, grow: float = 0.0, most: float = 1.0, rim: float | None = None) -> None:
        """Paint a shape in its own signal, with a rim of another signal `grow` wide; only its surroundings are seen."""
        reach = max(shape.rx, shape.ry)
        a, b, c, d = shape.waves
        spread = 1 + abs(a) + abs(b) + abs(c) + abs(d)
        # A distance is measured along the shorter axis, so that soft edges reach further along the longer one.
        reach = (reach * spread + (grow + self.soft) * reach / min(shape.rx, shape.ry)) * self.patient.scale
        x = self.patient.x + self.patient.scale * (shape.x * self.patient.cos - shape.y * self.patient.sin)
        y = self.patient.y + self.patient.scale * (shape.x * self.patient.sin + shape.y * self.patient.cos)
        rows, columns = (
            slice(
                max(0, int((middle - reach) * self.side + half)), max(0, int((middle + reach) * self.side + half) + 2)
            )
            for middle, half in ((y, self.height / 2), (x, self.width / 2))
        )
        window = (rows, columns)
        if not self.signal[window].size:
            return
        distance = self.distance(shape, window)
        if rim is not None:
            self.cover(distance, rim, grow, most, window)
        self.cover(distance, shape.value, 0.0, most, window)
