"""Furniture: lists of solids about the origin on the floor, its back along -y, facing +y."""

from __future__ import annotations

from labelkit.worlds.rooms import classes as c
from labelkit.worlds.rooms.draw import Colour, Draw
from labelkit.worlds.rooms.solids import BOOKS, STRIPES, Paint, Solid, ball, box, cylinder

WOODS: tuple[Colour, ...] = (
    (0.62, 0.46, 0.3),
    (0.45, 0.3, 0.2),
    (0.78, 0.66, 0.48),
    (0.86, 0.84, 0.8),
    (0.35, 0.35, 0.37),
)
FABRICS: tuple[Colour, ...] = (
    (0.15, 0.15, 0.17), (0.2, 0.28, 0.5), (0.5, 0.14, 0.14), (0.25, 0.38, 0.25), (0.55, 0.55, 0.56), (0.7, 0.6, 0.45),
)  # fmt: skip
METALS: tuple[Colour, ...] = ((0.2, 0.2, 0.22), (0.6, 0.61, 0.63), (0.85, 0.85, 0.85))


def wood(draw: Draw, axis: int = 0) -> Paint:
    """A wooden or lacquered surface with a faint grain."""
    colour = draw.near(draw.pick(WOODS), 0.12)
    darker = tuple(0.93 * value for value in colour)
    return Paint(colour, darker, STRIPES, draw.between(0.05, 0.12), axis)


def plain(draw: Draw, colours: tuple[Colour, ...]) -> Paint:
    """One colour out of a few, shifted a little."""
    return Paint(draw.near(draw.pick(colours), 0.12))


def chair(draw: Draw) -> list[Solid]:
    """Four legs, or a foot with a column; with or without arms."""
    cover, metal = plain(draw, FABRICS + WOODS[:3]), plain(draw, METALS)
    half, deep, seat = draw.between(0.2, 0.25), draw.between(0.2, 0.24), draw.between(0.42, 0.48)
    top = seat + draw.between(0.36, 0.52)
    solids = [
        box((-half, -deep, seat - 0.05), (half, deep, seat), c.CHAIR, cover),
        box((-half, -deep - 0.04, seat + 0.06), (half, -deep + 0.02, top), c.CHAIR, cover),
    ]
    if draw.chance(0.5):
        for x in (-half + 0.03, half - 0.03):
            for y in (-deep + 0.03, deep - 0.03):
                solids.append(box((x - 0.02, y - 0.02, 0), (x + 0.02, y + 0.02, seat - 0.05), c.CHAIR, metal))
    else:
        solids.append(cylinder(0, 0, 0.04, 0.06, seat - 0.05, c.CHAIR, metal))
        solids.append(cylinder(0, 0, 0.25, 0.02, 0.07, c.CHAIR, metal))
    if draw.chance(0.4):
        for x in (-half - 0.03, half + 0.03):
            solids.append(box((x - 0.025, -deep, seat + 0.17), (x + 0.025, deep - 0.05, seat + 0.21), c.CHAIR, metal))
    return solids


def table(draw: Draw, width: float, depth: float, height: float) -> list[Solid]:
    """A top on four legs, on two panels, or on one panel and a chest of drawers."""
    top, leg = wood(draw), plain(draw, METALS)
    x, y = width / 2, depth / 2
    solids = [box((-x, -y, height - 0.04), (x, y, height), c.TABLE, top)]
    style = draw.below(3)
    if style == 0:
        for a in (-x + 0.05, x - 0.05):
            for b in (-y + 0.05, y - 0.05):
                solids.append(box((a - 0.025, b - 0.025, 0), (a + 0.025, b + 0.025, height - 0.04), c.TABLE, leg))
        return solids
    solids.append(box((-x, -y, 0), (-x + 0.04, y, height - 0.04), c.TABLE, top))
    if style == 2 and height > 0.6:
        solids.append(box((x - 0.4, -y, 0.05), (x, y - 0.05, height - 0.04), c.TABLE, top))
    else:
        solids.append(box((x - 0.04, -y, 0), (x, y, height - 0.04), c.TABLE, top))
    return solids


def bookcase(draw: Draw, width: float, depth: float, height: float) -> list[Solid]:
    """Sides, back and shelves, with rows of books and gaps; some have doors below."""
    body = wood(draw, axis=2)
    x, y = width / 2, depth / 2
    solids = [
        box((-x, -y, 0), (-x + 0.03, y, height), c.BOOKCASE, body),
        box((x - 0.03, -y, 0), (x, y, height), c.BOOKCASE, body),
        box((-x, -y, 0), (x, -y + 0.02, height), c.BOOKCASE, body),
    ]
    levels = max(2, int(height / 0.36))
    step = height / levels
    closed = draw.below(3) if height > 1.2 else 0
    for level in range(levels + 1):
        z = level * step
        solids.append(box((-x, -y, max(0.0, z - 0.025)), (x, y, max(0.025, z)), c.BOOKCASE, body))
        if level < closed:
            solids.append(box((-x, y - 0.03, z), (x, y, z + step), c.BOOKCASE, body))
        elif level < levels and draw.chance(0.85):
            left, right = -x + 0.04, -x + 0.04 + (width - 0.08) * draw.between(0.4, 1.0)
            look = Paint(draw.near((0.5, 0.4, 0.35), 0.3), pattern=BOOKS, period=draw.between(0.025, 0.05))
            top = z + step * draw.between(0.6, 0.85)
            solids.append(box((left, -y, z), (right, y - draw.between(0.02, 0.08), top), c.BOOKCASE, look))
    return solids


def sofa(draw: Draw, width: float, depth: float) -> list[Solid]:
    """Seat, back and, mostly, two arms."""
    cover = plain(draw, FABRICS)
    x, y, seat = width / 2, depth / 2, draw.between(0.38, 0.45)
    high, back = seat + draw.between(0.3, 0.45), draw.between(0.18, 0.25)
    solids = [
        box((-x, -y, 0.05), (x, y, seat), c.SOFA, cover),
        box((-x, -y, seat), (x, -y + back, high), c.SOFA, cover),
    ]
    if draw.chance(0.75):
        arm = seat + draw.between(0.12, 0.22)
        solids.append(box((-x, -y, 0.05), (-x + 0.15, y, arm), c.SOFA, cover))
        solids.append(box((x - 0.15, -y, 0.05), (x, y, arm), c.SOFA, cover))
    return solids


def small_clutter(draw: Draw) -> list[Solid]:
    """Something to stand on a table: a screen, a box, a lamp, a pot, a pile of paper."""
    look = plain(draw, FABRICS + METALS)
    style = draw.below(4)
    if style == 0:
        wide, high = draw.between(0.22, 0.3), draw.between(0.3, 0.4)
        dark = Paint(draw.near((0.08, 0.08, 0.1), 0.1))
        return [
            box((-wide, -0.02, 0.1), (wide, 0.02, 0.1 + high), c.CLUTTER, dark),
            box((-0.1, -0.08, 0), (0.1, 0.08, 0.02), c.CLUTTER, dark),
            box((-0.03, -0.03, 0), (0.03, 0, 0.15), c.CLUTTER, dark),
        ]
    if style == 1:
        a, b = draw.between(0.08, 0.18), draw.between(0.08, 0.15)
        return [box((-a, -b, 0), (a, b, draw.between(0.06, 0.25)), c.CLUTTER, look)]
    if style == 2:
        high = draw.between(0.3, 0.45)
        shade = ball(0, 0, high, draw.between(0.08, 0.12), c.CLUTTER, Paint(draw.near((0.9, 0.85, 0.7), 0.1)))
        return [cylinder(0, 0, 0.08, 0, 0.03, c.CLUTTER, look), cylinder(0, 0, 0.015, 0, high, c.CLUTTER, look), shade]
    leaves = ball(0, 0, 0.26, draw.between(0.1, 0.15), c.CLUTTER, Paint(draw.near((0.2, 0.42, 0.2), 0.15)))
    return [cylinder(0, 0, 0.07, 0, 0.15, c.CLUTTER, look), leaves]


def floor_clutter(draw: Draw) -> list[Solid]:
    """Something to stand on the floor: boxes, a bin, a plant, a floor lamp, a bag."""
    style = draw.below(4)
    if style == 0:
        card, low = Paint(draw.near((0.66, 0.5, 0.34), 0.12)), draw.between(0.2, 0.45)
        a, b = draw.between(0.15, 0.25), draw.between(0.14, 0.22)
        solids = [box((-a, -b, 0), (a, b, low), c.CLUTTER, card)]
        if draw.chance(0.5):
            solids.append(box((-0.7 * a, -0.8 * b, low), (0.8 * a, 0.7 * b, low + 0.25), c.CLUTTER, card))
        return solids
    look = plain(draw, FABRICS + METALS)
    if style == 1:
        return [cylinder(0, 0, draw.between(0.12, 0.18), 0, draw.between(0.3, 0.5), c.CLUTTER, look)]
    if style == 2:
        high, green = draw.between(0.7, 1.3), Paint(draw.near((0.2, 0.4, 0.18), 0.15))
        return [
            cylinder(0, 0, 0.15, 0, 0.3, c.CLUTTER, look),
            cylinder(0, 0, 0.025, 0.3, high, c.CLUTTER, Paint((0.35, 0.25, 0.15))),
            ball(0, 0, high, draw.between(0.2, 0.3), c.CLUTTER, green),
        ]
    high = draw.between(1.4, 1.7)
    return [
        cylinder(0, 0, 0.14, 0, 0.03, c.CLUTTER, look),
        cylinder(0, 0, 0.02, 0.03, high, c.CLUTTER, look),
        cylinder(0, 0, 0.17, high, high + 0.22, c.CLUTTER, Paint(draw.near((0.92, 0.88, 0.75), 0.08))),
    ]
