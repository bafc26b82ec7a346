"""One scene with its labels: everything painted, and what the air and the camera add."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from labelkit.worlds.aerial.board import Board
from labelkit.worlds.aerial.draw import Draw
from labelkit.worlds.aerial.grounds import GROUNDS
from labelkit.worlds.aerial.scene import build
from labelkit.worlds.aerial.site import Building
from labelkit.worlds.aerial.trees import paint_trees
from labelkit.worlds.aerial.vehicles import paint_vehicles
from labelkit.worlds.streets.noise import fractal, lattice, smooth

TILE = 1024  # the noise repeats after so many pixels


@dataclass(frozen=True)
class Picture:
    """A scene.

    Attributes:
        image: (3, H, W) uint8.
        instances: (H, W) int32, 0 for nobody, otherwise 1..K; every number occurs.
        labels: (K,) int64 class ids.
    """

    image: np.ndarray
    instances: np.ndarray
    labels: np.ndarray


@cache
def _noise(kind: str) -> np.ndarray:
    """A tile of noise in 0..1, (1024, 1024) float32: coarse, middle or fine."""
    if kind == "clouds":
        return fractal(TILE, TILE, 128, 41, 4)
    if kind == "mottle":
        return fractal(TILE, TILE, 16, 57, 3)
    return (lattice(TILE, TILE, 77) + smooth(TILE, TILE, 2, 2, 78)) * np.float32(0.5)


def _spread(kind: str, height: int, width: int, down: int, right: int) -> np.ndarray:
    rows, columns = (np.arange(height) + down) % TILE, (np.arange(width) + right) % TILE
    return _noise(kind)[rows[:, None], columns[None, :]]


def paint(draw: Draw, height: int, width: int, theme: str, dense: bool) -> Picture:
    """Paint a scene.

    Args:
        draw: the scene's numbers.
        height, width: in pixels.
        theme: what kind of place it is.
        dense: with more vehicles.
    """
    scale = draw.between(0.74, 1.26)
    sun = draw.direction()
    length = draw.between(0.5, 1.1)
    fields = [
        _spread(kind, height, width, draw.below(TILE), draw.below(TILE)) for kind in ("clouds", "mottle", "grain")
    ]
    ground = np.array(GROUNDS["pavement"][0], np.float32)
    canvas = np.empty((3, height, width), np.float32)
    canvas[:] = ground[:, None, None]
    board = Board(canvas, *fields, (sun[0] * length, sun[1] * length), draw.between(0.36, 0.56))
    scene = Building(board, draw, scale, dense)
    build(scene, height, width, theme)
    paint_vehicles(board, scene.vehicles)
    paint_trees(board, scene.trees)
    counts = np.bincount(board.owner.reshape(-1), minlength=len(board.labels) + 1)
    seen = np.flatnonzero(counts[1:]) + 1
    table = np.zeros(len(counts), np.int32)
    table[seen] = np.arange(1, len(seen) + 1, dtype=np.int32)
    labels = np.array([0, *board.labels], np.int64)[seen]
    return Picture(_camera(draw, board), table[board.owner], labels)


def _camera(draw: Draw, board: Board) -> np.ndarray:
    """Blur, haze, colour cast, grain, bytes."""
    image, share = board.canvas, draw.between(0.06, 0.20)
    for inner, one, other in (
        (image[:, :, 1:-1], image[:, :, :-2], image[:, :, 2:]),
        (image[:, 1:-1], image[:, :-2], image[:, 2:]),
    ):
        blurred = (one + other) * share
        inner *= 1 - 2 * share
        inner += blurred
    haze, gain, strength = draw.between(0.0, 0.10), draw.between(0.86, 1.12), draw.between(0.015, 0.05)
    for channel in range(3):
        cast = gain * draw.between(0.96, 1.04) * (1 - haze)
        image[channel] *= 255 * cast
        image[channel] += 255 * (haze * 0.75 - strength / 2) + 0.5
    grain = board.grain * np.float32(255 * strength)
    image += grain
    np.maximum(image, 0, out=image)
    np.minimum(image, 255, out=image)
    return image.astype(np.uint8)
