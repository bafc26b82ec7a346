"""A toy: a body from a box that all classes share, and a head that only its class has."""

from __future__ import annotations

import numpy as np

from labelkit.worlds.objects.board import PART, Board, Sheet, cast_shadow
from labelkit.worlds.objects.classes import BLACK, HEADS, WHITE, Colour
from labelkit.worlds.objects.scene import Toy

COAT_COLOURS: dict[str, tuple[Colour, Colour]] = {  # ground and pattern, both dull: no head has such a colour
    "oak": ((0.60, 0.45, 0.31), (0.47, 0.33, 0.22)),
    "slate": ((0.45, 0.49, 0.56), (0.31, 0.35, 0.42)),
    "straw": ((0.77, 0.69, 0.52), (0.60, 0.51, 0.36)),
    "moss": ((0.45, 0.50, 0.36), (0.60, 0.63, 0.47)),
    "clay": ((0.64, 0.43, 0.38), (0.76, 0.58, 0.50)),
    "plum": ((0.47, 0.39, 0.48), (0.62, 0.54, 0.62)),
}


def paint_toy(board: Board, toy: Toy, number: int) -> None:
    """Paint a toy and its shadow.

    Args:
        board: painted in place.
        toy: what and where.
        number: its number on the board, from 1.
    """
    sheet = Sheet(board, number, toy.centre, toy.size, toy.lean, toy.mirrored)
    if not sheet.u.size:
        return
    coat_piece(sheet, _body(sheet, toy), toy.coat, toy.coat_shift, toy.pitch)
    head = Sheet(board, number, toy.head, toy.head_size, toy.lean + toy.nod, toy.mirrored, reach=2.3)
    _paint_head(head, toy)
    cast_shadow(board, board.window(toy.centre, 0.8 * toy.size), number, 0.03 * toy.size, 0.4)


def coat_piece(
    sheet: Sheet, pieces: list[tuple[np.ndarray, np.ndarray | None]], coat: str, shift: Colour, pitch: float
) -> None:
    """Paint pieces with a coat: ground and pattern, the edges darker.

    Args:
        sheet: where.
        pieces: inside, and squared distance from the middle for rounding (None for a flat piece).
        coat: a name of `COAT_COLOURS`.
        shift: added to both colours.
        pitch: of the pattern, in repeats over the length of the thing.
    """
    ground, second = (
        tuple(min(max(value + off, 0.02), 1.0) for value, off in zip(colour, shift, strict=True))
        for colour in COAT_COLOURS[coat]
    )
    marks = _pattern(sheet, coat, pitch)
    for inside, distance in pieces:
        tone = np.float32(0.98) + np.float32(0.3) * sheet.v
        if distance is not None:
            tone = (tone - np.float32(0.16) * distance) * np.where(distance > np.float32(0.84), np.float32(0.78), 1)
        sheet.fill(inside, ground, tone)
        sheet.fill(inside & marks, second, tone)


def _pattern(sheet: Sheet, coat: str, pitch: float) -> np.ndarray:
    """Where the second colour of a coat lies."""
    u, v = sheet.u * np.float32(pitch) + 32, sheet.v * np.float32(pitch) + 32
    if coat == "oak":  # grain: bands of two widths
        w = v + np.float32(0.15) * u
        return (w - np.floor(w) < np.float32(0.16)) | (w * 2 - np.floor(w * 2) < np.float32(0.1))
    if coat == "slate":
        return u - np.floor(u) < np.float32(0.4)
    if coat == "straw":
        p, q = u - np.floor(u) - np.float32(0.5), v - np.floor(v) - np.float32(0.5)
        return p * p + q * q < np.float32(0.08)
    if coat == "moss":
        return (u - np.floor(u) < np.float32(0.5)) ^ (v - np.floor(v) < np.float32(0.5))
    if coat == "clay":
        w = u + v
        return w - np.floor(w) < np.float32(0.35)
    w = u * np.float32(0.6) - v
    return w - np.floor(w) < np.float32(0.5)


def _body(sheet: Sheet, toy: Toy) -> list[tuple[np.ndarray, np.ndarray | None]]:
    """The pieces of a body, from back to front."""
    pieces: list[tuple[np.ndarray, np.ndarray | None]] = []

    def ball(middle: tuple[float, float], reach: tuple[float, float]) -> None:
        distance = sheet.ellipse(middle, reach)
        pieces.append((distance <= 1, distance))

    def bar(a: tuple[float, float], b: tuple[float, float], thickness: float) -> None:
        pieces.append((sheet.bar(a, b, thickness), None))

    swing = toy.swing
    if toy.form == "walker":
        bar((-0.38, 0.04), (-0.52, 0.2 + swing), 0.06)
        for place, step in ((-0.32, 1.0), (-0.2, -1.0), (0.06, 1.0), (0.18, -1.0)):
            bar((place, -0.08), (place + step * swing, -0.4), 0.085)
        ball((-0.08, 0.0), (0.36, 0.2))
    elif toy.form == "sitter":
        ball((-0.15, -0.4), (0.14, 0.08))
        ball((0.15, -0.4), (0.14, 0.08))
        bar((-0.2, -0.02), (-0.4, -0.16 + swing), 0.09)
        bar((0.2, -0.02), (0.4, -0.16 - swing), 0.09)
        ball((0.0, -0.14), (0.3, 0.29))
    elif toy.form == "stander":
        bar((-0.09, -0.3), (-0.1 - swing, -0.5), 0.09)
        bar((0.09, -0.3), (0.1 + swing, -0.5), 0.09)
        bar((-0.12, 0.06), (-0.34, -0.08 + swing), 0.08)
        bar((0.12, 0.06), (0.34, -0.08 - swing), 0.08)
        ball((0.0, -0.1), (0.2, 0.3))
    elif toy.form == "cart":
        pieces.append((sheet.polygon([(-0.46, -0.24), (0.36, -0.24), (0.3, 0.1), (-0.4, 0.06)]), None))
        ball((-0.26, -0.28), (0.13, 0.13))
        ball((0.18, -0.28), (0.13, 0.13))
    else:
        for place, height, radius in ((-0.42, -0.16, 0.12), (-0.26, -0.06 + swing, 0.15), (-0.04, -0.1 - swing, 0.18)):
            ball((place, height), (radius, radius))
        ball((0.16, -0.06), (0.17, 0.17))
    return pieces


def _paint_head(sheet: Sheet, toy: Toy) -> None:
    """Paint a head in its own units: its radius is 1."""
    look, first, second = HEADS[toy.label], toy.first, toy.second
    sheet.kind = PART
    _crown(sheet, look.crown, first, second)
    distance = sheet.ellipse((0, 0), (1, 1))
    face = distance <= 1
    tone = (1 + np.float32(0.1) * sheet.v) * np.where(distance > np.float32(0.84), np.float32(0.72), 1)
    sheet.fill(face, first, tone)
    sheet.fill(face & _marking(sheet, look.marking), second, tone)
    if look.crown == "beak":
        sheet.fill(sheet.polygon([(0.55, 0.35), (1.75, -0.1), (0.55, -0.45)]), second, tone)
    for place in (-0.32, 0.42):
        eye = sheet.ellipse((place, 0.22), (0.2, 0.2))
        sheet.fill(eye <= 1, WHITE)
        sheet.fill(eye <= np.float32(0.4), BLACK)


def _crown(sheet: Sheet, crown: str, first: Colour, second: Colour) -> None:
    for side in (-1.0, 1.0):
        if crown == "pointed":
            sheet.fill(sheet.polygon([(side * 0.15, 0.7), (side * 0.95, 0.3), (side * 0.85, 1.6)]), first)
        elif crown == "round":
            ear = sheet.ellipse((side * 0.8, 0.8), (0.45, 0.45))
            sheet.fill(ear <= 1, first)
            sheet.fill(ear <= np.float32(0.3), second)
        elif crown == "long":
            ear = sheet.ellipse((side * 0.45, 1.35), (0.27, 0.75))
            sheet.fill(ear <= 1, first)
            sheet.fill(ear <= np.float32(0.4), second)
        elif crown == "floppy":
            sheet.fill(sheet.ellipse((side * 1.0, 0.1), (0.36, 0.7)) <= 1, second)
        elif crown == "horns":
            sheet.fill(sheet.polygon([(side * 0.35, 0.75), (side * 0.8, 0.5), (side * 1.15, 1.55)]), second)
        elif crown == "antennae":
            sheet.fill(sheet.bar((side * 0.3, 0.8), (side * 0.75, 1.5), 0.18), second)
            sheet.fill(sheet.ellipse((side * 0.78, 1.55), (0.24, 0.24)) <= 1, first)
    if crown == "crest":
        for foot, top in ((-0.6, -0.9), (-0.2, -0.25), (0.2, 0.35)):
            sheet.fill(sheet.polygon([(foot - 0.28, 0.6), (foot + 0.34, 0.75), (top, 1.6)]), second)


def _marking(sheet: Sheet, marking: str) -> np.ndarray:
    u, v = sheet.u, sheet.v
    if marking == "muzzle":
        return sheet.ellipse((0.1, -0.5), (0.62, 0.42)) <= 1
    if marking == "cap":
        return v > np.float32(0.35)
    if marking == "blaze":
        return (u - np.float32(0.05)) * (u - np.float32(0.05)) < np.float32(0.07)
    if marking == "patches":
        return (sheet.ellipse((-0.36, 0.18), (0.36, 0.42)) <= 1) | (sheet.ellipse((0.46, 0.18), (0.36, 0.42)) <= 1)
    if marking == "spots":
        spots = np.zeros(u.shape, bool)
        for place in ((-0.6, 0.5), (0.05, 0.72), (0.65, -0.2), (-0.45, -0.4), (0.2, -0.6)):
            spots |= sheet.ellipse(place, (0.22, 0.22)) <= 1
        return spots
    if marking == "stripes":
        bands = v * np.float32(1.7) + 8
        return bands - np.floor(bands) < np.float32(0.42)
    if marking == "half":
        return u < np.float32(0)
    if marking == "ring":
        return sheet.ellipse((0, 0), (0.55, 0.55)) <= 1
    return np.zeros(u.shape, bool)
