"""Paired files of owners that publish labels as grey PNG with 8 bits, where a re-saved file is easily misread.

Tools that make files smaller store a grey PNG with 4 bits, whose values decoders scale (id 1 becomes 17), or as a
palette of the greys that occur, whose indices are other numbers than the ids. Both look right in a viewer.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from labelkit.datasets.images import PALETTE, png_form
from labelkit.datasets.pairs import Pair, PairedFiles
from labelkit.datasets.picking import fits, light_fingerprint


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
        mask = super()._read_mask(pair)
        check_greys(pair.mask)
        return mask


def check_greys(path: Path) -> None:
    """Refuse a palette PNG whose colours are the owner's greys, so that its indices no longer are.

    Args:
        path: a label file that can be decoded; files other than palette PNG are passed over.

    Raises:
        ValueError: an index shows another grey than itself, and all colours are greys.
    """
    if png_form(path)[1] != PALETTE:
        return
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
