"""Large clouds sphere by sphere: centres that reach every point, votes that are smoothed, and the way back.

As in KPConv's evaluation on S3DIS: every point has a potential; the next sphere is centred where it is least, and
adds to its points by a Tukey weight, most at the centre. Class probabilities of a point are smoothed over the spheres
that see it, and at the end each original point takes those of its nearest grid point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labelkit.datasets.point_neighbours import nearest, tree

SMOOTHING = 0.95  # weight of what was known before in a point's probabilities
START = 1e-3  # largest random potential at the beginning, which decides where to begin


@dataclass(frozen=True)
class Sphere:
    """A part of a cloud.

    Attributes:
        cloud: number of the cloud.
        centre: (3,) metres.
        indices: its points in the cloud, (n,) int64.
    """

    cloud: int
    centre: np.ndarray
    indices: np.ndarray


class Potentials:
    """Draws spheres so that all points of some clouds come up equally often.

    Args:
        clouds: coordinates (N, 3) of each cloud on its grid.
        radius: of the spheres in metres.
        rng: decides where to begin and, if there is jitter, where exactly a centre lies.
        jitter: standard deviation of a centre around its point, in radii; 0 for evaluation.

    Attributes:
        values: the potential of each point, (N,) for each cloud.
        seen: how many spheres held each point so far.

    Raises:
        ValueError: there are no clouds, or the radius is not above 0.
    """

    def __init__(
        self, clouds: Sequence[np.ndarray], radius: float, rng: np.random.Generator, jitter: float = 0.0
    ) -> None:
        if not len(clouds) or not radius > 0:
            raise ValueError(f"{len(clouds)} clouds and radius {radius}: at least one cloud and a radius above 0 m")
        self.clouds, self.radius, self.jitter, self._rng = clouds, radius, jitter, rng
        self._trees = [tree(cloud) for cloud in clouds]
        self.values = [rng.random(len(cloud)) * START for cloud in clouds]
        self.seen = [np.zeros(len(cloud), np.int64) for cloud in clouds]
        self._least = [float(values.min()) for values in self.values]

    def draw(self) -> Sphere:
        """The next sphere; its points' potentials rise by (1 - (distance / radius)^2)^2.

        Its centre's point is always among its points.
        """
        cloud = int(np.argmin(self._least))
        points, values = self.clouds[cloud], self.values[cloud]
        chosen = int(np.argmin(values))
        centre = points[chosen].astype(np.float64)
        if self.jitter:
            shift = self._rng.normal(size=3) * (self.jitter * self.radius)
            length = float(np.sqrt((shift**2).sum()))
            centre = centre + shift * min(1.0, 0.5 * self.radius / max(length, 1e-12))
        indices = np.sort(np.array(self._trees[cloud].query_ball_point(centre, self.radius), dtype=np.int64))
        squared = ((points[indices] - centre) ** 2).sum(1) / self.radius**2
        values[indices] += np.square(np.maximum(1 - squared, 0))
        self.seen[cloud][indices] += 1
        self._least[cloud] = float(values.min())
        return Sphere(cloud, centre.astype(np.float32), indices)

    @property
    def fewest(self) -> int:
        """How often the point that was seen least has been in a sphere."""
        return min(int(seen.min()) for seen in self.seen)


class SmoothedVotes:
    """Class probabilities of points, smoothed over the spheres that see them.

    Args:
        sizes: number of points of each cloud.
        classes: number of classes.
        smoothing: weight of what was known before; a point's first vote counts whole.
    """

    def __init__(self, sizes: Sequence[int], classes: int, smoothing: float = SMOOTHING) -> None:
        self.probabilities = [np.zeros((size, classes), np.float32) for size in sizes]
        self._voted = [np.zeros(size, bool) for size in sizes]
        self.smoothing = smoothing

    def add(self, cloud: int, indices: np.ndarray, probabilities: np.ndarray) -> None:
        """Take in a sphere.

        Args:
            cloud: number of the cloud.
            indices: its points, (n,), each once.
            probabilities: (n, classes).
        """
        before = self.probabilities[cloud][indices]
        weight = np.where(self._voted[cloud][indices], self.smoothing, 0.0).astype(np.float32)[:, None]
        self.probabilities[cloud][indices] = weight * before + (1 - weight) * probabilities
        self._voted[cloud][indices] = True

    def complete(self) -> bool:
        """Whether every point of every cloud has a vote."""
        return all(bool(voted.all()) for voted in self._voted)


def project(values: np.ndarray, grid: np.ndarray, original: np.ndarray) -> np.ndarray:
    """What the nearest grid point has, for each original point.

    Args:
        values: of the grid points, (M, ...).
        grid: (M, 3).
        original: (N, 3).

    Returns:
        (N, ...).

    Raises:
        ValueError: values and grid do not fit, or the grid is empty.
    """
    if len(values) != len(grid):
        raise ValueError(f"{len(values)} rows of values for {len(grid)} grid points")
    return values[nearest(original, grid)]
