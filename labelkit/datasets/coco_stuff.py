"""COCO-Stuff [caesar2018coco]: 80 kinds of things and 91 of stuff in every pixel, 171 classes.

Two editions are read, each as its owner publishes it:

- 10k (`coco_stuff`): `images/NAME.jpg`, `annotations/NAME.mat` (version 1.1, variable S with ids 0 to 182) and
  `imageLists/{train,test}.txt`, 9,000 and 1,000 images. The MAT files are drawn once as PNG, see `converting`.
- 164k (`coco_stuff-164k`): `images/{train,val}2017/NAME.jpg` (or the pictures' folders beside `annotations`) and
  `annotations/{train,val}2017/NAME.png`, the owner's stuffthingmaps with ids 0 to 181 and 255.

The classes are the owner's ids 1 to 182 without the 11 of which COCO has no annotation, in order; unlabelled pixels are
ignored, and those 11 would be, as in the code of HRNet.

The owner's test images of 10k, and its val of 164k, are the test part. One training image in twenty, by a hash of its
name, is the validation part. `coco_stuff-official` and `coco_stuff-164k-official` train on all; what is chosen on
their val is chosen on test images.
"""

from functools import cached_property
from pathlib import Path

import numpy as np

from labelkit.datasets.coco_classes import STUFF, THINGS
from labelkit.datasets.coco_stuff_files import RULE, find, id_table, masks_10k, owner_files, owner_names
from labelkit.datasets.converting import Conversion
from labelkit.datasets.grey_labels import GreyLabelFiles
from labelkit.datasets.locate import check_split, sized
from labelkit.datasets.pairs import Pair, PairedFiles
from labelkit.datasets.picking import flags, light_fingerprint, three_parts
from labelkit.datasets.tagged import SPLITS
from labelkit.datasets.voc_colours import voc_colours

CLASSES = (*THINGS, *STUFF)
PALETTE = voc_colours()[1 : len(CLASSES) + 1]
VARIANTS = ("164k", "official")
LICENCE = "Annotations CC BY 4.0; the photographs fall under Flickr's terms of use."


class CocoStuff(GreyLabelFiles):
    """One part of COCO-Stuff; of 10k it draws the masks that are missing when it is made.

    Args:
        root: the data set's folder, or one that holds it as `coco-stuff`.
        split: "train", "val" or "test".
        variant: "" for 10k, "164k", "official" or "164k-official"; see the module.
        height, width: delivered size in pixels; None delivers the size of the files.
        cache: keep decoded samples in memory; None does so if a size is given and they take at most 2 GiB.

    Raises:
        FileNotFoundError: the data set or a file of it is not there.
        ValueError: the split or variant is unknown, or a list or label file is broken.
        OSError: the masks of 10k cannot be written beside it.
    """

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        variant: str = "",
        height: int | None = None,
        width: int | None = None,
        cache: bool | None = None,
    ) -> None:
        check_split(split, "COCO-Stuff")
        words = flags(variant, VARIANTS, "coco_stuff")
        self.edition = "164k" if "164k" in words else "10k"
        self.root, self.split, self.variant = find(root, self.edition), split, variant
        owner = {key: owner_names(self.root, self.edition, key) for key in ("train", "test")}
        names = three_parts(owner["train"], owner["test"], "official" in words)[split]
        tested = split == "test" or (split == "val" and "official" in words)
        pairs = owner_files(self.root, self.edition, "test" if tested else "train", names)
        self._sources = {pair.name: pair.mask for pair in pairs}
        if self.edition == "10k":
            drawn = masks_10k(self.root, names)
            drawn.run()
            pairs = [Pair(pair.name, pair.image, drawn.path(pair.name)) for pair in pairs]
        super().__init__(
            name=sized("-".join(filter(None, ("coco_stuff", variant))), height, width),
            pairs=pairs, classes=CLASSES, palette=PALETTE, licence=LICENCE, table=id_table(self.edition),
            height=height, width=width, cache=cache,
        )  # fmt: skip

    @cached_property
    def fingerprint(self) -> str:
        """Of names, lengths of pictures and bytes of the owner's label files; see `light_fingerprint`."""
        return light_fingerprint(self, RULE, self.edition, sources=self._sources)

    def _read_mask(self, pair: Pair) -> np.ndarray:
        # What was drawn here needs no check that somebody saved it anew.
        return super()._read_mask(pair) if self.edition == "164k" else PairedFiles._read_mask(self, pair)


def conversions(root: str | Path) -> list[Conversion]:
    """The masks of 10k as PNG, none if only 164k is there; nothing is drawn before `run`.

    Raises:
        FileNotFoundError, ValueError: the data set or a file of it is not there, or a list is broken.
    """
    try:
        folder = find(root, "10k")
    except FileNotFoundError:
        find(root, "164k")
        return []
    return [masks_10k(folder, [name for part in ("train", "test") for name in owner_names(folder, "10k", part)])]


def parts(root: Path, variant: str, height: int | None = None, width: int | None = None) -> dict[str, CocoStuff]:
    """The three parts of a run file's ``coco_stuff``, alone or with ``-official``, ``-164k`` or ``-164k-official``.

    Args:
        root, variant: see `CocoStuff`.
        height, width: delivered size in pixels; None delivers the size of the files.

    Raises:
        FileNotFoundError, ValueError, OSError: see `CocoStuff`.
    """
    return {part: CocoStuff(root, part, variant, height, width) for part in SPLITS}
