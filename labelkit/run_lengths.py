"""Masks as run lengths (RLE): the form in which instances are stored and compared."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

Rle = dict[str, Any]
MISSING = "masks as run lengths need pycocotools: install it with pip install 'labelkit[instances]'"


def mask_library() -> Any:
    """The module ``pycocotools.mask``.

    Raises:
        ImportError: it is not installed; one sentence says what to install.
    """
    try:
        from pycocotools import mask
    except ImportError as error:
        raise ImportError(MISSING) from error
    return mask


def encode_masks(masks: Any) -> list[Rle]:
    """Masks as RLE.

    Args:
        masks: (K, H, W) bool or uint8, array or tensor; or a list of RLE, which is handed back.

    Raises:
        ValueError: the array has another shape.
    """
    if isinstance(masks, list | tuple):
        return list(masks)
    array = np.asarray(masks)
    if array.ndim != 3:
        raise ValueError(f"masks have shape {array.shape}: (K, H, W) was expected")
    if not len(array):
        return []
    return mask_library().encode(np.asfortranarray(array.transpose(1, 2, 0).astype(np.uint8)))


def encode_instances(instances: Any, count: int) -> list[Rle]:
    """The masks of an instance map as RLE, in one pass over the map whatever their number.

    Args:
        instances: (H, W) integers with 0 for none and 1..count, array or tensor.
        count: K.

    Returns:
        K masks; empty ones for numbers without a pixel.
    """
    array = np.asarray(instances)
    height, width = array.shape
    flat = np.concatenate([array.T.ravel(), [0]])  # RLE runs down the columns
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    ends = np.concatenate([starts[1:], [height * width]])
    owners = flat[starts]
    shown = (owners > 0) & (ends > starts)
    starts, ends, owners = starts[shown], ends[shown], owners[shown]
    order = np.argsort(owners, kind="stable")
    starts, ends = starts[order], ends[order]
    bounds = np.searchsorted(owners[order], np.arange(1, count + 2))
    plain = []
    for first, last in itertools.pairwise(bounds.tolist()):
        edges = np.empty(2 * (last - first) + 2, np.int64)
        edges[0], edges[1:-1:2], edges[2:-1:2], edges[-1] = 0, starts[first:last], ends[first:last], height * width
        counts = np.diff(edges)
        plain.append({"size": [height, width], "counts": counts[: len(counts) - (counts[-1] == 0)].tolist()})
    return mask_library().frPyObjects(plain, height, width) if plain else []


def decode_masks(masks: Sequence[Rle], height: int, width: int) -> np.ndarray:
    """RLE as (K, H, W) bool.

    Raises:
        ValueError: a mask is of another size, or its run lengths do not fill it.
    """
    # pycocotools decodes too, but hands its result over in a way that NumPy 2 warns of and will refuse.
    decoded = np.zeros((len(masks), width, height), bool)
    for index, mask in enumerate(masks):
        lengths = lengths_of(mask["counts"])
        if list(mask["size"]) != [height, width] or lengths.sum() != height * width:
            raise ValueError(
                f"mask {index} of size {list(mask['size'])} has run lengths for {lengths.sum()} pixels: "
                f"{height} x {width} was expected"
            )
        decoded[index].reshape(-1)[:] = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return decoded.transpose(0, 2, 1)


def lengths_of(counts: bytes | str | Sequence[int]) -> np.ndarray:
    """Run lengths, from those of the background on, (n,) int64.

    Args:
        counts: of an RLE. COCO's text holds five bits a character, the lowest first, with a sixth bit where a number
            goes on; from the fourth number on it holds the difference to the number two before.
    """
    if not isinstance(counts, bytes | str):
        return np.asarray(counts, np.int64)
    text = counts if isinstance(counts, bytes) else counts.encode()
    codes = np.frombuffer(text, np.uint8).astype(np.int64) - 48
    if not len(codes):
        return codes
    ends = np.flatnonzero(codes < 32)
    starts = np.concatenate([[0], ends[:-1] + 1])
    sizes = ends - starts + 1
    places = np.arange(len(codes)) - np.repeat(starts, sizes)
    numbers = np.add.reduceat((codes & 31) << (5 * places), starts)
    numbers -= np.where(codes[ends] & 16, 1 << (5 * sizes), 0)  # the highest bit is the sign
    for first in (1, 2):
        numbers[first::2] = numbers[first::2].cumsum()
    return numbers


def areas_of(masks: Sequence[Rle]) -> np.ndarray:
    """Pixels of each mask, (K,) int64."""
    # pycocotools keeps the number of masks in a byte and fails for 256 and more.
    groups = [list(masks[start : start + 255]) for start in range(0, len(masks), 255)]
    return np.concatenate([np.zeros(0, np.int64), *(mask_library().area(group).astype(np.int64) for group in groups)])


def boxes_around(masks: Sequence[Rle]) -> np.ndarray:
    """Upright boxes x, y, width, height of the masks, (K, 4) float64."""
    return np.asarray(mask_library().toBbox(list(masks))).reshape(-1, 4) if len(masks) else np.zeros((0, 4))
