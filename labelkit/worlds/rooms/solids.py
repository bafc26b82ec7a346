"""Boxes, upright cylinders and balls, and where rays meet them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from labelkit.worlds.rooms.draw import Colour

BOX, CYLINDER, BALL = range(3)
PLAIN, STRIPES, BOOKS = range(3)  # how a surface is painted
SIDE = 3  # the "axis" of a round surface
NEAR = 0.05  # metres; a scanner sees nothing nearer


@dataclass
class Paint:
    """What a surface looks like.

    Attributes:
        colour: 0..1.
        second: the other colour of stripes.
        pattern: PLAIN, STRIPES along the first axis, or BOOKS, stripes of many colours.
        period: of a pattern, in metres.
        axis: of the solid, across which stripes change: 0, 1 or 2.
    """

    colour: Colour
    second: Colour = (0.0, 0.0, 0.0)
    pattern: int = PLAIN
    period: float = 0.1
    axis: int = 0


@dataclass
class Solid:
    """A solid of one class.

    Attributes:
        kind: BOX, CYLINDER or BALL.
        place: its middle, in metres.
        half: half its extent along its axes; of a cylinder and a ball the first is the radius.
        label: class.
        paint: look.
        cosine, sine: turn about the vertical.
    """

    kind: int
    place: tuple[float, float, float]
    half: tuple[float, float, float]
    label: int
    paint: Paint
    cosine: float = 1.0
    sine: float = 0.0

    def moved(self, x: float, y: float, z: float, cosine: float, sine: float) -> Solid:
        """The solid, turned about the origin, then moved."""
        px, py, pz = self.place
        place = (x + cosine * px - sine * py, y + sine * px + cosine * py, z + pz)
        turn = (self.cosine * cosine - self.sine * sine, self.sine * cosine + self.cosine * sine)
        return Solid(self.kind, place, self.half, self.label, self.paint, *turn)


def box(low: tuple[float, float, float], high: tuple[float, float, float], label: int, paint: Paint) -> Solid:
    """A box from two corners."""
    place = tuple((a + b) / 2 for a, b in zip(low, high))
    return Solid(BOX, place, tuple((b - a) / 2 for a, b in zip(low, high)), label, paint)


def cylinder(x: float, y: float, radius: float, low: float, high: float, label: int, paint: Paint) -> Solid:
    """An upright cylinder."""
    return Solid(CYLINDER, (x, y, (low + high) / 2), (radius, radius, (high - low) / 2), label, paint)


def ball(x: float, y: float, z: float, radius: float, label: int, paint: Paint) -> Solid:
    """A ball."""
    return Solid(BALL, (x, y, z), (radius, radius, radius), label, paint)


@dataclass
class Hits:
    """What rays met first.

    Attributes:
        along: distance in lengths of the ray's direction, (R,); infinite before anything is met.
        solid: number of the solid, (R,); -1 before.
        axis: 0, 1, 2: a face across that axis of the solid; 3: a round side. (R,)
    """

    along: np.ndarray
    solid: np.ndarray
    axis: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int8))

    @classmethod
    def none(cls, rays: int) -> Hits:
        """Rays that have met nothing yet."""
        return cls(np.full(rays, np.inf), np.full(rays, -1), np.zeros(rays, np.int8))


def cast(hits: Hits, origin: tuple[float, float, float], rays: np.ndarray, thing: list[Solid], first: int) -> None:
    """Let rays meet the solids of a thing.

    Args:
        hits: changed where a solid is nearer than what was met before.
        origin: of the rays.
        rays: directions (3, R), not normalised.
        thing: solids that lie near one another.
        first: number of the first of them.
    """
    chosen = _towards(origin, rays, thing)
    if not len(chosen):
        return
    some = rays[:, chosen]
    along, solids, axes = hits.along[chosen], hits.solid[chosen], hits.axis[chosen]
    for number, solid in enumerate(thing, start=first):
        x, y, z = (a - b for a, b in zip(origin, solid.place))
        start = (solid.cosine * x + solid.sine * y, solid.cosine * y - solid.sine * x, z)
        ways = (solid.cosine * some[0] + solid.sine * some[1], solid.cosine * some[1] - solid.sine * some[0], some[2])
        distance, axis = (_box, _cylinder, _ball)[solid.kind](start, ways, solid.half)
        met = (distance > NEAR) & (distance < along)
        along[met], solids[met], axes[met] = distance[met], number, axis[met]
    hits.along[chosen], hits.solid[chosen], hits.axis[chosen] = along, solids, axes


def _towards(origin: tuple[float, float, float], rays: np.ndarray, thing: list[Solid]) -> np.ndarray:
    """Rays that meet a ball around the thing."""
    low = [
        min(s.place[i] - max(s.half[:2]) * 1.5 if i < 2 else s.place[i] - s.half[i] for s in thing) for i in range(3)
    ]
    high = [
        max(s.place[i] + max(s.half[:2]) * 1.5 if i < 2 else s.place[i] + s.half[i] for s in thing) for i in range(3)
    ]
    x, y, z = ((a + b) / 2 - o for a, b, o in zip(low, high, origin))
    reach = sum(((b - a) / 2) ** 2 for a, b in zip(low, high))
    beyond = x * x + y * y + z * z - reach
    if beyond <= 0:
        return np.arange(rays.shape[1])
    ahead = rays[0] * x + rays[1] * y + rays[2] * z
    length = rays[0] * rays[0] + rays[1] * rays[1] + rays[2] * rays[2]
    return np.flatnonzero((ahead > 0) & (ahead * ahead > beyond * length))


def slabs(start, ways, half) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Where rays enter and leave the space between each pair of a box's faces."""
    enter, leave = [], []
    for o, d, h in zip(start, ways, half):
        inverse = 1 / np.where(d == 0, 1e-30, d)
        one, other = (-h - o) * inverse, (h - o) * inverse
        enter.append(np.minimum(one, other))
        leave.append(np.maximum(one, other))
    return enter, leave


def _box(start, ways, half) -> tuple[np.ndarray, np.ndarray]:
    enter, leave = slabs(start, ways, half)
    distance = np.maximum(np.maximum(enter[0], enter[1]), enter[2])
    missed = distance > np.minimum(np.minimum(leave[0], leave[1]), leave[2])
    axis = np.where(distance == enter[0], 0, np.where(distance == enter[1], 1, 2))
    return np.where(missed, np.inf, distance), axis.astype(np.int8)


def _round(start, ways, radius, axes) -> np.ndarray:
    """Distance to a round surface about some axes; infinite where it is missed."""
    a = sum(ways[i] * ways[i] for i in axes)
    b = sum(start[i] * ways[i] for i in axes)
    under = b * b - a * (sum(start[i] * start[i] for i in axes) - radius * radius)
    return np.where(under > 0, (-b - np.sqrt(np.maximum(under, 0))) / np.maximum(a, 1e-30), np.inf)


def _cylinder(start, ways, half) -> tuple[np.ndarray, np.ndarray]:
    side = _round(start, ways, half[0], (0, 1))
    height = start[2] + np.where(np.isinf(side), 0, side) * ways[2]
    side = np.where((height > -half[2]) & (height < half[2]), side, np.inf)
    end = half[2] if start[2] > 0 else -half[2]
    lid = (end - start[2]) / np.where(ways[2] == 0, 1e-30, ways[2])
    x, y = start[0] + lid * ways[0], start[1] + lid * ways[1]
    lid = np.where((x * x + y * y < half[0] * half[0]) & (lid > 0), lid, np.inf)
    return np.minimum(side, lid), np.where(lid < side, 2, SIDE).astype(np.int8)


def _ball(start, ways, half) -> tuple[np.ndarray, np.ndarray]:
    distance = _round(start, ways, half[0], (0, 1, 2))
    return distance, np.full(len(distance), SIDE, np.int8)
