"""Which pieces of cut objects count: the drop rules of iSAID's devkit [zamir2019isaid], without tracing contours.

``preprocess/preprocess.py`` (CAPTAIN-WHU/iSAID_Devkit at a671fd5) traces the outer contours of an instance, 8-connected
and without approximation. It drops an instance of which any contour has at most two points, and keeps only areas above
10 pixels. A contour has at most two points exactly where a connected part has at most two pixels; a part that lies in a
hole of another one has no outer contour and does not count. So the same decision follows from the sizes of parts.
"""

from __future__ import annotations

import numpy as np

LEAST_AREA = 11
SPECK = 2  # pixels of a part whose contour has at most two points


def kept_by_devkit(instances: np.ndarray, count: int, least_area: int = LEAST_AREA, specks: bool = True) -> np.ndarray:
    """Which instances of a patch the devkit keeps.

    Args:
        instances: (H, W) integers with 0 and 1..count.
        count: K.
        least_area: pixels that an instance needs.
        specks: drop an instance with an outer part of one or two pixels, however large the rest is.

    Returns:
        (K,) bool.
    """
    from scipy import ndimage

    kept = np.bincount(instances.ravel(), minlength=count + 1)[1:] >= max(least_area, 1)
    if not specks:
        return kept
    for index, place in enumerate(ndimage.find_objects(instances, max_label=count)):
        if place is not None and kept[index]:
            kept[index] = not _has_speck(instances[place] == index + 1)
    return kept


def _has_speck(mask: np.ndarray) -> bool:
    """Whether an outer part of a mask has at most two pixels."""
    from scipy import ndimage

    parts, count = ndimage.label(mask, np.ones((3, 3)))
    if count == 1:
        return int(mask.sum()) <= SPECK
    sizes = np.bincount(parts.ravel())
    for part in (np.flatnonzero(sizes[1:] <= SPECK) + 1).tolist():
        own = parts == part
        if not ndimage.binary_fill_holes(mask & ~own)[own].all():
            return True
    return False
