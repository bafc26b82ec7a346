"""Numbers, directions and colours of rooms; the same on every machine."""

from __future__ import annotations

import numpy as np

from labelkit.worlds import draw

Colour = tuple[float, float, float]


class Draw(draw.Draw):
    """A stream of uniform numbers that also gives arrays of them, turns and shifted colours."""

    def units(self, *shape: int) -> np.ndarray:
        """Numbers in [0, 1), float64 of a given shape."""
        return self._generator.random(shape)

    def turn(self, reach: float) -> tuple[float, float]:
        """Cosine and sine of an angle up to about 2 `reach` to either side, found without a sine."""
        half = self.between(-reach, reach)
        scale = 1 / (1 + half * half)
        return (1 - half * half) * scale, 2 * half * scale

    def near(self, colour: Colour, reach: float) -> Colour:
        """A colour up to `reach` away in each channel, and a little darker or lighter as a whole."""
        tone = self.between(1 - reach, 1 + reach)
        red, green, blue = (min(max(value * tone + self.between(-reach, reach) / 2, 0.0), 1.0) for value in colour)
        return red, green, blue
