"""Roads with their markings and traffic, rivers with bridges, and roundabouts."""

from __future__ import annotations

import numpy as np

from labelkit.worlds.aerial.board import Sheet
from labelkit.worlds.aerial.classes import BRIDGE, ROUNDABOUT
from labelkit.worlds.aerial.grounds import GROUNDS, paint_ground
from labelkit.worlds.aerial.shapes import box, cover, disc, ring
from labelkit.worlds.aerial.site import Site
from labelkit.worlds.aerial.trees import GREENS
from labelkit.worlds.aerial.vehicles import add_car, add_large

PAINT = (0.86, 0.85, 0.80)


def paint_road(road: Site, busy: float) -> None:
    """Asphalt with a middle line, and traffic to both sides.

    Args:
        road: along its longer side.
        busy: vehicles in 100 of the table's pixels of a lane.
    """
    sheet = road.sheet(0, 0, road.half_u, road.half_v)
    if sheet.seen:
        paint_ground(sheet, box(sheet.u, sheet.v, road.half_u, road.half_v), "asphalt", road.draw)
        mark(sheet, road)
    drive(road, busy)


def mark(sheet: Sheet, road: Site) -> None:
    """Lines of a road."""
    lanes = 2 if road.half_v > 13 * road.scale else 1
    dashes = sheet.u / np.float32(18 * road.scale)
    dashed = dashes - np.floor(dashes) < np.float32(0.45)
    along = cover(road.half_u - 2 - np.abs(sheet.u))
    sheet.fill(along * cover(0.7 - np.abs(sheet.v)) * np.float32(0.7), (0.84, 0.74, 0.42) if lanes == 2 else PAINT)
    if lanes == 2:
        between = cover(0.6 - np.abs(np.abs(sheet.v) - road.half_v / 2))
        sheet.fill(along * between * dashed * np.float32(0.7), PAINT)
    edge = cover(0.5 - np.abs(np.abs(sheet.v) - (road.half_v - 1.6 * road.scale)))
    sheet.fill(along * edge * np.float32(0.45), PAINT)


def drive(road: Site, busy: float) -> None:
    """Vehicles in the lanes, on the right."""
    draw, scale = road.draw, road.scale
    lanes = (0.25, 0.74) if road.half_v > 13 * scale else (0.5,)
    for side in (-1, 1):
        for lane in lanes:
            place = -road.half_u + scale * draw.between(8, 60)
            while place < road.half_u - 10 * scale:
                large = draw.chance(0.14)
                gap = 40.0 if large else 15.0
                (add_large if large else add_car)(road, place, side * lane * road.half_v, 0 if side > 0 else 2)
                place += scale * (gap + draw.between(0, 2) * 100 / busy)


def paint_roundabout(crossing: Site, radius: float) -> None:
    """A round island in a ring of asphalt, where two roads meet."""
    draw = crossing.draw
    sheet = crossing.sheet(0, 0, radius, radius)
    if not sheet.seen:
        return
    number = sheet.board.add(ROUNDABOUT)
    whole = disc(sheet.u, sheet.v, radius)
    paint_ground(sheet, whole, "asphalt", draw)
    sheet.fill(ring(sheet.u, sheet.v, radius * 0.98, 1.2) * np.float32(0.5), PAINT)
    island = 0.52 * radius
    sheet.fill(disc(sheet.u, sheet.v, island + 2), (0.68, 0.66, 0.62))
    ground = draw.pick(("lawn", "grass", "pavement"))
    sheet.fill(disc(sheet.u, sheet.v, island), draw.near(GROUNDS[ground][0], 0.05), sheet.rough(*GROUNDS[ground][1]))
    sheet.claim(whole, number)
    for _ in range(draw.below(5)):
        u, v = draw.between(-0.6, 0.6) * island, draw.between(-0.6, 0.6) * island
        crossing.plant(u, v, crossing.scale * draw.between(3, 5), draw.near(draw.pick(GREENS), 0.05))
    for _ in range(draw.below(4)):
        side, along = draw.pick((-1, 1)), draw.between(-0.25, 0.25) * radius
        if draw.chance(0.5):
            add_car(crossing, along, side * 0.76 * radius, 0 if side > 0 else 2)
        else:
            add_car(crossing, side * 0.76 * radius, along, 3 if side > 0 else 1)


def paint_bridge(deck: Site, busy: float) -> None:
    """A road over water, along the site's u axis; the deck between the banks is the object."""
    sheet = deck.sheet(0, 0, deck.half_u, deck.half_v, 7 * deck.scale)
    if sheet.seen:
        number = sheet.board.add(BRIDGE)
        sheet.cast(lambda a, b: box(a, b, deck.half_u, deck.half_v))
        shape = box(sheet.u, sheet.v, deck.half_u, deck.half_v)
        sheet.fill(shape, (0.74, 0.73, 0.70), sheet.rough(0.08, 0.06, 0.06))
        paint_ground(sheet, box(sheet.u, sheet.v, deck.half_u, deck.half_v - 2.2 * deck.scale), "asphalt", deck.draw)
        mark(sheet, deck)
        sheet.claim(shape, number)
    drive(deck, busy)


def paint_shore(sheet: Sheet, site: Site) -> None:
    """A lighter rim along the edge of a site of water."""
    inside = np.minimum(site.half_u - np.abs(sheet.u), site.half_v - np.abs(sheet.v))
    sheet.fill(cover(inside) * np.maximum(1 - inside / 9, 0) * np.float32(0.4), (0.52, 0.50, 0.40))
