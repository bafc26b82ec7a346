"""House, church, tent, tower."""

from __future__ import annotations

from labelkit.worlds.glyphs.board import Board
from labelkit.worlds.glyphs.draw import Draw


def house(draw: Draw, board: Board) -> None:
    """Walls, a roof, a door, windows, perhaps a chimney."""
    paints = board.paints
    half, wall = draw.between(0.36, 0.54), draw.between(0.38, 0.54)
    top, eaves = wall + draw.between(0.26, 0.42), draw.between(0.04, 0.1)
    if draw.chance(0.5):
        place = draw.between(0.12, 0.26)
        board.box(place, place + 0.11, wall, top + 0.08, paints.second)
    board.box(-half, half, 0, wall, paints.body)
    ridge = draw.pick((0.0, 0.0, draw.between(0.1, 0.25)))
    board.polygon([(-half - eaves, wall), (half + eaves, wall), (ridge, top), (-ridge, top)], paints.trim)
    door = draw.between(-half + 0.1, half - 0.24)
    board.box(door, door + 0.14, 0, wall * 0.62, paints.opening, 0.4)
    pane = draw.between(0.11, 0.16)
    for place in (-half + 0.07, half - 0.07 - pane, -pane / 2):
        if place + pane < door - 0.03 or place > door + 0.17:
            board.box(place, place + pane, wall * 0.45, wall * 0.45 + pane, paints.opening, 0.4)


def church(draw: Draw, board: Board) -> None:
    """A nave with a roof, and a steeple at its end."""
    paints = board.paints
    wall, length = draw.between(0.26, 0.36), draw.between(0.3, 0.44)
    width, height = draw.between(0.26, 0.34), draw.between(0.5, 0.66)
    top = wall + draw.between(0.16, 0.24)
    left = -(length + width) / 2
    inner = left + width
    board.box(inner, inner + length, 0, wall, paints.body)
    board.polygon(
        [(inner - 0.05, wall), (inner + length + 0.05, wall), (inner + length - 0.03, top), (inner - 0.05, top)],
        paints.trim,
    )
    board.box(left, inner, 0, height, paints.body)
    tip = height + draw.between(0.26, 0.42)
    board.polygon([(left - 0.03, height), (inner + 0.03, height), ((left + inner) / 2, tip)], paints.trim)
    if draw.chance(0.6):
        middle = (left + inner) / 2
        board.box(middle - 0.025, middle + 0.025, tip - 0.05, tip + 0.13, paints.second)
        board.box(middle - 0.07, middle + 0.07, tip + 0.03, tip + 0.075, paints.second)
    board.box(left + width / 2 - 0.06, left + width / 2 + 0.06, 0, 0.2, paints.opening, 0.4)
    board.ellipse((left + width / 2, height - 0.13), (0.055, 0.055), paints.opening, flat=0.4)
    for step in range(2):
        place = inner + length * (0.25 + 0.42 * step)
        board.box(place, place + 0.07, wall * 0.3, wall * 0.8, paints.opening, 0.4)


def tent(draw: Draw, board: Board) -> None:
    """Cloth over poles, open at the front."""
    paints = board.paints
    half, top = draw.between(0.42, 0.6), draw.between(0.56, 0.8)
    tip = draw.between(-0.12, 0.12)
    if draw.chance(0.4):  # seen from a corner: a flank beside the front
        far = draw.between(0.3, 0.45)
        board.polygon([(tip, top), (tip + far, top * 0.94), (half + far * 0.9, 0), (half, 0)], paints.second)
    board.polygon([(-half, 0), (half, 0), (tip, top)], paints.body)
    wide = draw.between(0.1, 0.2)
    board.polygon([(-wide, 0), (wide, 0), (tip, top * draw.between(0.62, 0.85))], paints.opening, 0.4)
    if draw.chance(0.5):
        board.polygon([(-wide, 0), (-wide - 0.1, 0.02), (tip - 0.02, top * 0.7)], paints.trim)
    if draw.chance(0.5):
        board.stroke((tip, top - 0.02), (tip, top + 0.12), 0.035, paints.trim)
        board.polygon([(tip, top + 0.12), (tip, top + 0.04), (tip + 0.15, top + 0.08)], paints.second)


def tower(draw: Draw, board: Board) -> None:
    """A tall wall with battlements, a cone or a lantern."""
    paints = board.paints
    foot, head, top = draw.between(0.18, 0.27), draw.between(0.14, 0.2), draw.between(0.66, 0.86)
    board.polygon([(-foot, 0), (foot, 0), (head, top), (-head, top)], paints.body)
    kind = draw.below(3)
    if kind == 0:
        board.box(-head - 0.04, head + 0.04, top - 0.03, top + 0.07, paints.body)
        for step in (-1, 0, 1):
            middle = step * (head - 0.01)
            board.box(middle - 0.045, middle + 0.045, top + 0.06, top + 0.15, paints.body)
    elif kind == 1:
        board.polygon([(-head - 0.07, top), (head + 0.07, top), (0, top + draw.between(0.2, 0.34))], paints.trim)
    else:
        for low in (0.2, 0.5):  # a lighthouse: bands, a gallery, a lantern
            near, far = (foot + (head - foot) * level for level in (low, low + 0.18))
            corners = [(-near, top * low), (near, top * low), (far, top * (low + 0.18)), (-far, top * (low + 0.18))]
            board.polygon(corners, paints.second)
        board.box(-head - 0.06, head + 0.06, top - 0.02, top + 0.035, paints.trim)
        board.box(-head * 0.6, head * 0.6, top + 0.035, top + 0.15, paints.opening, 0.4)
        board.ellipse((0, top + 0.15), (head * 0.75, 0.09), paints.trim, above=top + 0.15)
    board.box(-0.06, 0.06, 0, 0.16, paints.opening, 0.4)
    if kind != 2:
        for step in range(1 + draw.below(2)):
            low = 0.32 + 0.24 * step
            board.box(-0.035, 0.035, low, low + 0.12, paints.opening, 0.4)
