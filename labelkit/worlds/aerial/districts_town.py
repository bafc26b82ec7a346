"""Blocks of a town: houses, offices, shops and car parks."""

from __future__ import annotations

from labelkit.worlds.aerial.grounds import lay, paint_ground
from labelkit.worlds.aerial.roofs import paint_hall, paint_house
from labelkit.worlds.aerial.shapes import box
from labelkit.worlds.aerial.site import Site
from labelkit.worlds.aerial.sports import paint_pool
from labelkit.worlds.aerial.trees import scatter
from labelkit.worlds.aerial.vehicles import add_car, add_crate, fill_car_park


def houses(site: Site) -> None:
    """Plots with a house, a garden, here and there a pool, cars on the drive."""
    draw, scale = site.draw, site.scale
    lay(site, "grass")
    wide, deep = scale * draw.between(58, 78), scale * draw.between(62, 84)
    columns, rows = max(1, int(2 * site.half_u / wide)), max(1, int(2 * site.half_v / deep))
    wide, deep = 2 * site.half_u / columns, 2 * site.half_v / rows
    for column in range(columns):
        for row in range(rows):
            u, v = (column + 0.5) * wide - site.half_u, (row + 0.5) * deep - site.half_v
            front = -1 if row < rows / 2 else 1  # towards the nearer street
            plot = site.part(u, v, wide / 2, deep / 2)
            if plot.half_u != wide / 2:  # taller than wide: its axes are swapped
                wide_v, deep_v = plot.half_v, plot.half_u
            else:
                wide_v, deep_v = plot.half_u, plot.half_v
            half_u, half_v = wide_v * draw.between(0.45, 0.62), deep_v * draw.between(0.26, 0.36)
            paint_house(site, u, v + front * deep_v * 0.25, half_u, half_v)
            drive = u + wide_v * 0.80 * draw.pick((-1, 1))
            sheet = site.sheet(drive, v + front * deep_v * 0.55, 3.6 * scale, deep_v * 0.45)
            if sheet.seen:
                paint_ground(sheet, box(sheet.u, sheet.v, 3.6 * scale, deep_v * 0.45), "worn", draw)
            if draw.chance(0.65):
                add_car(site, drive, v + front * deep_v * draw.between(0.42, 0.75), draw.pick((1, 3)))
            if draw.chance(0.26):
                long = scale * draw.between(6, 11)
                paint_pool(site, u + draw.between(-0.3, 0.3) * wide_v, v - front * deep_v * 0.6, long, long * 0.5)
            if draw.chance(0.4):
                add_crate(site, u - wide_v * 0.6, v - front * deep_v * 0.75, draw.between(7, 10), 5.5)
            scatter(plot, draw.below(4), 3.5, 8.5, 0.95)


def car_park(site: Site) -> None:
    """Rows of parked cars; what is left of a large block is lawn."""
    draw, scale = site.draw, site.scale
    half_u = min(site.half_u, scale * draw.between(60, 190)) if not site.scene.dense else site.half_u
    half_v = min(site.half_v, scale * draw.between(40, 110)) if not site.scene.dense else site.half_v
    shift = draw.pick((-1, 1)) * (site.half_u - half_u), draw.pick((-1, 1)) * (site.half_v - half_v)
    if half_u * half_v < 0.8 * site.half_u * site.half_v:
        lay(site, "grass")
        scatter(site, int(site.half_u * site.half_v / (900 * scale * scale)), 4, 9)
    used = Site(site.scene, site.at(*shift), site.turn, half_u, half_v)
    lay(used, draw.pick(("asphalt", "worn", "worn")))
    fill_car_park(used, _taken(site))
    for _ in range(site.draw.below(3)):  # shelters for trolleys
        u, v = site.draw.between(-0.9, 0.9) * site.half_u, site.draw.between(-0.9, 0.9) * site.half_v
        add_crate(site, u, v, 9.5, 4.5)


def _taken(site: Site) -> float:
    """Share of stalls that are taken: mostly few, in dense scenes most."""
    share = site.draw.unit()
    return 0.5 + 0.45 * share if site.scene.dense else 0.08 + 0.85 * share * share


def shops(site: Site) -> None:
    """A flat building with a car park before it."""
    draw = site.draw
    lay(site, "worn")
    share = draw.between(0.32, 0.5)
    side = draw.pick((-1, 1))
    half = site.half_v * share
    paint_hall(site, 0, side * (site.half_v - half - 4), site.half_u * draw.between(0.75, 0.95), half, 9)
    fill_car_park(site.part(0, -side * half, site.half_u, site.half_v - half - 4), _taken(site))


def offices(site: Site) -> None:
    """Tall buildings with long shadows, cars between them."""
    draw, scale = site.draw, site.scale
    lay(site, draw.pick(("pavement", "worn", "lawn")))
    pitch = scale * draw.between(72, 110)
    columns, rows = max(1, int(2 * site.half_u / pitch)), max(1, int(2 * site.half_v / pitch))
    wide, deep = site.half_u / columns, site.half_v / rows
    for column in range(columns):
        for row in range(rows):
            u, v = (2 * column + 1) * wide - site.half_u, (2 * row + 1) * deep - site.half_v
            half_u, half_v = wide * draw.between(0.5, 0.7), deep * draw.between(0.42, 0.66)
            paint_hall(site, u, v, half_u, half_v, draw.between(12, 34))
            place = u - wide * 0.9
            while place < u + wide * 0.9:
                if draw.chance(0.4):
                    add_car(site, place, v + deep * 0.86, draw.pick((1, 3)))
                place += 6.6 * scale
    scatter(site, draw.below(12), 3.5, 7)
