"""Crowns of trees, painted last: they hide what is under them."""

from __future__ import annotations

import numpy as np

from labelkit.worlds.aerial.board import Board, Stamps
from labelkit.worlds.aerial.site import Site, Tree

BATCH = 256
GREENS = ((0.22, 0.31, 0.14), (0.27, 0.36, 0.18), (0.18, 0.26, 0.13), (0.33, 0.38, 0.20))


def scatter(site: Site, count: int, low: float, high: float, within: float = 1.0) -> None:
    """Trees anywhere on a site; radii in the table's pixels."""
    draw = site.draw
    for _ in range(count):
        u, v = draw.between(-within, within) * site.half_u, draw.between(-within, within) * site.half_v
        site.plant(u, v, site.scale * draw.between(low, high), draw.near(draw.pick(GREENS), 0.05))


def line_street(site: Site) -> None:
    """Trees along the edge of a block."""
    draw, scale = site.draw, site.scale
    pitch, radius = scale * draw.between(14, 26), scale * draw.between(3.2, 5.4)
    colour = draw.pick(GREENS)
    for half, far, upright in ((site.half_u, site.half_v, False), (site.half_v, site.half_u, True)):
        for side in (-1, 1):
            place = -half + pitch / 2
            while place < half:
                if draw.chance(0.8):
                    across = side * (far - 1.0 * scale)
                    u, v = (across, place) if upright else (place, across)
                    site.plant(u, v, radius * draw.between(0.7, 1.15), draw.near(colour, 0.04))
                place += pitch


def paint_trees(board: Board, trees: list[Tree]) -> None:
    """Paint all trees with their shadows; the pixels under a crown belong to nobody."""
    chosen = [
        tree
        for tree in trees
        if -tree.radius < tree.centre[0] < board.width + tree.radius
        and -tree.radius < tree.centre[1] < board.height + tree.radius
    ]
    chosen.sort(key=lambda tree: tree.radius)
    for start in range(0, len(chosen), BATCH):
        _paint_batch(board, chosen[start : start + BATCH])


def _paint_batch(board: Board, chosen: list[Tree]) -> None:
    radius = np.array([tree.radius for tree in chosen], np.float32)[:, None]
    colours = np.array([tree.colour for tree in chosen], np.float32)
    reach = int(float(radius.max()) * 2) + 2
    stamps = Stamps(board, [tree.centre for tree in chosen], [(1.0, 0.0)] * len(chosen), reach)
    u, v = stamps.shifted(radius * np.float32(0.8))
    stamps.darken(np.minimum(np.maximum(radius - np.sqrt(u * u + v * v) + np.float32(0.5), 0), 1), board.darkness)
    # The outline is ragged and leaves are lit from one side.
    rough = board.grain.reshape(-1)[stamps.place] - np.float32(0.5)
    far = np.sqrt(stamps.u * stamps.u + stamps.v * stamps.v)
    crown = np.minimum(np.maximum(radius - far + rough * np.float32(2.6) + np.float32(0.5), 0), 1)
    toward = (stamps.u * board.sun[0] + stamps.v * board.sun[1]) / radius
    stamps.fill(crown, colours, np.float32(1.05) - np.float32(0.34) * toward + np.float32(0.7) * rough)
    stamps.claim(crown, np.zeros(len(chosen), np.int32))
