"""Sprites of people, riders and bicycles."""

from __future__ import annotations

from functools import cache

from labelkit.worlds.streets.shapes import Board, Sprite

SKIN = ((0.85, 0.66, 0.54), (0.72, 0.52, 0.40), (0.45, 0.30, 0.22), (0.90, 0.74, 0.64))
HAIR = ((0.16, 0.11, 0.08), (0.42, 0.28, 0.14), (0.07, 0.06, 0.06), (0.62, 0.56, 0.50))
TROUSERS = ((0.13, 0.15, 0.22), (0.22, 0.21, 0.20), (0.28, 0.25, 0.20), (0.10, 0.10, 0.11), (0.33, 0.36, 0.42))
PEOPLE = 8
_RUBBER, _STEEL = (0.06, 0.06, 0.07), (0.28, 0.28, 0.30)


@cache
def person(variant: int) -> Sprite:
    """A person 1.75 m tall: standing, walking, seen from the side, with a bag."""
    skin, hair, cloth = SKIN[variant % 4], HAIR[(variant // 2) % 4], TROUSERS[variant % 5]
    side, stride = variant % 2 == 1, (0.06, 0.24, 0.08, 0.30, 0.06, 0.16, 0.10, 0.22)[variant % 8]
    board = Board(-0.42, 0.42, 0.0, 1.78, 128)
    hip, shoulder = 0.88, 1.46
    for direction in (-1, 1):
        foot = direction * stride
        knee = foot * 0.55 + (0.05 if side else 0.0)
        start = direction * (0.03 if side else 0.09)
        board.line((start, hip), (knee, 0.48), 0.17, cloth)
        board.line((knee, 0.50), (foot, 0.05), 0.13, cloth)
        board.polygon(
            [(foot - 0.08, 0), (foot + (0.14 if side else 0.08), 0), (foot + 0.08, 0.09), (foot - 0.08, 0.09)],
            (0.08, 0.07, 0.07),
        )
    width = 0.14 if side else 0.21
    board.polygon([(-width * 0.85, hip - 0.08), (width * 0.85, hip - 0.08), (width, shoulder), (-width, shoulder)])
    board.ellipse((0, shoulder - 0.01), (width, 0.07))
    if side:
        board.line((0.02, shoulder - 0.05), (stride * 0.8, 1.0), 0.10, None, 0.72)
        board.ellipse((stride * 0.8, 0.96), (0.05, 0.06), skin)
    else:
        for direction in (-1, 1):
            hand = direction * (width + 0.07 + 0.2 * stride)
            board.line((direction * width * 0.95, shoulder - 0.03), (hand, 0.92), 0.11, None, 0.78)
            board.ellipse((hand, 0.88), (0.05, 0.06), skin)
    if variant in (2, 5):  # a skirt or a long coat
        board.polygon(
            [(-0.27, 0.52), (0.27, 0.52), (width * 0.85, hip + 0.05), (-width * 0.85, hip + 0.05)], None, 0.88
        )
    if variant in (1, 6):  # a rucksack
        board.ellipse((-0.17, 1.22), (0.12, 0.22), (0.30, 0.12, 0.10))
    board.line((0, shoulder), (0, 1.56), 0.09, skin)
    board.ellipse((0.01, 1.63), (0.10, 0.125), skin)
    board.ellipse((-0.01, 1.68), (0.11, 0.09), hair)
    return board.finish()


def _wheels(board: Board, side: bool) -> None:
    if side:
        for x in (-0.52, 0.52):
            board.ellipse((x, 0.35), (0.35, 0.35), _RUBBER, hole=0.72)
            board.ellipse((x, 0.35), (0.06, 0.06), _STEEL)
            for dx, dy in ((0.28, 0.0), (0.0, 0.28), (0.2, 0.2), (0.2, -0.2)):
                board.line((x - dx, 0.35 - dy), (x + dx, 0.35 + dy), 0.022, _STEEL)
    else:
        board.ellipse((0, 0.35), (0.075, 0.35), _RUBBER)


@cache
def bicycle(variant: int) -> Sprite:
    """A bicycle: variants 0 and 1 from the side, 2 from behind."""
    side = variant < 2
    if side:
        board = Board(-0.95, 0.95, 0.0, 1.15, 96)
        _wheels(board, True)
        for a, b in (
            ((-0.52, 0.35), (-0.12, 0.36)),
            ((-0.12, 0.36), (-0.24, 0.82)),
            ((-0.52, 0.35), (-0.22, 0.74)),
            ((-0.22, 0.74), (0.36, 0.80)),
            ((-0.12, 0.36), (0.36, 0.72)),
            ((0.52, 0.35), (0.34, 0.95)),
        ):
            board.line(a, b, 0.10)
        board.line((-0.38, 0.90), (-0.10, 0.90), 0.08, _RUBBER)
        board.line((0.24, 1.00), (0.46, 0.94), 0.05, _RUBBER)
        if variant == 1:  # basket
            board.polygon([(0.42, 0.66), (0.74, 0.66), (0.80, 0.92), (0.42, 0.92)], (0.35, 0.26, 0.16))
    else:
        board = Board(-0.40, 0.40, 0.0, 1.15, 96)
        _wheels(board, False)
        board.line((0, 0.45), (0, 0.86), 0.08)
        board.line((-0.30, 1.02), (0.30, 1.02), 0.05, _RUBBER)
        board.line((0, 0.80), (0, 1.02), 0.06)
        board.ellipse((0, 0.90), (0.12, 0.05), _RUBBER)
        board.ellipse((0, 0.66), (0.04, 0.04), (0.8, 0.05, 0.05))
    return board.finish()


@cache
def rider(variant: int) -> Sprite:
    """Who sits on `bicycle(variant)`, in the same coordinates."""
    skin, cloth = SKIN[variant % 4], TROUSERS[(variant + 1) % 5]
    board = Board(-0.50, 0.60, 0.25, 1.80, 112)
    if variant < 2:
        board.line((-0.22, 0.92), (0.10, 0.66), 0.17, cloth)
        board.line((0.10, 0.68), (-0.06, 0.32), 0.13, cloth)
        board.line((-0.20, 0.92), (0.08, 1.42), 0.26)
        board.line((0.06, 1.38), (0.36, 1.02), 0.10, None, 0.75)
        board.ellipse((0.17, 1.60), (0.11, 0.13), skin)
        board.ellipse((0.15, 1.67), (0.13, 0.10), (0.75, 0.75, 0.72) if variant else HAIR[1])
    else:
        for direction in (-1, 1):
            board.line((direction * 0.09, 0.92), (direction * 0.16, 0.62), 0.16, cloth)
            board.line((direction * 0.16, 0.64), (direction * 0.10, 0.30), 0.12, cloth)
        board.polygon([(-0.17, 0.86), (0.17, 0.86), (0.22, 1.42), (-0.22, 1.42)])
        for direction in (-1, 1):
            board.line((direction * 0.20, 1.40), (direction * 0.31, 1.04), 0.10, None, 0.78)
        board.ellipse((0, 1.60), (0.105, 0.13), skin)
        board.ellipse((0, 1.64), (0.12, 0.11), HAIR[0])
    return board.finish()
