"""The floor plan and the walls of a room: what stands where, and where there is room for more."""

from __future__ import annotations

from dataclasses import dataclass, field

from labelkit.worlds.rooms.draw import Draw
from labelkit.worlds.rooms.solids import Paint

TRIES = 24
Rectangle = tuple[float, float, float, float]
Stand = tuple[float, float, float, float]  # x, y, cosine and sine of the turn
# Turns of things that stand with their back to a wall: y = 0, x = width, y = depth, x = 0.
FACING = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))


@dataclass
class Opening:
    """A window or a door: a part of a wall that lies a little behind it.

    Attributes:
        wall: 0 to 3, as in `FACING`.
        left, right: along the wall, in metres of x or y.
        low, high: heights.
        behind: how far it lies behind the wall.
        label: class.
        paint: look.
    """

    wall: int
    left: float
    right: float
    low: float
    high: float
    behind: float
    label: int
    paint: Paint


@dataclass
class Plan:
    """What is taken of a room's floor and walls.

    Attributes:
        width, depth: of the room, metres along x and y.
        taken: rectangles (x0, y0, x1, y1) on the floor.
        walls: for each wall rectangles (left, low, right, high).
    """

    width: float
    depth: float
    taken: list[Rectangle] = field(default_factory=list)
    walls: list[list[Rectangle]] = field(default_factory=lambda: [[], [], [], []])

    def length(self, wall: int) -> float:
        """Of a wall, in metres."""
        return self.depth if wall % 2 else self.width

    def free(self, rectangle: Rectangle, margin: float = 0.0) -> bool:
        """Whether a rectangle lies in the room and touches nothing."""
        x0, y0, x1, y1 = rectangle
        inside = x0 >= 0 and y0 >= 0 and x1 <= self.width and y1 <= self.depth
        return inside and not _touches((x0 - margin, y0 - margin, x1 + margin, y1 + margin), self.taken)

    def by_wall(self, draw: Draw, width: float, depth: float, height: float, gap: float = 0.02) -> Stand | None:
        """A place with the back to a wall; it is taken. None if none is found.

        Args:
            draw: decides.
            width, depth, height: of the thing, along and away from the wall, and up.
            gap: between the wall and its back.
        """
        for _ in range(TRIES):
            wall = draw.below(4)
            room = self.length(wall) - width - 0.1
            if room <= 0:
                continue
            middle = 0.05 + width / 2 + room * draw.unit()
            rectangle = self.strip(wall, middle - width / 2, middle + width / 2, gap + depth)
            behind = (middle - width / 2, 0.0, middle + width / 2, height)
            if self.free(rectangle) and not _touches(behind, self.walls[wall]):
                self.taken.append(rectangle)
                self.walls[wall].append(behind)
                away = gap + depth / 2
                x, y = ((middle, away), (self.width - away, middle), (middle, self.depth - away), (away, middle))[wall]
                return x, y, *FACING[wall]
        return None

    def in_the_open(self, draw: Draw, width: float, depth: float, margin: float = 0.05) -> tuple[float, float] | None:
        """A place for a rectangle anywhere; it is taken. None if none is found."""
        for _ in range(TRIES):
            x, y = draw.between(0, self.width), draw.between(0, self.depth)
            rectangle = (x - width / 2, y - depth / 2, x + width / 2, y + depth / 2)
            if self.free(rectangle, margin):
                self.taken.append(rectangle)
                return x, y
        return None

    def on_wall(self, draw: Draw, width: float, low: float, high: float) -> tuple[int, float] | None:
        """A place on a wall, the number of the wall and the left end; it is taken. None if none is found."""
        for _ in range(TRIES):
            wall = draw.below(4)
            room = self.length(wall) - width - 0.2
            if room <= 0:
                continue
            left = 0.1 + room * draw.unit()
            rectangle = (left, low, left + width, high)
            if not _touches((left - 0.08, low, left + width + 0.08, high), self.walls[wall]):
                self.walls[wall].append(rectangle)
                return wall, left
        return None

    def strip(self, wall: int, left: float, right: float, depth: float) -> Rectangle:
        """The rectangle of the floor in front of a part of a wall."""
        return (
            (left, 0.0, right, depth),
            (self.width - depth, left, self.width, right),
            (left, self.depth - depth, right, self.depth),
            (0.0, left, depth, right),
        )[wall]


def _touches(one: Rectangle, others: list[Rectangle]) -> bool:
    return any(one[0] < o[2] and o[0] < one[2] and one[1] < o[3] and o[1] < one[3] for o in others)
