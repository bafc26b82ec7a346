"""What scanners see of a room: the first surface along each ray, its colour and its class."""

from __future__ import annotations

import numpy as np

from labelkit.worlds.rooms import classes as c
from labelkit.worlds.rooms.draw import Draw
from labelkit.worlds.rooms.layout import Room
from labelkit.worlds.rooms.solids import BALL, BOOKS, SIDE, STRIPES, Hits, Paint, Solid, cast, slabs

GOLDEN = 0.6180339887498949
RANGE_NOISE = 0.012  # metres; reach of a sum of four uniform numbers
BOOK_COLOURS = 64


def scan(draw: Draw, room: Room, points: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scan a room.

    Rays leave a scanner evenly in all directions, so that points lie the thinner the farther and the more slanting a
    surface is, and what stands behind something is not seen.

    Args:
        draw: decides on noise.
        room: what is scanned.
        points: number of rays, of all scanners together; each meets something.

    Returns:
        xyz (N, 3) float32 metres in whole millimetres, rgb (N, 3) float32 in whole 255ths, label (N,) int64.
    """
    solids = [solid for thing in room.things for solid in thing]
    books = np.array([draw.near((0.45, 0.4, 0.38), 0.5) for _ in range(BOOK_COLOURS)])
    gain = np.array([draw.between(0.9, 1.1) for _ in range(3)]) * draw.between(0.85, 1.05)
    shares = [points // len(room.scanners)] * len(room.scanners)
    shares[0] += points - sum(shares)
    found = [_one(draw, room, solids, books, origin, share) for origin, share in zip(room.scanners, shares)]
    xyz, rgb, label = (np.concatenate(each) for each in zip(*found))
    rgb = rgb * gain + (draw.units(len(rgb), 3) - 0.5) * 0.08 + (draw.units(len(rgb), 1) - 0.5) * 0.08
    rgb = np.floor(np.clip(rgb, 0, 1) * 255 + 0.5).astype(np.float32) / np.float32(255)
    return (np.floor(xyz * 1000 + 0.5) / 1000).astype(np.float32), rgb, label


def _one(draw, room: Room, solids: list[Solid], books, origin, points: int):
    rays = directions(draw, points)
    hits = Hits.none(points)
    xyz, normal, label, colour = _shell(room, origin, rays, books)
    start = np.array(origin)[:, None]
    hits.along = _length(origin, xyz)
    first = 0
    for thing in room.things:
        cast(hits, origin, rays, thing, first)
        first += len(thing)
    on = np.flatnonzero(hits.solid >= 0)
    if len(on):
        met, axis = hits.solid[on], hits.axis[on]
        place = start + hits.along[on] * rays[:, on]
        cosine, sine = (np.array([getattr(s, name) for s in solids])[met] for name in ("cosine", "sine"))
        middle = np.array([s.place for s in solids]).T[:, met]
        away = place - middle
        local = np.stack([cosine * away[0] + sine * away[1], cosine * away[1] - sine * away[0], away[2]])
        normal[:, on] = _normals(solids, met, axis, local, away, cosine, sine)
        xyz[:, on] = place
        label[on] = np.array([s.label for s in solids])[met]
        colour[:, on] = _painted([s.paint for s in solids], met, local, books)
    light = np.array(room.lamp)[:, None] - xyz
    far = np.sqrt(light[0] * light[0] + light[1] * light[1] + light[2] * light[2]) + 0.2
    lit = np.maximum(0, (normal[0] * light[0] + normal[1] * light[1] + normal[2] * light[2]) / far)
    noise = draw.units(4, points)
    error = (noise[0] + noise[1] + noise[2] + noise[3] - 2) * RANGE_NOISE
    xyz = xyz + error * np.where(label == c.WINDOW, 2.5, 1.0) * rays
    return xyz.T, (colour * (0.72 + 0.33 * lit)).T, label


def directions(draw: Draw, count: int) -> np.ndarray:
    """Directions on a spiral of equal areas, shifted at random by less than their distance, (3, count)."""
    up = 1 - 2 * (np.arange(count) + draw.units(count)) / count
    part = np.arange(count) * GOLDEN + draw.unit() + 0.3 * (draw.units(count) - 0.5) / np.sqrt(float(count))
    part = part - np.floor(part)
    # Cosine and sine of a full turn's part, by series: products and sums alone are the same on every machine.
    quarter = np.floor(part * 4 + 0.5)
    angle = (part - quarter / 4) * 6.283185307179586
    square = angle * angle
    sine = angle * (1 - square / 6 * (1 - square / 20 * (1 - square / 42 * (1 - square / 72))))
    cosine = 1 - square / 2 * (1 - square / 12 * (1 - square / 30 * (1 - square / 56)))
    turn = quarter.astype(np.int64) % 4
    across = np.choose(turn, [cosine, -sine, -cosine, sine])
    along = np.choose(turn, [sine, cosine, -sine, -cosine])
    flat = np.sqrt(np.maximum(0, 1 - up * up))
    return np.stack([flat * across, flat * along, up])


def _shell(room: Room, origin, rays: np.ndarray, books: np.ndarray):
    """Where rays leave the empty room: places, normals, labels, colours."""
    size = np.array(room.size)
    half = size / 2
    _, leave = slabs(tuple(o - h for o, h in zip(origin, half)), rays, half)
    along = np.minimum(np.minimum(leave[0], leave[1]), leave[2])
    axis = np.where(along == leave[2], 2, np.where(along == leave[1], 1, 0))
    xyz = np.array(origin)[:, None] + along * rays
    towards = np.take_along_axis(rays, axis[None], 0)[0] > 0
    normal = np.zeros_like(xyz)
    np.put_along_axis(normal, axis[None], np.where(towards, -1.0, 1.0)[None], 0)
    # Numbers of walls as in `plan.FACING`; the other coordinate runs along the wall.
    wall = np.where(axis == 2, -1, np.where(axis == 1, np.where(towards, 2, 0), np.where(towards, 1, 3)))
    label = np.where(axis == 2, np.where(towards, c.CEILING, c.FLOOR), c.WALL)
    surface = np.where(axis == 2, np.where(towards, 1, 0), 2)
    paints = [room.floor, room.ceiling, room.walls]
    local = xyz.copy()
    for opening in room.openings:
        run = 1 if opening.wall % 2 else 0
        through = 1 - run
        chosen = np.flatnonzero(wall == opening.wall)
        inside = _within(opening, xyz[run, chosen], xyz[2, chosen])
        chosen = chosen[inside]
        label[chosen], surface[chosen] = opening.label, len(paints)
        local[0, chosen] = xyz[run, chosen]
        paints.append(opening.paint)
        further = along[chosen] + opening.behind / np.abs(rays[through, chosen])
        deep = np.array(origin)[:, None] + further * rays[:, chosen]
        seen = _within(opening, deep[run], deep[2])  # otherwise the ray meets the opening's edge, near the wall
        xyz[:, chosen[seen]] = deep[:, seen]
    return xyz, normal, label, _painted(paints, surface, local, books)


def _within(opening, run: np.ndarray, height: np.ndarray) -> np.ndarray:
    return (run > opening.left) & (run < opening.right) & (height > opening.low) & (height < opening.high)


def _length(origin, xyz: np.ndarray) -> np.ndarray:
    x, y, z = (xyz[i] - origin[i] for i in range(3))
    return np.sqrt(x * x + y * y + z * z)


def _normals(solids: list[Solid], met, axis, local, away, cosine, sine) -> np.ndarray:
    """Outward normals (3, n) of the places that were met."""
    radius = np.array([s.half[0] for s in solids])[met]
    upright = np.array([s.kind != BALL for s in solids])[met]
    rounded = away / radius
    rounded[2] = np.where(upright, 0, rounded[2])
    sign = np.where(np.take_along_axis(local, np.minimum(axis, 2).astype(np.int64)[None], 0)[0] > 0, 1.0, -1.0)
    x = np.where(axis == 0, cosine, -sine) * sign
    y = np.where(axis == 0, sine, cosine) * sign
    flat = np.stack([np.where(axis == 2, 0, x), np.where(axis == 2, 0, y), np.where(axis == 2, sign, 0)])
    return np.where(axis == SIDE, rounded, flat)


def _painted(paints: list[Paint], which: np.ndarray, local: np.ndarray, books: np.ndarray) -> np.ndarray:
    """Colours (3, n) of places on painted surfaces."""
    colour = np.array([paint.colour for paint in paints]).T[:, which]
    second = np.array([paint.second for paint in paints]).T[:, which]
    pattern = np.array([paint.pattern for paint in paints])[which]
    period = np.array([paint.period for paint in paints])[which]
    axis = np.array([paint.axis for paint in paints])[which]
    cell = np.floor(np.take_along_axis(local, axis[None], 0)[0] / period).astype(np.int64)
    colour = np.where((pattern == STRIPES) & (cell % 2 == 1), second, colour)
    return np.where(pattern == BOOKS, books.T[:, (cell * 7 + which * 13) % BOOK_COLOURS], colour)
