"""Blocks of leisure and farm land: courts, pitches, parks, woods and fields."""

from __future__ import annotations

import numpy as np

from labelkit.worlds.aerial.grounds import lay
from labelkit.worlds.aerial.shapes import box, cover, disc
from labelkit.worlds.aerial.site import Site
from labelkit.worlds.aerial.sports import (
    SURFACES,
    paint_basketball,
    paint_diamond,
    paint_pool,
    paint_soccer,
    paint_tennis,
    paint_track,
)
from labelkit.worlds.aerial.trees import scatter

CROPS = ((0.45, 0.47, 0.24), (0.62, 0.54, 0.34), (0.34, 0.42, 0.20), (0.50, 0.38, 0.27))


def courts(site: Site) -> None:
    """Tennis and basketball courts side by side."""
    draw, scale = site.draw, site.scale
    lay(site, draw.pick(("lawn", "pavement", "grass")))
    tall, wide = 27 * scale, 14.5 * scale
    surface = draw.below(len(SURFACES))
    row = -site.half_v + tall + 7 * scale
    while row <= site.half_v - tall - 3 * scale:
        tennis = draw.chance(0.72)
        half = wide if tennis else 13 * scale
        place = -site.half_u + half + 8 * scale
        while place <= site.half_u - half - 4 * scale:
            column = site.part(place, row, half, tall)  # its u axis is the longer side
            if draw.chance(0.88):
                if tennis:
                    paint_tennis(column, 0, 0, tall * 0.96, half * 0.96, surface)
                else:
                    paint_basketball(column, 0, 0, tall * 0.80, half * 0.92)
            place += 2 * half + scale * (1 if draw.chance(0.7) else 14)
        row += 2 * tall + 12 * scale
    scatter(site, draw.below(8), 4, 8)


def stadium(site: Site) -> None:
    """A running track with its field, or pitches where there is no room for one."""
    draw, scale = site.draw, site.scale
    lay(site, draw.pick(("lawn", "grass")))
    if site.half_u > 150 * scale and site.half_v > 82 * scale:
        half_v = min(site.half_v * 0.86, 96 * scale)
        paint_track(site, 0, 0, min(site.half_u * 0.92, half_v * 1.95), half_v)
    else:
        pitches(site)
    scatter(site, draw.below(10), 4, 9)


def pitches(site: Site) -> None:
    """A soccer field or two."""
    draw, scale = site.draw, site.scale
    lay(site, "grass")
    half_v = min(site.half_v * 0.84, scale * draw.between(44, 66))
    half_u = min(half_v * 1.55, site.half_u * 0.9)
    count = max(1, int(site.half_u / (half_u * 1.12)))
    for number in range(count):
        paint_soccer(site, (2 * number + 1 - count) * half_u * 1.1, 0, half_u, half_v)


def diamonds(site: Site) -> None:
    """Baseball diamonds."""
    lay(site, site.draw.pick(("lawn", "grass", "dry")))
    half = min(site.half_v * 0.84, site.scale * site.draw.between(42, 72))
    count = max(1, int(site.half_u / (half * 1.15)))
    for number in range(count):
        paint_diamond(site, (2 * number + 1 - count) * half * 1.12, 0, half)


def park(site: Site) -> None:
    """Lawn, paths, many trees, sometimes a public pool."""
    draw, scale = site.draw, site.scale
    sheet = lay(site, draw.pick(("grass", "lawn", "dry")))
    if sheet.seen:
        bent = sheet.v + site.half_v * draw.between(-0.5, 0.5) * (sheet.u / site.half_u) ** 2
        path = cover(3.2 * scale - np.abs(bent)) * box(sheet.u, sheet.v, site.half_u, site.half_v)
        sheet.fill(path, (0.70, 0.64, 0.53), sheet.rough(0.05, 0.1, 0.1))
    if draw.chance(0.3):
        paint_pool(site, site.half_u * 0.4, site.half_v * 0.45, 24 * scale, 11 * scale)
    scatter(site, int(site.half_u * site.half_v / (520 * scale * scale) * draw.between(0.4, 1.4)), 4, 11)


def forest(site: Site) -> None:
    """Nothing but trees."""
    lay(site, "forest")
    scatter(site, int(site.half_u * site.half_v / (95 * site.scale * site.scale)), 4.5, 10)


def fields(site: Site) -> None:
    """Farm land: furrows, or a round field, which is no roundabout."""
    draw, scale = site.draw, site.scale
    sheet = lay(site, draw.pick(("dry", "dirt", "grass")))
    if not sheet.seen:
        return
    colour = draw.near(draw.pick(CROPS), 0.05)
    furrows = sheet.v / np.float32(draw.between(3.4, 7.0) * scale)
    tone = sheet.rough(0.3, 0.2, 0.1) + (furrows - np.floor(furrows) < np.float32(0.5)) * np.float32(0.09)
    if draw.chance(0.25):
        radius = site.half_v * 0.92
        sheet.fill(disc(sheet.u, sheet.v, radius), colour, tone)
    else:
        sheet.fill(box(sheet.u, sheet.v, site.half_u - 4, site.half_v - 4), colour, tone)
