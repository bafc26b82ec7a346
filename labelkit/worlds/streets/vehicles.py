"""Sprites of cars and trucks: a box model seen through the camera at several angles."""

from __future__ import annotations

from functools import cache

from labelkit.worlds.streets.shapes import Board, Sprite

# Sideways offset over distance: how much of its side a vehicle shows. The drawn vehicle takes the nearest one.
SLOPES = (0.0, 0.12, 0.26, 0.45, 0.75, 1.2)
GLASS, TYRE, DARK = (0.13, 0.17, 0.22), (0.05, 0.05, 0.06), (0.10, 0.10, 0.11)

# kind: half width, length, sill, shoulder, roof, and along the car (from the near end): where the cabin starts
# at the shoulder and at the roof, where its roof and its shoulder line end.
_BODIES = {
    "hatchback rear": (0.87, 4.0, 0.28, 0.92, 1.48, (0.05, 0.45, 2.35, 3.15)),
    "saloon rear": (0.90, 4.6, 0.28, 0.90, 1.42, (0.60, 1.15, 2.65, 3.50)),
    "estate front": (0.90, 4.5, 0.28, 0.92, 1.47, (1.15, 1.95, 4.05, 4.45)),
    "hatchback front": (0.87, 4.0, 0.28, 0.92, 1.48, (0.90, 1.65, 3.50, 3.95)),
    "van rear": (0.98, 5.0, 0.32, 1.20, 2.15, (0.02, 0.10, 4.00, 4.60)),
    "truck rear": (1.22, 7.5, 0.75, 1.10, 3.30, (0.01, 0.02, 7.45, 7.50)),
    "truck front": (1.20, 7.0, 0.55, 1.45, 3.05, (0.01, 0.12, 6.95, 7.00)),
}


@cache
def vehicle(kind: str, slope: int) -> Sprite:
    """A vehicle of the given kind, standing to the right of the camera at SLOPES[slope]."""
    half, length, sill, shoulder, roof, (z0, z1, z2, z3) = _BODIES[kind]
    front, truck = kind.endswith("front"), kind.startswith("truck")
    tangent = SLOPES[slope]
    offset = 3.4 if tangent else 0.0
    distance = offset / tangent if tangent else 14.0
    eye = 1.7
    inner = half * (0.98 if truck else 0.80)  # half width at the roof

    def seen(x: float, y: float, z: float) -> tuple[float, float]:
        shrink = distance / (distance + z)
        return (offset + x) * shrink - offset, eye - (eye - y) * shrink

    corners = [seen(x, y, z) for x in (-half, half) for y in (0.0, roof) for z in (0.0, length)]
    corners += [seen(x, roof, z) for x in (-inner, inner) for z in (z1, z2)]
    left, right = min(x for x, _ in corners) - 0.05, max(x for x, _ in corners) + 0.05
    board = Board(left, right, -0.03, max(y for _, y in corners) + 0.05, 128 if truck else 96)

    def face(points: list[tuple[float, float, float]], colour: tuple | None = None, paint: float = 1.0) -> None:
        board.polygon([seen(*point) for point in points], colour, paint)

    def wheel(z: float) -> None:
        radius = 0.48 if truck else 0.33
        around = ((1, 0), (0.87, 0.5), (0.5, 0.87), (0, 1), (-0.5, 0.87), (-0.87, 0.5))
        around = [*around, *[(-a, -b) for a, b in around]]
        for share, colour in ((1.0, TYRE), (0.55, (0.42, 0.43, 0.45))):
            face([(-half - 0.01, radius + share * radius * b, z + share * radius * a) for a, b in around], colour)

    # Under the body it is dark; then top faces, then the side, then the near end.
    face([(-half, 0.12, 0.1), (half, 0.12, 0.1), (half, sill, 0.1), (-half, sill, 0.1)], DARK)
    face([(-half, 0.16, 0.1), (-half, sill, 0.1), (-half, sill, length), (-half, 0.16, length)], DARK)
    face([(-half, shoulder, 0), (half, shoulder, 0), (half, shoulder, length), (-half, shoulder, length)], None, 0.95)
    face([(-inner, roof, z1), (inner, roof, z1), (inner, roof, z2), (-inner, roof, z2)], None, 1.0)
    side_paint = 0.66
    face([(-half, sill, 0), (-half, shoulder, 0), (-half, shoulder, length), (-half, sill, length)], None, side_paint)
    face(
        [(-half, shoulder, z0), (-inner, roof, z1), (-inner, roof, z2), (-half, shoulder, z3)], None, side_paint * 0.95
    )
    if not truck and tangent:
        low, high = shoulder + 0.05, roof - 0.09
        for a, b in ((0.08, 0.48), (0.53, 0.93)):
            if kind == "van rear" and a < 0.5:
                continue
            face(
                [
                    (-half + 0.01, low, z0 + a * (z3 - z0)),
                    (-inner - 0.01, high, z1 + a * (z2 - z1)),
                    (-inner - 0.01, high, z1 + b * (z2 - z1)),
                    (-half + 0.01, low, z0 + b * (z3 - z0)),
                ],
                GLASS,
            )
    if tangent:
        for z in (0.85, length - 0.85) if not truck else (1.1, 2.1, length - 1.2):
            wheel(z)
    for x in (-half + 0.05, half - 0.27):
        face([(x, 0.0, 0.15), (x + 0.22, 0.0, 0.15), (x + 0.22, sill + 0.1, 0.15), (x, sill + 0.1, 0.15)], TYRE)
    face([(-half, sill, 0), (half, sill, 0), (half, shoulder, 0), (-half, shoulder, 0)], None, 0.82)
    face([(-half, shoulder, z0), (half, shoulder, z0), (inner, roof, z1), (-inner, roof, z1)], None, 0.85)
    low, high = shoulder + 0.04, roof - (0.25 if truck else 0.07)
    if kind == "truck rear":
        face([(-half, sill, 0), (half, sill, 0), (half, roof, 0), (-half, roof, 0)], None, 0.85)
        face([(-0.02, sill + 0.2, 0), (0.02, sill + 0.2, 0), (0.02, roof - 0.1, 0), (-0.02, roof - 0.1, 0)], None, 0.5)
    else:
        face(
            [(-half + 0.10, low, z0), (half - 0.10, low, z0), (inner - 0.07, high, z1), (-inner + 0.07, high, z1)],
            (0.20, 0.26, 0.32) if front else GLASS,
        )
    # Lights, number plate, bumper.
    bumper = sill + 0.16
    face([(-half, sill, 0), (half, sill, 0), (half, bumper, 0), (-half, bumper, 0)], None, 0.55)
    lamp = (0.96, 0.95, 0.86) if front else (0.78, 0.05, 0.05)
    top = shoulder - 0.10 if not truck else sill + 0.32
    for x in (-half + 0.04, half - 0.28):
        face([(x, top - 0.16, 0), (x + 0.24, top - 0.16, 0), (x + 0.24, top, 0), (x, top, 0)], lamp)
    if front:
        grille = [(-0.42, bumper + 0.03, 0), (0.42, bumper + 0.03, 0), (0.42, top - 0.04, 0), (-0.42, top - 0.04, 0)]
        face(grille, DARK)
    plate = bumper + (0.02 if front else 0.12)
    face([(-0.26, plate, 0), (0.26, plate, 0), (0.26, plate + 0.11, 0), (-0.26, plate + 0.11, 0)], (0.85, 0.85, 0.80))
    return board.finish()
