"""Shadows on the ground: of buildings, under things, and cast by them."""

from __future__ import annotations

import numpy as np

from labelkit.worlds.streets.camera import Camera, middles
from labelkit.worlds.streets.domains import Look
from labelkit.worlds.streets.scene import Scene, Thing


def shade_from_blocks(x: np.ndarray, camera: Camera, scene: Scene, look: Look, light: np.ndarray) -> None:
    """Put the shadows that buildings cast on the ground into `light`."""
    top = camera.rows - x.shape[0]
    rows = middles(camera.rows)[top:]
    depth = np.float32(camera.focal * camera.height) / (rows - np.float32(camera.horizon)) + np.float32(camera.z)
    side = scene.sun_side
    front = scene.fronts[0 if side < 0 else 1]
    heights = np.zeros(200, np.float32)
    for block in scene.blocks:
        if block.side == side and block.face < front + 4:
            near, far = max(0, int(block.near) + 20), max(0, min(200, int(block.far) + 20))
            heights[near:far] = block.height * scene.sun_slope
    for block in scene.barriers:
        if block.side == side and block.height > 1.6:
            near, far = max(0, int(block.near) + 20), max(0, min(200, int(block.far) + 20))
            heights[near:far] = np.maximum(heights[near:far], np.float32(block.height * scene.sun_slope))
    sideways = np.float32(front) - x * np.float32(side)
    bins = sideways * np.float32(scene.sun_skew)
    bins += depth[:, None] + np.float32(20)
    np.maximum(bins, 0, out=bins)
    np.minimum(bins, 199, out=bins)
    reach = heights.take(bins.astype(np.intp))
    reach -= sideways
    # The edge of a shadow is as soft as the light.
    reach *= np.float32(look.shadow_edge)
    np.maximum(reach, 0, out=reach)
    np.minimum(reach, np.float32(1 - look.shade), out=reach)
    np.subtract(light, reach, out=light)


def shade_patch(
    x: np.ndarray,
    camera: Camera,
    light: np.ndarray,
    centre: tuple[float, float],
    radii: tuple[float, float],
    shear: float,
    darkness: float,
    softness: float = 0.5,
) -> None:
    """Put an oval shadow on the ground into `light`.

    Args:
        x: sideways position of each ground pixel, (R, W).
        camera: the camera.
        light: (R, W), changed in place.
        centre: x and distance ahead of the camera of the shadow's middle.
        radii: its half width and half length; both in metres.
        shear: sideways shift per metre ahead.
        darkness: of its middle, 0..1.
        softness: share of the radius over which it fades.
    """
    top = camera.rows - x.shape[0]
    near, far = centre[1] - radii[1], centre[1] + radii[1]
    if far < 1.0:
        return
    scale = camera.focal * camera.height
    first = max(0, int(camera.horizon + scale / far) - top)
    last = min(x.shape[0], int(camera.horizon + scale / near) - top + 1) if near > 0.5 else x.shape[0]
    spread = radii[0] + abs(shear) * radii[1]
    nearest = max(near, 1.0)
    sides = [
        camera.centre + camera.focal * (centre[0] + s * spread - camera.x) / d for s in (-1, 1) for d in (nearest, far)
    ]
    left, right = max(0, int(min(sides))), min(x.shape[1], int(max(sides)) + 2)
    if first >= last or left >= right:
        return
    rows = middles(camera.rows)[top + first : top + last]
    along = np.float32(scale) / (rows - np.float32(camera.horizon)) - np.float32(centre[1])
    across = x[first:last, left:right] - (along * np.float32(shear) + np.float32(centre[0]))[:, None]
    across *= np.float32(1 / radii[0])
    across *= across
    along = along * np.float32(1 / radii[1])
    across += (along * along)[:, None]
    np.subtract(1, across, out=across)
    across *= np.float32(darkness / softness)
    np.maximum(across, 0, out=across)
    np.minimum(across, np.float32(darkness), out=across)
    patch = light[first:last, left:right]
    patch *= 1 - across


def paint_shadow(
    x: np.ndarray, camera: Camera, scene: Scene, look: Look, thing: Thing, seconds: float, light: np.ndarray
) -> None:
    """Put the shadow of a thing into `light`: a contact shadow always, a cast one when the sun shines."""
    if not thing.footprint[0]:
        return
    at_x, ahead = thing.x + thing.vx * seconds, thing.z + thing.vz * seconds - camera.z
    half, length = thing.footprint
    if ahead < 0.5 or camera.focal * half < 3.5 * ahead:  # a few pixels
        return
    sunny = look.shade < 0.8
    if length > 2.5:  # a vehicle: all of its underside
        shade_patch(x, camera, light, (at_x, ahead + length * 0.42), (half * 1.35, length * 0.70), 0.0, 0.62)
    elif thing.kind not in ("bar", "tree"):
        shade_patch(x, camera, light, (at_x, ahead + 0.05), (half * 1.3, 0.35), 0.0, 0.40)
    elif thing.kind == "tree" and not sunny:
        shade_patch(x, camera, light, (at_x, ahead), (half, half), 0.0, 0.15, 1.0)
    if sunny and thing.height:
        shift = -scene.sun_side * scene.sun_slope * thing.height
        back = scene.sun_skew * shift * scene.sun_side
        dark = 1 - look.shade
        if thing.kind == "tree":
            shade_patch(x, camera, light, (at_x + shift, ahead + back), (half * 1.15, half * 1.15), 0.0, dark, 0.9)
        elif length > 2.5:
            shade_patch(
                x, camera, light, (at_x + shift * 0.5, ahead + length * 0.45), (half * 1.1, length * 0.6), 0.0, dark
            )
        else:
            # A narrow shadow, leaning away from the sun.
            reach = max(abs(back), abs(shift) * 0.25, 0.25) / 2
            centre = (at_x + shift / 2, ahead + (back / 2 if back else 0.0))
            shear = shift / (2 * reach) * (1 if back >= 0 else -1)
            shade_patch(x, camera, light, centre, (max(half, 0.12) * 1.2, reach), shear, dark)
