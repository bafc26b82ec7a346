"""Batches of any experiment, as a rehearsal sees them: how many pictures they hold, and the same ones cut down."""

import copy
from collections.abc import Iterator
from math import prod
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_leaves

PICTURES = ("image", "images", "frames")
"""Keys of a batch that hold pictures."""
SIZES, INSIDE = ("batch_size", "pairs"), ("stream", "streams", "batches")
"""Attributes of streams that say how much is taken at a time, and in which other streams lie."""


def smaller_batches(batches: Any) -> Iterator[tuple[int, Any]]:
    """The same batches cut down by each whole factor that all of their streams allow, the largest first.

    Yields:
        The factor, and the batches.
    """
    sizes = list(_sizes(batches))
    least = min(sizes, default=1)
    for factor in range(least, 0, -1):
        if all(size % factor == 0 for size in sizes):
            yield factor, _cut(batches, factor)


def _sizes(batches: Any) -> Iterator[int]:
    """What all streams take at a time."""
    for name, value in getattr(batches, "__dict__", {}).items():
        if name in SIZES:
            yield value // getattr(batches, "parts", 1)
        elif name in INSIDE:
            for each in value.values() if isinstance(value, dict) else [value]:
                yield from _sizes(each)


def _cut(batches: Any, factor: int) -> Any:
    made = copy.copy(batches)
    for name, value in vars(batches).items():
        if name in SIZES:
            setattr(made, name, value // getattr(batches, "parts", 1) // factor)
        elif name in INSIDE:
            cut = {key: _cut(each, factor) for key, each in value.items()} if isinstance(value, dict) else None
            setattr(made, name, cut or _cut(value, factor))
    if hasattr(batches, "parts"):
        made.parts = 1
    return made


def pictures_in(batch: Any) -> int:
    """Images, frames or clouds of a batch."""
    if isinstance(batch, list | tuple):
        return sum(map(pictures_in, batch))
    if not isinstance(batch, dict):
        return 0
    if "lengths" in batch:  # stacked clouds: their numbers of points, by level
        return len(batch["lengths"][0])
    found = 0
    for key, value in batch.items():
        if key not in PICTURES:
            found += pictures_in(value)
        else:
            found += sum(prod(each.shape[:-3]) for each in tree_leaves(value) if isinstance(each, Tensor))
    return found


def tensors_of(batch: Any) -> list[Tensor]:
    """All tensors of a nested batch."""
    return [leaf for leaf in tree_leaves(batch) if isinstance(leaf, Tensor)]
