"""PASCAL-Context [mottaghi2014context]: things and stuff in the 10,103 images of VOC 2010's trainval, 59 classes.

Two layouts are read. The owner's has `trainval/NAME.mat` (variable LabelMap with ids of 459 labels) and `labels.txt`,
beside or above `VOCdevkit/VOC2010/` with `JPEGImages/NAME.jpg` and `ImageSets/Main/{train,val}.txt`; the MAT files are
drawn once as PNG with 0 to 59, see `converting`. The converted one, which mmsegmentation's script makes from another
file of the annotations, has such PNG in `VOC2010/SegmentationClassContext/` and lists in
`VOC2010/ImageSets/SegmentationContext/`; it is taken if there are no MAT files.

The 59 classes are the owner's, in the order of their ids (the alphabet), as in the code of PyTorch-Encoding, HRNet and
mmsegmentation; the owner's `59_labels.txt` has another order. `pascal_context` ignores all other labels;
`pascal_context-60` calls them background, class 0. Numbers of the two do not compare.

VOC 2010's val, 5,105 images, is the test part. One training image in twenty, by a hash of its name, is the validation
part. `pascal_context-official` and `pascal_context-60-official` train on all 4,998; what is chosen on their val is
chosen on test images.
"""

from functools import cached_property
from pathlib import Path

import numpy as np

from labelkit.datasets.converting import Conversion
from labelkit.datasets.grey_labels import GreyLabelFiles
from labelkit.datasets.images import label_table
from labelkit.datasets.listing import files_in, picked
from labelkit.datasets.locate import check_split, sized
from labelkit.datasets.pairs import Pair, PairedFiles
from labelkit.datasets.pascal_context_files import (
    OWNER_IDS,
    RULE,
    check_labels,
    find,
    find_maps,
    masks_of,
    owner_names,
)
from labelkit.datasets.picking import flags, light_fingerprint, three_parts
from labelkit.datasets.tagged import SPLITS
from labelkit.datasets.voc_colours import voc_colours

CLASSES = tuple(OWNER_IDS)
VARIANTS = ("60", "official")
LICENCE = "The photographs are PASCAL VOC's (Flickr's terms of use); research use with citation."


class PascalContext(GreyLabelFiles):
    """One part of PASCAL-Context; of the owner's layout it draws the masks that are missing when it is made.

    Args:
        root: the folder of VOC 2010 and the annotations, or one that holds it as `pascal-context`.
        split: "train", "val" or "test".
        variant: "", "60", "official" or "60-official"; see the module.
        height, width: delivered size in pixels; None delivers the size of the files.
        cache: keep decoded samples in memory; None does so if a size is given and they take at most 2 GiB.

    Raises:
        FileNotFoundError: the data set or a file of it is not there.
        ValueError: the split or variant is unknown, or a list or label file is broken.
        OSError: the masks cannot be written beside the MAT files.
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
        check_split(split, "PASCAL-Context")
        words = flags(variant, VARIANTS, "pascal_context")
        self.root, self.layout = find(root)
        self.split, self.variant = split, variant
        owner = owner_names(self.root, self.layout)
        names = three_parts(owner["train"], owner["val"], "official" in words)[split]
        pictures = self.root / "JPEGImages"
        images = picked(files_in(pictures), names, pictures, ".jpg", "a list in ImageSets")
        if self.layout == "official":
            folder = find_maps(self.root)
            check_labels(folder.parent / "labels.txt")
            drawn = masks_of(folder, names)
            drawn.run()
            masks = [drawn.path(name) for name in names]
            self._sources = {name: folder / f"{name}.mat" for name in names}
        else:
            folder = self.root / "SegmentationClassContext"
            masks = picked(files_in(folder), names, folder, ".png", "a list in ImageSets")
            self._sources = dict(zip(names, masks))
        background = "60" in words
        first = 0 if background else 1
        super().__init__(
            name=sized("-".join(filter(None, ("pascal_context", variant))), height, width),
            pairs=[Pair(name, image, mask) for name, image, mask in zip(names, images, masks)],
            classes=(*(("background",) if background else ()), *CLASSES),
            palette=voc_colours()[first : len(CLASSES) + 1], licence=LICENCE,
            table=label_table(range(first, len(CLASSES) + 1), (255,) if background else (0, 255)),
            height=height, width=width, cache=cache,
        )  # fmt: skip

    @cached_property
    def fingerprint(self) -> str:
        """Of names, lengths of pictures and bytes of the label files; see `light_fingerprint`."""
        return light_fingerprint(self, RULE, self.layout, sources=self._sources)

    def _read_mask(self, pair: Pair) -> np.ndarray:
        # What was drawn here needs no check that somebody saved it anew.
        return super()._read_mask(pair) if self.layout == "converted" else PairedFiles._read_mask(self, pair)


def conversions(root: str | Path) -> list[Conversion]:
    """The masks of all images as PNG, of the owner's layout; nothing is drawn before `run`.

    Raises:
        FileNotFoundError, ValueError: the data set or a file of it is not there, or a list is broken.
    """
    folder, layout = find(root)
    if layout != "official":
        return []
    names = owner_names(folder, layout)
    return [masks_of(find_maps(folder), sorted({*names["train"], *names["val"]}))]


def parts(root: Path, variant: str, height: int | None = None, width: int | None = None) -> dict[str, PascalContext]:
    """The three parts of a run file's ``pascal_context``, alone or with ``-official``, ``-60`` or ``-60-official``.

    Args:
        root, variant: see `PascalContext`.
        height, width: delivered size in pixels; None delivers the size of the files.

    Raises:
        FileNotFoundError, ValueError, OSError: see `PascalContext`.
    """
    return {part: PascalContext(root, part, variant, height, width) for part in SPLITS}
