"""Tree, pine, mushroom, cactus."""

from __future__ import annotations

from labelkit.worlds.glyphs.board import Board
from labelkit.worlds.glyphs.draw import Draw


def tree(draw: Draw, board: Board) -> None:
    """A trunk under a round crown of one to four lobes."""
    paints = board.paints
    thick, fork = draw.between(0.045, 0.085), draw.between(0.36, 0.5)
    board.polygon([(-thick * 1.4, 0), (thick * 1.4, 0), (thick, fork + 0.1), (-thick, fork + 0.1)], paints.second)
    wide, tall = draw.between(0.26, 0.4), draw.between(0.24, 0.34)
    middle = fork + tall * 0.85
    for _ in range(draw.below(4)):
        side, rise = draw.between(-0.24, 0.24), draw.between(-0.1, 0.14)
        board.ellipse((side, middle + rise), (wide * 0.62, tall * 0.62), paints.body)
    board.ellipse((0, middle), (wide, tall), paints.body)
    if draw.chance(0.35):
        for _ in range(4):  # fruit
            place = draw.between(-0.6, 0.6) * wide, middle + draw.between(-0.6, 0.6) * tall
            board.ellipse(place, (0.045, 0.045), paints.trim)


def pine(draw: Draw, board: Board) -> None:
    """A short trunk under two to four tiers that narrow upwards."""
    paints = board.paints
    trunk, tiers = draw.between(0.1, 0.22), 2 + draw.below(3)
    board.box(-0.06, 0.06, 0, trunk + 0.06, paints.second)
    wide, top = draw.between(0.3, 0.44), draw.between(0.9, 1.04)
    step = (top - trunk) / (tiers + 0.6)
    for tier in range(tiers):
        low = trunk + tier * step
        half = wide * (1 - 0.72 * tier / tiers)
        board.polygon([(-half, low), (half, low), (0, min(top, low + 1.65 * step))], paints.body, 1.3)


def mushroom(draw: Draw, board: Board) -> None:
    """A thick stem under a cap, often with spots."""
    paints = board.paints
    stem, rim = draw.between(0.09, 0.16), draw.between(0.36, 0.52)
    board.polygon([(-stem * 1.35, 0), (stem * 1.35, 0), (stem, rim + 0.05), (-stem, rim + 0.05)], paints.second)
    wide, tall = draw.between(0.34, 0.5), draw.between(0.26, 0.44)
    board.ellipse((0, rim), (wide, tall * 0.2), paints.opening, flat=0.4)  # the gills
    board.ellipse((0, rim), (wide, tall), paints.body, above=rim)
    if draw.chance(0.7):
        for side in (-0.55, 0.0, 0.5):
            place = side * wide, rim + tall * (0.35 if side else draw.between(0.5, 0.72))
            board.ellipse(place, (0.075, 0.06), paints.trim, flat=0.5)


def cactus(draw: Draw, board: Board) -> None:
    """A column with one or two bent arms, perhaps in a pot."""
    paints = board.paints
    half, top = draw.between(0.1, 0.15), draw.between(0.8, 0.96)
    ground = 0.0
    if draw.chance(0.4):
        ground = draw.between(0.16, 0.24)
        board.polygon([(-0.16, 0), (0.16, 0), (0.23, ground + 0.03), (-0.23, ground + 0.03)], paints.second)
    arms = (1,) if draw.chance(0.3) else (-1, 1)
    for side in arms:
        out, low = draw.between(0.24, 0.32), ground + draw.between(0.2, 0.34)
        rise, thick = low + draw.between(0.18, 0.32), half * 0.65
        left, right = sorted((0.0, side * out))
        board.box(left, right, low - thick, low + thick, paints.body)
        board.ellipse((side * out, low), (thick, thick), paints.body, below=low)
        board.box(side * out - thick, side * out + thick, low, rise, paints.body)
        board.ellipse((side * out, rise), (thick, thick), paints.body, above=rise)
    board.box(-half, half, ground, top - half, paints.body)
    board.ellipse((0, top - half), (half, half), paints.body, above=top - half)
    if draw.chance(0.4):
        board.ellipse((0, top + 0.01), (0.07, 0.05), paints.trim)  # a flower
