"""One fixed square window of a tile, so that a small defect is more than a pixel in a lesson; and its exposure."""

import hashlib

import numpy as np

WINDOW = 0.4  # side of a window, in longest sides of the tile: 96 pixels where that is 240
EVEN = (127.5, 51.0)  # mean and spread of grey values of a window at even exposure
PLACES = 16  # windows drawn for a tile with a defect; the one that shows most of the defect is taken


def window(mask: np.ndarray, name: str) -> tuple[int, int, int]:
    """The window of a tile; mask and name decide it, so it is the same everywhere and in every epoch.

    Its side is 0.4 of the tile's longer side, but at most the shorter one. Without a defect it lies anywhere. With one,
    a connected piece of the defect is drawn (not one that is under a quarter of the largest), and 16 times a pixel of
    it and the place of this pixel in the window; the window that shows most of the piece is taken. So a small defect is
    whole and anywhere in the window, and of a large one a part is seen.

    Args:
        mask: (H, W) uint8 label ids, 0 and 255 are no defect.
        name: of the image.

    Returns:
        Top row, left column, side, in pixels.
    """
    from scipy import ndimage

    height, width = mask.shape
    side = min(round(WINDOW * max(height, width)), height, width)
    pieces, count = ndimage.label((mask > 0) & (mask < 255), np.ones((3, 3)))
    if not count:
        row, column = _lots(name, 0)[:2]
        return int(row * (height - side + 1)), int(column * (width - side + 1)), side
    sizes = np.bincount(pieces.ravel())[1:]
    large = np.flatnonzero(4 * sizes >= sizes.max())
    piece = pieces == 1 + large[int(_lots(name, 0)[0] * len(large))]
    rows, columns = np.nonzero(piece)
    best, place = -1, (0, 0)
    for number in range(1, PLACES + 1):
        which, up, before = _lots(name, number)
        pixel = int(which * len(rows))
        top = min(max(int(rows[pixel]) - int(up * side), 0), height - side)
        left = min(max(int(columns[pixel]) - int(before * side), 0), width - side)
        shown = int(piece[top : top + side, left : left + side].sum())
        if shown > best:
            best, place = shown, (top, left)
    return *place, side


def even_exposure(image: np.ndarray) -> np.ndarray:
    """Bring a window to one mean and one spread of grey values; the owner photographed tiles at several exposures.

    Args:
        image: (H, W, 3) uint8.

    Returns:
        (H, W, 3) uint8: mean 127.5 and standard deviation 51, cut off at 0 and 255; a window of one grey stays flat.
    """
    values = image.astype(np.float64)
    even = (values - values.mean()) * (EVEN[1] / max(values.std(), 1.0)) + EVEN[0]
    return np.clip(np.rint(even), 0, 255).astype(np.uint8)


def _lots(name: str, number: int) -> list[float]:
    """Three numbers in [0, 1) that depend on nothing else."""
    digest = hashlib.sha256(f"labelkit window {name} {number}".encode()).digest()
    return [int.from_bytes(digest[start : start + 4], "big") / 2**32 for start in (0, 4, 8)]
