"""Neighbour search beside scipy's cKDTree as it is called by default, and grid subsampling of ten million points.

    python benchmarks/points_neighbours.py

Search: the 30 nearest points within 2.5 voxels of each of 60,000 points of scanned rooms on a grid, on one core, the
tree's construction included; the ratio is the default tree's time over ours. Subsampling: seconds for coordinates,
colours and votes on labels of ten million points.
"""

import argparse
from pathlib import Path

import numpy as np

from labelkit.datasets.point_grid import subsample
from labelkit.datasets.point_neighbours import radius_neighbours
from labelkit.publish.benchmarks import write
from labelkit.publish.timing import compare, seconds
from labelkit.worlds.rooms import Rooms

VOXEL, NEIGHBOURS = 0.04, 30


def hall(points: int) -> np.ndarray:
    """Scanned rooms side by side on a grid, cut to a number of points."""
    rooms = Rooms("train", 64, points=30_000)
    grids: list[np.ndarray] = []
    while sum(map(len, grids)) < points:
        grids.append(subsample(rooms.scan(len(grids))[0], VOXEL).xyz + np.float32(10 * len(grids)))
    return np.concatenate(grids)[:points]


def by_default(points: np.ndarray, radius: float) -> np.ndarray:
    """The same search with a tree of default settings."""
    from scipy.spatial import cKDTree

    return cKDTree(points).query(points, k=NEIGHBOURS, distance_upper_bound=radius)[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--points", type=int, default=60_000, help="of the search")
    parser.add_argument("--cloud", type=int, default=10_000_000, help="points that are subsampled")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, help="write the results there")
    args = parser.parse_args()

    points, radius = hall(args.points), 2.5 * VOXEL
    ours, theirs = radius_neighbours(points, points, radius, NEIGHBOURS), by_default(points, radius)
    # Neighbours at the same distance, and the last one kept, may differ; how far they are may not.
    far = np.concatenate([points, np.full((1, 3), 1e6, np.float32)])
    distances = [np.sqrt(((far[found] - points[:, None]) ** 2).sum(-1)) for found in (theirs[:, : ours.shape[1]], ours)]
    assert np.allclose(*distances, atol=1e-6)
    sides = {
        "default": ("cKDTree by default", lambda: by_default(points, radius)),
        "ours": ("radius_neighbours", lambda: radius_neighbours(points, points, radius, NEIGHBOURS)),
    }
    figures = compare(sides, args.rounds, title=f"{args.points:,} points, {NEIGHBOURS} neighbours within {radius} m")

    rng = np.random.default_rng(0)
    cloud = (rng.random((args.cloud, 3), np.float32) * np.float32([30, 20, 3])).astype(np.float32)
    cloud[np.arange(args.cloud), np.arange(args.cloud) % 3] *= 0  # on three planes: a building, not a block
    rgb, label = rng.random((args.cloud, 3), np.float32), rng.integers(0, 13, args.cloud)
    subsample(cloud[:1000], VOXEL, rgb[:1000], label[:1000])
    spent = sorted(seconds(lambda: subsample(cloud, VOXEL, rgb, label)) for _ in range(3))[1]
    figures["subsampling_seconds"] = spent
    print(f"{args.cloud:,} points on a grid of {VOXEL} m: {spent:.2f} s")
    if args.json:
        settings = {k: v for k, v in vars(args).items() if k != "json"}
        write(args.json, {"settings": settings} | figures, "cpu", 1, packages=("scipy",), part="search")


if __name__ == "__main__":
    main()
