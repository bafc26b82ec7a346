"""Random numbers of a scene: the exact stream of all worlds, with directions and shades."""

from __future__ import annotations

from collections.abc import Sequence

from labelkit.worlds.aerial.board import Turn
from labelkit.worlds.draw import Draw as Stream

QUARTERS: tuple[Turn, ...] = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))


class Draw(Stream):
    """A stream of uniform numbers, keyed by integers."""

    def lean(self, most: float = 1.0) -> Turn:
        """A direction near (1, 0); `most` is the tangent of half the largest angle to both sides, 1 for 90 degrees."""
        tangent = self.between(-most, most)
        square = tangent * tangent
        return (1 - square) / (1 + square), 2 * tangent / (1 + square)

    def direction(self) -> Turn:
        """Any direction."""
        return rotated(self.lean(0.4142135623730951), self.pick(QUARTERS))

    def near(self, colour: Sequence[float], most: float) -> tuple[float, float, float]:
        """A colour at most so far from the given one in brightness, and a quarter of that in each channel."""
        shift = self.between(-most, most)
        red, green, blue = (min(max(c + shift + self.between(-most, most) / 4, 0.02), 1.0) for c in colour)
        return red, green, blue

    def weighted(self, options: Sequence[tuple[str, float]]) -> str:
        """One of the options by its weight."""
        place = self.unit() * sum(weight for _, weight in options)
        for name, weight in options:
            place -= weight
            if place < 0:
                return name
        return options[-1][0]


def rotated(turn: Turn, by: Turn) -> Turn:
    """A direction turned by another one."""
    return turn[0] * by[0] - turn[1] * by[1], turn[1] * by[0] + turn[0] * by[1]
