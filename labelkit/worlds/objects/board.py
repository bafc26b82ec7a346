"""The picture while it is painted, and the window of one thing in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labelkit.worlds.objects.classes import Colour

Point = tuple[float, float]
NEITHER, PART, BODY = 0, 1, 2


class Board:
    """Colours, owners and parts of all sample points: each pixel has 3 x 3 of them.

    Attributes:
        canvas: (3, 3H, 3W) float32.
        owner: (3H, 3W) uint8, 0 for nobody, otherwise the number of the thing seen there.
        part: (3H, 3W) uint8, `NEITHER`, `PART` or `BODY`.
        x, y: places of the columns and the rows in scene units; the shorter side of the picture is 1.
        pixel: size of a sample point in scene units.
    """

    def __init__(self, canvas: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
        self.canvas, self.x, self.y = canvas, x, y
        self.owner = np.zeros(canvas.shape[1:], np.uint8)
        self.part = np.zeros(canvas.shape[1:], np.uint8)
        self.pixel = float(x[1] - x[0])

    def window(self, centre: Point, reach: float) -> tuple[slice, slice]:
        """The rows and columns at most `reach` away from a place."""
        edges = []
        for middle, count in ((centre[1], len(self.y)), (centre[0], len(self.x))):
            low = min(max(int((middle - reach) / self.pixel), 0), count)
            edges.append(slice(low, min(max(int((middle + reach) / self.pixel) + 1, low), count)))
        return edges[0], edges[1]


class Sheet:
    """A thing's own view of the board: u to where it looks, v upwards, (0, 0) its middle, 1 its length.

    Args:
        board: painted through this sheet.
        number: of the thing, for `Board.owner`; 0 for things that nobody asks for.
        centre: its middle in scene units.
        size: its length in scene units.
        lean: tangent of half the angle by which it is turned clockwise.
        mirrored: whether it looks to the left.
        reach: half the side of its window, in its length.
    """

    def __init__(
        self, board: Board, number: int, centre: Point, size: float, lean: float, mirrored: bool, reach: float = 0.75
    ) -> None:
        rows, columns = board.window(centre, reach * size)
        self.number = number
        self.canvas = board.canvas[:, rows, columns]
        self.owner, self.part = board.owner[rows, columns], board.part[rows, columns]
        across = ((board.x[columns] - np.float32(centre[0])) / np.float32(size))[None, :]
        up = ((np.float32(centre[1]) - board.y[rows]) / np.float32(size))[:, None]
        cosine, sine = (1 - lean * lean) / (1 + lean * lean), 2 * lean / (1 + lean * lean)
        turn = -1.0 if mirrored else 1.0
        self.u = (across * np.float32(cosine) - up * np.float32(sine)) * np.float32(turn)
        self.v = across * np.float32(sine) + up * np.float32(cosine)
        self.kind = BODY if number else NEITHER

    def fill(self, inside: np.ndarray, colour: Colour, tone: np.ndarray | None = None) -> None:
        """Paint a region.

        Args:
            inside: bool, the window's shape.
            colour: red, green, blue.
            tone: factor of the colour at each sample point; None for 1 everywhere.
        """
        for channel, value in enumerate(colour):
            if tone is None:
                self.canvas[channel][inside] = np.float32(value)
            else:
                self.canvas[channel][inside] = tone[inside] * np.float32(value)
        self.owner[inside] = self.number
        self.part[inside] = self.kind

    def ellipse(self, middle: Point, reach: Point) -> np.ndarray:
        """Squared distance from the middle of an ellipse, 1 on its edge."""
        u = (self.u - np.float32(middle[0])) / np.float32(reach[0])
        v = (self.v - np.float32(middle[1])) / np.float32(reach[1])
        return u * u + v * v

    def polygon(self, points: Sequence[Point]) -> np.ndarray:
        """The inside of a convex polygon, bool."""
        area = sum(ua * vb - ub * va for (ua, va), (ub, vb) in zip(points, [*points[1:], points[0]], strict=True))
        sign = 1.0 if area >= 0 else -1.0
        inside = np.ones(self.u.shape, bool)
        for (ua, va), (ub, vb) in zip(points, [*points[1:], points[0]], strict=True):
            along, rise = sign * (ub - ua), sign * (vb - va)
            inside &= self.v * np.float32(along) - self.u * np.float32(rise) >= np.float32(va * along - ua * rise)
        return inside

    def bar(self, a: Point, b: Point, thickness: float) -> np.ndarray:
        """The inside of a straight bar from a to b, bool."""
        du, dv = b[0] - a[0], b[1] - a[1]
        half = thickness / 2 / float(np.sqrt(du * du + dv * dv))
        nu, nv = -dv * half, du * half
        return self.polygon(
            [(a[0] + nu, a[1] + nv), (b[0] + nu, b[1] + nv), (b[0] - nu, b[1] - nv), (a[0] - nu, a[1] - nv)]
        )


def cast_shadow(board: Board, window: tuple[slice, slice], number: int, shift: float, darkness: float) -> None:
    """Darken what lies to the lower right of a thing, as far as the thing does not cover it itself.

    Args:
        board: painted in place; the thing is already on it.
        window: where the thing is.
        number: of the thing.
        shift: length of the shadow in scene units.
        darkness: share of the light that is lost.
    """
    own = board.owner[window] == number
    step = max(1, int(shift / board.pixel + 0.5))
    if min(own.shape) <= step:
        return
    dark = np.zeros_like(own)
    dark[step:, step:] = own[:-step, :-step]
    board.canvas[(slice(None), *window)] *= 1 - np.float32(darkness) * (dark & ~own)
