"""Lens and sensor: rain, blur, vignette, grain, quantisation."""

from __future__ import annotations

from functools import cache

import numpy as np

from labelkit.worlds.streets.domains import Look
from labelkit.worlds.streets.noise import grain, lattice


@cache
def _vignette(height: int, width: int) -> np.ndarray:
    """Squared distance from the middle, 1 in the corners, (height, width) float32."""
    y = (np.arange(height, dtype=np.float32) + np.float32(0.5)) / np.float32(height) - np.float32(0.5)
    x = (np.arange(width, dtype=np.float32) + np.float32(0.5)) / np.float32(width) - np.float32(0.5)
    return ((y * y)[:, None] + (x * x)[None, :]) * np.float32(2)


@cache
def _streaks(height: int, width: int) -> np.ndarray:
    """Falling drops, (height + 64, width + 64) float32, 0..1, mostly 0."""
    length = max(4, height // 10)
    drops = (lattice(height + 64 + length, width + 64, 4000) > np.float32(0.994)).astype(np.float32)
    field = np.zeros((height + 64, width + 64), np.float32)
    for step in range(length):
        shifted = drops[step : step + height + 64]
        lean = step // 4
        field[:, lean:] = np.maximum(field[:, lean:], shifted[:, : width + 64 - lean])
    return field


def develop(image: np.ndarray, look: Look, salt: int) -> np.ndarray:
    """Put the picture through lens and sensor.

    Args:
        image: (3, H, W) float32; changed in place.
        look: the scene's look.
        salt: differs from frame to frame, so that grain and rain do.

    Returns:
        (3, H, W) uint8.
    """
    height, width = image.shape[1:]
    right, down = (salt * 37) % 64, (salt * 53 + 11) % 64
    if look.rain:
        streaks = _streaks(height, width)[down : down + height, right : right + width] * np.float32(look.rain)
        image += (look.cloud + np.float32(0.15) - image) * streaks
    if look.blur > 0.04:
        side = np.float32(look.blur)
        middle = np.float32(1 - 2 * look.blur)
        inner = image[:, :, 1:-1] * middle
        inner += (image[:, :, :-2] + image[:, :, 2:]) * side
        image[:, :, 1:-1] = inner
        inner = image[:, 1:-1] * middle
        inner += (image[:, :-2] + image[:, 2:]) * side
        image[:, 1:-1] = inner
    image *= np.float32(255 * look.gain)
    if look.vignette:
        image *= 1 - _vignette(height, width) * np.float32(look.vignette)
    if look.grain:
        image += grain(height, width)[:, down : down + height, right : right + width] * np.float32(255 * look.grain)
    image += np.float32(0.5 + 255 * look.lift)
    np.maximum(image, 0, out=image)
    np.minimum(image, 255, out=image)
    return image.astype(np.uint8)
