"""What stands where: the ground plan of a street, its buildings and barriers, the camera in it.

Metres; x to the right from the middle of the road, y up, z ahead from where the camera starts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from labelkit.worlds.draw import Draw
from labelkit.worlds.streets.classes import BUILDING, FENCE, ROAD, SIDEWALK, TERRAIN, VEGETATION, WALL

KINDS = ("old town", "boulevard", "suburb", "motorway")
FAR = 130.0  # where buildings end
# Facade styles; their textures are in `textures`.
PLASTER, BRICK, OFFICE, OLD, HOUSE, BLANK, BARE_BRICK, PICKETS, RAIL, HEDGE, CONCRETE = range(11)


class Block(NamedTuple):
    """A box that begins at a plane along the street and reaches away from it: a building, a wall, a fence, a hedge."""

    side: int  # +1 right of the road, -1 left
    face: float  # distance of its street front from the middle of the road
    near: float  # its extent along the street
    far: float
    height: float
    style: int
    label: int
    hue: float  # two numbers in [0, 1) from which a look picks the colour
    shade: float


@dataclass(slots=True)
class Thing:
    """What stands upright on the ground and faces the camera: a car, a person, a tree, a sign, a pole."""

    label: int
    kind: str  # which sprite, or "bar" for a plain strip
    variant: int
    x: float
    z: float
    hue: float = 0.0
    shade: float = 0.0
    scale: float = 1.0
    base: float = 0.0  # height of its lower edge
    box: tuple[float, float, float, float] | None = None  # of a bar: left, right, bottom, top
    mirrored: bool = False
    vx: float = 0.0  # metres per second
    vz: float = 0.0
    footprint: tuple[float, float] = (0.0, 0.0)  # half width and length of its shadow on the ground; 0 for none
    height: float = 0.0  # for its cast shadow


@dataclass(slots=True)
class Scene:
    """A street and the camera in it."""

    kind: str
    camera_x: float
    camera_height: float
    horizon: float  # share of the image above it
    vanishing: float  # share of the image left of the vanishing point
    speed: float  # metres per second
    half_road: float
    zones: list[tuple[float, float, int]]  # from x, to x, ground class, left to right
    lanes: list[float]  # x of dashed lines
    edges: list[float]  # x of solid lines
    dash: tuple[float, float, float]  # length, period, phase
    junction: tuple[float, float] | None  # from z, to z
    crossing: tuple[float, float] | None
    fronts: tuple[float, float]  # distance of the building line, left and right
    sun_side: int  # from where the sun shines: +1 right, -1 left
    sun_slope: float  # sideways shift of a shadow per metre of height
    sun_skew: float  # shift along z per metre sideways
    backdrop: tuple[int, float, int]  # class of the far horizon, its height as a share of the image, salt
    blocks: list[Block] = field(default_factory=list)
    barriers: list[Block] = field(default_factory=list)
    things: list[Thing] = field(default_factory=list)


def lay_out(draw: Draw) -> Scene:
    """Draw the ground plan, the buildings and the barriers of one scene; `furnish` puts things into it."""
    lottery = draw.unit()
    kind = KINDS[0 if lottery < 0.26 else 1 if lottery < 0.52 else 2 if lottery < 0.84 else 3]
    motorway, suburb = kind == "motorway", kind == "suburb"
    half = {
        "old town": draw.between(3.0, 4.0),
        "boulevard": draw.between(5.2, 7.2),
        "suburb": draw.between(3.2, 4.4),
        "motorway": draw.between(6.8, 8.6),
    }[kind]
    zones: list[tuple[float, float, int]] = [(-half, half, ROAD)]
    fronts, walks = [0.0, 0.0], [0.0, 0.0]
    for index, side in enumerate((-1, 1)):
        at = half
        plan: list[tuple[float, int]] = []
        if kind == "old town":
            plan = [(draw.between(1.3, 2.6), SIDEWALK)]
        elif kind == "boulevard":
            plan = [(draw.between(2.6, 4.6), SIDEWALK)]
            if draw.chance(0.5):
                plan = [(draw.between(1.2, 2.4), TERRAIN), *plan]
        elif suburb:
            plan = [(draw.between(1.3, 2.2), SIDEWALK), (draw.between(3.5, 8.0), TERRAIN)]
            if draw.chance(0.45):
                plan = [(draw.between(0.7, 1.6), TERRAIN), *plan]
        else:
            plan = [(draw.between(5.0, 12.0), TERRAIN)]
            if draw.chance(0.3):
                plan = [(draw.between(1.0, 1.8), SIDEWALK), *plan]
        for width, ground in plan:
            zones.append((at, at + width, ground) if side > 0 else (-at - width, -at, ground))
            at += width
            if ground == SIDEWALK:
                walks[index] = at
        fronts[index] = at
        beyond = TERRAIN if kind in ("suburb", "motorway") else SIDEWALK
        zones.append((at, 26.0, beyond) if side > 0 else (-26.0, -at, beyond))

    junction = crossing = None
    if not motorway and draw.chance(0.45):
        begin = draw.between(11, 32)
        junction = (begin, begin + draw.between(6, 9))
    if not motorway and draw.chance(0.45):
        begin = junction[0] - draw.between(4.5, 6.0) if junction else draw.between(7, 20)
        crossing = (begin, begin + draw.between(2.6, 3.6))

    wide = half > 5.0
    lanes = [-half / 2, half / 2] if wide else [0.0]
    camera_x = half * (0.25 if wide else 0.45) + draw.between(-0.4, 0.4)
    if wide and draw.chance(0.5):
        camera_x = half * 0.72
    scene = Scene(
        kind=kind,
        camera_x=camera_x,
        camera_height=draw.between(1.35, 1.95),
        horizon=draw.between(0.38, 0.48),
        vanishing=draw.between(0.38, 0.62),
        speed=draw.between(12, 20) if motorway else draw.between(4, 9),
        half_road=half,
        zones=zones,
        lanes=lanes,
        edges=[-half + 0.3, half - 0.3, *([0.0] if wide else [])],
        dash=(3.0, draw.pick((6.0, 9.0)), draw.between(0, 9)),
        junction=junction,
        crossing=crossing,
        fronts=(fronts[0], fronts[1]),
        sun_side=draw.pick((-1, 1)),
        sun_slope=draw.between(0.25, 1.3),
        sun_skew=draw.between(-0.7, 0.9),
        backdrop=(draw.pick((VEGETATION, VEGETATION, BUILDING)), draw.between(0.05, 0.13), draw.below(1000)),
    )
    for index, side in enumerate((-1, 1)):
        _buildings(draw, scene, side, fronts[index])
        _barriers(draw, scene, side, walks[index] or half + 0.6, fronts[index])
    return scene


def _buildings(draw: Draw, scene: Scene, side: int, front: float) -> None:
    kind = scene.kind
    z = draw.between(-14, -6)
    if kind == "motorway":
        z = draw.between(25, 70)
    while z < FAR:
        # Far houses are wider: there they are only a few pixels each.
        stretch = 1.0 + max(0.0, z) / 45
        length = (draw.between(7, 13) if kind in ("old town", "suburb") else draw.between(11, 22)) * stretch
        near, far = z, z + length
        if scene.junction:
            begin, end = scene.junction
            if near < begin < far:
                far = begin - 0.5
            if begin - 0.5 <= near < end + 1:
                z = end + 1.0
                continue
        height, styles, gap, empty, setback = {
            "old town": (draw.between(7.5, 14), (PLASTER, OLD, OLD, BRICK, BLANK), 0.0, 0.05, 0.0),
            "boulevard": (draw.between(11, 23), (PLASTER, BRICK, OFFICE, OLD), 0.0, 0.16, draw.between(0, 1.5)),
            "suburb": (
                draw.between(4.6, 7.8),
                (HOUSE, HOUSE, BRICK, PLASTER),
                draw.between(3, 9),
                0.16,
                draw.between(0, 3),
            ),
            "motorway": (draw.between(6, 16), (OFFICE, BLANK, BRICK), draw.between(10, 40), 0.3, draw.between(3, 9)),
        }[kind]
        if far - near > 3 and not draw.chance(empty):
            block = Block(
                side, front + setback, near, far, height, draw.pick(styles), BUILDING, draw.unit(), draw.unit()
            )
            scene.blocks.append(block)
        z = far + gap * stretch
    # A tall house in the second row now and then.
    if kind != "motorway" and draw.chance(0.6):
        near = draw.between(20, 60)
        style = draw.pick((OFFICE, PLASTER, BLANK))
        behind = Block(
            side, front + 12, near, near + 25, draw.between(14, 25), style, BUILDING, draw.unit(), draw.unit()
        )
        scene.blocks.append(behind)


def _barriers(draw: Draw, scene: Scene, side: int, walk: float, front: float) -> None:
    """Walls, fences and hedges between the pavement and what lies behind it."""

    def add(near: float, far: float, height: float, style: int, label: int, face: float = walk) -> None:
        if scene.junction and near < scene.junction[1] and far > scene.junction[0]:
            begin, end = scene.junction
            if near < begin - 3:
                scene.barriers.append(Block(side, face, near, begin, height, style, label, hue, shade))
            if far > end + 3:
                scene.barriers.append(Block(side, face, end, far, height, style, label, hue, shade))
            return
        scene.barriers.append(Block(side, face, near, far, height, style, label, hue, shade))

    z = draw.between(-6, 12)
    hue, shade = draw.unit(), draw.unit()
    if scene.kind == "suburb":
        while z < 70:
            length = draw.between(9, 20)
            choice = draw.unit()
            if choice < 0.36:
                add(z, z + length, draw.between(1.3, 2.8), draw.pick((BLANK, BARE_BRICK, CONCRETE)), WALL)
            elif choice < 0.68:
                add(z, z + length, draw.between(1.0, 1.8), draw.pick((PICKETS, RAIL)), FENCE)
            elif choice < 0.84:
                add(z, z + length, draw.between(0.9, 1.8), HEDGE, VEGETATION)
            z += length + draw.between(0.5, 5)
            hue, shade = draw.unit(), draw.unit()
    elif scene.kind == "motorway":
        if draw.chance(0.75):
            add(-5, FAR, draw.between(0.75, 0.95), RAIL, FENCE, scene.half_road + 0.5)
        if draw.chance(0.55):
            add(
                z,
                z + draw.between(30, 120),
                draw.between(2.6, 4.6),
                draw.pick((CONCRETE, BARE_BRICK)),
                WALL,
                front - 0.5,
            )
        elif draw.chance(0.6):
            add(z, FAR, draw.between(2.0, 5.0), HEDGE, VEGETATION, front)
    elif draw.chance(0.42):
        # Railings at the kerb, or a wall in front of a yard.
        if draw.chance(0.55):
            add(z, z + draw.between(8, 22), 1.1, RAIL, FENCE, scene.half_road + 0.35)
        else:
            style = draw.pick((BLANK, BARE_BRICK, CONCRETE))
            add(
                z, z + draw.between(8, 18), draw.between(1.8, 3.0), style, WALL, max(scene.half_road + 0.9, front - 0.7)
            )
