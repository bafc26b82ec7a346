"""Noise from integer hashes: tiles, clouds, sensor grain."""

from __future__ import annotations

from functools import cache

import numpy as np


def hashed(x: np.ndarray, y: np.ndarray, salt: int) -> np.ndarray:
    """Hash lattice points to uint32; x and y are integer arrays that broadcast."""
    value = x.astype(np.uint32) * np.uint32(0x9E3779B1) + y.astype(np.uint32) * np.uint32(0x85EBCA77)
    value = value + np.uint32((salt * 0xC2B2AE3D) & 0xFFFFFFFF)
    for shift, factor in ((15, 0x2C1B3C6D), (12, 0x297A2D39)):
        value = (value ^ (value >> np.uint32(shift))) * np.uint32(factor)
    return value ^ (value >> np.uint32(15))


def lattice(height: int, width: int, salt: int) -> np.ndarray:
    """White noise in [0, 1), (height, width) float32."""
    values = hashed(np.arange(width)[None, :], np.arange(height)[:, None], salt)
    return (values >> np.uint32(8)).astype(np.float32) * np.float32(1 / 16777216)


def smooth(height: int, width: int, cell_y: int, cell_x: int, salt: int) -> np.ndarray:
    """Value noise that repeats after (height, width): random values every cell, blended smoothly in between."""
    grid = lattice(max(1, height // cell_y), max(1, width // cell_x), salt)
    y, x = np.arange(height), np.arange(width)
    y0, x0 = (y // cell_y) % grid.shape[0], (x // cell_x) % grid.shape[1]
    y1, x1 = (y0 + 1) % grid.shape[0], (x0 + 1) % grid.shape[1]
    ty = ((y % cell_y) / np.float32(cell_y)).astype(np.float32)[:, None]
    tx = ((x % cell_x) / np.float32(cell_x)).astype(np.float32)[None, :]
    ty, tx = ty * ty * (3 - 2 * ty), tx * tx * (3 - 2 * tx)
    top = grid[y0][:, x0] * (1 - tx) + grid[y0][:, x1] * tx
    bottom = grid[y1][:, x0] * (1 - tx) + grid[y1][:, x1] * tx
    return top * (1 - ty) + bottom * ty


def fractal(height: int, width: int, cell: int, salt: int, octaves: int = 4) -> np.ndarray:
    """Octaves of value noise, each half as coarse and half as strong; mean about 0.5, (height, width) float32."""
    total = np.zeros((height, width), np.float32)
    weight = np.float32(0.5)
    for octave in range(octaves):
        total = total + weight * smooth(height, width, max(1, cell >> octave), max(1, cell >> octave), salt + octave)
        weight = weight * np.float32(0.5)
    return total + weight


@cache
def clouds(height: int, width: int) -> np.ndarray:
    """Cloud cover for a sky of the given size, twice as wide so that it can be shifted, (height, 2 * width) float32."""
    # The field is made at one size and enlarged, so that the same scene has the same clouds at any size.
    field = fractal(256, 1024, 128, 71, 6)
    rows = (np.arange(height) * 256) // height
    # Clouds flatten towards the horizon, which is near the middle row.
    rows = (rows * (rows + 96)) // 256
    columns = (np.arange(2 * width) * 192) // width
    cover = field[rows % 256][:, columns % 1024]
    return np.minimum(np.maximum((cover - np.float32(0.46)) * 5, 0), 1)


@cache
def grain(height: int, width: int) -> np.ndarray:
    """Sensor grain of unit variance with a margin of 64 pixels to shift it by, (3, height + 64, width + 64) float32."""
    channels = []
    for channel in range(3):
        shared = lattice(height + 64, width + 64, 500) + lattice(height + 64, width + 64, 501)
        own = lattice(height + 64, width + 64, 510 + channel) + lattice(height + 64, width + 64, 520 + channel)
        channels.append((shared + own - 2) * np.float32(1.732))
    return np.stack(channels)
