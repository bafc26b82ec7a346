"""Things that face the camera."""

from __future__ import annotations

from math import ceil

import numpy as np

from labelkit.worlds.streets import figures, plants, signals, vehicles
from labelkit.worlds.streets.camera import Camera, Canvas, middles
from labelkit.worlds.streets.scene import Scene, Thing
from labelkit.worlds.streets.shapes import Sprite

_SPRITES = {
    "tree": plants.tree,
    "bush": plants.bush,
    "sign": signals.sign,
    "light": signals.traffic_light,
    "person": figures.person,
    "rider": figures.rider,
    "bicycle": figures.bicycle,
}


def sprite_of(thing: Thing, scene: Scene) -> tuple[Sprite, bool]:
    """The sprite of a thing and whether it is mirrored.

    A vehicle shows the side that the camera sees when the clip begins, so that it is one rigid picture throughout.
    """
    if thing.kind in _SPRITES:
        return _SPRITES[thing.kind](thing.variant), thing.mirrored
    offset = thing.x - scene.camera_x
    slope = abs(offset) / max(thing.z, 1.0)
    choice = min(range(len(vehicles.SLOPES)), key=lambda index: abs(vehicles.SLOPES[index] - slope))
    return vehicles.vehicle(thing.kind, choice), offset < 0


def paint_thing(
    canvas: Canvas,
    camera: Camera,
    scene: Scene,
    thing: Thing,
    seconds: float,
    surface: int,
    own: np.ndarray,
    tint: np.ndarray,
) -> None:
    """Paint one thing where it stands after some seconds.

    Args:
        canvas, camera, scene, thing, seconds: what is painted, on what, when.
        surface: the thing's surface number.
        own: (3, 1, 1), light on the parts that have their own colour.
        tint: (3, 1, 1), colour of the painted parts.
    """
    ahead = thing.z + thing.vz * seconds - camera.z
    if ahead < 1.2:
        return
    scale = camera.focal / ahead
    column = camera.centre + scale * (thing.x + thing.vx * seconds - camera.x)
    foot = camera.horizon + scale * (camera.height - thing.base)
    if thing.kind == "bar":
        _paint_bar(canvas, thing, scale, column, foot, 1 / ahead, surface, tint)
        return
    sprite, mirrored = sprite_of(thing, scene)
    left, right, bottom, top = sprite.box
    if mirrored:
        left, right = -right, -left
    scale *= thing.scale
    _paint_sprite(
        canvas,
        sprite,
        mirrored,
        (column + scale * left, column + scale * right, foot - scale * bottom, foot - scale * top),
        1 / ahead,
        surface,
        own,
        tint,
    )


def _paint_bar(
    canvas: Canvas,
    thing: Thing,
    scale: float,
    column: float,
    foot: float,
    inverse: float,
    surface: int,
    tint: np.ndarray,
) -> None:
    left, right, bottom, top = thing.box
    height, width = canvas.surface.shape
    x0, y0 = int(column + scale * left + 0.5), int(foot - scale * top + 0.5)
    # Never thinner than a pixel.
    x1 = max(x0 + 1, int(column + scale * right + 0.5))
    y1 = max(y0 + 1, int(foot - scale * bottom + 0.5))
    x0, x1, y0, y1 = max(0, x0), min(width, x1), max(0, y0), min(height, y1)
    if x0 >= x1 or y0 >= y1:
        return
    region = (slice(y0, y1), slice(x0, x1))
    free = canvas.inverse_depth[region] <= np.float32(inverse)
    colour = tint
    if x1 - x0 >= 3:  # round: darker towards one edge
        across = np.minimum(np.arange(x1 - x0, dtype=np.float32) / np.float32(x1 - x0), np.float32(0.9))
        colour = colour * (np.float32(1.15) - across * np.float32(0.6))
    np.copyto(canvas.image[:, y0:y1, x0:x1], colour, where=free)
    np.copyto(canvas.surface[region], np.int16(surface), where=free)
    np.copyto(canvas.inverse_depth[region], np.float32(inverse), where=free)


def _paint_sprite(
    canvas: Canvas,
    sprite: Sprite,
    mirrored: bool,
    edges: tuple[float, float, float, float],
    inverse: float,
    surface: int,
    own: np.ndarray,
    tint: np.ndarray,
) -> None:
    left, right, bottom, top = edges
    rows, columns = canvas.surface.shape
    y0, y1 = max(0, ceil(top - 0.5)), min(rows, ceil(bottom - 0.5))
    x0, x1 = max(0, ceil(left - 0.5)), min(columns, ceil(right - 0.5))
    if y0 >= y1 or x0 >= x1 or bottom - top < 2.5:
        return
    level, last = 0, len(sprite.levels) - 1
    while level < last and sprite.shapes[level][0] > 1.3 * (bottom - top):
        level += 1
    height, width = sprite.shapes[level]
    region = (slice(y0, y1), slice(x0, x1))
    depth = canvas.inverse_depth[region]
    free = depth <= np.float32(inverse)
    if not free.any():
        return
    # A hair less than the full size, so that rounding never leads past the last texel.
    v = (middles(rows)[y0:y1] - np.float32(top)) * np.float32((height - 0.01) / (bottom - top))
    if mirrored:
        u = (np.float32(right) - middles(columns)[x0:x1]) * np.float32((width - 0.01) / (right - left))
    else:
        u = (middles(columns)[x0:x1] - np.float32(left)) * np.float32((width - 0.01) / (right - left))
    index = (v.astype(np.intp) * width)[:, None] + u.astype(np.intp)
    texels = sprite.levels[level].take(index, axis=1)
    opacity = texels[4] * free
    colour = texels[:3]
    colour *= own
    colour += texels[3] * tint
    view = canvas.image[:, y0:y1, x0:x1]
    colour -= view
    colour *= opacity
    view += colour
    solid = opacity > 0.5
    # Things come from far to near and are numbered so: the greater number and the greater inverse depth are in front.
    seen = canvas.surface[region]
    np.maximum(seen, solid * np.int16(surface), out=seen)
    np.maximum(depth, solid * np.float32(inverse), out=depth)
