"""Planes and helicopters."""

from __future__ import annotations

import numpy as np

from labelkit.worlds.aerial.board import Sheet, Turn
from labelkit.worlds.aerial.classes import HELICOPTER, PLANE
from labelkit.worlds.aerial.draw import QUARTERS
from labelkit.worlds.aerial.shapes import box, capsule, cover, disc, ellipse, polygon
from labelkit.worlds.aerial.site import Site

HULLS = ((0.93, 0.94, 0.95), (0.88, 0.89, 0.90), (0.80, 0.82, 0.84), (0.90, 0.88, 0.82))
ROTORCRAFT = ((0.30, 0.34, 0.24), (0.85, 0.86, 0.86), (0.62, 0.16, 0.14), (0.20, 0.27, 0.42))
LIVERIES = ((0.16, 0.26, 0.52), (0.66, 0.14, 0.14), (0.88, 0.62, 0.16), (0.16, 0.44, 0.34), (0.55, 0.57, 0.60))


def paint_plane(site: Site, u: float, v: float, by: Turn, length: float) -> None:
    """A plane, nose along the u axis of its direction.

    Args:
        site: it stands on.
        u, v: its middle.
        by: its direction on the site.
        length: nose to tail in pixels; below 62 it is a small one with straight wings.
    """
    draw = site.draw
    sheet = site.sheet(u, v, 0.56 * length, 0.56 * length, 0.045 * length, by)
    if not sheet.seen:
        return
    small = length < 62
    number = sheet.board.add(PLANE)
    radius = (0.062 if small else 0.05) * length
    span = (0.52 if small else draw.between(0.44, 0.52)) * length
    sweep = 0.02 * length if small else draw.between(0.20, 0.26) * length
    root, tip = (0.15, 0.10) if small else (0.20, 0.065)
    front = (0.16 if small else 0.12) * length

    def outline(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        flipped = np.abs(b)
        hull = cover(capsule(a, b, 0.46 * length, radius))
        wing = polygon(a, flipped, [
            (front, 0.0), (front - sweep, span), (front - sweep - tip * length, span), (front - root * length, 0.0),
        ])  # fmt: skip
        tail = polygon(a, flipped, [
            (-0.36 * length, 0.0), (-0.42 * length - sweep / 5, 0.19 * length),
            (-0.49 * length - sweep / 5, 0.19 * length), (-0.47 * length, 0.0),
        ])  # fmt: skip
        return np.maximum(np.maximum(hull, wing), tail)

    sheet.cast(outline)
    shape = outline(sheet.u, sheet.v)
    colour, livery = draw.near(draw.pick(HULLS), 0.04), draw.near(draw.pick(LIVERIES), 0.05)
    sheet.fill(shape, colour, 0.90)
    hull = cover(capsule(sheet.u, sheet.v, 0.46 * length, radius))
    sheet.fill(hull, colour, 1.06 - 0.22 * np.abs(sheet.v) / radius)
    fin = box(sheet.u, sheet.v, 0.075 * length, max(0.9, 0.012 * length), (-0.42 * length, 0.0))
    sheet.fill(fin, livery)
    if draw.chance(0.4):
        sheet.fill(hull * box(sheet.u, sheet.v, 0.05 * length, length, (-0.36 * length, 0.0)), livery)
    sheet.fill(hull * box(sheet.u, sheet.v, 0.014 * length, 0.6 * radius, (0.455 * length, 0.0)), (0.12, 0.13, 0.16))
    if small:
        sheet.fill(box(sheet.u, sheet.v, 0.9, 0.10 * length, (0.505 * length, 0.0)), (0.30, 0.30, 0.32))
    else:
        for place in (0.36, 0.68) if length > 130 and draw.chance(0.5) else (0.40,):
            for side in (-1, 1):
                at = (front - sweep * place + 0.035 * length, side * span * place)
                pod = ellipse(sheet.u, sheet.v, 0.05 * length, 0.021 * length, at)
                sheet.fill(pod, (0.62, 0.64, 0.67))
                shape = np.maximum(shape, pod)
    sheet.claim(shape, number)


def paint_helicopter(site: Site, u: float, v: float, by: Turn, length: float) -> None:
    """A helicopter with its rotor still."""
    draw = site.draw
    sheet = site.sheet(u, v, 0.62 * length, 0.62 * length, 0.10 * length, by)
    if not sheet.seen:
        return
    number = sheet.board.add(HELICOPTER)
    colour = draw.near(draw.pick(ROTORCRAFT), 0.05)

    def outline(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        body = ellipse(a, b, 0.24 * length, 0.095 * length, (0.16 * length, 0.0))
        boom = box(a, b, 0.24 * length, 0.026 * length, (-0.26 * length, 0.0))
        fin = box(a, b, 0.025 * length, 0.085 * length, (-0.48 * length, 0.0))
        return np.maximum(np.maximum(body, boom), fin)

    sheet.cast(outline)
    shape = outline(sheet.u, sheet.v)
    sheet.fill(shape, colour)
    sheet.fill(ellipse(sheet.u, sheet.v, 0.07 * length, 0.07 * length, (0.31 * length, 0.0)), (0.12, 0.14, 0.17))
    angle = draw.lean(0.41)
    for blade in QUARTERS[: 2 if draw.chance(0.5) else 1]:
        cosine, sine = blade[0] * angle[0] - blade[1] * angle[1], blade[1] * angle[0] + blade[0] * angle[1]
        a, b = sheet.u - 0.12 * length, sheet.v
        bar = box(a * cosine + b * sine, b * cosine - a * sine, 0.46 * length, max(0.7, 0.016 * length))
        sheet.fill(bar * 0.85, (0.20, 0.20, 0.21))
        shape = np.maximum(shape, bar)
    sheet.fill(disc(sheet.u, sheet.v, 0.04 * length, (0.12 * length, 0.0)), (0.3, 0.3, 0.32))
    sheet.claim(shape, number)


def paint_helipad(sheet: Sheet, at: tuple[float, float], radius: float) -> None:
    """A ring and an H on the ground."""
    a, b = sheet.u - at[0], sheet.v - at[1]
    inside = radius - np.sqrt(a * a + b * b)
    line = np.minimum(cover(inside), cover(0.12 * radius - inside))
    bars = np.maximum(box(np.abs(a), b, 0.07 * radius, 0.45 * radius, (0.28 * radius, 0.0)),
                      box(a, b, 0.28 * radius, 0.07 * radius))  # fmt: skip
    sheet.fill(np.maximum(line, bars) * np.float32(0.9), (0.88, 0.86, 0.74))
