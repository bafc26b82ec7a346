"""Textures of facades, walls, fences and hedges, and of the ground.

A facade texture is 25.6 m high and 12.8 m wide, repeats sideways, and has two channels: `paint` is multiplied by the
wall's colour, `glass` by the colour of its windows (of a fence: how opaque it is). It is kept at every combination of
halved widths and heights, so that a wall seen at a grazing angle does not flicker.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from labelkit.worlds.streets.noise import fractal, lattice, smooth
from labelkit.worlds.streets.scene import (
    BARE_BRICK,
    BRICK,
    CONCRETE,
    HEDGE,
    HOUSE,
    OFFICE,
    OLD,
    PICKETS,
    PLASTER,
    RAIL,
)

TEXEL = 0.05  # metres
HIGH, WIDE = 512, 256
COARSEST_WIDE, COARSEST_HIGH = 6, 5  # how many halvings are kept, counting none
PAINT_UNIT = 170.0  # the stored value that means "the wall's own colour"
GROUND_TILE = 256  # texels of 1/16 m
_f = np.float32


@dataclass(frozen=True)
class Facades:
    """All facade textures in one array.

    Attributes:
        texels: (2, N) uint8: paint and glass.
        base: (styles, COARSEST_WIDE, COARSEST_HIGH) where each version begins.
    """

    texels: np.ndarray
    base: np.ndarray


def _windows(
    paint: np.ndarray,
    glass: np.ndarray,
    bay: float,
    floor: float,
    width: float,
    height: float,
    sill: float,
    salt: int,
    shop: bool,
) -> None:
    """Put a grid of windows with frames and sills into a wall."""
    v = (np.arange(HIGH, dtype=np.float32) * _f(TEXEL))[:, None]
    u = (np.arange(WIDE, dtype=np.float32) * _f(TEXEL))[None, :]
    storey, column = (v / _f(floor)).astype(np.int32), (u / _f(bay)).astype(np.int32)
    in_v, in_u = v - storey * _f(floor), u - column * _f(bay)
    left = _f((bay - width) / 2)
    pane = (in_u >= left) & (in_u < left + _f(width)) & (in_v >= _f(sill)) & (in_v < _f(sill + height))
    around = _f(0.11)
    frame = (in_u >= left - around) & (in_u < left + _f(width) + around)
    frame = frame & (in_v >= _f(sill) - around) & (in_v < _f(sill + height) + around)
    ledge = (in_u >= left - 2 * around) & (in_u < left + _f(width) + 2 * around)
    ledge = ledge & (in_v >= _f(sill) - 2 * around) & (in_v < _f(sill))
    upper = storey >= 1 if shop else storey >= 0
    tone = lattice(64, 64, salt)[storey % 64, column % 64]
    np.copyto(paint, _f(1.22), where=frame & upper)
    np.copyto(paint, _f(1.3), where=ledge & upper)
    bar = (in_u > _f(bay / 2) - _f(0.04)) & (in_u < _f(bay / 2) + _f(0.04)) | (
        (in_v > _f(sill + height * 0.68)) & (in_v < _f(sill + height * 0.68) + _f(0.07))
    )
    pane_here = pane & upper & ~bar
    np.copyto(paint, _f(0), where=pane_here)
    # Some panes mirror the sky, some have curtains; the upper part is brighter.
    shade = _f(0.35) + _f(0.65) * tone * tone + (in_v - _f(sill)) * _f(0.10)
    np.copyto(glass, np.broadcast_to(shade, glass.shape), where=pane_here)
    if shop:
        window = (
            (storey == 0) & (in_v > _f(0.55)) & (in_v < _f(floor - 0.75)) & (in_u > _f(0.25)) & (in_u < _f(bay - 0.25))
        )
        door = (storey == 0) & (column % 3 == 1) & (in_u > _f(bay / 2 - 0.55)) & (in_u < _f(bay / 2 + 0.55))
        door = door & (in_v < _f(2.3))
        np.copyto(paint, _f(0), where=window)
        np.copyto(glass, np.broadcast_to(_f(0.45) + _f(0.5) * tone, glass.shape), where=window)
        board = (storey == 0) & (in_v > _f(floor - 0.65)) & (in_v < _f(floor - 0.15))
        np.copyto(paint, np.broadcast_to(_f(0.45) + _f(0.8) * tone, paint.shape), where=board)
        np.copyto(paint, _f(0.4), where=door)
        np.copyto(glass, _f(0.0), where=door)
    np.copyto(paint, _f(1.12), where=(storey >= 1) & (in_v < _f(0.12)) & np.ones_like(pane))


def _bricks(paint: np.ndarray, salt: int) -> None:
    v, u = np.arange(HIGH)[:, None], np.arange(WIDE)[None, :]
    course = v // 4
    stone = (u + 4 * (course % 2)) // 8
    tone = lattice(HIGH // 4, WIDE // 8, salt)[course % (HIGH // 4), stone % (WIDE // 8)]
    paint *= _f(0.80) + _f(0.34) * tone
    joint = (v % 4 == 0) | ((u + 4 * (course % 2)) % 8 == 0)
    np.copyto(paint, _f(1.12), where=joint & np.ones_like(paint, bool))


def _style(style: int, dirty: bool) -> np.ndarray:
    """One texture, (2, HIGH, WIDE) float32: paint and glass, row 0 at the ground."""
    paint, glass = np.ones((HIGH, WIDE), np.float32), np.zeros((HIGH, WIDE), np.float32)
    salt = 900 + 40 * style
    v = np.arange(HIGH)[:, None]
    u = np.arange(WIDE)[None, :]
    paint *= _f(0.93) + _f(0.14) * fractal(HIGH, WIDE, 32, salt)
    if style in (BRICK, BARE_BRICK):
        _bricks(paint, salt + 5)
    if style == PLASTER:
        _windows(paint, glass, 3.2, 3.2, 1.25, 1.65, 0.95, salt, shop=False)
    elif style == BRICK:
        _windows(paint, glass, 2.56, 3.0, 1.15, 1.5, 0.9, salt, shop=False)
    elif style == OLD:
        _windows(paint, glass, 2.56, 3.4, 1.05, 2.0, 0.75, salt, shop=True)
    elif style == HOUSE:
        _windows(paint, glass, 4.2667, 2.8, 1.5, 1.3, 0.95, salt, shop=False)
    elif style == OFFICE:
        _windows(paint, glass, 1.6, 3.2, 1.36, 2.1, 0.65, salt, shop=False)
    elif style == CONCRETE:
        paint *= np.where((u % 64 < 2) | (v % 40 < 1), _f(0.72), _f(1.0))
    elif style == HEDGE:
        leaf = fractal(HIGH, WIDE, 8, salt + 3, 3) + lattice(HIGH, WIDE, salt + 4) * _f(0.35)
        clump = fractal(HIGH, WIDE, 32, salt + 7, 2)
        paint[:] = _f(0.10) + _f(0.62) * leaf * (_f(0.5) + clump)
    elif style == PICKETS:
        slat = (u % 4 < 3) | (v % 20 >= 17)
        paint *= np.where(u % 4 == 0, _f(0.75), _f(1.0))
        glass[:] = slat
    elif style == RAIL:
        post = u % 32 < 3
        beam = ((v > 3) & (v < 6)) | ((v >= 14) & (v < 20)) | (v % 64 > 61)
        glass[:] = np.where(post | beam, _f(1.0), np.where(u % 4 == 0, _f(0.75), _f(0.12)))
    if style not in (PICKETS, RAIL):
        # It is darker near the ground and, further up, under the eaves of what the eye cannot see.
        ground = np.minimum(_f(0.74) + v * _f(0.011), 1).astype(np.float32)
        paint *= ground
        if dirty:
            # Streaks run down, patches lie about.
            streak = smooth(HIGH, WIDE, 256, 4, salt + 11) * fractal(HIGH, WIDE, 64, salt + 13)
            paint *= _f(0.72) + _f(0.55) * fractal(HIGH, WIDE, 64, salt + 17) - _f(0.30) * streak
            paint *= _f(0.94) + _f(0.12) * lattice(HIGH, WIDE, salt + 19)
    return np.stack([paint, glass])


def _halve(array: np.ndarray, axis: int) -> np.ndarray:
    if axis == 1:
        return (array[:, 0::2] + array[:, 1::2]) * _f(0.5)
    return (array[:, :, 0::2] + array[:, :, 1::2]) * _f(0.5)


@cache
def facades(dirty: bool) -> Facades:
    """The textures of all styles, clean or weathered."""
    pieces, base, size = [], np.zeros((11, COARSEST_WIDE, COARSEST_HIGH), np.int64), 0
    for style in range(11):
        column = _style(style, dirty)
        for wide in range(COARSEST_WIDE):
            version = column
            for high in range(COARSEST_HIGH):
                base[style, wide, high] = size
                scaled = version * np.array([PAINT_UNIT, 255.0], np.float32)[:, None, None] + _f(0.5)
                pieces.append(np.minimum(np.maximum(scaled, 0), 255).astype(np.uint8).reshape(2, -1))
                size += pieces[-1].shape[1]
                version = _halve(version, 1)
            column = _halve(column, 2)
    return Facades(np.concatenate(pieces, axis=1), base)


@cache
def ground_tiles(dirty: bool) -> np.ndarray:
    """Textures of road, paving and grass around zero, (3 * GROUND_TILE ** 2,) float32."""
    size = GROUND_TILE
    tiles = []
    y, x = np.arange(size)[:, None], np.arange(size)[None, :]
    asphalt = (fractal(size, size, 64, 300) - _f(0.5)) * _f(1.1) + (lattice(size, size, 310) - _f(0.5)) * _f(0.55)
    if dirty:
        # Patches with straight edges, and tracks along the lanes.
        patch = lattice(8, 8, 320)[(y // 32) % 8, (x // 64) % 8]
        asphalt = asphalt * _f(1.2) + np.where(patch > _f(0.80), _f(-0.55), _f(0.0))
    tiles.append(asphalt)
    slab = lattice(32, 32, 330)[(y // 8) % 32, (x // 8) % 32]
    joint = (y % 8 == 0) | (x % 8 == 0)
    paving = (slab - _f(0.5)) * _f(0.7) + np.where(joint, _f(-0.6), _f(0.1))
    tiles.append(paving + (fractal(size, size, 32, 340) - _f(0.5)) * (_f(1.4) if dirty else _f(0.5)))
    grass = (fractal(size, size, 16, 350, 3) - _f(0.5)) * _f(1.8) + (lattice(size, size, 360) - _f(0.5)) * _f(1.1)
    tiles.append(grass + (fractal(size, size, 128, 370, 2) - _f(0.5)))
    return np.concatenate([tile.reshape(-1) for tile in tiles]).astype(np.float32)
