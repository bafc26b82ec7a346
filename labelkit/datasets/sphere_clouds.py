"""Spheres of large clouds as training samples: fixed centres that cover every point, moved a little each time.

The released KPConv code draws training spheres by potentials alone. Pairs need to know which classes a sphere's
labelled points show before it is drawn, so here the centres are a list.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labelkit.datasets.gridded import Gridded
from labelkit.datasets.point_neighbours import tree
from labelkit.datasets.point_pyramids import Batch, stack
from labelkit.datasets.point_spheres import Potentials, Sphere

JITTER = 0.1  # standard deviation of a centre, in radii


def covering(part: Gridded, index: int, radius: float, times: int = 1) -> list[Sphere]:
    """Spheres in which every grid point of a cloud lies at least so many times; the same for the same cloud.

    Args:
        part: holds the cloud.
        index: of the cloud.
        radius: of the spheres in metres.
        times: how often each point is to be in a sphere.
    """
    potentials = Potentials([part.grid(index)["xyz"]], radius, np.random.default_rng([0, index]))
    found = []
    while potentials.fewest < times:
        sphere = potentials.draw()
        found.append(Sphere(index, sphere.centre, sphere.indices.astype(np.int32)))  # half the memory
    return found


class SphereClouds:
    """Stacks spheres with the marks of their labelled points.

    Args:
        part: the clouds.
        masks: which grid points of each cloud are labelled, (M,) bool each.
        radius: of the spheres in metres.
        turn: turn about the vertical and mirror.
        colour_drop: how often a sphere loses its colours.
        scale: largest random change of each axis, as a share.
        noise: standard deviation of noise on points in metres.

    Attributes:
        spheres: the list from which indices choose.
        labels, marks: of the points of each sphere.
    """

    def __init__(
        self,
        part: Gridded,
        masks: Sequence[np.ndarray],
        radius: float,
        turn: bool = True,
        colour_drop: float = 0.0,
        scale: float = 0.0,
        noise: float = 0.0,
    ) -> None:
        self.part, self.masks, self.radius = part, [np.asarray(mask, bool) for mask in masks], radius
        self.turn, self.colour_drop, self.scale, self.noise = turn, colour_drop, scale, noise
        self.spheres = [sphere for index in range(len(part)) for sphere in covering(part, index, radius)]
        self.labels = [part.grid(sphere.cloud)["label"][sphere.indices] for sphere in self.spheres]
        self.marks = [self.masks[sphere.cloud][sphere.indices] for sphere in self.spheres]
        self._trees = [tree(part.grid(index)["xyz"]) for index in range(len(part))]

    def __len__(self) -> int:
        return len(self.spheres)

    def __call__(self, indices: Sequence[int], generator: np.random.Generator | None = None) -> Batch:
        """The batch of some spheres, with ``label`` and ``labelled``; without a generator as they lie."""
        return stack([self._one(self.spheres[index], generator) for index in indices])

    def _one(self, sphere: Sphere, generator: np.random.Generator | None) -> Batch:
        grid, centre, points = self.part.grid(sphere.cloud), sphere.centre, sphere.indices
        if generator is not None:
            moved = centre + generator.normal(0, JITTER * self.radius, 3).astype(np.float32)
            near = self._trees[sphere.cloud].query_ball_point(moved, self.radius)
            if near:  # a centre that was moved out of the cloud stays where it was
                centre, points = moved, np.sort(np.array(near, np.int64))
        xyz, features = grid["xyz"][points] - centre, grid["features"][points].copy()
        if generator is not None:
            xyz = self._changed(xyz, generator)
            if generator.random() < self.colour_drop:
                features[:, 1:4] = 0
        marks = self.masks[sphere.cloud][points]
        return self.part.pyramid(xyz, features, label=grid["label"][points], labelled=marks)

    def _changed(self, xyz: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Turned about the vertical, mirrored, stretched axis by axis, and with noise."""
        if self.turn:
            angle = generator.random() * 2 * np.pi
            cosine, sine = np.cos(angle), np.sin(angle)
            xyz = xyz @ np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]])
            if generator.random() < 0.5:
                xyz[:, 0] *= -1
        stretch = generator.uniform(1 - self.scale, 1 + self.scale, 3)
        return (xyz * stretch + generator.normal(0, self.noise, xyz.shape)).astype(np.float32)
