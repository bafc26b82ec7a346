"""Which points lie near which: within a radius, or nearest, by a k-d tree."""

from __future__ import annotations

import numpy as np


def tree(points: np.ndarray):
    """A k-d tree that is quick to build and to ask for near points; splits need not be balanced for that.

    Args:
        points: (N, 3).

    Returns:
        scipy's cKDTree.
    """
    from scipy.spatial import cKDTree

    return cKDTree(points, leafsize=32, balanced_tree=False, compact_nodes=False)


def radius_neighbours(
    queries: np.ndarray, supports: np.ndarray, radius: float, cap: int, known=None, workers: int = 1
) -> np.ndarray:
    """The nearest supports within a radius of each query.

    Args:
        queries: (M, 3).
        supports: (N, 3).
        radius: in the unit of the points.
        cap: the largest number of neighbours kept; the nearest ones are.
        known: the tree of the supports, if there is one already.
        workers: threads; -1 for all cores.

    Returns:
        (M, H) int64, nearest first, H at most `cap` and no larger than some query needs (but 1 at least); N is none.

    Raises:
        ValueError: there are no supports, or radius or cap is out of range.
    """
    if not len(supports) or not radius > 0 or cap < 1:
        raise ValueError(
            f"{len(supports)} support points, radius {radius}, cap {cap}: at least one support point, a radius above 0 "
            "and a cap of at least 1 were expected"
        )
    found = tree(supports) if known is None else known
    width = min(cap, len(supports))
    indices = found.query(queries, k=width, distance_upper_bound=radius, workers=workers)[1].reshape(-1, width)
    while width > 1 and (indices[:, width - 1] == len(supports)).all():
        width -= 1
    return np.ascontiguousarray(indices[:, :width], dtype=np.int64)


def nearest(queries: np.ndarray, supports: np.ndarray, known=None) -> np.ndarray:
    """The nearest support of each query.

    Args:
        queries: (M, 3).
        supports: (N, 3), at least one.
        known: the tree of the supports, if there is one already.

    Returns:
        (M,) int64.

    Raises:
        ValueError: there are no supports.
    """
    if not len(supports):
        raise ValueError("no support points: at least one was expected")
    return (tree(supports) if known is None else known).query(queries, k=1)[1].astype(np.int64)
