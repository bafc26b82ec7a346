"""A scene while it is built, and a rectangular site in it with axes of its own."""

from __future__ import annotations

from dataclasses import dataclass, field

from labelkit.worlds.aerial.board import Board, Sheet, Turn
from labelkit.worlds.aerial.draw import QUARTERS, Draw, rotated
from labelkit.worlds.aerial.shapes import Point


@dataclass
class Vehicle:
    """A box on wheels, or a box without: what is painted at the end, all at once.

    Attributes:
        centre: x, y in the picture.
        turn: where its front looks.
        length, width: in pixels.
        colour: of its body.
        kind: "car", "truck", "bus" or "crate"; a crate is no object.
    """

    centre: Point
    turn: Turn
    length: float
    width: float
    colour: tuple[float, float, float]
    kind: str


@dataclass
class Tree:
    """A crown, or a round bush."""

    centre: Point
    radius: float
    colour: tuple[float, float, float]


@dataclass
class Building:
    """What the parts of a scene share while it is built.

    Attributes:
        board: what is painted on.
        draw: the scene's random numbers.
        scale: pixels of what measures one pixel in the tables of sizes.
        dense: whether car parks are large and full.
        vehicles, trees: gathered, and painted when everything else is there.
    """

    board: Board
    draw: Draw
    scale: float
    dense: bool = False
    vehicles: list[Vehicle] = field(default_factory=list)
    trees: list[Tree] = field(default_factory=list)


class Site:
    """A rectangle of the scene; u runs along its longer side, (0, 0) is its middle.

    Args:
        scene: that it belongs to.
        centre: x, y in the picture.
        turn: direction of its u axis.
        half_u, half_v: half its sides in pixels.
    """

    def __init__(self, scene: Building, centre: Point, turn: Turn, half_u: float, half_v: float) -> None:
        if half_v > half_u:
            turn, half_u, half_v = rotated(turn, QUARTERS[1]), half_v, half_u
        self.scene, self.board, self.draw, self.scale = scene, scene.board, scene.draw, scene.scale
        self.centre, self.turn, self.half_u, self.half_v = centre, turn, half_u, half_v

    def at(self, u: float, v: float) -> Point:
        """A place of the site in the picture."""
        cosine, sine = self.turn
        return self.centre[0] + u * cosine - v * sine, self.centre[1] + u * sine + v * cosine

    def sheet(
        self, u: float, v: float, reach_u: float, reach_v: float, height: float = 0.0, by: Turn = QUARTERS[0]
    ) -> Sheet:
        """A window around a place of the site, turned against it."""
        return Sheet(self.board, self.at(u, v), rotated(self.turn, by), (reach_u, reach_v), height)

    def part(self, u: float, v: float, half_u: float, half_v: float) -> Site:
        """A smaller site within."""
        return Site(self.scene, self.at(u, v), self.turn, half_u, half_v)

    def park(
        self,
        u: float,
        v: float,
        by: Turn,
        kind: str,
        length: float,
        width: float,
        colour: tuple[float, float, float],
    ) -> None:
        """Put a vehicle or a crate somewhere; sizes in pixels."""
        self.scene.vehicles.append(Vehicle(self.at(u, v), rotated(self.turn, by), length, width, colour, kind))

    def plant(self, u: float, v: float, radius: float, colour: tuple[float, float, float]) -> None:
        """Put a tree somewhere."""
        self.scene.trees.append(Tree(self.at(u, v), radius, colour))
