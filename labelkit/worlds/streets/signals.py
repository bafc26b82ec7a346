"""Sprites of traffic signs and traffic lights; poles are drawn as plain strips elsewhere."""

from __future__ import annotations

from functools import cache

from labelkit.worlds.streets.shapes import Board, Sprite

_RED, _WHITE, _BLUE, _YELLOW, _BLACK = (
    (0.78, 0.07, 0.09),
    (0.92, 0.92, 0.90),
    (0.08, 0.24, 0.62),
    (0.95, 0.77, 0.10),
    (0.06,) * 3,
)
_LAMPS = ((0.95, 0.12, 0.08), (0.98, 0.70, 0.10), (0.15, 0.85, 0.45))


@cache
def sign(variant: int) -> Sprite:
    """A traffic sign, its lower edge at height 0."""
    if variant >= 6:  # direction boards
        board = Board(-1.3, 1.3, 0.0, 1.2, 64)
        ground = _BLUE if variant == 6 else (0.86, 0.82, 0.30)
        ink = _WHITE if variant == 6 else _BLACK
        board.polygon([(-1.3, 0), (1.3, 0), (1.3, 1.2), (-1.3, 1.2)], ink)
        board.polygon([(-1.25, 0.05), (1.25, 0.05), (1.25, 1.15), (-1.25, 1.15)], ground)
        for row, length in ((0.85, 0.9), (0.55, 0.5), (0.25, 0.7)):
            board.line((-1.0, row), (-1.0 + 1.6 * length, row), 0.12, ink)
        board.line((0.95, 0.25), (0.95, 0.95), 0.1, ink)
        return board.finish()
    board = Board(-0.38, 0.38, 0.0, 0.76, 48)
    if variant == 0:  # limit
        board.ellipse((0, 0.38), (0.37, 0.37), _RED)
        board.ellipse((0, 0.38), (0.28, 0.28), _WHITE)
        board.line((-0.1, 0.24), (-0.1, 0.52), 0.08, _BLACK)
        board.ellipse((0.1, 0.38), (0.1, 0.14), _BLACK, hole=0.5)
    elif variant == 1:  # warning
        board.polygon([(-0.37, 0.04), (0.37, 0.04), (0, 0.72)], _RED)
        board.polygon([(-0.24, 0.12), (0.24, 0.12), (0, 0.56)], _WHITE)
        board.line((0, 0.18), (0, 0.42), 0.07, _BLACK)
    elif variant == 2:  # mandatory
        board.ellipse((0, 0.38), (0.37, 0.37), _BLUE)
        board.line((-0.18, 0.38), (0.2, 0.38), 0.1, _WHITE)
        board.polygon([(0.06, 0.56), (0.27, 0.38), (0.06, 0.20)], _WHITE)
    elif variant == 3:  # priority
        board.polygon([(0, 0.01), (0.37, 0.38), (0, 0.75), (-0.37, 0.38)], _WHITE)
        board.polygon([(0, 0.10), (0.28, 0.38), (0, 0.66), (-0.28, 0.38)], _YELLOW)
    elif variant == 4:  # no entry
        board.ellipse((0, 0.38), (0.37, 0.37), _RED)
        board.line((-0.24, 0.38), (0.24, 0.38), 0.13, _WHITE)
    else:  # crossing
        board.polygon([(-0.36, 0.02), (0.36, 0.02), (0.36, 0.74), (-0.36, 0.74)], _BLUE)
        board.polygon([(-0.26, 0.12), (0.26, 0.12), (0, 0.62)], _WHITE)
        board.line((0, 0.2), (0, 0.45), 0.07, _BLACK)
    return board.finish()


@cache
def traffic_light(lit: int) -> Sprite:
    """A signal head with one of three lamps lit, its lower edge at height 0."""
    board = Board(-0.22, 0.22, 0.0, 1.05, 64)
    board.polygon([(-0.22, 0.0), (0.22, 0.0), (0.22, 1.05), (-0.22, 1.05)], (0.80, 0.80, 0.74))  # a light rim
    board.polygon([(-0.18, 0.04), (0.18, 0.04), (0.18, 1.01), (-0.18, 1.01)], (0.07, 0.08, 0.08))
    for lamp, colour in enumerate(_LAMPS):
        shown = colour if lamp == lit else tuple(0.16 * value + 0.02 for value in colour)
        board.ellipse((0, 0.85 - 0.33 * lamp), (0.14, 0.14), shown)
    return board.finish()
