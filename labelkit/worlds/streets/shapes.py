"""A small drawing board for sprites: polygons and ellipses in metres, filled without smoothing, then shrunk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Point = tuple[float, float]


@dataclass(frozen=True)
class Sprite:
    """A flat picture of a thing, in several sizes.

    Five channels: red, green, blue of what has its own colour; paint, the share of the thing's tint; and opacity.

    Attributes:
        levels: (5, height * width) float32 each, 0..1; every level has half the size of the one before.
        shapes: (height, width) of each level.
        box: left, right, bottom, top in metres, measured from the point on the ground where the thing stands.
    """

    levels: tuple[np.ndarray, ...]
    shapes: tuple[tuple[int, int], ...]
    box: tuple[float, float, float, float]


class Board:
    """Where a sprite is drawn, at twice its final size.

    Args:
        left, right, bottom, top: what the board covers, in metres.
        height: rows of the finished sprite; the width follows from the box.
    """

    def __init__(self, left: float, right: float, bottom: float, top: float, height: int) -> None:
        self.box = (left, right, bottom, top)
        self.scale = 2 * height / (top - bottom)
        columns = 2 * max(2, int((right - left) * self.scale / 2 + 0.5))
        self.pixels = np.zeros((5, 2 * height, columns), np.float32)
        self.x = (np.arange(columns, dtype=np.float32) + np.float32(0.5)) / np.float32(self.scale) + np.float32(left)
        self.y = np.float32(top) - (np.arange(2 * height, dtype=np.float32) + np.float32(0.5)) / np.float32(self.scale)

    def _fill(self, inside: np.ndarray, colour: Sequence[float] | None, paint: float) -> None:
        red, green, blue = colour if colour is not None else (0.0, 0.0, 0.0)
        for channel, value in enumerate((red, green, blue, paint if colour is None else 0.0, 1.0)):
            self.pixels[channel][inside] = value

    def polygon(self, points: Sequence[Point], colour: Sequence[float] | None = None, paint: float = 1.0) -> None:
        """Fill a convex polygon, with its own colour or, without one, with paint of the given brightness."""
        area = 0.0
        for (xa, ya), (xb, yb) in zip(points, [*points[1:], points[0]], strict=True):
            area += xa * yb - xb * ya
        sign = 1.0 if area >= 0 else -1.0
        inside = np.ones((len(self.y), len(self.x)), bool)
        for (xa, ya), (xb, yb) in zip(points, [*points[1:], points[0]], strict=True):
            dx, dy = np.float32(sign * (xb - xa)), np.float32(sign * (yb - ya))
            inside &= dx * (self.y - np.float32(ya))[:, None] >= dy * (self.x - np.float32(xa))[None, :]
        self._fill(inside, colour, paint)

    def line(
        self, a: Point, b: Point, thickness: float, colour: Sequence[float] | None = None, paint: float = 1.0
    ) -> None:
        """Draw a stroke from a to b."""
        dx, dy = b[0] - a[0], b[1] - a[1]
        half = thickness / 2 / float(np.sqrt(dx * dx + dy * dy))
        nx, ny = -dy * half, dx * half
        corners = [(a[0] + nx, a[1] + ny), (b[0] + nx, b[1] + ny), (b[0] - nx, b[1] - ny), (a[0] - nx, a[1] - ny)]
        self.polygon(corners, colour, paint)

    def ellipse(
        self,
        centre: Point,
        radii: Point,
        colour: Sequence[float] | None = None,
        paint: float = 1.0,
        hole: float = 0.0,
    ) -> None:
        """Fill an ellipse; `hole` is the share of the radius that stays empty."""
        dx = ((self.x - np.float32(centre[0])) / np.float32(radii[0]))[None, :]
        dy = ((self.y - np.float32(centre[1])) / np.float32(radii[1]))[:, None]
        distance = dx * dx + dy * dy
        self._fill((distance <= 1) & (distance >= np.float32(hole * hole)), colour, paint)

    def finish(self) -> Sprite:
        """Shrink to the final size and to all smaller ones, colours weighted by opacity."""
        levels, shapes = [], []
        premultiplied = self.pixels.copy()
        premultiplied[:4] *= premultiplied[4]
        while True:
            premultiplied = halve(premultiplied)
            opacity = premultiplied[4]
            stored = premultiplied.copy()
            stored[:4] /= np.maximum(opacity, np.float32(1 / 255))
            height, width = opacity.shape
            levels.append(np.minimum(stored, 1).reshape(5, -1))
            shapes.append((height, width))
            if height <= 4 or width <= 2:
                break
        return Sprite(tuple(levels), tuple(shapes), self.box)


def halve(array: np.ndarray) -> np.ndarray:
    """Mean of every 2x2 block of the last two axes; an odd last row or column is repeated."""
    if array.shape[-2] % 2:
        array = np.concatenate([array, array[..., -1:, :]], axis=-2)
    if array.shape[-1] % 2:
        array = np.concatenate([array, array[..., -1:]], axis=-1)
    top = array[..., 0::2, 0::2] + array[..., 0::2, 1::2]
    bottom = array[..., 1::2, 0::2] + array[..., 1::2, 1::2]
    return (top + bottom) * np.float32(0.25)
