"""Houses, halls and towers: no objects, but full of boxes that look like vehicles."""

from __future__ import annotations

import numpy as np

from labelkit.worlds.aerial.draw import QUARTERS
from labelkit.worlds.aerial.shapes import box
from labelkit.worlds.aerial.site import Site

TILES = ((0.56, 0.30, 0.22), (0.46, 0.33, 0.27), (0.38, 0.36, 0.36), (0.62, 0.55, 0.48), (0.50, 0.26, 0.20))
FLAT = ((0.74, 0.73, 0.70), (0.60, 0.59, 0.58), (0.46, 0.46, 0.47), (0.66, 0.60, 0.53), (0.82, 0.82, 0.81))


def paint_house(site: Site, u: float, v: float, half_u: float, half_v: float) -> None:
    """A house with a pitched roof: two sides, one in the light."""
    draw = site.draw
    sheet = site.sheet(u, v, half_u, half_v, 5 * site.scale, QUARTERS[0] if half_u >= half_v else QUARTERS[1])
    if not sheet.seen:
        return
    half_u, half_v = max(half_u, half_v), min(half_u, half_v)
    sheet.cast(lambda a, b: box(a, b, half_u, half_v))
    roof = box(sheet.u, sheet.v, half_u, half_v)
    facing = -sheet.turn[1] * sheet.board.sun[0] + sheet.turn[0] * sheet.board.sun[1]  # of the v axis, from the sun
    side = np.minimum(np.maximum(sheet.v, -0.5), 0.5) * (-0.34 if facing > 0 else 0.34)
    courses = sheet.v * np.float32(0.5)
    tone = sheet.rough(0.0, 0.10, 0.16) + side + (courses - np.floor(courses) < np.float32(0.5)) * np.float32(0.04)
    sheet.fill(roof, draw.near(draw.pick(TILES), 0.06), tone)
    sheet.claim(roof, 0)
    if draw.chance(0.5):
        chimney = box(sheet.u, sheet.v, 1.3 * site.scale, 1.3 * site.scale, (half_u * draw.between(-0.6, 0.6), 0.0))
        sheet.fill(chimney, (0.32, 0.28, 0.26))


def paint_hall(site: Site, u: float, v: float, half_u: float, half_v: float, height: float) -> None:
    """A flat roof with a parapet, sky lights and machines."""
    draw, scale = site.draw, site.scale
    sheet = site.sheet(u, v, half_u, half_v, height * scale)
    if not sheet.seen:
        return
    sheet.cast(lambda a, b: box(a, b, half_u, half_v))
    colour = draw.near(draw.pick(FLAT), 0.06)
    roof = box(sheet.u, sheet.v, half_u, half_v)
    tone = sheet.rough(0.16, 0.10, 0.05)
    if draw.chance(0.4):  # corrugated sheet
        ribs = sheet.v * np.float32(0.22 / scale)
        tone = tone + (ribs - np.floor(ribs) < np.float32(0.5)) * np.float32(0.07)
    sheet.fill(roof, colour, tone)
    sheet.claim(roof, 0)
    sheet.fill(roof - box(sheet.u, sheet.v, half_u - 1.4 * scale, half_v - 1.4 * scale), colour, 1.16)
    if draw.chance(0.35):
        count = 2 + draw.below(5)
        for number in range(count):
            place = (number + 0.5) * 2 * half_u / count - half_u
            sheet.fill(box(sheet.u, sheet.v, 2.2 * scale, 0.6 * half_v, (place, 0.0)), (0.52, 0.58, 0.62), tone)
    if draw.chance(0.4):
        _paint_solar(sheet, half_u, half_v, scale)
    machines = int(min(half_u * half_v / (230 * scale * scale), 18) * draw.between(0.3, 1.2))
    for _ in range(machines):
        long, wide = scale * draw.between(2.0, 6.0), scale * draw.between(2.0, 3.0)
        at = (draw.between(-0.85, 0.85) * (half_u - long), draw.between(-0.8, 0.8) * (half_v - wide))
        shade = (at[0] + 1.2 * scale * _sign(sheet.board.sun[0]), at[1] + 1.2 * scale * _sign(sheet.board.sun[1]))
        sheet.darken(box(sheet.u, sheet.v, long, wide, shade) * roof, 0.4)
        sheet.fill(box(sheet.u, sheet.v, long, wide, at) * roof, draw.near((0.68, 0.69, 0.70), 0.2))


def _paint_solar(sheet, half_u: float, half_v: float, scale: float) -> None:
    """Rows of solar panels on half of a roof."""
    inside = box(sheet.u, sheet.v, half_u * 0.4, half_v * 0.7, (-half_u * 0.45, 0.0))
    rows = sheet.v * np.float32(0.16 / scale)
    panels = (rows - np.floor(rows) < np.float32(0.62)) * inside
    sheet.fill(panels, (0.13, 0.17, 0.29), sheet.rough(0.1, 0.1, 0.1))


def _sign(value: float) -> float:
    return 1.0 if value > 0 else -1.0
