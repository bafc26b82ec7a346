"""Clouds on a grid with their pyramids, built once and kept: what a point network trains and is judged on.

What stays in memory at the paper's scale: a grid point takes 33 bytes here (place 12, features 20, label 1) and in
`sphere_clouds` some 100 more. S3DIS is over 6,000 m2 of floor and 215 million points [armeni2016s3dis]. Even at 5,000
voxels of 4 cm a square metre of floor (one flat layer has 625) that is 30 million grid points, 1 GB and 3 GB more. The
original points, 24 bytes and more each, are read one cloud at a time: when it is put on the grid, and once more for the
way back if it is judged, whose 5 bytes a point are read from a file each time and not held.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labelkit.datasets.point_grid import subsample
from labelkit.datasets.point_grid_files import kept
from labelkit.datasets.point_neighbours import nearest
from labelkit.datasets.point_pyramids import Batch, input_features, pyramid, stack, turned

Arrays = dict[str, np.ndarray]
GRID = ("xyz", "features", "label")
WAY_BACK = ("nearest", "truth")


class Gridded:
    """Every cloud of a data set on a grid, and the way back to its original points.

    A voxel has the label of one of its points, not a vote: whoever draws labelled voxels then knows as many labels as
    voxels were drawn.

    Args:
        dataset: samples with ``xyz`` (N, 3) metres, ``rgb`` (N, 3) in 0..1 and ``label`` (N,), 255 for none.
        voxel: side of the finest grid in metres.
        levels: of the pyramids.
        cap: largest number of neighbours.
        folder: for a file of each cloud's grid, and one of its way back, this data set's alone: clouds are then put on
            the grid once for all processes, and ways back are not held. None keeps both in memory, for small clouds.
    """

    def __init__(self, dataset: Any, voxel: float, levels: int, cap: int, folder: Path | None = None) -> None:
        self.dataset, self.voxel, self.levels, self.cap, self.folder = dataset, voxel, levels, cap, folder
        self.name, self.classes, self.palette = dataset.name, dataset.classes, dataset.palette
        self.ignore_index, self.licence = dataset.ignore_index, dataset.licence
        self._grids: dict[int, Arrays] = {}
        self._ways: dict[int, Arrays] = {}
        self._batches: dict[int, Batch] = {}

    def __len__(self) -> int:
        return len(self.dataset)

    @cached_property
    def fingerprint(self) -> str:
        """Of the data set; grid and pyramid follow from the run file."""
        return self.dataset.fingerprint

    def grid(self, index: int) -> Arrays:
        """One cloud on its grid: ``xyz`` (M, 3), ``features`` (M, 5), ``label`` (M,) uint8."""
        if index not in self._grids:
            self._grids[index] = kept(self._file(index, "grid"), GRID, lambda: self._on_grid(index))
        return self._grids[index]

    def batch(self, index: int) -> Batch:
        """The pyramid of one whole cloud, with ``label`` (M,). It is held, several hundred bytes a grid point: large
        clouds are seen in spheres."""
        if index not in self._batches:
            grid = self.grid(index)
            self._batches[index] = self.pyramid(grid["xyz"], grid["features"], label=grid["label"])
        return self._batches[index]

    def pyramid(self, xyz: np.ndarray, features: np.ndarray, **pointwise: np.ndarray) -> Batch:
        """The pyramid of points that lie on the grid already: a cloud or a part of one. A ``label`` becomes int64."""
        if "label" in pointwise:
            pointwise["label"] = pointwise["label"].astype(np.int64)
        return pyramid(xyz, features, self.voxel, self.levels, cap=self.cap, **pointwise)

    def original(self, index: int) -> tuple[np.ndarray, Tensor]:
        """The way back: the grid point nearest to each original point, (N,), and the original labels, (N,) int64."""
        way = self._ways.get(index)
        if way is None:
            way = kept(self._file(index, "way-back"), WAY_BACK, lambda: self._way_back(index))
            if self.folder is None:
                self._ways[index] = way
        return way["nearest"], torch.from_numpy(way["truth"].astype(np.int64))

    def store(self, way_back: bool, threads: int = 1) -> None:
        """Write the files that are not there yet, and hold no cloud.

        Args:
            way_back: also the files that only judging needs.
            threads: clouds at the same time.
        """

        def one(index: int) -> None:
            grid = kept(self._file(index, "grid"), GRID, lambda: self._on_grid(index))
            if way_back:
                kept(self._file(index, "way-back"), WAY_BACK, lambda: self._way_back(index, grid))

        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(one, range(len(self))):
                pass

    @cached_property
    def labels(self) -> list[np.ndarray]:
        """The label of every grid point of every cloud, (M,) each."""
        return [self.grid(index)["label"] for index in range(len(self))]

    def _on_grid(self, index: int) -> Arrays:
        sample = self.dataset[index]
        xyz, rgb, label = (np.asarray(sample[key]) for key in ("xyz", "rgb", "label"))
        found = subsample(xyz, self.voxel, rgb, label, labels="stored")
        features = input_features(found.xyz, found.rgb)
        return {"xyz": found.xyz, "features": features, "label": found.label.astype(np.uint8)}

    def _way_back(self, index: int, grid: Arrays | None = None) -> Arrays:
        sample, grid = self.dataset[index], grid or self.grid(index)
        places = nearest(np.asarray(sample["xyz"]), grid["xyz"])
        return {"nearest": places.astype(np.int32), "truth": np.asarray(sample["label"]).astype(np.uint8)}

    def _file(self, index: int, what: str) -> Path | None:
        return self.folder and self.folder / f"{index:05d}-{what}.npz"


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
