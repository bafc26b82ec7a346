"""Paired files of owners that publish labels as grey PNG with 8 bits, where a re-saved file is easily misread.

Tools that make files smaller store a grey PNG with 4 bits, whose values decoders scale (id 1 becomes 17), or as a
palette of the greys that occur, whose indices are other numbers than the ids. Both look right in a viewer.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from labelkit.datasets.pairs import Pair, PairedFiles
from labelkit.datasets.picking import fits, light_fingerprint

GREY, PALETTE = 0, 3  # colour types of PNG


class GreyLabelFiles(PairedFiles):
    """Paired files whose labels must hold ids as they were published.

    Args:
        name, pairs, classes, palette, licence, table, height, width: see `PairedFiles`.
        cache: keep decoded samples in memory; None does so if a size is given and the part takes at most 2 GiB.

    Raises:
        ValueError: as `PairedFiles`.
    """

    def __init__(
        self,
        name: str,
        pairs: Sequence[Pair],
        classes: Sequence[str],
        palette: np.ndarray,
        licence: str,
        table: np.ndarray,
        height: int | None = None,
        width: int | None = None,
        cache: bool | None = None,
    ) -> None:
        if cache is None:
            cache = fits(len(pairs), height, width)
        super().__init__(name, pairs, classes, palette, licence, table, None, height, width, cache)

    @cached_property
    def fingerprint(self) -> str:
        """Of names, lengths of pictures and bytes of label files; see `picking.light_fingerprint`."""
        return light_fingerprint(self, sources={pair.name: pair.mask for pair in self.pairs})

    def _read_mask(self, pair: Pair) -> np.ndarray:
        kind = _colour_type(pair.mask)
        mask = super()._read_mask(pair)
        if kind == PALETTE:
            _check_palette(pair.mask)
        return mask


def _colour_type(path: Path) -> int:
    """The colour type in the head of a PNG, or -1 of anything else.

    Raises:
        ValueError: it is grey with 2 or 4 bits.
    """
    head = b""
    if path.is_file():
        with path.open("rb") as file:
            head = file.read(26)
    if len(head) < 26 or not head.startswith(b"\x89PNG\r\n\x1a\n"):
        return -1
    bits, kind = head[24], head[25]
    if kind == GREY and bits in (2, 4):
        raise ValueError(f"mask {path} is a grey PNG with {bits} bits, which decoders scale: 8 bits were expected")
    return kind


def _check_palette(path: Path) -> None:
    with Image.open(path) as image:
        colours = np.array(image.getpalette("RGB"), dtype=np.int64).reshape(-1, 3)
        used = np.unique(np.asarray(image))
    used = used[used < len(colours)].astype(np.int64)
    colours = colours[used]
    if not (colours == colours[:, :1]).all():
        return  # colours for the eye: the indices are the ids, as in PASCAL VOC
    greys = colours[:, 0]
    if (wrong := np.flatnonzero((greys != used) & (greys > 0))).size:
        raise ValueError(
            f"mask {path} is a palette PNG whose index {used[wrong[0]]} shows the grey {greys[wrong[0]]}, so that the "
            "ids of its owner are no longer its values: a grey PNG as it was published was expected"
        )
