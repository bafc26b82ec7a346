"""PASCAL VOC 2012 [everingham2010voc] with the masks of SBD [hariharan2011sbd]: the 10,582 images of the papers.

"Trainaug" is VOC's train (1,464 images) and all of SBD (11,355), less VOC's val: 10,582 images. Where both have a mask
VOC's own is taken, which ignores a border around objects; SBD's ignores nothing. That is what mmsegmentation does, and
what comes out where the folder `SegmentationClassAug` of many repositories is made as their notes say: SBD's masks
first, VOC's copied over them. Archives of that folder that pass from hand to hand were not compared.

Image tags are the objects in `Annotations/NAME.xml`, difficult ones included: so the tag file was made that comes with
AuxSegNet. The list of Group-WSSS names fewer classes in 817 of the 10,582 images, and never more; the check of the data
counts where tags and masks differ.

SBD's MAT files are drawn once as PNG, see `converting`. VOC's val is the test part. One training image in twenty, by a
hash of its name, is the validation part. `voc2012-official` trains on all 10,582 images, as the papers do; what is
chosen on its val is chosen on test images. `voc2012-train` and `voc2012-train-official` do the same with VOC's own
1,464 training images, and need no SBD.
"""

from functools import cached_property
from pathlib import Path

import numpy as np
from torch import Tensor

from labelkit.datasets.coco128 import CLASSES, PALETTE
from labelkit.datasets.converting import Conversion
from labelkit.datasets.images import label_table
from labelkit.datasets.listing import files_in, picked
from labelkit.datasets.locate import check_split, sized
from labelkit.datasets.pairs import Pair
from labelkit.datasets.picking import fits, flags, light_fingerprint, three_parts
from labelkit.datasets.tagged import SPLITS, TaggedFiles
from labelkit.datasets.voc2012_files import RULE, find, find_sbd, objects_in, sbd_masks, sbd_names, trainaug, voc_names
from labelkit.datasets.voc_colours import check_palette, voc_colours

VARIANTS = ("train", "official")
LICENCE = "The photographs fall under Flickr's terms of use; research use with citation."


class Voc2012(TaggedFiles):
    """One part of VOC 2012; makes the masks of SBD that are missing when it is made.

    Args:
        root: the folder of both data sets, or one that holds it as `voc2012`.
        split: "train", "val" or "test" (VOC's val, 1,449 images).
        variant: "", "official", "train" or "train-official"; see the module.
        height, width: delivered size in pixels; None delivers the size of the files.
        cache: keep decoded samples in memory; None does so if a size is given and they take at most 2 GiB.

    Raises:
        FileNotFoundError: a data set or a file of it is not there.
        ValueError: the split or variant is unknown, a list is broken, or a mask of SBD is.
        OSError: the masks of SBD cannot be written beside it.
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
        check_split(split, "VOC 2012")
        words = flags(variant, VARIANTS, "voc2012")
        self.root, self.split, self.variant = find(root), split, variant
        owner = voc_names(self.root)
        sbd = None if "train" in words else find_sbd(root)
        train = owner["train"] if sbd is None else trainaug(owner, sbd_names(sbd))
        names = three_parts(train, owner["val"], "official" in words)[split]
        own = {*owner["train"], *owner["val"]}
        masks, self._sources = self._masks(own, names)
        if sbd is not None and (others := [name for name in names if name not in own]):
            drawn = sbd_masks(sbd, others)
            drawn.run()
            masks |= {name: drawn.path(name) for name in others}
            self._sources |= {name: sbd / "cls" / f"{name}.mat" for name in others}
        folder = self.root / "JPEGImages"
        images = picked(files_in(folder), names, folder, ".jpg", "a list of the data set")
        self._annotations = self.root / "Annotations"
        if not self._annotations.is_dir():
            raise FileNotFoundError(f"{self._annotations} is not a folder: the XML files with the tags were expected")
        super().__init__(
            name=sized("-".join(filter(None, ("voc2012", variant))), height, width),
            pairs=[Pair(name, image, masks[name]) for name, image in zip(names, images)],
            classes=CLASSES, palette=PALETTE, licence=LICENCE, table=label_table(range(len(CLASSES)), (255,)),
            height=height, width=width, cache=fits(len(names), height, width) if cache is None else cache,
        )  # fmt: skip
        self._colours = voc_colours()  # for masks that somebody saved as colours

    def tags(self, index: int) -> Tensor:
        """The classes of the objects that the owner's XML lists, float32 (20,): entry c belongs to label c + 1."""
        name = self.names[index]
        if name not in self._known:
            self._known[name] = objects_in(self._annotations / f"{name}.xml")
        return super().tags(index)

    @cached_property
    def fingerprint(self) -> str:
        """Of names, lengths of pictures, bytes of the owners' label files, and tags; see `light_fingerprint`."""
        for index in range(len(self)):
            self.tags(index)
        return light_fingerprint(self, RULE, sorted(self._known.items()), sources=self._sources)

    def _masks(self, own: set[str], names: list[str]) -> tuple[dict[str, Path], dict[str, Path]]:
        folder = self.root / "SegmentationClass"
        chosen = [name for name in names if name in own]
        found = dict(zip(chosen, picked(files_in(folder), chosen, folder, ".png", "ImageSets/Segmentation")))
        return found, dict(found)

    def _read_mask(self, pair: Pair) -> np.ndarray:
        mask = super()._read_mask(pair)
        check_palette(pair.mask)
        return mask


def conversions(root: str | Path) -> list[Conversion]:
    """The masks of SBD that VOC does not have, as PNG; nothing is drawn before `run`.

    Raises:
        FileNotFoundError, ValueError: a data set or a file of it is not there, or a list is broken.
    """
    voc, sbd = voc_names(find(root)), find_sbd(root)
    own = {*voc["train"], *voc["val"]}
    return [sbd_masks(sbd, [name for name in trainaug(voc, sbd_names(sbd)) if name not in own])]


def parts(root: Path, variant: str, height: int | None = None, width: int | None = None) -> dict[str, Voc2012]:
    """The three parts of a run file's ``voc2012``, alone or with ``-official``, ``-train`` or ``-train-official``.

    Args:
        root, variant: see `Voc2012`.
        height, width: delivered size in pixels; None delivers the size of the files.

    Raises:
        FileNotFoundError, ValueError, OSError: see `Voc2012`.
    """
    return {part: Voc2012(root, part, variant, height, width) for part in SPLITS}
