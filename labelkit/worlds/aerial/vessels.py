"""Ships and boats, and the piers where they lie."""

from __future__ import annotations

import numpy as np

from labelkit.worlds.aerial.board import Turn
from labelkit.worlds.aerial.classes import HARBOUR, SHIP
from labelkit.worlds.aerial.draw import QUARTERS
from labelkit.worlds.aerial.shapes import box, cover, polygon
from labelkit.worlds.aerial.site import Site
from labelkit.worlds.aerial.vehicles import CRATE_COLOURS

DECKS = ((0.90, 0.90, 0.88), (0.84, 0.84, 0.82), (0.58, 0.42, 0.30), (0.42, 0.47, 0.52), (0.52, 0.24, 0.20))


def paint_ship(site: Site, u: float, v: float, by: Turn, length: float, moving: bool = False) -> None:
    """A boat, or from 70 pixels a ship with hatches, containers or a deck house.

    Args:
        site: of water.
        u, v: its middle.
        by: where its bow looks.
        length: in pixels.
        moving: draws its wake.
    """
    draw = site.draw
    half, beam = length / 2, length * (draw.between(0.15, 0.18) if length < 40 else draw.between(0.08, 0.105))
    sheet = site.sheet(u, v, (1.9 if moving else 0.5) * length, max(beam, 0.4 * length if moving else 0), 1.5, by)
    if not sheet.seen:
        return
    number = sheet.board.add(SHIP)
    if moving:
        back = np.maximum(-half * 0.8 - sheet.u, 0)
        foam = cover((beam + 0.16 * back) - np.abs(sheet.v)) * np.maximum(1 - back / (1.3 * length), 0) * (back > 0)
        sheet.fill(foam * np.float32(0.5) * sheet.rough(0, 0.6, 0.9), (0.80, 0.86, 0.88))
    hull_points = [(-half, -beam), (half * 0.55, -beam), (half, 0.0), (half * 0.55, beam), (-half, beam)]
    sheet.cast(lambda a, b: polygon(a, b, hull_points))
    hull = polygon(sheet.u, sheet.v, hull_points)
    colour = draw.near(draw.pick(DECKS), 0.06)
    sheet.fill(hull, colour, 0.72)
    inner = polygon(sheet.u, sheet.v, [(a * 0.95, b * 0.72) for a, b in hull_points])
    sheet.fill(inner, colour, 1.0)
    if length < 40:
        sheet.fill(box(sheet.u, sheet.v, 0.16 * length, 0.55 * beam, (-0.04 * length, 0.0)), (0.94, 0.94, 0.94))
        sheet.fill(box(sheet.u, sheet.v, 0.03 * length, 0.5 * beam, (0.13 * length, 0.0)), (0.14, 0.17, 0.22))
        if draw.chance(0.5):
            sheet.fill(box(sheet.u, sheet.v, 0.12 * length, 0.55 * beam, (-0.32 * length, 0.0)), (0.45, 0.34, 0.24))
    else:
        house = -0.40 * length
        load = draw.weighted((("boxes", 2), ("hatches", 2), ("bare", 1)))
        if load != "bare":
            wide = 0.045 * length if load == "boxes" else 0.05 * length
            place = house + 0.09 * length
            while place < 0.28 * length:
                if load == "boxes":
                    rows = max(2, int(beam / 3.2))
                    for row in range(rows):
                        at = (place + wide / 2, (row + 0.5) * 2 * beam * 0.8 / rows - beam * 0.8)
                        sheet.fill(box(sheet.u, sheet.v, 0.46 * wide, 0.38 * beam * 2 / rows, at),
                                   draw.near(draw.pick(CRATE_COLOURS), 0.08))  # fmt: skip
                else:
                    sheet.fill(box(sheet.u, sheet.v, 0.38 * wide, 0.6 * beam, (place + wide / 2, 0.0)), colour, 1.2)
                place += wide * 1.12
        sheet.fill(box(sheet.u, sheet.v, 0.05 * length, 0.82 * beam, (house, 0.0)), (0.93, 0.93, 0.92))
        sheet.fill(box(sheet.u, sheet.v, 0.016 * length, 0.25 * beam, (house - 0.045 * length, 0.0)), (0.6, 0.2, 0.15))
    sheet.claim(hull, number)


def paint_pier(site: Site, u: float, v: float, half_u: float, half_v: float, fingers: int, reach: float) -> None:
    """A pier with fingers to both sides: one object of class harbour.

    Args:
        site: of water.
        u, v: its middle.
        half_u, half_v: half its length and width; it runs along u.
        fingers: on each side.
        reach: length of a finger.
    """
    draw = site.draw
    sheet = site.sheet(u, v, half_u, half_v + reach, 1.5)
    if not sheet.seen:
        return
    number = sheet.board.add(HARBOUR)
    thin = max(1.0, 0.10 * half_v + 0.9)

    def outline(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        shape = box(a, b, half_u, half_v)
        if fingers:
            pitch = 2 * half_u / fingers
            steps = (a + half_u) / pitch
            along = (steps - np.floor(steps) - np.float32(0.5)) * pitch
            comb = np.minimum(cover(thin - np.abs(along)), box(a, b, half_u - pitch * 0.3, half_v + reach))
            shape = np.maximum(shape, comb)
        return shape

    sheet.cast(outline)
    shape = outline(sheet.u, sheet.v)
    colour = draw.near(draw.pick(((0.62, 0.60, 0.56), (0.55, 0.46, 0.37), (0.70, 0.69, 0.66))), 0.05)
    planks = sheet.u * np.float32(0.35)
    tone = sheet.rough(0.1, 0.14, 0.14) + (planks - np.floor(planks) < np.float32(0.3)) * np.float32(0.05)
    sheet.fill(shape, colour, tone)
    sheet.claim(shape, number)


def berth(site: Site, half_u: float, half_v: float, fingers: int, reach: float, u: float, v: float) -> None:
    """Boats between the fingers of a pier, or ships along its sides.

    Args:
        site, half_u, half_v, fingers, reach, u, v: as of `paint_pier`.
    """
    draw, scale = site.draw, site.scale
    if fingers:
        pitch = 2 * half_u / fingers
        for side in (-1, 1):
            for slot in range(2 * (fingers - 1)):
                if draw.chance(0.72):
                    place = u - half_u + pitch * (0.5 + slot / 2 + 0.25)
                    length = min(reach * draw.between(0.75, 1.05), 2.9 * pitch / 2)
                    out = half_v + reach * 0.55 + draw.between(-1, 1)
                    paint_ship(site, place, v + side * out, QUARTERS[1 if draw.chance(0.5) else 3], length)
        return
    for side in (-1, 1):
        place = -half_u
        while place < half_u:
            length = scale * (draw.between(56, 190) if draw.chance(0.5) else draw.between(18, 40))
            if place + length > half_u:
                break
            if draw.chance(0.7):
                beam = 0.10 if length > 40 * scale else 0.165
                out = half_v + beam * length + 3.0
                paint_ship(site, u + place + length / 2, v + side * out, QUARTERS[0 if draw.chance(0.5) else 2], length)
            place += length * 1.12 + 4
