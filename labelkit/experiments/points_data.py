"""Clouds by name, on their grids, and which of their points are labelled."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from labelkit import distributed
from labelkit.datasets.gridded import Gridded
from labelkit.datasets.point_labels import draw, load
from labelkit.experiments.data import Parts, find
from labelkit.experiments.points_settings import Settings
from labelkit.experiments.settings import Context
from labelkit.metrics.protocols import rarest_third
from labelkit.provenance import digest


@dataclass(frozen=True)
class PointData(Parts):
    """The three parts of a data set on their grids."""

    @property
    def palette(self) -> np.ndarray:
        return self.train.palette

    @cached_property
    def rarest(self) -> tuple[int, ...]:
        """The labels of the rarest third of the classes that occur in the training part. Needs all its grids."""
        counts = sum(np.bincount(label, minlength=256) for label in self.train.labels)[: len(self.classes)]
        present = np.flatnonzero(counts)
        return tuple(int(present[place]) for place in rarest_third(counts[present].tolist()))

    def store(self, threads: int = 1) -> None:
        """Write the grids of real clouds to files, and the ways back of those that are judged."""
        for part in (self.train, self.val, self.test):
            if part.folder:
                part.store(part is not self.train, threads)


def load_data(name: str, settings: Settings, context: Context) -> PointData:
    """The clouds of a run file's name; kept in memory for the next cell.

    The grids of real clouds lie in files of the run's shared folder, so that they are made once for all cells.

    Raises:
        ValueError: the name is unknown, the version has no reader for it, or LABELKIT_DATA is not set.
    """
    of_world = (settings.clouds, settings.test_clouds, settings.points)
    drawn = find(name).drawn
    voxel = settings.voxel if drawn else settings.real_voxel or settings.voxel
    grids = None if drawn else context.shared / "grids"
    return _load(name, of_world, voxel, settings.levels, settings.neighbours, context.data_root, grids)


@lru_cache(maxsize=4)
def _load(
    name: str,
    of_world: tuple[int, int, int],
    voxel: float,
    levels: int,
    cap: int,
    root: Path | None,
    grids: Path | None,
) -> PointData:
    source, (clouds, tested, points) = find(name), of_world
    if source.drawn:
        lengths = {"train": clouds, "val": max(2, tested // 2), "test": tested}
        parts = source.parts(root, lengths=lengths, points=points)
    else:
        parts = source.parts(root)

    def gridded(part: str) -> Gridded:
        key = grids and digest([name, part, parts[part].fingerprint, voxel])
        return Gridded(parts[part], voxel, levels, cap, grids and grids / f"{name}-{part}-{key}")

    return PointData(gridded("train"), gridded("val"), gridded("test"))


def fingerprint(name: str, settings: Settings, context: Context) -> str:
    """Of the three parts together."""
    return load_data(name, settings, context).fingerprint


def masks_of(
    data: PointData, ratio: str, seed: int, folder: Path | None = None
) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Which grid points of each training cloud are labelled: the same for one seed and ratio, in every arm.

    Args:
        data: whose training part is labelled.
        ratio: share of the grid points of each cloud, such as "1/100".
        seed: of the draw.
        folder: where the draw is kept as a file, and from where it is read if it is there already.

    Returns:
        (M,) bool for each cloud, and what a record says about the draw.

    Raises:
        ValueError: the file that is there belongs to other clouds.
    """
    labels, drawn = data.train.labels, None
    path = folder and folder / f"{ratio.replace('/', '_')}-s{seed}.npz"
    if path and distributed.first_of(path.exists()):
        drawn = load(path, [len(label) for label in labels])
    if drawn is None:
        drawn = draw(labels, float(Fraction(ratio)), seed, level="subsampled")
        if path and distributed.place()[0] == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
            drawn.save(path)
        distributed.barrier()
    labelled = int(sum(mask.sum() for mask in drawn.masks))
    return list(drawn.masks), {"name": ratio, "seed": seed, "hash": drawn.digest, "labelled": labelled}
