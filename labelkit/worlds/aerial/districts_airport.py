"""Blocks of an airport: aprons with planes, pads with helicopters."""

from __future__ import annotations

import numpy as np

from labelkit.worlds.aerial.aircraft import paint_helicopter, paint_helipad, paint_plane
from labelkit.worlds.aerial.draw import QUARTERS, rotated
from labelkit.worlds.aerial.grounds import lay
from labelkit.worlds.aerial.roofs import paint_hall
from labelkit.worlds.aerial.shapes import box, cover
from labelkit.worlds.aerial.site import Site
from labelkit.worlds.aerial.vehicles import add_car, add_large


def apron(site: Site) -> None:
    """Planes in a row before a terminal, with cars and trucks that serve them; a helicopter or two."""
    draw, scale = site.draw, site.scale
    sheet = lay(site, "concrete")
    if sheet.seen:
        joints = np.minimum(_lines(sheet.u, 26 * scale), _lines(sheet.v, 26 * scale))
        sheet.fill(box(sheet.u, sheet.v, site.half_u, site.half_v) * (1 - joints) * np.float32(0.2), (0.35, 0.35, 0.34))
    most = min(2 * site.half_v * 0.62, 220 * scale)
    length = most * draw.between(0.72, 1.0) if most < 150 * scale else scale * draw.between(74, 170)
    heading = draw.pick((1, 3))
    place = -site.half_u + 0.62 * length
    while place < site.half_u - 0.58 * length:
        own = length * draw.between(0.85, 1.1)
        spot = draw.unit()
        if spot < 0.78:
            lean = rotated(QUARTERS[heading], draw.lean(0.05))
            v = (site.half_v * 0.10 if heading == 1 else -site.half_v * 0.10) + draw.between(-4, 4)
            paint_plane(site, place, v, lean, max(own, 38.0))
            for _ in range(draw.below(4)):
                nose = (1 if heading == 1 else -1) * draw.between(0.30, 0.46) * own
                at = place + draw.pick((-1, 1)) * draw.between(0.14, 0.42) * own, v + nose
                (add_car if draw.chance(0.6) else add_large)(site, *at, draw.below(4))
        elif spot < 0.88 and length < 120 * scale:
            pad = 17 * scale
            paint_helipad(sheet, (place, 0.0), pad)
            if draw.chance(0.8):
                paint_helicopter(site, place, 0.0, draw.direction(), scale * draw.between(24, 38))
        place += own * 1.14
    if site.half_v > length * 0.95:
        paint_hall(site, 0, (site.half_v - 16 * scale) * (1 if heading == 1 else -1), site.half_u * 0.8, 13 * scale, 9)


def heliport(site: Site) -> None:
    """Pads with helicopters."""
    draw, scale = site.draw, site.scale
    sheet = lay(site, draw.pick(("asphalt", "grass", "concrete")))
    pitch = scale * draw.between(44, 56)
    columns, rows = min(4, int(2 * site.half_u / pitch)), min(2, int(2 * site.half_v / pitch))
    for column in range(columns):
        for row in range(rows):
            u, v = (column + 0.5 - columns / 2) * pitch, (row + 0.5 - rows / 2) * pitch
            if sheet.seen and draw.chance(0.7):
                paint_helipad(sheet, (u, v), 18 * scale)
            if draw.chance(0.6):
                paint_helicopter(site, u, v, draw.direction(), scale * draw.between(24, 40))


def _lines(along: np.ndarray, pitch: float) -> np.ndarray:
    """0 on lines at the pitch, 1 between them."""
    steps = along / np.float32(pitch)
    return cover((np.abs(steps - np.floor(steps) - np.float32(0.5)) * -1 + np.float32(0.5)) * pitch - 0.6)
