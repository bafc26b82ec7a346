"""Car, bus, truck, boat."""

from __future__ import annotations

from labelkit.worlds.glyphs.board import Board
from labelkit.worlds.glyphs.draw import Draw


def _wheels(board: Board, places: tuple[float, ...], radius: float) -> None:
    for place in places:
        board.ellipse((place, radius), (radius, radius), (0.09, 0.09, 0.1), flat=0.3)
        board.ellipse((place, radius), (radius * 0.45, radius * 0.45), board.paints.trim, flat=0.3)


def car(draw: Draw, board: Board) -> None:
    """A low body, a cabin and two wheels."""
    paints = board.paints
    half, radius = draw.between(0.52, 0.62), draw.between(0.1, 0.135)
    belt, roof = draw.between(0.3, 0.38), draw.between(0.52, 0.64)
    back, front = draw.between(-0.5, -0.3), draw.between(0.18, 0.36)
    slope, rake = draw.between(0.03, 0.14), draw.between(0.1, 0.2)
    board.polygon([(back, belt), (front, belt), (front - rake, roof), (back + slope, roof)], paints.second)
    pane = [(back + 0.07, belt), (front - 0.07, belt)]
    pane += [(front - rake - 0.01, roof - 0.06), (back + slope + 0.03, roof - 0.06)]
    board.polygon(pane, paints.opening, 0.4)
    middle = (back + front) / 2
    board.box(middle - 0.03, middle + 0.03, belt, roof - 0.02, paints.second)
    nose = draw.between(0.02, 0.1)
    board.polygon(
        [
            (-half, radius * 0.8),
            (half, radius * 0.8),
            (half, belt - nose),
            (front, belt + 0.01),
            (-half + 0.03, belt + 0.01),
        ],
        paints.body,
    )
    board.ellipse((half - 0.04, belt - nose - 0.06), (0.04, 0.035), (0.98, 0.95, 0.75), flat=0.2)
    _wheels(board, (-half * 0.58, half * 0.58), radius)


def bus(draw: Draw, board: Board) -> None:
    """A long box with a row of windows and a door."""
    paints = board.paints
    half, radius = draw.between(0.52, 0.64), draw.between(0.08, 0.11)
    roof, belt = draw.between(0.5, 0.68), draw.between(0.3, 0.36)
    board.box(-half, half, radius * 0.8, roof, paints.body)
    board.box(-half + 0.02, half - 0.02, roof - 0.05, roof, paints.trim)
    if draw.chance(0.6):
        board.box(-half, half, belt - 0.1, belt - 0.04, paints.second)
    panes = 3 + draw.below(3)
    pitch = (2 * half - 0.22) / panes
    for pane in range(panes):
        left = -half + 0.05 + pane * pitch
        board.box(left, left + pitch * 0.78, belt, roof - 0.1, paints.opening, 0.4)
    board.box(half - 0.15, half - 0.03, radius * 1.2, roof - 0.1, paints.opening, 0.4)
    _wheels(board, (-half * 0.62, half * 0.5), radius)


def truck(draw: Draw, board: Board) -> None:
    """A cab before a load: a box, a tank or an open bed."""
    paints = board.paints
    half, radius = draw.between(0.54, 0.64), draw.between(0.09, 0.12)
    cab, height = draw.between(0.26, 0.34), draw.between(0.44, 0.56)
    floor, behind = radius * 1.5, half - cab - 0.04
    board.box(-half, half, radius, floor + 0.04, (0.16, 0.16, 0.17))
    kind = draw.below(4)
    if kind == 0:
        board.ellipse(((behind - half) / 2, floor + 0.2), ((behind + half) / 2, 0.19), paints.second)
    elif kind == 1:
        board.box(-half, behind, floor, floor + 0.16, paints.second)
        board.ellipse(
            ((behind - half) / 2, floor + 0.16), ((behind + half) * 0.42, 0.14), paints.trim, above=floor + 0.16
        )
    else:
        top = draw.between(0.56, 0.74)
        board.box(-half, behind, floor, top, paints.second)
        if draw.chance(0.4):
            board.box(-half + 0.05, behind - 0.05, floor + 0.16, floor + 0.28, paints.trim)
    slope = draw.between(0.02, 0.1)
    left = half - cab
    board.polygon(
        [(left, radius), (half, radius), (half, height * 0.6), (half - slope, height), (left, height)], paints.body
    )
    pane = [(left + 0.08, height * 0.62), (half - 0.03, height * 0.62)]
    pane += [(half - slope - 0.03, height - 0.05), (left + 0.08, height - 0.05)]
    board.polygon(pane, paints.opening, 0.4)
    _wheels(board, (-half * 0.68, -half * 0.3, half * 0.62) if draw.chance(0.6) else (-half * 0.6, half * 0.6), radius)


def boat(draw: Draw, board: Board) -> None:
    """A hull with a mast and sails, or with a cabin and a funnel."""
    paints = board.paints
    half, deck = draw.between(0.42, 0.58), draw.between(0.18, 0.26)
    if draw.chance(0.65):
        top, mast = draw.between(0.84, 1.02), draw.between(-0.12, 0.08)
        board.stroke((mast, deck), (mast, top), 0.045, paints.trim)
        board.polygon([(mast + 0.03, deck + 0.07), (half * 0.9, deck + 0.09), (mast + 0.03, top - 0.02)], paints.second)
        if draw.chance(0.6):
            board.polygon(
                [(mast - 0.03, deck + 0.07), (-half * 0.75, deck + 0.09), (mast - 0.03, top - 0.12)], paints.trim
            )
    else:
        width, height = draw.between(0.2, 0.3), draw.between(0.16, 0.24)
        board.box(-width, width * 0.8, deck, deck + height, paints.second)
        for place in (-width + 0.05, -0.05, width * 0.8 - 0.13):
            board.box(place, place + 0.08, deck + height * 0.4, deck + height * 0.85, paints.opening, 0.4)
        board.box(
            -width * 0.5, -width * 0.5 + 0.13, deck + height, deck + height + draw.between(0.14, 0.26), paints.trim
        )
    keel = half * draw.between(0.55, 0.78)
    board.polygon([(-half, deck), (half + 0.06, deck + 0.03), (keel, 0), (-keel, 0)], paints.body)
    if draw.chance(0.5):
        board.polygon(
            [(-half, deck), (half + 0.06, deck + 0.03), (half, deck - 0.04), (-half + 0.03, deck - 0.06)], paints.trim
        )
