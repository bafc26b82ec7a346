"""Sky, far horizon and ground."""

from __future__ import annotations

from functools import cache

import numpy as np

from labelkit.worlds.streets.camera import (
    BACKDROP_SURFACE,
    GRASS_SURFACE,
    ROAD_SURFACE,
    WALK_SURFACE,
    Camera,
    Canvas,
    middles,
)
from labelkit.worlds.streets.classes import ROAD, SIDEWALK, TERRAIN
from labelkit.worlds.streets.domains import Look
from labelkit.worlds.streets.noise import clouds, lattice
from labelkit.worlds.streets.scene import Scene
from labelkit.worlds.streets.textures import GROUND_TILE, ground_tiles

BIN = 0.1  # metres of the street's cross-section
BINS = 512
REACH = BIN * BINS / 2
WIDTHS = (1, 2, 4, 8, 16)  # bins over which a cross-section is averaged for far rows
PLAIN, DASH, FADED, CROSS, STRIPES = range(5)  # kinds of cross-section
_SURFACES = {ROAD: ROAD_SURFACE, SIDEWALK: WALK_SURFACE, TERRAIN: GRASS_SURFACE}


def paint_sky(canvas: Canvas, camera: Camera, scene: Scene, look: Look) -> None:
    """Sky with clouds, and at the horizon a far row of trees or houses."""
    rows = min(camera.rows, int(camera.horizon) + 1)
    position = (middles(camera.rows)[:rows] / np.float32(camera.horizon))[None, :, None]
    position = position * position
    sky = look.sky_top + (look.sky_low - look.sky_top) * position
    cover = clouds(camera.rows, camera.columns)
    shift = int(look.cloud_shift * camera.columns)
    cover = cover[:rows, shift : shift + camera.columns] * np.float32(look.cloud_cover)
    above = canvas.image[:, :rows]
    np.multiply(look.cloud - sky, cover, out=above)
    above += sky

    _, height, salt = scene.backdrop
    first = max(0, int(camera.horizon - height * camera.rows) - 1)
    profile = _profile(salt)
    columns = ((middles(camera.columns) / np.float32(camera.columns)) * 96).astype(np.intp)
    crest = np.float32(camera.horizon) - profile[columns] * np.float32(height * camera.rows)
    seen = middles(camera.rows)[first:rows, None] > crest[None, :]
    np.copyto(canvas.image[:, first:rows], look.backdrop, where=seen)
    np.copyto(canvas.surface[first:rows], np.int16(BACKDROP_SURFACE), where=seen)


@cache
def _profile(salt: int) -> np.ndarray:
    steps = lattice(1, 24, 7000 + salt)[0]
    fine = lattice(1, 96, 8000 + salt)[0]
    return np.repeat(steps, 4) * np.float32(0.6) + fine * np.float32(0.3) + np.float32(0.1)


def _span(left: float, right: float) -> slice:
    low, high = int((left + REACH) / BIN + 0.5), int((right + REACH) / BIN + 0.5)
    return slice(max(0, low), min(BINS, max(high, low + 1)))


class CrossSections:
    """Colour, roughness and class across the street, for every kind of row, averaged over several widths.

    Attributes:
        colours: (4, kinds * widths * BINS) float32: red, green, blue, strength of the texture.
        surfaces: (2 * BINS,) int16: of an ordinary row, then of a row in a junction.
    """

    def __init__(self, scene: Scene, look: Look) -> None:
        table = np.zeros((4, 5, BINS), np.float32)
        surfaces = np.zeros((2, BINS), np.int16)
        for left, right, ground in scene.zones:
            span = _span(left, right)
            table[:, :, span] = look.ground[ground][:, None, None]
            surfaces[0, span] = _SURFACES[ground]
        surfaces[1] = ROAD_SURFACE
        table[:, CROSS] = look.ground[ROAD][:, None]
        half = scene.half_road
        marking = look.marking[:, None]
        for x in scene.edges:
            table[:, : FADED + 1, _span(x - 0.075, x + 0.075)] = marking[:, None]
        for x in scene.lanes:
            span = _span(x - 0.075, x + 0.075)
            table[:, DASH, span] = marking
            table[:, FADED, span] = table[:, FADED, span] * np.float32(0.6) + marking * np.float32(0.4)
        x = -half + 0.4
        while x < half - 0.4:
            table[:, STRIPES, _span(x, x + 0.5)] = marking
            x += 1.0
        if scene.kind != "motorway":
            for side in (-1, 1):  # kerb stones
                table[:, :CROSS, _span(side * half - 0.1, side * half + 0.1)] = look.kerb[:, None, None]
                table[:, STRIPES, _span(side * half - 0.1, side * half + 0.1)] = look.kerb[:, None]
        versions = np.empty((4, 5, len(WIDTHS), BINS), np.float32)
        versions[:, :, 0] = table
        for step, width in enumerate(WIDTHS[:-1]):
            # The mean over 2 w bins is the mean of two means over w bins.
            behind, before = width // 2, width - width // 2
            finer, coarser = versions[:, :, step], versions[:, :, step + 1]
            coarser[:] = finer
            middle = coarser[:, :, before : BINS - behind]
            np.add(finer[:, :, : BINS - width], finer[:, :, width:], out=middle)
            middle *= np.float32(0.5)
        self.colours = versions.reshape(4, -1)
        self.surfaces = surfaces.reshape(-1)


def paint_ground(canvas: Canvas, camera: Camera, scene: Scene, look: Look, sections: CrossSections) -> np.ndarray:
    """Paint the ground.

    Returns:
        How light it is on the ground, (rows of ground, W) float32, all ones yet: shadows are put into it, then
        `light_ground` applies it.
    """
    top = int(camera.horizon + 0.5)
    rows = middles(camera.rows)[top:]
    depth = np.float32(camera.focal * camera.height) / (rows - np.float32(camera.horizon))
    inverse = (rows - np.float32(camera.horizon)) / np.float32(camera.focal * camera.height)
    ahead = depth + np.float32(camera.z)

    # Which kind of cross-section each row shows, and averaged over how many bins.
    kind = np.zeros(len(rows), np.intp)
    length, period, phase = scene.dash
    turns = (ahead + np.float32(phase)) / np.float32(period)
    kind[(turns - turns.astype(np.int32)) < np.float32(length / period)] = DASH
    kind[depth * depth > np.float32(1.5 * camera.focal * camera.height)] = FADED
    across = np.zeros(len(rows), np.intp)
    if scene.crossing:
        kind[(ahead >= np.float32(scene.crossing[0])) & (ahead < np.float32(scene.crossing[1]))] = STRIPES
    if scene.junction:
        within = (ahead >= np.float32(scene.junction[0])) & (ahead < np.float32(scene.junction[1]))
        kind[within] = CROSS
        across[within] = BINS
    footprint = depth / np.float32(camera.focal * BIN)
    average = np.zeros(len(rows), np.intp)
    for width in WIDTHS[1:]:
        average += footprint >= np.float32(width * 0.75)

    slope = (middles(camera.columns) - np.float32(camera.centre)) / np.float32(camera.focal)
    x = depth[:, None] * slope[None, :] + np.float32(camera.x)
    position = (x + np.float32(REACH)) * np.float32(1 / BIN)
    np.maximum(position, 0, out=position)
    np.minimum(position, BINS - 1, out=position)
    index = position.astype(np.intp)
    surface = sections.surfaces.take(index + across[:, None])
    index += ((kind * len(WIDTHS) + average) * BINS)[:, None]
    colour = sections.colours.take(index, axis=1)

    texel = ((x + np.float32(64)) * np.float32(16)).astype(np.intp) & (GROUND_TILE - 1)
    texel += ((surface - ROAD_SURFACE) * np.intp(GROUND_TILE * GROUND_TILE)).astype(np.intp)
    texel += (((ahead * np.float32(16)).astype(np.intp) & (GROUND_TILE - 1)) * GROUND_TILE)[:, None]
    texture = ground_tiles(look.dirty).take(texel, mode="clip")
    # Far texels are smaller than a pixel: their contrast averages out.
    texture *= np.minimum(np.float32(camera.focal / 16) * inverse * np.float32(2.0), 1)[:, None]
    texture *= colour[3]
    texture += 1
    np.multiply(colour[:3], texture, out=canvas.image[:, top:])
    canvas.surface[top:] = surface
    canvas.inverse_depth[top:] = inverse[:, None]
    return x
