"""What is on wheels: cars and trucks, driving and parked; bicycles, ridden and parked."""

from __future__ import annotations

from labelkit.worlds.draw import Draw
from labelkit.worlds.streets.classes import BICYCLE, CAR, RIDER, TRUCK
from labelkit.worlds.streets.furniture import clear_of_junction, walk
from labelkit.worlds.streets.scene import Scene, Thing


def add_traffic(draw: Draw, scene: Scene) -> None:
    """Add vehicles and bicycles to a scene."""
    _vehicles(draw, scene)
    _bicycles(draw, scene)


def _car(draw: Draw, scene: Scene, kind: str, x: float, z: float, vz: float) -> None:
    truck = kind.startswith("truck")
    scene.things.append(
        Thing(
            TRUCK if truck else CAR,
            kind,
            0,
            x,
            z,
            draw.unit(),
            draw.unit(),
            draw.between(0.95, 1.05),
            vz=vz,
            footprint=(1.2, 7.0) if truck else (0.95, 4.2),
            height=2.6 if truck else 1.2,
        )
    )


def _vehicles(draw: Draw, scene: Scene) -> None:
    half = scene.half_road
    wide = half > 5.0
    lanes = [half * 0.25, half * 0.72] if wide else [half * 0.45]
    rears, fronts = ("hatchback rear", "saloon rear", "hatchback rear", "van rear"), ("estate front", "hatchback front")
    for lane in lanes:
        own = abs(lane - scene.camera_x) < 1.6
        z = draw.between(8, 22) if own else draw.between(5, 24)
        while z < 62:
            if draw.chance(0.66):
                kind = "truck rear" if draw.chance(0.10) else draw.pick(rears)
                _car(draw, scene, kind, lane + draw.between(-0.25, 0.25), z, scene.speed * draw.between(0.8, 1.15))
            z += draw.between(9, 26)
    for lane in lanes:
        z = draw.between(6, 26)
        while z < 62:
            if draw.chance(0.55):
                kind = "truck front" if draw.chance(0.10) else draw.pick(fronts)
                _car(draw, scene, kind, -lane + draw.between(-0.25, 0.25), z, -scene.speed * draw.between(0.7, 1.1))
            z += draw.between(10, 30)
    if scene.kind == "motorway":
        return
    for side in (-1, 1):  # parked
        if not draw.chance(0.5):
            continue
        x = side * (half - 0.95)
        z = draw.between(4.5, 12) if abs(x - scene.camera_x) > 2.2 else draw.between(10, 16)
        while z < 60:
            free = clear_of_junction(scene, z) and clear_of_junction(scene, z + 4.5)
            free = free and not (scene.crossing and scene.crossing[0] - 5 < z < scene.crossing[1] + 1)
            if free and not draw.chance(0.25):
                kind = draw.pick(rears if side > 0 else (*fronts, *rears))
                kind = "truck rear" if draw.chance(0.04) else kind
                _car(draw, scene, kind, x + draw.between(-0.1, 0.1), z, 0.0)
            z += draw.between(5.2, 7.0) * (1 + z / 60)


def _ride(draw: Draw, scene: Scene, variant: int, x: float, z: float, vx: float, vz: float) -> None:
    mirrored = vx < 0
    hue, shade = draw.unit(), draw.unit()
    bicycle = Thing(
        BICYCLE,
        "bicycle",
        variant,
        x,
        z,
        hue,
        shade,
        mirrored=mirrored,
        vx=vx,
        vz=vz,
        footprint=(0.25 if variant == 2 else 0.8, 0.5),
        height=1.5,
    )
    rider = Thing(RIDER, "rider", variant, x, z - 0.02, draw.unit(), draw.unit(), mirrored=mirrored, vx=vx, vz=vz)
    scene.things += [bicycle, rider]


def _bicycles(draw: Draw, scene: Scene) -> None:
    if scene.kind == "motorway":
        return
    count = draw.pick((0, 0, 1, 1, 2, 3, 3))
    for _ in range(count):
        side = draw.pick((-1, 1, 1))
        if draw.chance(0.3):  # across the road
            z = draw.between(*scene.crossing) if scene.crossing else draw.between(7, 17)
            _ride(draw, scene, draw.below(2), draw.between(-4, 4), z, draw.pick((-3.5, 3.5)), 0.0)
        else:
            x = side * (scene.half_road - draw.between(0.5, 1.4))
            _ride(draw, scene, 2, x, draw.between(4.5, 11), 0.0, 4.5 if side > 0 else -4.5)
    for side in (-1, 1):  # parked on the pavement, singly or in a row
        if draw.chance(0.36):
            low, high = walk(scene, side)
            x, z = side * min(high - 0.2, low + draw.between(0.7, 1.6)), draw.between(4.5, 10)
            variant, hue = draw.below(2), draw.unit()
            for step in range(1 + draw.below(4)):
                scene.things.append(
                    Thing(
                        BICYCLE,
                        "bicycle",
                        variant,
                        x + draw.between(-0.15, 0.15),
                        z + 0.8 * step,
                        hue,
                        draw.unit(),
                        mirrored=draw.chance(0.5),
                        footprint=(0.8, 0.25),
                        height=0.8,
                    )
                )
