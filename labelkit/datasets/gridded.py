"""Clouds on a grid with their pyramids, built once and kept: what a point network trains and is judged on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labelkit.datasets.point_grid import subsample
from labelkit.datasets.point_neighbours import nearest
from labelkit.datasets.point_pyramids import Batch, input_features, pyramid, stack, turned


class Gridded:
    """Every cloud of a data set on a grid, and the way back to its original points.

    A voxel has the label of one of its points, not a vote: whoever draws labelled voxels then knows as many labels as
    voxels were drawn.

    Args:
        dataset: samples with ``xyz`` (N, 3) metres, ``rgb`` (N, 3) in 0..1 and ``label`` (N,), 255 for none.
        voxel: side of the finest grid in metres.
        levels: of the pyramids.
        cap: largest number of neighbours.
    """

    def __init__(self, dataset: Any, voxel: float, levels: int, cap: int) -> None:
        self.dataset, self.voxel, self.levels, self.cap = dataset, voxel, levels, cap
        self.name, self.classes, self.palette = dataset.name, dataset.classes, dataset.palette
        self.ignore_index, self.licence = dataset.ignore_index, dataset.licence
        self._grids: dict[int, dict[str, np.ndarray]] = {}
        self._batches: dict[int, Batch] = {}

    def __len__(self) -> int:
        return len(self.dataset)

    @cached_property
    def fingerprint(self) -> str:
        """Of the data set; grid and pyramid follow from the run file."""
        return self.dataset.fingerprint

    def grid(self, index: int) -> dict[str, np.ndarray]:
        """One cloud on its grid: ``xyz`` (M, 3), ``features`` (M, 5), ``label`` (M,)."""
        if index not in self._grids:
            sample = self.dataset[index]
            xyz, rgb, label = (np.asarray(sample[key]) for key in ("xyz", "rgb", "label"))
            found = subsample(xyz, self.voxel, rgb, label, labels="stored")
            self._grids[index] = {
                "xyz": found.xyz,
                "features": input_features(found.xyz, found.rgb),
                "label": found.label,
                "nearest": nearest(xyz, found.xyz).astype(np.int32),
                "truth": label.astype(np.uint8),
            }
        return self._grids[index]

    def batch(self, index: int) -> Batch:
        """The pyramid of one whole cloud, with ``label`` (M,)."""
        if index not in self._batches:
            grid = self.grid(index)
            self._batches[index] = self.pyramid(grid["xyz"], grid["features"], label=grid["label"])
        return self._batches[index]

    def pyramid(self, xyz: np.ndarray, features: np.ndarray, **pointwise: np.ndarray) -> Batch:
        """The pyramid of points that lie on the grid already: a cloud or a part of one."""
        return pyramid(xyz, features, self.voxel, self.levels, cap=self.cap, **pointwise)

    def original(self, index: int) -> tuple[np.ndarray, Tensor]:
        """The way back: the grid point nearest to each original point, (N,), and the original labels, (N,) int64."""
        grid = self.grid(index)
        return grid["nearest"], torch.from_numpy(grid["truth"].astype(np.int64))

    @cached_property
    def labels(self) -> list[np.ndarray]:
        """The label of every grid point of every cloud, (M,) each."""
        return [self.grid(index)["label"] for index in range(len(self))]


class WholeClouds:
    """Stacks whole clouds of a `Gridded` with the marks of their labelled points, turned at random if wanted.

    Args:
        part: the clouds.
        masks: which grid points of each cloud are labelled, (M,) bool each.
        turn: turn about the vertical and mirror.
        colour_drop: how often a cloud loses its colours.

    Attributes:
        labels, marks: of each cloud, (M,).
    """

    def __init__(self, part: Gridded, masks: Sequence[np.ndarray], turn: bool = True, colour_drop: float = 0.0) -> None:
        self.part, self.turn, self.colour_drop = part, turn, colour_drop
        self.labels, self.marks = part.labels, [np.asarray(mask, bool) for mask in masks]

    def __len__(self) -> int:
        return len(self.part)

    def __call__(self, indices: Sequence[int], generator: np.random.Generator | None = None) -> Batch:
        """The batch of some clouds, with ``label`` and ``labelled``; without a generator as they lie."""
        clouds = []
        for index in indices:
            cloud = self.part.batch(index) | {"labelled": torch.from_numpy(self.marks[index])}
            if generator is not None and self.turn:
                cloud = turned(cloud, generator, colour_kept=1.0 - self.colour_drop)
            clouds.append(cloud)
        return stack(clouds)


def coarse_index(batch: Batch, level: int) -> Tensor:
    """The point of a level that stands for each finest point, (N_0,)."""
    index = batch["upsamples"][0]
    for finer in range(1, level):
        index = batch["upsamples"][finer][index]
    return index


def coarse_labels(batch: Batch, level: int, classes: int, ignore_index: int = 255) -> Tensor:
    """The most frequent label among the finest points of each point of a level, (N_l,); 255 where none has one."""
    label, index = batch["label"], coarse_index(batch, level)
    known = label != ignore_index
    votes = torch.zeros(len(batch["points"][level]), classes, device=label.device)
    votes.index_put_((index[known], label[known]), votes.new_ones(()), accumulate=True)
    return torch.where(votes.sum(1) > 0, votes.argmax(1), ignore_index)
