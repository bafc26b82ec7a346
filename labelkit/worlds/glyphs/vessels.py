"""Mug, teapot, bottle, goblet."""

from __future__ import annotations

from labelkit.worlds.glyphs.board import Board
from labelkit.worlds.glyphs.draw import Draw


def mug(draw: Draw, board: Board) -> None:
    """A cylinder with a handle, open at the top."""
    paints = board.paints
    half, top = draw.between(0.27, 0.38), draw.between(0.58, 0.8)
    low, reach = top * draw.between(0.46, 0.56), draw.between(0.15, 0.21)
    board.ellipse((half, low), (reach, top * 0.3), paints.body, hole=draw.between(0.5, 0.65))
    foot = half * draw.between(0.78, 1.0)
    board.polygon([(-foot, 0), (foot, 0), (half, top), (-half, top)], paints.body)
    board.ellipse((0, top), (half, 0.08), paints.trim)
    board.ellipse((0, top), (half * 0.84, 0.05), paints.opening, flat=0.4)
    if draw.chance(0.5):
        level = top * draw.between(0.25, 0.5)
        board.box(-foot, foot, level, level + draw.between(0.08, 0.18), paints.second)


def teapot(draw: Draw, board: Board) -> None:
    """A round body with spout, handle and lid."""
    paints = board.paints
    wide, tall = draw.between(0.32, 0.42), draw.between(0.26, 0.34)
    board.ellipse((-wide, tall * 1.1), (0.18, tall * 0.75), paints.second, hole=0.62)
    tip = wide + draw.between(0.2, 0.3), tall * draw.between(1.5, 1.95)
    board.polygon(
        [(wide * 0.6, tall * 0.4), (wide * 0.75, tall * 1.15), tip, (tip[0] - 0.02, tip[1] - 0.1)], paints.body
    )
    board.ellipse((0, tall), (wide, tall), paints.body)
    board.box(-wide * 0.5, wide * 0.5, 0, 0.05, paints.second)
    lid = tall * 1.8
    board.ellipse((0, lid), (wide * 0.55, tall * 0.45), paints.trim, above=lid)
    board.ellipse((0, lid + tall * 0.5), (0.055, 0.055), paints.second)
    if draw.chance(0.4):
        board.ellipse((0, tall), (wide * 0.35, tall * 0.3), paints.second)


def bottle(draw: Draw, board: Board) -> None:
    """A body, shoulders, a neck and a cap, perhaps with a label."""
    paints = board.paints
    half, shoulder = draw.between(0.14, 0.22), draw.between(0.46, 0.62)
    neck, low = draw.between(0.05, 0.08), shoulder + draw.between(0.08, 0.18)
    top = draw.between(0.88, 1.0)
    board.box(-half, half, 0, shoulder, paints.body)
    board.polygon([(-half, shoulder), (half, shoulder), (neck, low), (-neck, low)], paints.body, 0.5)
    board.box(-neck, neck, low, top, paints.body)
    board.box(-neck - 0.02, neck + 0.02, top - 0.08, top, paints.trim)
    if draw.chance(0.7):
        level = draw.between(0.1, 0.2)
        board.box(-half, half, level, level + draw.between(0.14, 0.26), paints.second)


def goblet(draw: Draw, board: Board) -> None:
    """A bowl on a thin stem and a foot."""
    paints = board.paints
    half, low, top = draw.between(0.22, 0.34), draw.between(0.34, 0.48), draw.between(0.84, 1.0)
    board.ellipse((0, 0.04), (draw.between(0.18, 0.26), 0.05), paints.body)
    board.box(-0.035, 0.035, 0.03, low + 0.06, paints.body)
    if draw.chance(0.35):
        board.ellipse((0, low * 0.55), (0.07, 0.05), paints.trim)
    if draw.chance(0.5):
        board.ellipse((0, top), (half, top - low), paints.body, below=top)  # round
    else:
        board.polygon([(-half, top), (half, top), (half * 0.25, low), (-half * 0.25, low)], paints.body)
    board.ellipse((0, top), (half, 0.06), paints.trim)
    board.ellipse((0, top), (half * 0.82, 0.038), paints.opening, flat=0.4)
