"""One picture: a background, a shadow, an object, and what a camera adds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from labelkit.worlds.glyphs import buildings, furniture, plants, vehicles, vessels
from labelkit.worlds.glyphs.backdrops import Backdrop, Tones, backdrop
from labelkit.worlds.glyphs.board import Board, Light, Paints
from labelkit.worlds.glyphs.classes import CLASSES
from labelkit.worlds.glyphs.draw import Colour, Draw

SHAPES: dict[str, Callable[[Draw, Board], None]] = {
    name: getattr(module, name)
    for module, names in (
        (buildings, ("house", "church", "tent", "tower")),
        (plants, ("tree", "pine", "mushroom", "cactus")),
        (vessels, ("mug", "teapot", "bottle", "goblet")),
        (furniture, ("chair", "table", "lamp", "parasol")),
        (vehicles, ("car", "bus", "truck", "boat")),
    )
    for name in names
}
# Width of a class's shapes in the units in which a tall one is about 1 high; the wide ones are drawn larger.
WIDE = {"car": 1.25, "bus": 1.25, "truck": 1.25, "boat": 1.1, "table": 1.15, "teapot": 1.1, "house": 1.1, "tent": 1.15}
# Darkest and brightest colours of a background, and of the object before it: nine in ten objects are the lighter.
TONES = (((0.2, 0.65), (0.7, 1.0)),) * 9 + (((0.55, 1.0), (0.15, 0.5)),)
LEAN = 0.1051  # tangent of half of 12 degrees


def picture(draw: Draw, label: int, size: int) -> np.ndarray:
    """Draw a picture.

    Args:
        draw: the picture's numbers.
        label: its class.
        size: height and width in pixels.

    Returns:
        uint8 (3, size, size).
    """
    name = CLASSES[label]
    behind, tones = draw.pick(TONES)
    ground = backdrop(draw, 2 * size, behind)
    light = Light(above=draw.between(0.15, 0.5), side=draw.between(-0.2, 0.2))
    width = WIDE.get(name, 0.8)
    scale = min(draw.between(0.6, 0.88), (ground.foot - 0.02) / 1.02, 0.98 / width)
    room = max(0.5 - 0.46 * width * scale, 0.0)
    foot = 0.5 + draw.between(-room, room) * 0.65, ground.foot
    _shadow(draw, ground.canvas, foot, width * scale, light)
    paints = _paints(draw, ground, tones)
    board = Board(ground.canvas, foot, scale, draw.between(-LEAN, LEAN), draw.chance(0.5), light, paints)
    SHAPES[name](draw, board)
    _wear(draw, board, 2 * size)
    return _camera(draw, ground.canvas)


def _paints(draw: Draw, ground: Backdrop, tones: Tones) -> Paints:
    body = _contrasting(draw, tones, (ground.behind,))
    second = _contrasting(draw, tones, (ground.behind, body))
    trim = _contrasting(draw, tones, (body,))
    opening = draw.colour(0.05, 0.3) if draw.chance(0.8) else draw.colour(0.85, 1, 0.4)
    return Paints(body, second, trim, opening)


def _contrasting(draw: Draw, tones: Tones, others: tuple[Colour, ...]) -> Colour:
    """A colour unlike the others; after some tries, whichever comes."""
    for _ in range(8):
        colour = draw.colour(*tones, 0.7)
        if all(sum(abs(a - b) for a, b in zip(colour, other, strict=True)) > 0.45 for other in others):
            break
    return colour


def _shadow(draw: Draw, canvas: np.ndarray, foot: tuple[float, float], width: float, light: Light) -> None:
    """Darken the ground under the object, on the side away from the light."""
    size = canvas.shape[1]
    middles = (np.arange(size, dtype=np.float32) + np.float32(0.5)) / np.float32(size)
    reach, depth = width * draw.between(0.42, 0.62), draw.between(0.035, 0.085)
    aside = -light.side * 1.2 * width
    x = ((middles - np.float32(foot[0] + aside)) / np.float32(reach))[None, :]
    y = ((middles - np.float32(foot[1] + depth * 0.2)) / np.float32(depth))[:, None]
    share = np.minimum(np.maximum((np.float32(1.25) - x * x - y * y) * np.float32(1.6), 0), 1)
    canvas *= 1 - np.float32(draw.between(0.15, 0.5)) * share


def _wear(draw: Draw, board: Board, size: int) -> None:
    """Give the object's surface patches, stripes or checks, and sometimes hide a bit of it."""
    tone = 1 + np.float32(draw.between(0.0, 0.35)) * (draw.cloud(size, 8) - np.float32(0.5)).ravel()
    kind = draw.below(6)
    if kind < 2:
        pitch, dim = draw.between(4, 9), draw.between(0.76, 0.9)
        bands = (board.u if kind else board.v) * np.float32(pitch) + 32
        tone = tone * np.where(bands - np.floor(bands) < np.float32(0.5), np.float32(dim), 1)
    board.canvas *= np.where(board.touched, tone, 1)
    if draw.chance(0.2):  # a disc of any colour in front of it
        ramp = (np.arange(size, dtype=np.float32) + np.float32(0.5)) / np.float32(size)
        x = ((ramp - np.float32(draw.between(0.2, 0.8))) / np.float32(draw.between(0.05, 0.12)))[None, :]
        y = ((ramp - np.float32(draw.between(0.2, 0.9))) / np.float32(draw.between(0.05, 0.12)))[:, None]
        canvas = board.canvas.reshape(3, size, size)
        canvas[:, x * x + y * y <= 1] = np.array(draw.colour(0.1, 1), np.float32)[:, None]


def _camera(draw: Draw, canvas: np.ndarray) -> np.ndarray:
    """Shrink to the final size, set exposure and contrast, add grain, round to bytes."""
    small = (canvas[:, 0::2, 0::2] + canvas[:, 0::2, 1::2]) + (canvas[:, 1::2, 0::2] + canvas[:, 1::2, 1::2])
    small = small * np.float32(0.25)
    contrast, middle = draw.between(0.65, 1.1), draw.between(0.36, 0.62)
    small = (small - np.float32(0.5)) * np.float32(contrast) + np.float32(middle)
    grain = draw.units(2, *small.shape)
    small = small + np.float32(draw.between(0.02, 0.1)) * (grain[0] - grain[1])
    return (np.minimum(np.maximum(small, 0), 1) * 255 + np.float32(0.5)).astype(np.uint8)
