"""Blocks of works and ports: halls with docks, depots, containers and tanks."""

from __future__ import annotations

from labelkit.worlds.aerial.classes import STORAGE_TANK
from labelkit.worlds.aerial.grounds import lay
from labelkit.worlds.aerial.roofs import paint_hall
from labelkit.worlds.aerial.shapes import box, cover, disc, distance
from labelkit.worlds.aerial.site import Site
from labelkit.worlds.aerial.vehicles import add_car, add_crate, add_large, fill_car_park


def halls(site: Site) -> None:
    """Works with docks, trucks, containers and a few cars."""
    draw, scale = site.draw, site.scale
    lay(site, draw.pick(("concrete", "worn", "gravel")))
    count = max(1, int(site.half_u / (85 * scale)))
    wide = site.half_u / count
    for number in range(count):
        u = (2 * number + 1) * wide - site.half_u
        half_u, half_v = wide * draw.between(0.66, 0.84), site.half_v * draw.between(0.42, 0.58)
        side = draw.pick((-1, 1))
        v = side * (site.half_v - half_v - 5)
        paint_hall(site, u, v, half_u, half_v, draw.between(7, 14))
        edge = v - side * half_v
        place = u - half_u + 8 * scale
        while place < u + half_u - 8 * scale:
            if draw.chance(0.5):
                add_large(site, place, edge - side * 19 * scale, 1 if side > 0 else 3)
            elif draw.chance(0.25):
                add_crate(site, place, edge - side * 16 * scale, draw.between(14, 28), 6.2, upright=True)
            place += draw.between(9.5, 14) * scale
        far = -side * (site.half_v - 9 * scale)
        place = u - wide + 6 * scale
        while place < u + wide - 6 * scale:
            if draw.chance(0.5):
                add_car(site, place, far, draw.pick((1, 3)))
            place += 6.4 * scale


def depot(site: Site) -> None:
    """Trucks and containers in rows."""
    lay(site, site.draw.pick(("asphalt", "gravel", "concrete")))
    fill_car_park(site, site.draw.between(0.35, 0.85), heavy=True)


def container_yard(site: Site) -> None:
    """Stacks of containers, which look like trucks, and some trucks between them."""
    draw, scale = site.draw, site.scale
    lay(site, "concrete")
    row = -site.half_v + 14 * scale
    while row < site.half_v - 10 * scale:
        place = -site.half_u + 18 * scale
        while place < site.half_u - 18 * scale:
            if draw.chance(0.8):
                for lane in range(3):
                    if draw.chance(0.85):
                        add_crate(site, place, row + lane * 6.8 * scale, 27, 6.2)
            elif draw.chance(0.5):
                add_large(site, place, row + 7 * scale, draw.pick((0, 2)))
            place += 30 * scale
        row += 38 * scale


def tanks(site: Site) -> None:
    """Round tanks in rows, each with a rim and the shade of its wall."""
    draw, scale = site.draw, site.scale
    lay(site, draw.pick(("dirt", "gravel", "concrete")))
    radius = min(scale * draw.between(14, 42), site.half_v * 0.8)
    pitch = radius * draw.between(2.35, 2.9)
    columns, rows = int(2 * site.half_u / pitch), int(2 * site.half_v / pitch)
    shade = draw.near(draw.pick(((0.90, 0.90, 0.88), (0.78, 0.78, 0.75), (0.60, 0.54, 0.46))), 0.04)
    for column in range(columns):
        for row in range(rows):
            if draw.chance(0.14):
                continue
            own = radius * (1.0 if draw.chance(0.8) else draw.between(0.5, 0.8))
            u, v = (column + 0.5 - columns / 2) * pitch, (row + 0.5 - rows / 2) * pitch
            paint_tank(site, u, v, own, draw.near(shade, 0.05))


def paint_tank(site: Site, u: float, v: float, radius: float, colour: tuple[float, float, float]) -> None:
    """One tank."""
    sheet = site.sheet(u, v, radius, radius, 0.45 * radius)
    if not sheet.seen:
        return
    number = sheet.board.add(STORAGE_TANK)
    sheet.cast(lambda a, b: disc(a, b, radius))
    top = disc(sheet.u, sheet.v, radius)
    away = (sheet.u * sheet.turn[0] - sheet.v * sheet.turn[1]) * sheet.board.sun[0]
    away = away + (sheet.u * sheet.turn[1] + sheet.v * sheet.turn[0]) * sheet.board.sun[1]
    sheet.fill(top, colour, sheet.rough(0.05, 0.05, 0.05) - away * (0.10 / radius))
    far = distance(sheet.u, sheet.v)
    sheet.fill(cover(radius - far) * cover(far - 0.9 * radius), colour, 0.82)
    sheet.fill(box(sheet.u, sheet.v, 0.46 * radius, 0.5, (0.46 * radius, 0.0)), colour, 0.7)
    sheet.claim(top, number)
