"""Where an object is built of polygons and ellipses, each lit from above."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labelkit.worlds.glyphs.draw import Colour

Point = tuple[float, float]


@dataclass(frozen=True)
class Light:
    """Where the light comes from.

    Attributes:
        above: how much lighter the top of a part is than its bottom.
        side: the same from its left to its right, negative where the light comes from the left.
    """

    above: float
    side: float


@dataclass(frozen=True)
class Paints:
    """The colours of an object: body, second, trim (roof, lid, wheels' hubs), and opening (windows, doors, tyres)."""

    body: Colour
    second: Colour
    trim: Colour
    opening: Colour


class Board:
    """A canvas at twice the final size, seen from the object: u to the right, v upwards, (0, 0) where it stands.

    Args:
        canvas: (3, N, N) float32, painted in place.
        foot: the column and the row where the object stands, in shares of the picture.
        scale: one unit of u and v in shares of the picture.
        lean: tangent of half the angle by which the object leans, positive to the right.
        mirrored: whether u points to the left.
        light: where the light comes from.
        paints: the object's colours.
    """

    def __init__(
        self, canvas: np.ndarray, foot: Point, scale: float, lean: float, mirrored: bool, light: Light, paints: Paints
    ) -> None:
        size = canvas.shape[1]
        self.canvas = canvas.reshape(3, -1)
        self.touched = np.zeros(size * size, bool)
        middles = (np.arange(size, dtype=np.float32) + np.float32(0.5)) / np.float32(size)
        across = ((middles - np.float32(foot[0])) / np.float32(scale))[None, :]
        up = ((np.float32(foot[1]) - middles) / np.float32(scale))[:, None]
        cosine, sine = (1 - lean * lean) / (1 + lean * lean), 2 * lean / (1 + lean * lean)
        turn = -1.0 if mirrored else 1.0
        self.u = ((across * np.float32(cosine) - up * np.float32(sine)) * np.float32(turn)).ravel()
        self.v = (across * np.float32(sine) + up * np.float32(cosine)).ravel()
        self.light = light
        self.side = light.side * turn
        self.paints = paints

    def _fill(self, inside: np.ndarray, middle: Point, reach: Point, colour: Colour, flat: float) -> None:
        where = np.flatnonzero(inside)
        rise = (self.v[where] - np.float32(middle[1])) * np.float32(flat * self.light.above / reach[1])
        aside = (self.u[where] - np.float32(middle[0])) * np.float32(flat * self.side / reach[0])
        light = 1 + rise + aside
        for channel in range(3):
            self.canvas[channel, where] = light * np.float32(colour[channel])
        self.touched[where] = True

    def polygon(self, points: Sequence[Point], colour: Colour, flat: float = 1.0) -> None:
        """Fill a convex polygon; `flat` scales its shading."""
        area = 0.0
        for (ua, va), (ub, vb) in zip(points, [*points[1:], points[0]], strict=True):
            area += ua * vb - ub * va
        sign = 1.0 if area >= 0 else -1.0
        inside = np.ones(len(self.u), bool)
        for (ua, va), (ub, vb) in zip(points, [*points[1:], points[0]], strict=True):
            along, rise = sign * (ub - ua), sign * (vb - va)
            inside &= self.v * np.float32(along) - self.u * np.float32(rise) >= np.float32(va * along - ua * rise)
        us, vs = [u for u, _ in points], [v for _, v in points]
        middle = (min(us) + max(us)) / 2, (min(vs) + max(vs)) / 2
        reach = max((max(us) - min(us)) / 2, 0.01), max((max(vs) - min(vs)) / 2, 0.01)
        self._fill(inside, middle, reach, colour, flat)

    def box(self, left: float, right: float, bottom: float, top: float, colour: Colour, flat: float = 1.0) -> None:
        """Fill an upright rectangle."""
        inside = (self.u >= np.float32(left)) & (self.u <= np.float32(right))
        inside &= (self.v >= np.float32(bottom)) & (self.v <= np.float32(top))
        middle, reach = ((left + right) / 2, (bottom + top) / 2), ((right - left) / 2, (top - bottom) / 2)
        self._fill(inside, middle, reach, colour, flat)

    def stroke(self, a: Point, b: Point, thickness: float, colour: Colour) -> None:
        """Draw a straight bar from a to b."""
        du, dv = b[0] - a[0], b[1] - a[1]
        half = thickness / 2 / float(np.sqrt(du * du + dv * dv))
        nu, nv = -dv * half, du * half
        corners = [(a[0] + nu, a[1] + nv), (b[0] + nu, b[1] + nv), (b[0] - nu, b[1] - nv), (a[0] - nu, a[1] - nv)]
        self.polygon(corners, colour, 0.5)

    def ellipse(
        self,
        middle: Point,
        reach: Point,
        colour: Colour,
        hole: float = 0.0,
        above: float | None = None,
        below: float | None = None,
        flat: float = 1.0,
    ) -> None:
        """Fill an ellipse.

        Args:
            middle, reach: its centre and its half axes.
            colour: its colour.
            hole: share of the radius that stays empty.
            above, below: keep only what lies above, or below, this height.
            flat: scales its shading.
        """
        du = (self.u - np.float32(middle[0])) / np.float32(reach[0])
        dv = (self.v - np.float32(middle[1])) / np.float32(reach[1])
        distance = du * du + dv * dv
        inside = distance <= 1
        if hole:
            inside &= distance >= np.float32(hole * hole)
        if above is not None:
            inside &= self.v >= np.float32(above)
        if below is not None:
            inside &= self.v <= np.float32(below)
        self._fill(inside, middle, reach, colour, flat)
