"""Colours and noise in scene units: the same scene at every picture size, the same pixels on every machine."""

from __future__ import annotations

import numpy as np

from labelkit.worlds import draw
from labelkit.worlds.objects.classes import Colour


class Draw(draw.Draw):
    """A stream of uniform numbers that also gives grids of them and shifted colours."""

    def grid(self, rows: int, columns: int) -> np.ndarray:
        """Numbers in [0, 1), (rows, columns) float32."""
        return self._generator.random((rows, columns)).astype(np.float32)

    def near(self, colour: Colour, reach: float) -> Colour:
        """A colour up to `reach` away in each channel, and a little darker or lighter as a whole."""
        tone = self.between(1 - reach, 1 + reach)
        red, green, blue = (min(max(value * tone + self.between(-reach, reach) / 2, 0.0), 1.0) for value in colour)
        return red, green, blue


def ramp(pixels: int, extent: float) -> np.ndarray:
    """Places of the middles of pixels that share an extent of scene units, (pixels,) float32."""
    return (np.arange(pixels, dtype=np.float32) + np.float32(0.5)) * np.float32(extent / pixels)


def cloud(grid: np.ndarray, x: np.ndarray, y: np.ndarray, cells: float) -> np.ndarray:
    """Values of a grid, blended in between.

    Args:
        grid: (rows, columns); beyond its edge it repeats.
        x, y: places of columns (W,) and rows (H,), not negative, in scene units.
        cells: grid cells in a scene unit.

    Returns:
        (H, W) float32.
    """
    rows, columns = grid.shape
    across, down = x * np.float32(cells), y * np.float32(cells)
    left, top = across.astype(np.intp), down.astype(np.intp)
    share_x, share_y = across - left.astype(np.float32), down - top.astype(np.float32)
    share_x = share_x * share_x * (3 - 2 * share_x)
    share_y = (share_y * share_y * (3 - 2 * share_y))[:, None]
    wide = grid[:, left % columns] * (1 - share_x) + grid[:, (left + 1) % columns] * share_x
    return wide[top % rows] * (1 - share_y) + wide[(top + 1) % rows] * share_y


def column(colour: Colour) -> np.ndarray:
    """A colour as (3, 1, 1) float32."""
    return np.array(colour, np.float32)[:, None, None]
