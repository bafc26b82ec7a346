"""What lies behind and under an object: a landscape, a room, a plain studio, or a rough surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labelkit.worlds.glyphs.draw import Colour, Draw

KINDS = ("landscape", "room", "studio", "surface")
SATURATION = 0.4  # backgrounds are paler than objects
Tones = tuple[float, float]  # the darkest and the brightest colour there may be


@dataclass(frozen=True)
class Backdrop:
    """A painted background.

    Attributes:
        canvas: (3, N, N) float32.
        foot: the row, in shares of the picture, where an object stands.
        behind: its mean colour, from which an object has to differ.
    """

    canvas: np.ndarray
    foot: float
    behind: Colour


def backdrop(draw: Draw, size: int, tones: Tones) -> Backdrop:
    """Paint a background with some clutter.

    Args:
        draw: the picture's numbers.
        size: pixels of the canvas, N.
        tones: the darkest and the brightest colour.
    """
    kind = draw.pick(KINDS)
    if kind == "landscape":
        canvas, horizon = _landscape(draw, size, tones)
    elif kind == "room":
        canvas, horizon = _room(draw, size, tones)
    else:
        canvas, horizon = (_studio if kind == "studio" else _surface)(draw, size, tones), 0.55
    canvas = np.ascontiguousarray(canvas)  # the board paints through a flat view of it
    for _ in range(draw.below(5)):
        _clutter(draw, canvas)
    rows = canvas.shape[1] // 2
    middle = canvas[:, rows - rows // 2 :: 4, rows // 2 : rows + rows // 2 : 4]
    means = (middle * 1024).astype(np.int64).sum(axis=(1, 2))  # whole numbers: their sum has no order
    red, green, blue = (float(value) / (1024 * middle[0].size) for value in means)
    return Backdrop(canvas, draw.between(max(horizon + 0.05, 0.7), 0.94), (red, green, blue))


def _ramp(size: int) -> np.ndarray:
    return (np.arange(size, dtype=np.float32) + np.float32(0.5)) / np.float32(size)


def _column(colour: Colour) -> np.ndarray:
    return np.array(colour, np.float32)[:, None, None]


def _landscape(draw: Draw, size: int, tones: Tones) -> tuple[np.ndarray, float]:
    """Sky over ground, the skyline level or hilly."""
    horizon, near = draw.between(0.3, 0.74), draw.between(0.65, 1.25)
    middle = (tones[0] + tones[1]) / 2
    above = tones if draw.chance(0.4) else (middle, tones[1])  # a sky is often, not always, lighter than the ground
    sky, haze = draw.colour(*above, SATURATION), draw.colour(*above, SATURATION)
    ground = draw.colour(*tones, SATURATION)
    ramp = _ramp(size)
    down = ramp[None, :, None]
    canvas = np.broadcast_to(_column(sky) * (1 - down) + _column(haze) * down, (3, size, size)).copy()
    if draw.chance(0.5):
        cover = np.maximum(draw.cloud(size, 5) - np.float32(0.55), 0) * 2
        canvas += (_column(draw.colour(*above, 0.2)) - canvas) * cover
    skyline = np.float32(horizon) + np.float32(draw.between(-0.12, 0.12)) * (ramp - np.float32(0.5))
    if draw.chance(0.6):
        skyline = skyline - np.float32(draw.between(0.04, 0.16)) * draw.cloud(size, 4)[0]
    under = ramp[:, None] > skyline[None, :]
    tone = 1 + np.float32(near - 1) * np.maximum(ramp - np.float32(horizon), 0)[:, None] / np.float32(1 - horizon)
    tone = tone * (1 + np.float32(draw.between(0.05, 0.35)) * (draw.cloud(size, 10) - np.float32(0.5)))
    return np.where(under, _column(ground) * tone, canvas), horizon


def _room(draw: Draw, size: int, tones: Tones) -> tuple[np.ndarray, float]:
    """A wall, plain, striped or with a picture, over a floor."""
    edge = draw.between(0.5, 0.8)
    wall, floor = draw.colour(*tones, SATURATION), draw.colour(*tones, SATURATION)
    ramp = _ramp(size)
    canvas = np.empty((3, size, size), np.float32)
    canvas[:] = _column(wall) * (1 + np.float32(draw.between(-0.3, 0.3)) * (ramp - np.float32(0.5)))
    if draw.chance(0.35):
        bands = ramp * np.float32(draw.between(4, 12))
        canvas *= np.where(bands - np.floor(bands) < np.float32(0.5), np.float32(draw.between(0.75, 0.95)), 1)
    if draw.chance(0.35):
        left, top, wide = (int(size * draw.between(low, high)) for low, high in ((0, 0.75), (0.05, 0.2), (0.15, 0.3)))
        frame = slice(top, top + wide), slice(left, left + wide)
        canvas[:, *frame] = _column(draw.colour(*tones, SATURATION))
    line = np.float32(edge) + np.float32(draw.between(-0.2, 0.2)) * (ramp - np.float32(0.5))
    depth = ramp[:, None] - line[None, :]
    if draw.chance(0.5):
        canvas = np.where(
            depth > np.float32(-draw.between(0.03, 0.06)), _column(draw.colour(*tones, SATURATION)), canvas
        )
    tone = 1 + np.float32(draw.between(-0.6, 0.8)) * depth
    if draw.chance(0.4):  # boards that meet far away
        along = (ramp[None, :] - np.float32(draw.between(0.2, 0.8))) / (depth + np.float32(0.25))
        seams = along * np.float32(draw.between(2, 5)) + 64
        tone = tone * np.where(seams - np.floor(seams) < np.float32(0.5), np.float32(draw.between(0.8, 0.95)), 1)
    return np.where(depth > 0, _column(floor) * tone, canvas), edge


def _studio(draw: Draw, size: int, tones: Tones) -> np.ndarray:
    """Two colours that blend in any direction."""
    one, other = draw.colour(*tones, SATURATION), draw.colour(*tones, SATURATION)
    ramp = _ramp(size)
    across, down = draw.between(-1, 1), draw.between(-1, 1)
    share = np.float32(0.5) + np.float32(across) * (ramp - np.float32(0.5))[None, :]
    share = np.minimum(np.maximum(share + np.float32(down) * (ramp - np.float32(0.5))[:, None], 0), 1)
    return _column(one) * (1 - share) + _column(other) * share


def _surface(draw: Draw, size: int, tones: Tones) -> np.ndarray:
    """Two colours in patches of two sizes."""
    one, other = draw.colour(*tones, SATURATION), draw.colour(*tones, SATURATION)
    share = np.float32(0.65) * draw.cloud(size, 3 + draw.below(5)) + np.float32(0.35) * draw.cloud(size, 16)
    contrast = draw.between(0.3, 0.9)
    share = np.minimum(np.maximum(np.float32(0.5) + np.float32(contrast) * (share - np.float32(0.5)), 0), 1)
    return _column(one) * (1 - share) + _column(other) * share


def _clutter(draw: Draw, canvas: np.ndarray) -> None:
    """A patch of any colour anywhere: a rectangle, a disc or a triangle."""
    size = canvas.shape[1]
    ramp = _ramp(size)
    x = ((ramp - np.float32(draw.unit())) / np.float32(draw.between(0.03, 0.13)))[None, :]
    y = ((ramp - np.float32(draw.unit())) / np.float32(draw.between(0.03, 0.13)))[:, None]
    lean = np.float32(draw.between(-1, 1))
    x, y = x - lean * y, y + lean * x
    kind = draw.below(3)
    if kind == 0:
        inside = (x <= 1) & (x >= -1) & (y <= 1) & (y >= -1)
    elif kind == 1:
        inside = x * x + y * y <= 1
    else:
        inside = (x >= -1) & (y >= -1) & (x + y <= 0)
    canvas[:, inside] = np.array(draw.colour(0.1, 1), np.float32)[:, None]
