"""What everything lies on: eight surfaces, each of two colours that vary from picture to picture."""

from __future__ import annotations

import numpy as np

from labelkit.worlds.objects.classes import Colour
from labelkit.worlds.objects.draw import Draw, cloud, column

COLOURS: dict[str, tuple[Colour, Colour]] = {
    "lawn": ((0.30, 0.46, 0.20), (0.42, 0.58, 0.28)),
    "sand": ((0.84, 0.76, 0.58), (0.76, 0.67, 0.49)),
    "planks": ((0.55, 0.38, 0.24), (0.42, 0.28, 0.17)),
    "tiles": ((0.72, 0.74, 0.74), (0.52, 0.56, 0.58)),
    "rug": ((0.50, 0.24, 0.26), (0.66, 0.56, 0.44)),
    "water": ((0.26, 0.44, 0.54), (0.40, 0.58, 0.66)),
    "stone": ((0.50, 0.49, 0.47), (0.36, 0.36, 0.36)),
    "cloth": ((0.80, 0.80, 0.82), (0.46, 0.54, 0.70)),
}


def paint_floor(draw: Draw, floor: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Paint a floor.

    Args:
        draw: the picture's numbers.
        floor: a name of `COLOURS`.
        x, y: places of columns (W,) and rows (H,) in scene units.

    Returns:
        (3, H, W) float32.
    """
    one, other = (column(draw.near(colour, 0.12)) for colour in COLOURS[floor])
    if draw.chance(0.5):  # half of the floors are mirrored about the diagonal, so that boards run either way
        share = _share(draw, floor, y, x).T
    else:
        share = _share(draw, floor, x, y)
    canvas = one + (other - one) * share[None]
    light = cloud(draw.grid(4, 4), x, y, 1.5)  # broad light and shade
    return canvas * (np.float32(0.86) + np.float32(draw.between(0.1, 0.3)) * light)


def _share(draw: Draw, floor: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Share of the second colour, (H, W) float32 in 0..1."""
    fine = cloud(draw.grid(40, 40), x, y, draw.between(24, 34))
    broad = cloud(draw.grid(9, 9), x, y, draw.between(4, 7))
    shift = draw.between(0, 1)
    if floor == "lawn":
        blades = cloud(draw.grid(24, 64), x, y * np.float32(0.4), 48)
        return np.float32(0.5) * blades + np.float32(0.25) * fine + np.float32(0.25) * broad
    if floor == "sand":
        return np.float32(0.5) * fine + np.float32(0.5) * broad
    if floor == "planks":
        across = y * np.float32(draw.between(4, 7)) + np.float32(shift)
        gap = across - np.floor(across) < np.float32(0.1)
        board = draw.grid(1, 16)[0][np.floor(across).astype(np.intp) % 16]
        grain = cloud(draw.grid(64, 12), x * np.float32(0.1), y, 40)
        return np.where(gap[:, None], np.float32(1.3), np.float32(0.5) * board[:, None] + np.float32(0.4) * grain)
    if floor == "tiles":
        scale = np.float32(draw.between(4, 7))
        p, q = x * scale + np.float32(shift), y * scale + np.float32(shift)
        seam = (p - np.floor(p) < np.float32(0.1))[None, :] | (q - np.floor(q) < np.float32(0.1))[:, None]
        return np.where(seam, np.float32(0.9), np.float32(0.25) * broad + np.float32(0.1) * fine)
    if floor == "rug":
        across = y * np.float32(draw.between(3, 6)) + np.float32(shift)
        band = across - np.floor(across)
        stripe = np.where(band < np.float32(0.5), np.float32(0.75), 0) + np.where(band > np.float32(0.8), 0.35, 0)
        return stripe[:, None].astype(np.float32) + np.float32(0.25) * fine
    if floor == "water":
        wave = y[:, None] * np.float32(draw.between(7, 11)) + np.float32(2.4) * broad
        rise = wave - np.floor(wave) - np.float32(0.5)
        return np.float32(1) - np.float32(3.4) * rise * rise
    if floor == "stone":
        coarse = cloud(draw.grid(9, 9), x, y, 6)
        vein = (coarse - broad) * (coarse - broad)
        return np.where(vein < np.float32(0.004), 1, np.float32(0.55) * fine + np.float32(0.2) * broad)
    scale = np.float32(draw.between(5, 9))
    p, q = x * scale + np.float32(shift), y * scale + np.float32(shift)
    across, down = (p - np.floor(p) < np.float32(0.5))[None, :], (q - np.floor(q) < np.float32(0.5))[:, None]
    return np.float32(0.42) * across + np.float32(0.42) * down + np.float32(0.15) * fine
