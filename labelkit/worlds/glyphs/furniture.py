"""Chair, table, lamp, parasol."""

from __future__ import annotations

from labelkit.worlds.glyphs.board import Board
from labelkit.worlds.glyphs.draw import Draw


def chair(draw: Draw, board: Board) -> None:
    """A seat on legs with a back, from the side or from the front."""
    paints = board.paints
    half, seat, top = draw.between(0.22, 0.3), draw.between(0.36, 0.48), draw.between(0.84, 1.02)
    thick = draw.between(0.06, 0.085)
    if draw.chance(0.55):  # from the side
        for place in (-half, half - thick):
            board.box(place, place + thick, 0, seat, paints.second)
        slope = draw.between(0.0, 0.12)
        board.polygon(
            [(-half, seat), (-half + thick, seat), (-half + thick - slope, top), (-half - slope, top)], paints.body
        )
        board.box(-half - 0.02, half + 0.03, seat - 0.02, seat + 0.075, paints.body)
        if draw.chance(0.3):
            board.box(-half, half * 0.6, seat + 0.2, seat + 0.25, paints.second)  # an arm rest
            board.box(half * 0.5, half * 0.6 + 0.02, seat, seat + 0.25, paints.second)
    else:
        if draw.chance(0.5):
            board.box(-half, half, seat + 0.14, top, paints.body)
            board.box(-half, -half + thick, seat, seat + 0.2, paints.second)
            board.box(half - thick, half, seat, seat + 0.2, paints.second)
        else:
            for place in (-half, -thick / 2, half - thick):
                board.box(place, place + thick, seat, top, paints.second)
            board.box(-half, half, top - 0.12, top, paints.body)
        for place in (-half - 0.02, half + 0.02 - thick):
            board.box(place, place + thick, 0, seat, paints.second)
        board.polygon(
            [(-half - 0.05, seat - 0.04), (half + 0.05, seat - 0.04), (half, seat + 0.1), (-half, seat + 0.1)],
            paints.trim,
        )


def table(draw: Draw, board: Board) -> None:
    """A wide top on legs, perhaps with drawers or a thing on it."""
    paints = board.paints
    half, top, thick = draw.between(0.46, 0.6), draw.between(0.4, 0.54), draw.between(0.055, 0.08)
    if draw.chance(0.25):  # one column
        board.box(-0.06, 0.06, 0, top, paints.second)
        board.polygon([(-0.26, 0), (0.26, 0), (0.06, 0.12), (-0.06, 0.12)], paints.second)
    else:
        spread = draw.between(0.0, 0.06)
        for side in (-1, 1):
            inner, outer = side * (half - 0.06), side * (half - 0.06 - thick)
            board.polygon(
                [(inner + side * spread, 0), (outer + side * spread, 0), (outer, top), (inner, top)], paints.second
            )
        if draw.chance(0.4):
            board.box(-half + 0.06, half - 0.06, top - draw.between(0.1, 0.2), top, paints.body)
    slant = draw.between(0.02, 0.12)
    board.box(-half, half, top - 0.02, top + 0.05, paints.body)
    board.polygon(
        [(-half, top + 0.05), (half, top + 0.05), (half - slant, top + 0.13), (-half + slant, top + 0.13)], paints.trim
    )
    if draw.chance(0.3):
        place = draw.between(-0.25, 0.25)
        board.ellipse((place, top + 0.18), (0.1, 0.09), paints.opening)


def lamp(draw: Draw, board: Board) -> None:
    """A shade on a pole and a foot, or on a round body."""
    paints = board.paints
    low, top = draw.between(0.5, 0.64), draw.between(0.88, 1.04)
    wide, narrow = draw.between(0.24, 0.36), draw.between(0.1, 0.2)
    if draw.chance(0.45):
        board.ellipse((0, low * 0.42), (draw.between(0.12, 0.2), low * 0.4), paints.second)
        board.box(-0.1, 0.1, 0, 0.06, paints.second)
    else:
        board.ellipse((0, 0.035), (draw.between(0.15, 0.24), 0.05), paints.second)
    board.box(-0.03, 0.03, 0.03, low + 0.05, paints.second)
    board.polygon([(-wide, low), (wide, low), (narrow, top), (-narrow, top)], paints.body)
    band = draw.between(0.03, 0.06)
    board.box(-wide, wide, low, low + band, paints.trim)


def parasol(draw: Draw, board: Board) -> None:
    """A canopy of coloured segments on a pole."""
    paints = board.paints
    wide, low, top = draw.between(0.44, 0.6), draw.between(0.58, 0.7), draw.between(0.9, 1.02)
    board.box(-0.028, 0.028, 0, top, paints.second)
    if draw.chance(0.6):
        board.box(-0.13, 0.13, 0, 0.07, paints.second)
    if draw.chance(0.5):
        board.ellipse((0, low), (wide, top - low), paints.body, above=low)
        board.ellipse((0, low), (wide * 0.4, (top - low) * 0.98), paints.trim, above=low)
    else:
        board.polygon([(-wide, low), (wide, low), (0, top)], paints.body)
        board.polygon([(-wide * 0.4, low), (wide * 0.4, low), (0, top)], paints.trim)
    if draw.chance(0.5):
        for step in range(-2, 3):  # a fringe
            place = step * wide * 0.4
            board.ellipse((place, low), (wide * 0.2, 0.055), paints.body, below=low)
    board.ellipse((0, top), (0.035, 0.04), paints.second)
