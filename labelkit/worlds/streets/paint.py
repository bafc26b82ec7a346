"""From a scene and a look to a frame: image, surfaces and depth, and what the surfaces are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labelkit.worlds.streets.camera import FIRST_BLOCK, Camera, Canvas, look_into
from labelkit.worlds.streets.classes import COUNTABLE, ROAD, SIDEWALK, SKY, TERRAIN
from labelkit.worlds.streets.domains import Look
from labelkit.worlds.streets.facades import Boxes, paint_boxes
from labelkit.worlds.streets.ground import CrossSections, paint_ground, paint_sky
from labelkit.worlds.streets.lens import develop
from labelkit.worlds.streets.scene import Scene
from labelkit.worlds.streets.shadows import paint_shadow, shade_from_blocks
from labelkit.worlds.streets.things import paint_thing


@dataclass(slots=True)
class Frame:
    """One painted frame.

    Attributes:
        image: (3, H, W) uint8.
        surface: (H, W) int16, numbers of surfaces.
        inverse_depth: (H, W) float32, 1 / metres; 0 for what is infinitely far.
        camera: from where it is seen.
    """

    image: np.ndarray
    surface: np.ndarray
    inverse_depth: np.ndarray
    camera: Camera


@dataclass(slots=True)
class Surfaces:
    """What the surfaces of a scene are; each array is indexed by surface number.

    Attributes:
        labels: class, int64.
        instances: 0, or the number of the thing from 1, int64.
        motion: (2, N) float32: metres per second sideways and ahead.
    """

    labels: np.ndarray
    instances: np.ndarray
    motion: np.ndarray


def surfaces_of(scene: Scene) -> Surfaces:
    """Number the surfaces of a scene: sky, far horizon, three kinds of ground, blocks, barriers, things."""
    boxes = [box.label for box in (*scene.blocks, *scene.barriers)]
    labels = [SKY, scene.backdrop[0], ROAD, SIDEWALK, TERRAIN, *boxes, *(thing.label for thing in scene.things)]
    before = FIRST_BLOCK + len(boxes)
    instances = [0] * before
    count = 0
    for thing in scene.things:
        countable = thing.label in COUNTABLE
        count += countable
        instances.append(count if countable else 0)
    motion = np.zeros((2, len(labels)), np.float32)
    motion[0, before:] = [thing.vx for thing in scene.things]
    motion[1, before:] = [thing.vz for thing in scene.things]
    return Surfaces(np.array(labels, np.int64), np.array(instances, np.int64), motion)


class Painter:
    """Paints the frames of one scene.

    Args:
        scene: what stands where.
        look: how it looks.
        rows, columns: size of the image in pixels.
    """

    def __init__(self, scene: Scene, look: Look, rows: int, columns: int) -> None:
        self.scene, self.look, self.rows, self.columns = scene, look, rows, columns
        self.sections = CrossSections(scene, look)
        self.blocks = Boxes(scene.blocks, FIRST_BLOCK, scene, look)
        tints = [look.tint(thing.kind, thing.hue, thing.shade) for thing in scene.things]
        self.tints = np.array(tints, np.float32).reshape(-1, 3, 1, 1)
        self.light = np.array(look.light, np.float32).reshape(3, 1, 1)
        self.lamps = self.light * np.float32(look.lamps)
        self.barriers = Boxes(scene.barriers, FIRST_BLOCK + len(scene.blocks), scene, look)

    def frame(self, seconds: float, salt: int) -> Frame:
        """Paint the scene after some seconds of driving; `salt` varies the grain."""
        scene, look = self.scene, self.look
        camera = look_into(scene, self.rows, self.columns, seconds)
        canvas = Canvas(self.rows, self.columns)
        paint_sky(canvas, camera, scene, look)
        x = paint_ground(canvas, camera, scene, look, self.sections)
        light = np.ones(x.shape, np.float32)
        if look.shade < 0.8:
            shade_from_blocks(x, camera, scene, look, light)
        for thing in scene.things:
            paint_shadow(x, camera, scene, look, thing, seconds, light)
        canvas.image[:, self.rows - x.shape[0] :] *= light
        paint_boxes(canvas, camera, self.blocks, look, layers=2)
        paint_boxes(canvas, camera, self.barriers, look, layers=1)
        surface = FIRST_BLOCK + len(scene.blocks) + len(scene.barriers)
        for thing, tint in zip(scene.things, self.tints, strict=True):
            own = self.lamps if thing.kind == "light" else self.light
            paint_thing(canvas, camera, scene, thing, seconds, surface, own, tint)
            surface += 1
        _weather(canvas, camera, look)
        return Frame(develop(canvas.image, look, salt), canvas.surface, canvas.inverse_depth, camera)


def _weather(canvas: Canvas, camera: Camera, look: Look) -> None:
    """Haze that grows with distance, and reflections on wet ground."""
    if look.wet:
        middle = int(camera.horizon + 0.5)
        rows = min(middle, camera.rows - middle)
        ground = canvas.surface[middle : middle + rows]
        wet = ((ground >= 2) & (ground <= 3)) * np.float32(look.wet)
        mirrored = canvas.image[:, middle - rows : middle][:, ::-1]
        below = canvas.image[:, middle : middle + rows]
        below += (mirrored - below) * wet
    density = np.float32(look.haze_density)
    amount = density / (canvas.inverse_depth + density)
    amount *= canvas.inverse_depth > 0
    canvas.image += (look.haze - canvas.image) * amount
