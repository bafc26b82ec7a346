"""Exact optical flow and occlusion between two frames of a scene."""

from __future__ import annotations

import numpy as np

from labelkit.worlds.streets.camera import middles
from labelkit.worlds.streets.paint import Frame, Surfaces


def flow_between(now: Frame, then: Frame, surfaces: Surfaces, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Where each pixel's surface point moves, from the geometry, and whether it is still seen there.

    A point at inverse depth w that moves by (dx, dz) metres relative to the camera goes from column c + u to
    c + (u + focal * dx * w) / (1 + dz * w), where c is the vanishing point's column; rows likewise. What is infinitely
    far (w = 0) stays.

    Args:
        now, then: the frames, `seconds` apart.
        surfaces: what the surface numbers mean.
        seconds: time between the frames.

    Returns:
        flow: (2, H, W) float32 pixels, x then y, from `now` to `then`.
        occluded: (H, W) bool: the point leaves the image, or none of the four pixels around its new place shows the
            same surface.
    """
    camera = now.camera
    inverse = now.inverse_depth
    motion = surfaces.motion[:, now.surface] * np.float32(seconds)
    sideways = motion[0] - np.float32(then.camera.x - camera.x)
    ahead = motion[1] - np.float32(then.camera.z - camera.z)
    closer = 1 + ahead * inverse
    passed = closer <= np.float32(0.02)  # the camera has gone past it
    closer = np.maximum(closer, np.float32(0.02))
    across = (middles(camera.columns) - np.float32(camera.centre))[None, :]
    down = (middles(camera.rows) - np.float32(camera.horizon))[:, None]
    new_x = (across + sideways * inverse * np.float32(camera.focal)) / closer
    new_y = down / closer
    flow = np.stack([new_x - across, new_y - down])

    column = new_x + np.float32(camera.centre) - np.float32(0.5)
    row = new_y + np.float32(camera.horizon) - np.float32(0.5)
    outside = (column < -0.5) | (column > camera.columns - 0.5) | (row < -0.5) | (row > camera.rows - 0.5)
    column = np.minimum(np.maximum(column, 0), camera.columns - 1)
    row = np.minimum(np.maximum(row, 0), camera.rows - 1)
    left, top = column.astype(np.intp), row.astype(np.intp)
    right, bottom = np.minimum(left + 1, camera.columns - 1), np.minimum(top + 1, camera.rows - 1)
    same = then.surface[top, left] == now.surface
    for y, x in ((top, right), (bottom, left), (bottom, right)):
        same |= then.surface[y, x] == now.surface
    return flow, outside | passed | ~same
