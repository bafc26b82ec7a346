"""Tiles of large aerial images by the rules of iSAID's devkit [zamir2019isaid].

The rules are those of ``preprocess/split.py`` (CAPTAIN-WHU/iSAID_Devkit at a671fd5). Windows start every
``patch - overlap`` pixels, so an overlap of 200 is a stride of 600. A window that passes the border is moved back until
it ends there: nothing is padded, and the overlap is larger at the border. Equal windows are written once. The order is
column by column. An image is only cut if both its sides exceed 800 pixels, whatever the size of a patch; otherwise it
stays whole, so an image of 800 x 2,000 is one patch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

PATCH, OVERLAP, WHOLE_UP_TO = 800, 200, 800
SKIPPED = ("P1527", "P1530")  # images of iSAID that the devkit passes over


class Window(NamedTuple):
    """Rows y0..y1-1 and columns x0..x1-1 of an image."""

    y0: int
    y1: int
    x0: int
    x1: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the last two axes of an image or the first two of a map."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)


def stays_whole(height: int, width: int, whole_up_to: int = WHOLE_UP_TO) -> bool:
    """Whether an image is copied and not cut: one of its sides is at most `whole_up_to`."""
    return height <= whole_up_to or width <= whole_up_to


def windows(
    height: int, width: int, patch: int = PATCH, overlap: int = OVERLAP, whole_up_to: int = WHOLE_UP_TO
) -> list[Window]:
    """The windows of an image, in the order in which the devkit writes them.

    Args:
        height, width: of the image in pixels.
        patch: side of a window.
        overlap: pixels that neighbours share, before windows at the border are moved back.
        whole_up_to: an image with a side of at most so many pixels stays whole. The devkit's 800 is fixed there; for
            smaller patches give the patch's side.

    Returns:
        At least one window; the image itself where it stays whole.

    Raises:
        ValueError: the overlap is not below the patch, a size is not positive, or the image is to be cut and has a side
            shorter than a patch.
    """
    if min(height, width, patch) < 1 or not 0 <= overlap < patch:
        raise ValueError(
            f"patch {patch}, overlap {overlap} on an image of {height} x {width}: positive sizes and an overlap from 0 "
            "to below the patch were expected"
        )
    if stays_whole(height, width, whole_up_to):
        return [Window(0, height, 0, width)]
    if min(height, width) < patch:
        raise ValueError(
            f"an image of {height} x {width} is smaller than a patch of {patch}, and both its sides exceed "
            f"{whole_up_to}: a smaller patch, or whole_up_to={patch} to keep it whole, was expected"
        )
    stride = patch - overlap
    rows, columns = ([min(start, side - patch) for start in range(0, side, stride)] for side in (height, width))
    found = [Window(y, y + patch, x, x + patch) for x in columns for y in rows]
    return list(dict.fromkeys(found))


def tile_name(image: str, window: Window | None = None, kind: str = "") -> str:
    """File name of a patch: ``P0001_0_800_600_1400.png``.

    Args:
        image: name of the image, without suffix.
        window: where it was cut; None for an image that stays whole.
        kind: "", "_instance_color_RGB" or "_instance_id_RGB".
    """
    place = "" if window is None else f"_{window.y0}_{window.y1}_{window.x0}_{window.x1}"
    return f"{image}{place}{kind}.png"


def cut_instances(instances: np.ndarray, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """A window of an instance map, renumbered without gaps; an object at the border becomes a piece.

    Args:
        instances: (H, W) integers, 0 for none, otherwise the number of an instance.
        window: where to cut.

    Returns:
        The window's own map, int32 with 0 and 1..K, and the numbers that its K pieces have in the whole image, int64,
        ascending.
    """
    part = instances[window.slices]
    counts = np.bincount(part.ravel())
    ids = np.flatnonzero(counts[1:]) + 1
    table = np.zeros(len(counts), np.int32)
    table[ids] = np.arange(1, len(ids) + 1, dtype=np.int32)
    return table[part], ids


def keep_only(instances: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """An instance map without the instances that are not kept, renumbered without gaps.

    Args:
        instances: (H, W) int32 with 0 and 1..K.
        kept: (K,) bool.
    """
    table = np.zeros(len(kept) + 1, np.int32)
    table[1:][kept] = np.arange(1, int(kept.sum()) + 1, dtype=np.int32)
    return table[instances]


def boxes_of(instances: np.ndarray, count: int) -> np.ndarray:
    """Boxes of the instances of a map.

    Args:
        instances: (H, W) integers with 0 and 1..count.
        count: K.

    Returns:
        (K, 4) float32: x0, y0, x1, y1 at the edges of pixels, so that x1 - x0 is the width; zeros for one without a
        pixel.
    """
    from scipy import ndimage

    boxes = np.zeros((count, 4), np.float32)
    for index, place in enumerate(ndimage.find_objects(instances, max_label=count)):
        if place is not None:
            boxes[index] = place[1].start, place[0].start, place[1].stop, place[0].stop
    return boxes


def crosses_border(boxes: np.ndarray, windows: Sequence[Window]) -> np.ndarray:
    """Which objects lie whole in no window.

    Args:
        boxes: (K, 4) x0, y0, x1, y1 in the whole image.
        windows: of the image.

    Returns:
        (K,) bool.
    """
    whole = np.zeros(len(boxes), bool)
    for y0, y1, x0, x1 in windows:
        whole |= (boxes[:, 0] >= x0) & (boxes[:, 1] >= y0) & (boxes[:, 2] <= x1) & (boxes[:, 3] <= y1)
    return ~whole
