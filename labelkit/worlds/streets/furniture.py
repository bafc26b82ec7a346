"""What is put beside the road: trees, poles, signs, lights, people."""

from __future__ import annotations

from labelkit.worlds.draw import Draw
from labelkit.worlds.streets import figures, plants
from labelkit.worlds.streets.classes import (
    LIGHT,
    PERSON,
    POLE,
    SIDEWALK,
    SIGN,
    VEGETATION,
)
from labelkit.worlds.streets.scene import Scene, Thing


def furnish(draw: Draw, scene: Scene) -> None:
    """Add trees, poles, signs, lights and people to a scene."""
    for side in (-1, 1):
        _trees(draw, scene, side)
        _posts(draw, scene, side)
        _pedestrians(draw, scene, side)


def clear_of_junction(scene: Scene, z: float) -> bool:
    return scene.junction is None or not scene.junction[0] - 1 < z < scene.junction[1] + 1


def walk(scene: Scene, side: int) -> tuple[float, float]:
    """The pavement's extent on one side, as distances from the middle; a strip at the kerb if there is none."""
    for left, right, ground in scene.zones:
        if ground == SIDEWALK and (left > 0) == (side > 0) and abs(left) < 25.9 and abs(right) < 25.9:
            return min(abs(left), abs(right)), max(abs(left), abs(right))
    return scene.half_road + 0.6, scene.half_road + 2.0


def _trees(draw: Draw, scene: Scene, side: int) -> None:
    kind, front = scene.kind, scene.fronts[0 if side < 0 else 1]
    chance = {"old town": 0.25, "boulevard": 0.75, "suburb": 0.95, "motorway": 0.95}[kind]
    if not draw.chance(chance):
        return
    row_at = scene.half_road + 0.9
    variant, hue = draw.below(plants.TREES - 1), draw.unit()
    z = draw.between(5, 13)
    spacing = draw.between(9, 16) if kind == "boulevard" else draw.between(6, 13)
    while z < 70:
        at = row_at if kind in ("old town", "boulevard") else front + draw.between(-2.5, 5.0)
        if kind == "suburb" and draw.chance(0.3):
            at = row_at
        at = max(at, row_at)
        if kind in ("suburb", "motorway"):
            variant, hue = draw.below(plants.TREES), draw.unit()
        if clear_of_junction(scene, z) and not draw.chance(0.15):
            scale = draw.between(0.7, 1.25) if kind in ("suburb", "motorway") else draw.between(0.6, 1.05)
            scene.things.append(
                Thing(
                    VEGETATION,
                    "tree",
                    variant,
                    side * at,
                    z,
                    hue,
                    draw.unit(),
                    scale,
                    mirrored=draw.chance(0.5),
                    footprint=(2.2 * scale, 2.2 * scale),
                    height=6.0 * scale,
                )
            )
        if kind in ("suburb", "motorway") and draw.chance(0.35):
            scene.things.append(
                Thing(
                    VEGETATION,
                    "bush",
                    draw.below(plants.BUSHES),
                    side * (front + draw.between(-2.4, 0.5)),
                    z + 2,
                    draw.unit(),
                    draw.unit(),
                    draw.between(0.7, 1.3),
                    footprint=(0.9, 0.7),
                )
            )
        z += spacing * draw.between(0.7, 1.4) * (1 + z / 50)


def _bar(scene: Scene, x: float, z: float, box: tuple[float, float, float, float], shade: float, shadow: bool) -> None:
    footprint, height = ((0.12, 0.12), min(box[3], 4.0)) if shadow else ((0.0, 0.0), 0.0)
    scene.things.append(Thing(POLE, "bar", 0, x, z, shade=shade, box=box, footprint=footprint, height=height))


def _sign(draw: Draw, scene: Scene, x: float, z: float, height: float, variant: int, scale: float = 1.0) -> None:
    scene.things.append(Thing(SIGN, "sign", variant, x, z - 0.02, scale=scale, base=height, shade=draw.unit()))


def _posts(draw: Draw, scene: Scene, side: int) -> None:
    kerb = side * (scene.half_road + 0.45)
    motorway = scene.kind == "motorway"
    shade = draw.unit()
    # Street lamps: a mast and an arm over the road.
    if draw.chance(0.62):
        z, height, spacing = draw.between(5, 17), draw.between(5.5, 9.0), draw.between(16, 26)
        while z < 62:
            if clear_of_junction(scene, z):
                _bar(scene, kerb, z, (-0.15, 0.15, 0, height), shade, True)
                reach = -side * draw.between(1.2, 1.8)
                arm = (min(0.0, reach), max(0.0, reach), height - 0.12, height)
                _bar(scene, kerb, z, arm, shade, False)
            z += spacing * (1 + z / 90)
    # Signs, singly or in pairs.
    for _ in range(2):
        if draw.chance(0.5 if motorway else 0.55):
            z, at = draw.between(5, 19), kerb + side * draw.between(-0.1, 0.4)
            if motorway and draw.chance(0.55):
                height = draw.between(2.6, 4.2)
                for offset in (-0.9, 0.9):
                    _bar(scene, at + side * 1.6 + offset, z, (-0.07, 0.07, 0, height + 0.8), shade, True)
                _sign(draw, scene, at + side * 1.6, z, height, 6 + draw.below(2), draw.between(1.1, 1.7))
            else:
                height, variant = draw.between(1.9, 2.5), draw.below(6)
                _bar(scene, at, z, (-0.075, 0.075, 0, height + 0.5), shade, True)
                _sign(draw, scene, at, z, height, variant, 1.2)
                if draw.chance(0.25):
                    _sign(draw, scene, at, z, height - 0.8, draw.below(6))
                if draw.chance(0.12):
                    _sign(draw, scene, at, z, height + 0.75, draw.pick((1, 3, 6)), 0.8)
    # A gantry with boards over the motorway.
    if motorway and side > 0 and draw.chance(0.35):
        z, height = draw.between(18, 45), draw.between(5.2, 6.0)
        span = scene.half_road + 0.9
        _bar(scene, 0, z, (-span, span, height, height + 0.35), shade, False)
        for x in (-span, span):
            _bar(scene, x, z, (-0.16, 0.16, 0, height + 0.3), shade, True)
        for x in (-0.5 * span, 0.45 * span):
            _sign(draw, scene, x, z, height - 0.5, 6, 1.6)
    # Signals at a junction or a crossing.
    stop = scene.crossing[0] if scene.crossing else scene.junction[0] if scene.junction else None
    if stop is not None and draw.chance(0.75):
        z, lit, height = max(5.5, stop - draw.between(0.3, 1.0)), draw.below(3), draw.between(2.2, 2.8)
        _bar(scene, kerb, z, (-0.09, 0.09, 0, height + 0.9), shade, True)
        scene.things.append(Thing(LIGHT, "light", lit, kerb, z - 0.02, base=height, scale=1.25))
        if scene.half_road > 3.6 and draw.chance(0.6):  # one more on an arm
            reach = -side * min(scene.half_road * 0.7, 4.0)
            _bar(scene, kerb, z, (-0.12, 0.12, 0, 5.4), shade, False)
            _bar(scene, kerb, z, (min(0.0, reach), max(0.0, reach), 5.2, 5.34), shade, False)
            scene.things.append(Thing(LIGHT, "light", lit, kerb + reach * 0.9, z - 0.02, base=4.1, scale=1.3))
        if scene.junction and draw.chance(0.8):  # and on the far side
            z = scene.junction[1] + 0.8
            _bar(scene, kerb, z, (-0.09, 0.09, 0, height + 0.9), shade, False)
            scene.things.append(Thing(LIGHT, "light", lit, kerb, z - 0.02, base=height, scale=1.4))
    # Bollards.
    if scene.kind == "old town" and draw.chance(0.3):
        z = draw.between(5, 9)
        for step in range(6):
            _bar(scene, side * (scene.half_road + 0.2), z + 2.2 * step, (-0.07, 0.07, 0, 0.9), shade, False)


def _pedestrians(draw: Draw, scene: Scene, side: int) -> None:
    low, high = walk(scene, side)
    mean = {"old town": 5.0, "boulevard": 5.4, "suburb": 3.2, "motorway": 0.15}[scene.kind]
    count = int(mean * draw.between(0, 1.6) + draw.unit())
    for _ in range(count):
        z = draw.between(4.2, 12) if draw.chance(0.75) else draw.between(12, 30)
        x = side * draw.between(low + 0.3, max(low + 0.5, high - 0.3))
        along = draw.pick((-1.3, 1.3, 1.3, 0.0))
        _person(draw, scene, x, z, 0.0, along)
        if draw.chance(0.3):
            _person(draw, scene, x + draw.between(0.5, 0.7), z + draw.between(-0.3, 0.3), 0.0, along)
    if scene.crossing and side > 0:
        for _ in range(draw.below(4)):
            z = draw.between(*scene.crossing)
            _person(draw, scene, draw.between(-scene.half_road, scene.half_road), z, draw.pick((-1.3, 1.3)), 0.0)


def _person(draw: Draw, scene: Scene, x: float, z: float, vx: float, vz: float) -> None:
    scale = draw.between(0.9, 1.08) if not draw.chance(0.12) else draw.between(0.6, 0.75)
    scene.things.append(
        Thing(
            PERSON,
            "person",
            draw.below(figures.PEOPLE),
            x,
            z,
            draw.unit(),
            draw.unit(),
            scale,
            mirrored=vx < 0 if vx else draw.chance(0.5),
            vx=vx,
            vz=vz,
            footprint=(0.28, 0.2),
            height=1.7 * scale,
        )
    )
