"""One picture with its labels: floor, things, toys, more things, and what a camera adds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labelkit.worlds.objects.board import Board, Sheet
from labelkit.worlds.objects.draw import Draw, cloud, ramp
from labelkit.worlds.objects.floors import paint_floor
from labelkit.worlds.objects.scene import Scene, Thing, draw_scene
from labelkit.worlds.objects.toys import coat_piece, paint_toy

SAMPLES = 3  # sample points of a pixel along each side; the middle one decides its label
GRAIN_CELLS = 64  # cells of the grain in a scene unit, so that grain is part of the scene and not of the size


@dataclass(frozen=True)
class Picture:
    """A picture and all that is known about it.

    Attributes:
        image: (3, H, W) uint8.
        mask: (H, W) uint8, 0 for the background, otherwise 1 + the class.
        parts: (H, W) uint8, 0 neither, 1 head, 2 body.
        owner: (H, W) uint8, 0 for nobody, otherwise 1 + the position in `scene.toys`.
        scene: what was painted.
    """

    image: np.ndarray
    mask: np.ndarray
    parts: np.ndarray
    owner: np.ndarray
    scene: Scene


def extent(height: int, width: int) -> tuple[float, float]:
    """Width and height of a picture in scene units: the shorter side is 1."""
    shorter = min(height, width)
    return width / shorter, height / shorter


def paint(draw: Draw, label: int, classes: int, height: int, width: int) -> Picture:
    """Paint a picture.

    Args:
        draw: the picture's numbers.
        label: class of its first toy, from 0.
        classes: number of classes.
        height, width: pixels.
    """
    wide, tall = extent(height, width)
    scene = draw_scene(draw, label, classes, wide, tall)
    x, y = ramp(SAMPLES * width, wide), ramp(SAMPLES * height, tall)
    board = Board(np.ascontiguousarray(paint_floor(draw, scene.floor, x, y)), x, y)
    for thing in scene.behind:
        _paint_thing(board, thing)
    for number, toy in enumerate(scene.toys, start=1):
        paint_toy(board, toy, number)
    for thing in scene.before:
        _paint_thing(board, thing)
    middle = slice(SAMPLES // 2, None, SAMPLES)
    owner = np.ascontiguousarray(board.owner[middle, middle])
    labels = np.array([0, *(1 + toy.label for toy in scene.toys)], np.uint8)
    parts = np.ascontiguousarray(board.part[middle, middle])
    return Picture(_camera(draw, board), labels[owner], parts, owner, scene)


def _paint_thing(board: Board, thing: Thing) -> None:
    """Paint a ball, a block or a stick; it belongs to nobody."""
    sheet = Sheet(board, 0, thing.centre, thing.size, thing.lean, False)
    if not sheet.u.size:
        return
    if thing.shape == "ball":
        distance = sheet.ellipse((0, 0), (0.5, 0.5))
        piece = (distance <= 1, distance)
    elif thing.shape == "block":
        piece = (sheet.polygon([(-0.45, -0.35), (0.45, -0.35), (0.45, 0.35), (-0.45, 0.35)]), None)
    else:
        piece = (sheet.bar((-0.5, 0), (0.5, 0), 0.12), None)
    coat_piece(sheet, [piece], thing.coat, thing.coat_shift, thing.pitch)


def _camera(draw: Draw, board: Board) -> np.ndarray:
    """Average the sample points, set the exposure, add grain, round to bytes."""
    small = board.canvas[:, 0::SAMPLES]
    for step in range(1, SAMPLES):
        small = small + board.canvas[:, step::SAMPLES]
    columns = small[:, :, 0::SAMPLES]
    for step in range(1, SAMPLES):
        columns = columns + small[:, :, step::SAMPLES]
    image = columns * np.float32(1 / SAMPLES**2)
    middle = slice(SAMPLES // 2, None, SAMPLES)
    x, y = board.x[middle], board.y[middle]
    strength = draw.between(0.02, 0.06)
    grain = cloud(draw.grid(80, 80), x, y, GRAIN_CELLS) - np.float32(0.5)
    gains = [draw.between(0.97, 1.03) for _ in range(3)]
    image = image * np.array(gains, np.float32)[:, None, None] + np.float32(strength) * grain
    return (np.minimum(np.maximum(image, 0), 1) * 255 + np.float32(0.5)).astype(np.uint8)
