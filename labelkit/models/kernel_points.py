"""Where the kernel points of a point convolution lie: one at the centre, the others spread over a sphere.

As in KPConv [thomas2019kpconv]: points repel one another and are drawn to the centre, and the settled
positions are scaled so that their mean distance to the centre is 0.66 of the convolution's radius. The optimisation
here is our own; its starts are seeded, so that a number of points has one disposition.
"""

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

SHARE_OF_RADIUS = 0.66  # mean distance to the centre of all points but the first
JITTER = 0.01  # standard deviation of a layer's own shift of each point, in radii
STARTS, STEPS = 8, 400


@lru_cache(maxsize=32)
def disposition(count: int) -> tuple[tuple[float, float, float], ...]:
    """Positions for a convolution of radius 1; the first point is the centre.

    Args:
        count: number of kernel points, K.

    Returns:
        K triples. The same on every call; rounded, so that the last bits of a machine do not show.

    Raises:
        ValueError: fewer than one point.
    """
    if count < 1:
        raise ValueError(f"{count} kernel points: at least one was expected")
    if count == 1:
        return ((0.0, 0.0, 0.0),)
    rng = np.random.Generator(np.random.PCG64(count))
    points = rng.random((STARTS, count, 3)) - 0.5
    points[:, 0] = 0
    away = np.eye(count, dtype=bool)
    for step in range(STEPS):
        difference = points[:, :, None] - points[:, None]  # (starts, K, K, 3)
        distance = np.sqrt((difference**2).sum(-1)) + away
        push = (difference / distance[..., None] ** 3).sum(2)
        pull = 2 * count / 3 * points  # settles at about the unit sphere, whatever the number of points
        move = (push - pull) * (0.05 / math.sqrt(count))
        length = np.sqrt((move**2).sum(-1, keepdims=True))
        points += move * np.minimum(1, 0.1 / np.maximum(length, 1e-12)) * (1 - step / STEPS)
        points[:, 0] = 0
    distance = np.sqrt(((points[:, :, None] - points[:, None]) ** 2).sum(-1)) + away
    energy = (np.where(away, 0, 1 / distance)).sum((1, 2)) / 2 + count / 3 * (points**2).sum((1, 2))
    best = points[int(np.argmin(np.round(energy, 4)))]
    best *= SHARE_OF_RADIUS / np.sqrt((best[1:] ** 2).sum(-1)).mean()
    return tuple((float(x), float(y), float(z)) for x, y, z in np.round(best, 5) + 0.0)


def kernel_points(count: int, radius: float) -> Tensor:
    """One layer's kernel points: the disposition, shifted a little, turned about the vertical, scaled.

    Every layer of KPConv has its own turn and shifts. They are drawn from torch's global generator, as the layer's
    weights are, and kept as a buffer beside them.

    Args:
        count: number of kernel points, K.
        radius: of the convolution, in metres.

    Returns:
        (K, 3) in metres.
    """
    points = torch.tensor(disposition(count)) + JITTER * torch.randn(count, 3)
    angle = 2 * math.pi * float(torch.rand(()))
    cosine, sine = math.cos(angle), math.sin(angle)
    return radius * points @ torch.tensor([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
