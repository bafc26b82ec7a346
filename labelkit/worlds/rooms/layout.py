"""What a room of a kind holds, and where."""

from __future__ import annotations

from dataclasses import dataclass, field

from labelkit.worlds.rooms import classes as c
from labelkit.worlds.rooms import furniture
from labelkit.worlds.rooms.draw import Colour, Draw
from labelkit.worlds.rooms.plan import Opening, Plan
from labelkit.worlds.rooms.solids import STRIPES, Paint, Solid, box, cylinder

WALLS: tuple[Colour, ...] = (
    (0.86, 0.85, 0.82),
    (0.8, 0.78, 0.7),
    (0.74, 0.78, 0.8),
    (0.84, 0.8, 0.74),
    (0.7, 0.72, 0.66),
)
FLOORS: tuple[Colour, ...] = (
    (0.42, 0.42, 0.44),
    (0.55, 0.42, 0.3),
    (0.36, 0.4, 0.46),
    (0.62, 0.6, 0.55),
    (0.7, 0.58, 0.42),
)
BOARDS: tuple[Colour, ...] = ((0.93, 0.93, 0.92), (0.93, 0.93, 0.92), (0.16, 0.3, 0.24), (0.6, 0.46, 0.32))


@dataclass
class Room:
    """A furnished room.

    Attributes:
        kind: a key of `classes.KINDS`.
        size: width, depth and height in metres; one corner is the origin.
        walls, floor, ceiling: looks.
        openings: windows and doors.
        things: solids in groups that lie together.
        scanners: where scanners stand, one or two.
        lamp: where the light comes from.
    """

    kind: str
    size: tuple[float, float, float]
    walls: Paint
    floor: Paint
    ceiling: Paint
    openings: list[Opening] = field(default_factory=list)
    things: list[list[Solid]] = field(default_factory=list)
    scanners: list[tuple[float, float, float]] = field(default_factory=list)
    lamp: tuple[float, float, float] = (0.0, 0.0, 0.0)


def furnish(draw: Draw, kind: str, stretch: float) -> Room:
    """Lay out a room.

    Args:
        draw: decides.
        kind: a key of `classes.KINDS`.
        stretch: how much longer and wider than a small room it is.
    """
    width, depth = draw.between(2.8, 3.5) * stretch, draw.between(2.5, 3.2) * stretch
    if kind == "hallway":
        depth *= 0.75
    height = draw.between(2.25, 2.6)
    walls = Paint(draw.near(draw.pick(WALLS), 0.06))
    floor = Paint(draw.near(draw.pick(FLOORS), 0.1))
    floor.second, floor.period = tuple(0.9 * v for v in floor.colour), draw.between(0.15, 0.5)
    floor.pattern = STRIPES if draw.chance(0.5) else floor.pattern
    room = Room(kind, (width, depth, height), walls, floor, Paint(draw.near((0.88, 0.88, 0.86), 0.05)))
    room.lamp = (width * draw.between(0.35, 0.65), depth * draw.between(0.35, 0.65), height - 0.1)
    plan = Plan(width, depth)
    has = dict(zip(c.FURNISHED, (draw.chance(probability) for probability in c.KINDS[kind])))
    more = max(1, round(stretch * stretch))  # as many more things as there is more floor
    if has[c.DOOR]:
        for _ in range(2 if kind == "hallway" else 1):
            _door(draw, room, plan)
    if has[c.COLUMN]:
        for _ in range((1 + draw.below(2)) * more):
            _column(draw, room, plan)
    if has[c.WINDOW]:
        for _ in range((1 + draw.below(2)) * more):
            _window(draw, room, plan)
    if has[c.BOARD]:
        _board(draw, room, plan)
    if has[c.BEAM]:
        for _ in range(1 + draw.below(2)):
            _beam(draw, room)
    for _ in range(more):
        if has[c.TABLE] and kind == "meeting":
            _meeting_table(draw, room, plan, has[c.CHAIR])
        if has[c.BOOKCASE]:
            for _ in range(4 if kind == "store" else 1 + draw.below(2)):
                _bookcase(draw, room, plan)
        if has[c.SOFA]:
            for turn in range(2 if kind == "lounge" else 1):
                _sofa(draw, room, plan, has[c.TABLE] and turn == 0)
        if has[c.TABLE] and kind in ("office", "store"):
            for _ in range(2 if kind == "office" else 1):
                _desk(draw, room, plan, has[c.CHAIR], has[c.CLUTTER])
        if has[c.CHAIR] and kind in ("lounge", "hallway", "store", "office"):
            _chair_somewhere(draw, room, plan)
        if has[c.CLUTTER]:
            for _ in range(2 + draw.below(3) if kind == "store" else 1 + draw.below(3)):
                _clutter(draw, room, plan)
    room.scanners = [_scanner(draw, plan) for _ in range(2 if stretch > 1 or draw.chance(0.5) else 1)]
    return room


def _put(room: Room, solids: list[Solid], x: float, y: float, cosine: float, sine: float, z: float = 0.0) -> None:
    room.things.append([solid.moved(x, y, z, cosine, sine) for solid in solids])


def _door(draw: Draw, room: Room, plan: Plan) -> None:
    width, high = draw.between(0.8, 0.95), draw.between(1.98, 2.1)
    place = plan.on_wall(draw, width, 0.0, high)
    if place is None:
        return
    wall, left = place
    paint = furniture.wood(draw) if draw.chance(0.6) else Paint(draw.near(room.walls.colour, 0.12))
    room.openings.append(Opening(wall, left, left + width, 0.0, high, draw.between(0.02, 0.08), c.DOOR, paint))
    plan.taken.append(plan.strip(wall, left, left + width, 0.6))  # the way in stays free


def _window(draw: Draw, room: Room, plan: Plan) -> None:
    width, low, high = draw.between(0.8, 1.5), draw.between(0.8, 1.0), draw.between(1.9, 2.15)
    place = plan.on_wall(draw, width, low, high)
    if place is None:
        return
    wall, left = place
    glass = draw.near(draw.pick(((0.75, 0.85, 0.95), (0.9, 0.92, 0.92), (0.3, 0.36, 0.4))), 0.1)
    blinds = STRIPES if draw.chance(0.4) else 0
    paint = Paint(glass, (0.86, 0.85, 0.8), blinds, draw.between(0.04, 0.07), 2)
    room.openings.append(Opening(wall, left, left + width, low, high, draw.between(0.03, 0.1), c.WINDOW, paint))


def _board(draw: Draw, room: Room, plan: Plan) -> None:
    width, low, high = draw.between(1.1, 1.9), draw.between(0.75, 0.95), draw.between(1.75, 2.0)
    place = plan.on_wall(draw, width, low, high)
    if place is None:
        return
    wall, left = place
    x, y = ((left, 0.0), (plan.width, left), (left + width, plan.depth), (0.0, left + width))[wall]
    look = Paint(draw.near(draw.pick(BOARDS), 0.04))
    cosine, sine = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[wall]
    thick = draw.between(0.02, 0.05)
    _put(room, [box((0, -0.01, low), (width, thick, high), c.BOARD, look)], x, y, cosine, sine)


def _column(draw: Draw, room: Room, plan: Plan) -> None:
    side, height = draw.between(0.3, 0.5), room.size[2]
    look = room.walls if draw.chance(0.7) else Paint(draw.near((0.68, 0.67, 0.65), 0.08))
    stand = plan.by_wall(draw, side, side, height, gap=0.0)
    if stand is None:
        return
    if draw.chance(0.3):
        solid = cylinder(0, 0, side / 2, 0, height, c.COLUMN, look)
    else:
        solid = box((-side / 2, -side / 2, 0), (side / 2, side / 2, height), c.COLUMN, look)
    _put(room, [solid], *stand)


def _beam(draw: Draw, room: Room) -> None:
    width, depth, height = room.size
    wide, low = draw.between(0.22, 0.4), height - draw.between(0.2, 0.38)
    look = room.walls if draw.chance(0.5) else Paint(draw.near(room.ceiling.colour, 0.05))
    if draw.chance(0.5):
        y = draw.between(0.2, depth - 0.6)
        solid = box((0, y, low), (width, y + wide, height), c.BEAM, look)
    else:
        x = draw.between(0.2, width - 0.6)
        solid = box((x, 0, low), (x + wide, depth, height), c.BEAM, look)
    _put(room, [solid], 0, 0, 1.0, 0.0)


def _meeting_table(draw: Draw, room: Room, plan: Plan, chairs: bool) -> None:
    width, depth = draw.between(1.4, 1.9), draw.between(0.75, 1.0)
    place = plan.in_the_open(draw, width, depth + 0.9)
    if place is None:
        return
    x, y = place
    _put(room, furniture.table(draw, width, depth, draw.between(0.7, 0.76)), x, y, 1.0, 0.0)
    if not chairs:
        return
    for side, facing in ((-1, 1.0), (1, -1.0)):
        for seat in range(2):
            if draw.chance(0.85):
                cosine, sine = draw.turn(0.15)
                across = x + (seat - 0.5) * width * 0.5
                away = side * (depth / 2 + draw.between(0.05, 0.25))
                _put(room, furniture.chair(draw), across, y + away, facing * cosine, facing * sine)


def _desk(draw: Draw, room: Room, plan: Plan, chairs: bool, clutter: bool) -> None:
    width, depth, height = draw.between(1.1, 1.6), draw.between(0.6, 0.75), draw.between(0.7, 0.76)
    stand = plan.by_wall(draw, width, depth, height)
    if stand is None:
        return
    x, y, cosine, sine = stand
    _put(room, furniture.table(draw, width, depth, height), *stand)
    for _ in range(draw.below(3) if clutter else 0):
        along, away = draw.between(-0.35, 0.35) * width, draw.between(-0.2, 0.1) * depth
        px, py = x + cosine * along - sine * away, y + sine * along + cosine * away
        _put(room, furniture.small_clutter(draw), px, py, cosine, sine, height)
    if chairs:
        away, (turn, side) = depth / 2 + draw.between(0.0, 0.3), draw.turn(0.3)
        px, py = x - sine * away, y + cosine * away
        if 0.3 < px < plan.width - 0.3 and 0.3 < py < plan.depth - 0.3:
            plan.taken.append((px - 0.3, py - 0.3, px + 0.3, py + 0.3))
            # The chair faces the desk: half a turn, and a little more or less.
            _put(room, furniture.chair(draw), px, py, -(cosine * turn - sine * side), -(sine * turn + cosine * side))


def _bookcase(draw: Draw, room: Room, plan: Plan) -> None:
    width, depth = draw.between(0.7, 1.2), draw.between(0.26, 0.36)
    height = draw.between(1.7, 2.1) if draw.chance(0.7) else draw.between(0.8, 1.2)
    stand = plan.by_wall(draw, width, depth, height)
    if stand is not None:
        _put(room, furniture.bookcase(draw, width, depth, height), *stand)


def _sofa(draw: Draw, room: Room, plan: Plan, table: bool) -> None:
    width, depth = draw.between(1.3, 1.8), draw.between(0.75, 0.9)
    stand = plan.by_wall(draw, width, depth, 0.85)
    if stand is None:
        return
    x, y, cosine, sine = stand
    _put(room, furniture.sofa(draw, width, depth), *stand)
    away = depth / 2 + 0.6
    px, py = x - sine * away, y + cosine * away
    if table and plan.free((px - 0.25, py - 0.25, px + 0.25, py + 0.25)):
        plan.taken.append((px - 0.4, py - 0.4, px + 0.4, py + 0.4))
        _put(room, furniture.table(draw, draw.between(0.7, 1.0), 0.5, draw.between(0.38, 0.48)), px, py, cosine, sine)


def _chair_somewhere(draw: Draw, room: Room, plan: Plan) -> None:
    place = plan.in_the_open(draw, 0.55, 0.55)
    if place is not None:
        cosine, sine = draw.turn(1.0)
        _put(room, furniture.chair(draw), *place, cosine, sine)


def _clutter(draw: Draw, room: Room, plan: Plan) -> None:
    if draw.chance(0.7):
        stand = plan.by_wall(draw, 0.45, 0.4, 0.75, gap=0.05)
        place = stand[:2] if stand else None
    else:
        place = plan.in_the_open(draw, 0.45, 0.4)
    if place is not None:
        cosine, sine = draw.turn(0.5)
        _put(room, furniture.floor_clutter(draw), *place, cosine, sine)


def _scanner(draw: Draw, plan: Plan) -> tuple[float, float, float]:
    height = draw.between(1.35, 1.65)
    for margin in (0.25, 0.1):
        for _ in range(24):
            x, y = draw.between(0.5, plan.width - 0.5), draw.between(0.5, plan.depth - 0.5)
            if plan.free((x, y, x, y), margin):
                return x, y, height
    return plan.width / 2, plan.depth / 2, 1.9  # above what stands there
