"""Courts, pitches, diamonds, running tracks and pools."""

from __future__ import annotations

import numpy as np

from labelkit.worlds.aerial.classes import (
    BASEBALL_DIAMOND,
    BASKETBALL_COURT,
    SOCCER_FIELD,
    SWIMMING_POOL,
    TENNIS_COURT,
    TRACK_FIELD,
)
from labelkit.worlds.aerial.draw import QUARTERS
from labelkit.worlds.aerial.shapes import box, capsule, cover, disc, ellipse, frame, ring
from labelkit.worlds.aerial.site import Site

WHITE = (0.90, 0.90, 0.88)
SURFACES = ((0.24, 0.42, 0.32), (0.22, 0.36, 0.50), (0.52, 0.30, 0.24), (0.30, 0.46, 0.38), (0.40, 0.33, 0.46))


def paint_tennis(site: Site, u: float, v: float, half_u: float, half_v: float, surface: int) -> None:
    """A tennis court, its run-off included; along u."""
    sheet = site.sheet(u, v, half_u, half_v)
    if not sheet.seen:
        return
    number = sheet.board.add(TENNIS_COURT)
    outer = box(sheet.u, sheet.v, half_u, half_v)
    tone = sheet.rough(0.06, 0.06, 0.06)
    sheet.fill(outer, SURFACES[surface], tone)
    long, wide = half_u * 0.66, half_v * 0.62
    inner = SURFACES[(surface + 1) % len(SURFACES)]
    sheet.fill(box(sheet.u, sheet.v, long, wide), inner, tone)
    thin = 1.0
    lines = frame(sheet.u, sheet.v, long, wide, thin)
    lines = np.maximum(lines, frame(sheet.u, sheet.v, long, wide * 0.75, thin))
    lines = np.maximum(lines, frame(sheet.u, sheet.v, long * 0.54, wide * 0.75, thin))
    lines = np.maximum(lines, box(sheet.u, sheet.v, long * 0.54, thin / 2))
    sheet.fill(lines * np.float32(0.8), WHITE)
    sheet.fill(box(sheet.u, sheet.v, 0.6, wide * 1.12), (0.20, 0.22, 0.22))
    sheet.claim(outer, number)


def paint_basketball(site: Site, u: float, v: float, half_u: float, half_v: float) -> None:
    """A basketball court along u."""
    draw = site.draw
    sheet = site.sheet(u, v, half_u, half_v)
    if not sheet.seen:
        return
    number = sheet.board.add(BASKETBALL_COURT)
    outer = box(sheet.u, sheet.v, half_u, half_v)
    tone = sheet.rough(0.08, 0.08, 0.06)
    surface = draw.below(len(SURFACES))
    sheet.fill(outer, draw.near(SURFACES[surface], 0.05), tone)
    flipped = np.abs(sheet.u)
    key = box(flipped, sheet.v, half_u * 0.19, half_v * 0.30, (half_u * 0.76, 0.0))
    sheet.fill(key, draw.near(SURFACES[(surface + 2) % len(SURFACES)], 0.05), tone)
    lines = frame(sheet.u, sheet.v, half_u * 0.95, half_v * 0.92, 1.0)
    lines = np.maximum(lines, box(sheet.u, sheet.v, 0.5, half_v * 0.92))
    lines = np.maximum(lines, ring(sheet.u, sheet.v, half_v * 0.26, 1.0))
    arc = ring(flipped, sheet.v, half_v * 0.80, 1.0, (half_u * 0.88, 0.0))
    lines = np.maximum(lines, arc * (flipped < np.float32(half_u * 0.94)))
    sheet.fill(lines * np.float32(0.8), WHITE)
    sheet.claim(outer, number)


def paint_soccer(site: Site, u: float, v: float, half_u: float, half_v: float) -> None:
    """A soccer field along u: mown stripes and lines."""
    draw = site.draw
    sheet = site.sheet(u, v, half_u, half_v)
    if not sheet.seen:
        return
    number = sheet.board.add(SOCCER_FIELD)
    outer = box(sheet.u, sheet.v, half_u, half_v)
    stripes = (sheet.u + half_u) / (half_u / 5)
    tone = sheet.rough(0.16, 0.14, 0.10)
    if draw.chance(0.7):
        tone = tone + np.float32(0.10) * ((stripes * 0.5 - np.floor(stripes * 0.5)) < np.float32(0.5))
    sheet.fill(outer, draw.near(draw.pick(((0.27, 0.46, 0.20), (0.22, 0.42, 0.24), (0.36, 0.44, 0.22))), 0.04), tone)
    a, b = half_u * 0.95, half_v * 0.93
    lines = frame(sheet.u, sheet.v, a, b, 1.2)
    lines = np.maximum(lines, box(sheet.u, sheet.v, 0.6, b))
    lines = np.maximum(lines, ring(sheet.u, sheet.v, 0.28 * b, 1.2))
    flipped = np.abs(sheet.u)
    for deep, wide in ((0.16, 0.6), (0.06, 0.28)):
        lines = np.maximum(lines, frame(flipped, sheet.v, deep * a, wide * b, 1.2, (a * (1 - deep), 0.0)))
    sheet.fill(lines * np.float32(0.75), WHITE)
    sheet.claim(outer, number)


def paint_track(site: Site, u: float, v: float, half_u: float, half_v: float) -> None:
    """A running track round a soccer field, or round a lawn; the field within is an object of its own."""
    draw = site.draw
    sheet = site.sheet(u, v, half_u, half_v)
    if not sheet.seen:
        return
    number = sheet.board.add(TRACK_FIELD)
    straight, lanes = half_u - half_v, half_v * 0.24
    inside = capsule(sheet.u, sheet.v, straight, half_v)
    outer = cover(inside)
    tone = sheet.rough(0.10, 0.08, 0.06)
    sheet.fill(outer, draw.near(draw.pick(((0.64, 0.29, 0.22), (0.56, 0.27, 0.22), (0.24, 0.38, 0.54))), 0.05), tone)
    count = 6
    steps = inside * np.float32(count / lanes)
    sheet.fill(outer * (steps - np.floor(steps) < np.float32(0.22)) * (inside < lanes) * np.float32(0.6), WHITE)
    sheet.fill(cover(inside - lanes), draw.near((0.29, 0.45, 0.21), 0.04), tone)
    sheet.claim(outer, number)
    if draw.chance(0.65):
        paint_soccer(site, u, v, straight * 1.02, (half_v - lanes) * 0.84)


def paint_diamond(site: Site, u: float, v: float, half: float) -> None:
    """A baseball diamond: a quarter disc of grass with a dirt infield, home plate in one corner."""
    draw = site.draw
    sheet = site.sheet(u, v, half, half, by=draw.pick(QUARTERS))
    if not sheet.seen:
        return
    number = sheet.board.add(BASEBALL_DIAMOND)
    a, b = sheet.u + half, sheet.v + half  # from home plate
    far = np.sqrt(a * a + b * b)
    field = np.minimum(np.minimum(cover(a), cover(b)), cover(1.92 * half - far))
    tone = sheet.rough(0.2, 0.16, 0.12)
    sheet.fill(field, draw.near((0.31, 0.45, 0.21), 0.05), tone)
    dirt = draw.near((0.66, 0.48, 0.34), 0.05)
    infield = np.minimum(np.minimum(cover(a), cover(b)), cover(1.06 * half - far))
    sheet.fill(infield, dirt, tone)
    base = 0.72 * half
    sheet.fill(box(a, b, base / 2 - 3, base / 2 - 3, (base / 2 + 2, base / 2 + 2)), (0.33, 0.47, 0.23), tone)
    sheet.fill(disc(a, b, 0.07 * half, (base / 2, base / 2)), dirt, tone)
    sheet.fill(disc(a, b, 0.13 * half, (0.07 * half, 0.07 * half)) * field, dirt, tone)
    lines = np.maximum(cover(0.7 - np.abs(a - 2)), cover(0.7 - np.abs(b - 2)))
    sheet.fill(lines * field * np.float32(0.8), WHITE)
    sheet.claim(field, number)


def paint_pool(site: Site, u: float, v: float, half_u: float, half_v: float) -> None:
    """A swimming pool with its rim."""
    draw = site.draw
    sheet = site.sheet(u, v, half_u + 4, half_v + 4)
    if not sheet.seen:
        return
    number = sheet.board.add(SWIMMING_POOL)
    rounded = draw.chance(0.4)
    rim = max(1.2, 1.5 * site.scale)
    outline = ellipse if rounded else box
    sheet.fill(outline(sheet.u, sheet.v, half_u + rim, half_v + rim), (0.78, 0.76, 0.71))
    water = outline(sheet.u, sheet.v, half_u, half_v)
    colour = draw.near(draw.pick(((0.24, 0.62, 0.70), (0.30, 0.68, 0.76), (0.20, 0.50, 0.62))), 0.06)
    sheet.fill(water, colour, sheet.rough(0.0, 0.2, 0.12) - 0.004 * sheet.u)
    if half_u > 18:
        lanes = sheet.v * np.float32(0.2)
        sheet.fill(water * (lanes - np.floor(lanes) < np.float32(0.16)) * np.float32(0.5), WHITE)
    sheet.claim(water, number)
