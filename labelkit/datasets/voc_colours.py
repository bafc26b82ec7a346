"""The colours of PASCAL VOC's masks, and the check that a palette PNG still has them."""

from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from labelkit.datasets.images import GREY, PALETTE, png_form


@cache
def voc_colours() -> np.ndarray:
    """The owner's colour of each of 256 label values, (256, 3) uint8: the bits of the value, spread over the channels.

    Value 0 is black, 1 to 20 are the classes of VOC, 255 (the border of objects) is a light yellow.
    """
    values = np.arange(256)[:, None]
    colours = np.zeros((256, 3), dtype=np.int64)
    for digit in range(8):
        colours |= ((values >> np.arange(3)) & 1) << (7 - digit)
        values = values >> 3
    return colours.astype(np.uint8)


def check_palette(path: Path) -> None:
    """Refuse a PNG whose indices are not the owner's label values, though it may look right in a viewer.

    Args:
        path: a label file that can be decoded; files other than PNG are passed over.

    Raises:
        ValueError: a palette gives an index another colour than VOC's (as after an editor sorted the colours anew) and
            is no plain grey scale either; or a grey PNG has fewer than 8 bits, which decoders scale.
    """
    bits, kind = png_form(path)
    if kind == GREY and bits < 8:
        raise ValueError(f"mask {path} is a grey PNG with {bits} bits a pixel: 8 bits were expected")
    if kind != PALETTE:
        return
    with Image.open(path) as image:
        palette = np.array(image.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)
        ramp = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
        if any(np.array_equal(palette, known[: len(palette)]) for known in (voc_colours(), ramp)):
            return
        used = np.unique(np.asarray(image))
    if used[-1] >= len(palette):
        raise ValueError(f"mask {path} has index {used[-1]}, but {len(palette)} colours: a whole palette was expected")
    for known in (voc_colours(), ramp):
        if np.array_equal(palette[used], known[used]):
            return
    wrong = next(int(value) for value in used if not np.array_equal(palette[value], voc_colours()[value]))
    colour = tuple(int(channel) for channel in palette[wrong])
    wanted = tuple(int(channel) for channel in voc_colours()[wrong])
    raise ValueError(
        f"mask {path} shows label value {wrong} in the colour {colour}: {wanted} was expected, as in VOC's palette"
    )
