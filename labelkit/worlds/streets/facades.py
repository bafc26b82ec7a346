"""Buildings, walls, fences and hedges: boxes along the street, found column by column."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labelkit.worlds.streets.camera import Camera, Canvas, middles
from labelkit.worlds.streets.classes import FENCE
from labelkit.worlds.streets.domains import Look
from labelkit.worlds.streets.scene import HOUSE, OLD, PLASTER, Block, Scene
from labelkit.worlds.streets.textures import COARSEST_HIGH, COARSEST_WIDE, PAINT_UNIT, TEXEL, WIDE, facades

_ROOFED = (HOUSE, OLD, PLASTER)


class Boxes:
    """The boxes of a scene as arrays, with their colours.

    Args:
        blocks: the boxes.
        first_surface: surface number of the first.
        scene, look: for light and colours.
    """

    def __init__(self, blocks: Sequence[Block], first_surface: int, scene: Scene, look: Look) -> None:
        self.count = len(blocks)
        columns = np.array([block[:5] for block in blocks], np.float32).reshape(-1, 5).T
        self.side, self.face, self.near, self.far, self.height = columns
        self.style = np.array([block.style for block in blocks], np.intp)
        self.surface = np.arange(first_surface, first_surface + self.count, dtype=np.int16)
        self.fence = np.array([block.label == FENCE for block in blocks])
        self.any_fence = bool(self.fence.any())
        # Colours of the side that faces the street and of the end towards the camera, (2, 9, boxes): wall, glass, roof.
        colours = np.array([look.box_colours(block) for block in blocks], np.float32).reshape(-1, 9).T
        lit = np.where(self.side == -scene.sun_side, np.float32(1.0), np.float32(look.facade_shade))
        end = np.float32(look.facade_shade + (1 - look.facade_shade) * (0.75 if scene.sun_skew < 0 else 0.3))
        shades = np.stack([lit, np.broadcast_to(end, lit.shape)])[:, None, :]
        self.colours = colours[None] * shades
        self.colours[:, :3] *= np.float32(1 / PAINT_UNIT)
        self.colours[:, 3:6] = (colours[3:6] * np.float32(1 / 255))[None]
        roofed = np.array([block.style in _ROOFED and block.label != FENCE for block in blocks])
        self.eaves = np.where(roofed, self.height * np.float32(0.80), np.float32(1000))
        self.any_roof = bool(roofed.any())


def paint_boxes(canvas: Canvas, camera: Camera, boxes: Boxes, look: Look, layers: int) -> None:
    """Paint the nearest `layers` boxes of every column, from far to near."""
    if not boxes.count:
        return
    slope = (middles(camera.columns) - np.float32(camera.centre)) / np.float32(camera.focal)
    sideways = slope[None, :] * boxes.side[:, None]
    distance = boxes.face - boxes.side * np.float32(camera.x)
    depth = distance[:, None] / np.maximum(sideways, np.float32(1e-6))
    near = (boxes.near - np.float32(camera.z))[:, None]
    end = near >= depth  # the end that faces the camera is seen, not the side along the street
    depth = np.maximum(depth, near)
    seen = (depth <= (boxes.far - np.float32(camera.z))[:, None]) & (depth > np.float32(0.8)) & (sideways > 0)
    inverse = np.where(seen, 1 / np.maximum(depth, np.float32(0.8)), np.float32(0))
    every = np.arange(camera.columns)
    order = []
    covered = np.full(
        camera.columns, np.float32(-1000)
    )  # how high above the eye line, over depth, the layers before reach
    for _ in range(layers):
        nearest = inverse.argmax(axis=0)
        inverse_depth = inverse[nearest, every]
        rise = (boxes.height[nearest] - np.float32(camera.height)) * inverse_depth
        shown = np.where(rise > covered, inverse_depth, np.float32(0))
        lowest = covered[shown > 0].min(initial=1000)  # a farther layer is seen above the nearer one only
        order.append((nearest, shown, end[nearest, every], float(lowest)))
        covered = np.maximum(covered, np.where(inverse_depth > 0, rise, np.float32(-1000)))
        inverse[nearest, every] = 0
    for nearest, inverse_depth, is_end, lowest in reversed(order):
        _paint_layer(canvas, camera, boxes, look, slope, nearest, inverse_depth, is_end, lowest)


def _paint_layer(
    canvas: Canvas,
    camera: Camera,
    boxes: Boxes,
    look: Look,
    slope: np.ndarray,
    box: np.ndarray,
    inverse_depth: np.ndarray,
    is_end: np.ndarray,
    covered: float,
) -> None:
    """Paint one box per column; nothing is seen lower than `covered` (height above the eye over depth)."""
    hit = np.flatnonzero(inverse_depth)
    if not len(hit):
        return
    left, right = int(hit[0]), int(hit[-1]) + 1
    box, inverse_depth, is_end = box[left:right], inverse_depth[left:right], is_end[left:right]
    depth = 1 / np.maximum(inverse_depth, np.float32(1e-4))
    height = np.where(inverse_depth > 0, boxes.height[box], np.float32(-1000))
    # Rows between the highest roof and the lowest base.
    focal, horizon, eye = np.float32(camera.focal), np.float32(camera.horizon), np.float32(camera.height)
    highest = horizon - ((height - eye) * focal * inverse_depth).max()
    lowest = horizon + (eye * focal * inverse_depth).max()
    lowest = min(float(lowest), camera.horizon - camera.focal * covered + 1)
    top, bottom = max(0, int(max(highest, 0.0))), max(0, min(camera.rows, int(lowest) + 1))
    if top >= bottom:
        return
    metres = depth / focal  # per pixel
    y = (horizon - middles(camera.rows)[top:bottom])[:, None] * metres[None, :] + eye

    region = (slice(top, bottom), slice(left, right))
    inside = (y > 0) & (y < height[None, :])
    inside &= canvas.inverse_depth[region] <= inverse_depth[None, :]

    # Texture: along the street for sides, across it for ends; averaged over as many texels as a pixel covers.
    grazing = depth / np.maximum(np.abs(slope[left:right]), np.float32(0.02))
    across = np.where(is_end, metres, metres * (grazing / depth)) * np.float32(1 / TEXEL)
    along = np.where(is_end, slope[left:right] * depth, depth + np.float32(camera.z)) + np.float32(camera.x)
    halved_wide, halved_high = np.zeros(len(box), np.intp), np.zeros(len(box), np.intp)
    for step in range(1, COARSEST_WIDE):
        halved_wide += across > np.float32(0.7 * (1 << step))
    for step in range(1, COARSEST_HIGH):
        halved_high += metres * np.float32(1 / TEXEL) > np.float32(0.7 * (1 << step))
    atlas = facades(look.dirty)
    column = ((along + np.float32(2560)) * np.float32(1 / TEXEL)).astype(np.intp) & (WIDE - 1)
    begin = atlas.base[boxes.style[box], halved_wide, halved_high] + (column >> halved_wide)
    rows_per_metre = (np.float32(1 / TEXEL) / (1 << halved_high)).astype(np.float32)
    # What lies outside the box gets some texel or other: it is not shown.
    index = (y * rows_per_metre[None, :]).astype(np.intp)
    index *= (WIDE >> halved_wide)[None, :]
    index += begin[None, :]
    texels = atlas.texels.take(index, axis=1, mode="clip").astype(np.float32)

    colours = boxes.colours[is_end.astype(np.intp), :, box].T  # (9, columns)
    paint = texels[0] * colours[:3, None, :]
    if boxes.any_fence:
        opacity = np.where(boxes.fence[box][None, :], texels[1] * np.float32(1 / 255), np.float32(1)) * inside
        view = canvas.image[:, top:bottom, left:right]
        view += (paint - view) * opacity
    else:
        paint += texels[1] * colours[3:6, None, :]
        if boxes.any_roof:
            np.copyto(paint, colours[6:, None, :], where=y > boxes.eaves[box][None, :])
        np.copyto(canvas.image[:, top:bottom, left:right], paint, where=inside)
    np.copyto(canvas.surface[region], boxes.surface[box][None, :], where=inside)
    np.copyto(canvas.inverse_depth[region], inverse_depth[None, :], where=inside)
