"""Clouds as point networks take them: ever coarser grids, neighbours within and between them, several clouds stacked.

A batch is a dict. `features` (N_0, F) float32. Lists of tensors, one for each level, finest first: `points` (N_l, 3)
float32 metres, `neighbours` (N_l, H) int64, `lengths` (clouds,) int64; one for each step between levels: `pools`
(N_{l+1}, H), neighbours in level l of the points of level l + 1, and `upsamples` (N_l,), the nearest point of level
l + 1. Index N_l stands for "none". Whatever else belongs to points, labels say, lies in tensors with N_0 rows.

Every row of `pools` ends with "none", whose features are zero: the largest value of a neighbourhood then is never
negative, and does not depend on the other clouds of a batch, whose longer rows would bring "none" into shorter ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from labelkit.datasets.point_grid import checked, subsample
from labelkit.datasets.point_neighbours import nearest, radius_neighbours, tree

Batch = dict[str, Any]
LISTS = ("points", "neighbours", "pools", "upsamples", "lengths")
CAP = 32


def input_features(xyz: np.ndarray, rgb: np.ndarray, floor: float | None = None) -> np.ndarray:
    """The five inputs of KPConv on S3DIS: one, red, green, blue, and the height above the floor.

    Args:
        xyz: (N, 3) metres.
        rgb: (N, 3) in 0..1.
        floor: height of the floor; the cloud's lowest point if None.

    Returns:
        (N, 5) float32.
    """
    height = xyz[:, 2:] - (xyz[:, 2].min() if floor is None else floor)
    return np.concatenate([np.ones_like(height), rgb, height], axis=1).astype(np.float32)


def pyramid(
    xyz: np.ndarray,
    features: np.ndarray,
    voxel: float,
    levels: int,
    radius: float = 2.5,
    cap: int | Sequence[int] = CAP,
    **pointwise: np.ndarray,
) -> Batch:
    """The batch of a single cloud.

    The cloud is the finest level as it is: on a grid of `voxel` already. Each further level is a grid twice as coarse
    of the one before.

    Args:
        xyz: (N, 3) metres.
        features: (N, F).
        voxel: side of the finest grid in metres.
        levels: number of levels.
        radius: of neighbourhoods, in voxels of the level from which neighbours are taken.
        cap: the largest number of neighbours, of all levels or of each.
        pointwise: what else belongs to the points, N rows each.

    Returns:
        A batch whose `lengths` have one entry.

    Raises:
        ValueError: the coordinates are not finite, there is no point, or numbers of rows or of caps do not fit.
    """
    xyz = checked(xyz, "the cloud").astype(np.float32, copy=False)
    caps = [cap] * levels if isinstance(cap, int) else list(cap)
    if levels < 1 or len(caps) != levels:
        raise ValueError(f"{levels} levels and {len(caps)} caps: at least one level and a cap for each were expected")
    for name, values in {"features": features, **pointwise}.items():
        if len(values) != len(xyz):
            raise ValueError(f"{len(values)} rows of {name} for {len(xyz)} points")
    points = [xyz]
    found: dict[str, list[np.ndarray]] = {"neighbours": [], "pools": [], "upsamples": []}
    for level in range(levels):
        reach, here = radius * voxel * 2**level, points[level]
        known = tree(here)
        found["neighbours"].append(radius_neighbours(here, here, reach, caps[level], known))
        if level + 1 < levels:
            points.append(subsample(here, voxel * 2 ** (level + 1)).xyz)
            pools = radius_neighbours(points[-1], here, reach, caps[level], known)
            found["pools"].append(np.pad(pools, ((0, 0), (0, 1)), constant_values=len(here)))
            found["upsamples"].append(nearest(here, points[-1]))
    batch: Batch = {"features": torch.from_numpy(np.asarray(features, np.float32))}
    batch |= {name: torch.from_numpy(np.asarray(values)) for name, values in pointwise.items()}
    batch["points"] = [torch.from_numpy(each) for each in points]
    batch |= {name: [torch.from_numpy(each) for each in list_] for name, list_ in found.items()}
    batch["lengths"] = [torch.tensor([len(each)]) for each in points]
    return batch


def stack(batches: Sequence[Batch]) -> Batch:
    """Several batches as one; no point becomes a neighbour of another cloud's.

    Args:
        batches: at least one, with the same keys and levels.

    Returns:
        A batch whose clouds lie one behind the other.

    Raises:
        ValueError: there is none, or keys or levels differ.
    """
    shapes = {(tuple(sorted(batch)), len(batch["points"])) for batch in batches}
    if len(shapes) != 1:
        raise ValueError(f"{len(batches)} batches of {len(shapes)} kinds: at least one, all of one kind, was expected")
    stacked: Batch = {name: torch.cat([batch[name] for batch in batches]) for name in batches[0] if name not in LISTS}
    levels = len(batches[0]["points"])
    for name in ("points", "lengths"):
        stacked[name] = [torch.cat([batch[name][level] for batch in batches]) for level in range(levels)]
    for name, shift in (("neighbours", 0), ("pools", 0), ("upsamples", 1)):
        stacked[name] = [
            _joined(
                [batch[name][level] for batch in batches], [len(batch["points"][level + shift]) for batch in batches]
            )
            for level in range(levels if name == "neighbours" else levels - 1)
        ]
    return stacked


def _joined(indices: list[torch.Tensor], sizes: list[int]) -> torch.Tensor:
    """Index tensors into parts of given sizes as one into the whole; none stays none, short rows are filled with it."""
    total = sum(sizes)
    rows = sum(len(each) for each in indices)
    out = indices[0].new_full(
        (rows, *([max(each.shape[1] for each in indices)] if indices[0].dim() == 2 else [])), total
    )
    row = before = 0
    for each, size in zip(indices, sizes):
        moved = torch.where(each == size, total, each + before)
        out[row : row + len(each), ..., *([slice(each.shape[1])] if each.dim() == 2 else [])] = moved
        row, before = row + len(each), before + size
    return out


def clouds(values: torch.Tensor, batch: Batch, level: int = 0) -> tuple[torch.Tensor, ...]:
    """Cuts what belongs to the points of a level into clouds.

    Args:
        values: (N_l, ...).
        batch: to which they belong.
        level: of the batch.

    Returns:
        A tensor for each cloud.
    """
    return torch.split(values, batch["lengths"][level].tolist())


def turned(batch: Batch, rng: np.random.Generator, colour_kept: float = 1.0, mirror: bool = True) -> Batch:
    """Augment a batch of one cloud by what keeps all distances: a turn about the vertical and a mirror image.

    Neighbours stay what they are, so that a cloud's pyramid is built once for the whole training.

    Args:
        batch: of one cloud; `features` as from `input_features`.
        rng: decides.
        colour_kept: probability that the cloud keeps its colours; otherwise they are all zero.
        mirror: whether half of the clouds are mirrored.

    Returns:
        A new batch that shares all tensors but points and, without colours, features.
    """
    angle, flip, lot = rng.random() * 2 * np.pi, rng.random() < 0.5, rng.random()
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = torch.tensor([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]], dtype=torch.float32)
    if mirror and flip:
        turn[0] = -turn[0]
    out = batch | {"points": [points @ turn for points in batch["points"]]}
    if lot >= colour_kept:
        out["features"] = batch["features"].clone()
        out["features"][:, 1:4] = 0
    return out
