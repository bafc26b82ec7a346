"""A window of a resized map, made from the pixels that it needs: a crop of 800 from an image that grows to 4096 wide.

The values are those of ``torch.nn.functional.interpolate`` over the whole map, cut afterwards. Labels are equal. A
bilinear map differs by rounding: places are right to a few ten-thousandths of a pixel, values in 0..1 to as much.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

Window = tuple[int, int, int, int]
"""First row, first column, rows and columns of a window."""


def bilinear(value: Tensor, size: tuple[int, int], window: Window) -> Tensor:
    """The window of a map resized as by ``interpolate(mode="bilinear", align_corners=False)``.

    Args:
        value: (..., H, W) float32 or uint8.
        size: rows and columns after resizing.
        window: within ``size``.

    Returns:
        (..., rows, columns) float32, in the units of ``value``.
    """
    top, left, rows, columns = window
    down, first, last = _places(value.shape[-2], size[0], top, rows)
    along, left, right = _places(value.shape[-1], size[1], left, columns)
    needed = value[..., first:last, left:right].to(torch.float32)  # the other pixels are not touched
    grid = torch.empty(1, rows, columns, 2)
    grid[..., 0], grid[..., 1] = along, down[:, None]
    planes = needed.reshape(1, -1, *needed.shape[-2:])
    drawn = F.grid_sample(planes, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return drawn.reshape(*value.shape[:-2], rows, columns)


def nearest(value: Tensor, size: tuple[int, int], window: Window) -> Tensor:
    """The window of a map resized as by ``interpolate(mode="nearest-exact")``, in the map's own type.

    Args:
        value: (..., H, W).
        size, window: see `bilinear`.

    Returns:
        (..., rows, columns).
    """
    top, left, rows, columns = window
    down = _nearest(value.shape[-2], size[0], top, rows)
    along = _nearest(value.shape[-1], size[1], left, columns)
    first, last = int(along[0]), int(along[-1]) + 1
    rows = np.take(value[..., first:last].numpy(), down.numpy(), -2, mode="clip")
    return torch.from_numpy(np.take(rows, (along - first).numpy(), -1, mode="clip"))


def _places(length: int, resized: int, start: int, count: int) -> tuple[Tensor, int, int]:
    """Where the pixels of a window lie, and the first pixel of the map that it needs and the one behind the last.

    Returns:
        (count,) float32 in -1..1 between the outer edges of the pixels that are needed, as `grid_sample` has it.
    """
    places = (torch.arange(start, start + count, dtype=torch.float64) + 0.5) * _step(length, resized) - 0.5
    places.clamp_(0, length - 1)
    first, last = int(places[0]), min(int(places[-1]) + 2, length)
    return ((2 * (places - first) + 1) / (last - first) - 1).to(torch.float32), first, last


def _nearest(length: int, resized: int, start: int, count: int) -> Tensor:
    places = (torch.arange(start, start + count, dtype=torch.float32) + 0.5) * _step(length, resized)
    return places.floor_().long().clamp_(max=length - 1)


def _step(length: int, resized: int) -> Tensor:
    """Pixels of the map from one pixel of the resized one to the next, in float32 as torch has it."""
    return torch.tensor(length, dtype=torch.float32) / torch.tensor(resized, dtype=torch.float32)
