"""Sprites of trees and bushes."""

from __future__ import annotations

from functools import cache

import numpy as np

from labelkit.worlds.draw import Draw
from labelkit.worlds.streets.noise import fractal
from labelkit.worlds.streets.shapes import Board, Sprite

# height, crown: half width, bottom, top (metres), how fine its clumps are, how much sky shows through
_TREES = (
    (8.0, 3.0, 2.4, 8.0, 0.80, 0.10),
    (11.0, 3.6, 3.2, 11.0, 0.90, 0.16),
    (7.0, 2.5, 2.0, 7.0, 0.65, 0.05),
    (12.0, 1.6, 1.5, 12.0, 0.60, 0.08),
    (9.0, 3.4, 3.0, 9.0, 0.70, 0.26),
    (10.0, 2.3, 1.0, 10.0, 0.55, 0.05),  # conifer
)
TREES = len(_TREES)
BUSHES = 3
_BARK = (0.23, 0.18, 0.14)


def _leaves(
    board: Board, salt: int, half: float, bottom: float, top: float, clump: float, gaps: float, cone: bool
) -> None:
    draw = Draw(90, salt)
    height, width = board.pixels.shape[1:]
    fine = fractal(height, width, 8, 800 + salt, 3)
    coarse = fractal(height, width, 32, 830 + salt, 3)
    ragged = (coarse - np.float32(0.5)) * np.float32(0.9) + (fine - np.float32(0.5)) * np.float32(1.0)
    middle, reach = (bottom + top) / 2, (top - bottom) / 2
    clumps = []
    for _ in range(90):
        # Points in the crown's outline: rejection from its box.
        while True:
            x, y = draw.between(-1, 1), draw.between(-1, 1)
            if abs(x) < (1.05 - y) / 2 if cone else x * x + y * y < 0.85:
                break
        clumps.append((y * reach + middle, x * half, clump * draw.between(0.7, 1.3)))
    clumps.sort()
    paint, opacity = board.pixels[3], board.pixels[4]
    for y, x, radius in clumps[::1]:
        dx = (board.x - np.float32(x)) / np.float32(radius)
        dy = (board.y - np.float32(y)) / np.float32(radius)
        distance = (dx * dx)[None, :] + (dy * dy)[:, None] + ragged
        inside = distance < 1
        # Leaves near the top and on the upper left of a clump catch the light.
        height_in_crown = (y - bottom) / (top - bottom)
        shade = np.float32(0.34 + 0.40 * height_in_crown) + (dy[:, None] - dx[None, :] * np.float32(0.5)) * np.float32(
            0.13
        )
        shade = shade + (fine - np.float32(0.5)) * np.float32(0.55)
        np.copyto(paint, np.minimum(np.maximum(shade, np.float32(0.12)), 1), where=inside)
        board.pixels[:3, inside] = 0
        opacity[inside] = 1
    opacity[(fine > np.float32(1.0 - gaps) * np.float32(0.85)) & (board.y[:, None] > bottom) & (paint > 0)] = 0


@cache
def tree(variant: int) -> Sprite:
    """A tree: leaves take the tint, bark has its own colour."""
    height, half, bottom, top, clump, gaps = _TREES[variant]
    board = Board(-half - 0.4, half + 0.4, 0.0, height + 0.3, 160)
    trunk = 0.10 + height / 60
    board.polygon(
        [(-trunk * 1.3, 0), (trunk * 1.3, 0), (trunk * 0.7, bottom + 1.5), (-trunk * 0.7, bottom + 1.5)], _BARK
    )
    board.line((0, bottom), (half * 0.5, bottom + 1.8), trunk, _BARK)
    board.line((0, bottom), (-half * 0.5, bottom + 1.6), trunk, _BARK)
    _leaves(board, variant, half, bottom, top, clump, gaps, cone=variant == 5)
    return board.finish()


@cache
def bush(variant: int) -> Sprite:
    """A bush, about 1.2 m high and 2 m wide."""
    board = Board(-1.3, 1.3, 0.0, 1.5, 64)
    _leaves(board, 40 + variant, 1.0, 0.0, 1.25 + 0.1 * variant, 0.28, 0.02, cone=False)
    return board.finish()
