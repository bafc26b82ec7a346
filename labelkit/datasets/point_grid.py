"""Grid subsampling: one point for each occupied voxel of a cloud, at the barycentre of the points in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

IGNORE_INDEX = 255
DENSE_CELLS = 2**27  # up to so many cells of the bounding box a table of all of them is cheaper than sorting
LABELS = ("vote", "stored")


@dataclass
class Subsampled:
    """A cloud on a grid.

    Attributes:
        xyz: barycentres, (M, 3) float32 metres.
        rgb: mean colours, (M, 3) float32, or None.
        label: (M,) int64, or None.
        inverse: voxel of each original point, (N,) int64.
        stored: the original point that stands for each voxel, the first of those in it, (M,) int64.
    """

    xyz: np.ndarray
    rgb: np.ndarray | None
    label: np.ndarray | None
    inverse: np.ndarray
    stored: np.ndarray


def subsample(
    xyz: np.ndarray,
    voxel: float,
    rgb: np.ndarray | None = None,
    label: np.ndarray | None = None,
    labels: str = "vote",
) -> Subsampled:
    """Put a cloud on a grid whose cells begin at multiples of the voxel's side.

    Voxels come in a fixed order, whatever the order of the points. Points of label 255 do not vote; of equal votes the
    smaller class wins. With "stored" labels, a voxel has the label of one of its points, so that what only some points
    know does not spread to their neighbours.

    Args:
        xyz: (N, 3) metres.
        voxel: side in metres.
        rgb: colours (N, 3).
        label: (N,) integers, 255 for none.
        labels: "vote" or "stored".

    Returns:
        The cloud on the grid.

    Raises:
        ValueError: there are no points, a coordinate is not finite, or an argument is not what it should be.
    """
    xyz = checked(xyz, "the cloud")
    if not voxel > 0:
        raise ValueError(f"voxel {voxel}: a side above 0 metres was expected")
    if labels not in LABELS:
        raise ValueError(f"labels {labels!r}: one of {', '.join(LABELS)} was expected")
    for name, values in (("rgb", rgb), ("label", label)):
        if values is not None and len(values) != len(xyz):
            raise ValueError(f"{len(values)} rows of {name} for {len(xyz)} points")
    inverse, count = _voxels(xyz, voxel)
    size = np.bincount(inverse, minlength=count)

    def means(values: np.ndarray) -> np.ndarray:
        return np.stack(
            [np.bincount(inverse, values[:, axis], count) / size for axis in range(values.shape[1])], axis=1
        ).astype(np.float32)

    stored = np.empty(count, np.int64)
    stored[inverse[::-1]] = np.arange(len(xyz) - 1, -1, -1)  # the last to be written is the first point
    chosen = None
    if label is not None:
        label = np.asarray(label).astype(np.int64, copy=False)
        chosen = label[stored] if labels == "stored" else _votes(label, inverse, count)
    colours = None if rgb is None else means(np.asarray(rgb))
    return Subsampled(means(xyz), colours, chosen, inverse, stored)


def checked(xyz: np.ndarray, what: str) -> np.ndarray:
    """Coordinates that can be worked with.

    Args:
        xyz: to be (N, 3), N at least 1, all finite.
        what: words for the sentence of an error, such as the file's name.

    Returns:
        The array.

    Raises:
        ValueError: they are not.
    """
    xyz = np.asarray(xyz)
    if xyz.ndim != 2 or xyz.shape[1] != 3 or not len(xyz):
        raise ValueError(f"{what} has coordinates of shape {xyz.shape}: (N, 3) with at least one point was expected")
    # A sum is finite only if all terms are; looking for the broken ones comes after.
    if not np.isfinite(xyz.sum(dtype=np.float64)):
        broken = int((~np.isfinite(xyz).all(axis=1)).sum())
        raise ValueError(f"{what} has {broken} of {len(xyz)} points with a coordinate that is not a finite number")
    return xyz


def _voxels(xyz: np.ndarray, voxel: float) -> tuple[np.ndarray, int]:
    """Voxel of each point, (N,), numbered by x, then y, then z, and the number of voxels."""
    low = [float(np.floor(xyz[:, axis].min() / voxel)) for axis in range(3)]
    extent = [int(np.floor(xyz[:, axis].max() / voxel) - low[axis]) + 1 for axis in range(3)]
    total = extent[0] * extent[1] * extent[2]
    if total >= 2**62:
        raise ValueError(f"a cloud of {' x '.join(map(str, extent))} voxels of {voxel} m: too large to be numbered")
    number = np.int32 if total < 2**31 else np.int64
    key = np.zeros(len(xyz), number)
    for axis in range(3):
        key *= number(extent[axis])
        cell = xyz[:, axis] / voxel
        np.floor(cell, out=cell)
        cell -= low[axis]
        key += cell.astype(number)
    if total > max(DENSE_CELLS, 4 * len(xyz)):
        voxels, inverse = np.unique(key, return_inverse=True)
        return inverse.reshape(-1), len(voxels)
    occupied = np.zeros(total, bool)
    occupied[key] = True
    rank = occupied.astype(np.int32)
    np.cumsum(rank, out=rank)
    rank -= 1
    return rank.take(key).astype(np.int64), int(rank[-1]) + 1


def _votes(label: np.ndarray, inverse: np.ndarray, count: int) -> np.ndarray:
    valid = label != IGNORE_INDEX
    if label.min(initial=0) < 0 or not valid.any():
        if valid.any():
            raise ValueError(f"label {label.min()}: classes from 0 and {IGNORE_INDEX} for none were expected")
        return np.full(count, IGNORE_INDEX, np.int64)
    classes = int(label[valid].max()) + 1
    ballots = inverse * classes + label if valid.all() else inverse[valid] * classes + label[valid]
    votes = np.bincount(ballots, minlength=count * classes).reshape(count, classes)
    winner = votes.argmax(1)
    winner[votes.max(1) == 0] = IGNORE_INDEX
    return winner
