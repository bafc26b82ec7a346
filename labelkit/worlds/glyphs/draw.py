"""Random colours and noise, the same on every machine."""

from __future__ import annotations

import numpy as np

from labelkit.worlds import draw

Colour = tuple[float, float, float]


class Draw(draw.Draw):
    """A stream of uniform numbers that also gives arrays, colours and noise."""

    def units(self, *shape: int) -> np.ndarray:
        """An array of numbers in [0, 1), float32."""
        return self._generator.random(shape).astype(np.float32)

    def colour(self, darkest: float, brightest: float, saturation: float = 0.9) -> Colour:
        """A colour of any hue: its largest channel between the two values, its saturation at most the given one."""
        value, grey = self.between(darkest, brightest), 1 - self.between(0, saturation)
        hue = self.unit() * 6
        channels = []
        for shift in (0, 4, 2):  # red, green, blue
            place = hue + shift if hue + shift < 6 else hue + shift - 6
            away = place - 3 if place > 3 else 3 - place
            share = min(max(away - 1, 0.0), 1.0)
            channels.append(value * (grey + (1 - grey) * share))
        return channels[0], channels[1], channels[2]

    def cloud(self, size: int, cells: int) -> np.ndarray:
        """Random values on a coarse grid, blended in between, (size, size) float32 in [0, 1)."""
        grid = self.units(cells + 2, cells + 2)
        place = (np.arange(size, dtype=np.float32) + np.float32(0.5)) * np.float32(cells / size)
        first = place.astype(np.intp)
        share = place - first
        share = share * share * (3 - 2 * share)
        rows = grid[first] * (1 - share)[:, None] + grid[first + 1] * share[:, None]
        return rows[:, first] * (1 - share) + rows[:, first + 1] * share
