"""COCO128: the first 128 training images of COCO [lin2014microsoft], with the 20 classes of PASCAL VOC.

The compact layout of `tagged` is read, with masks in `labels_voc21` (0 background, 1 to 20 the classes of VOC in their
order, 255 objects of COCO's other 60 classes) and COCO's own label ids, 1 to 80, in `image_labels.json`. Tags are made
of these; in the copy that we measured they agree with the masks in all 128 images. Two images come without annotations
in the source and are left out. An image that shows no class of VOC stays in the data with no tag.
"""

from pathlib import Path

import numpy as np

from labelkit.datasets.images import label_table
from labelkit.datasets.locate import check_split, locate, sized
from labelkit.datasets.tagged import (
    SPLITS,
    TaggedFiles,
    compact_layout,
    compact_names,
    compact_pairs,
    part_of,
    read_tags,
)

CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
# COCO's label ids, in COCO's order without gaps and from 1, of the classes of VOC in the order above.
COCO_LABELS = (5, 2, 15, 9, 40, 6, 3, 16, 57, 20, 61, 17, 18, 4, 1, 59, 19, 58, 7, 63)
PALETTE = np.array(
    [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128], [128, 0, 128], [0, 128, 128], [128, 128, 128],
     [64, 0, 0], [192, 0, 0], [64, 128, 0], [192, 128, 0], [64, 0, 128], [192, 0, 128], [64, 128, 128],
     [192, 128, 128], [0, 64, 0], [128, 64, 0], [0, 192, 0], [128, 192, 0], [0, 64, 128]],
    dtype=np.uint8,
)  # fmt: skip
UNANNOTATED = ("000000000250", "000000000508")
LICENCE = "Annotations CC BY 4.0; the photographs fall under Flickr's terms of use."
LABELS = "labels_voc21"
SUBFOLDERS = ("coco128_seg_320", "coco128")  # looked into, in this order, below a given folder


class Coco128(TaggedFiles):
    """One part of COCO128 with the classes of VOC.

    Args:
        root: the data set's folder, or one that holds it as `coco128_seg_320` or `coco128`.
        split: "train", "val" or "test".
        height, width: delivered size in pixels; None delivers the size of the files.
        cache: keep decoded samples in memory.

    Raises:
        FileNotFoundError: the layout is not found, or a file is missing.
        ValueError: the split is unknown, tag file and image list disagree, or a file is not what it should be.
    """

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        height: int | None = None,
        width: int | None = None,
        cache: bool = True,
    ) -> None:
        check_split(split, "COCO128")
        self.root, self.split = find(root), split
        names = compact_names(self.root)
        stated = read_tags(self.root / "image_labels.json", [*names["train"], *names["val"]], range(1, 81))
        ours = {label: index for index, label in enumerate(COCO_LABELS, start=1)}
        tags = {name: {ours[label] for label in labels if label in ours} for name, labels in stated.items()}
        names = {key: [name for name in listed if name not in UNANNOTATED] for key, listed in names.items()}
        super().__init__(
            name=sized("coco128", height, width),
            pairs=compact_pairs(self.root, part_of(names, split), LABELS), classes=CLASSES, palette=PALETTE,
            licence=LICENCE, table=label_table(range(len(CLASSES)), (255,)), tags=tags,
            height=height, width=width, cache=cache,
        )  # fmt: skip


def parts(root: Path, variant: str, height: int | None = None, width: int | None = None) -> dict[str, Coco128]:
    """The three parts of a run file's ``coco128``.

    Args:
        root: see `Coco128`.
        variant: must be empty.
        height, width: delivered size in pixels; None delivers the size of the files.

    Raises:
        ValueError: a variant is asked for.
    """
    if variant:
        raise ValueError(f"COCO128 has no variant {variant!r}: the name coco128 was expected")
    return {part: Coco128(root, part, height, width) for part in SPLITS}


def layout_of(folder: Path) -> str | None:
    """ "compact", or None if the folder is not COCO128."""
    return "compact" if compact_layout(folder, LABELS) and (folder / "image_labels.json").is_file() else None


def find(root: str | Path) -> Path:
    """COCO128's folder: the given one or a folder below it; see `locate`."""
    expected = f"images/, {LABELS}/, splits.json and image_labels.json"
    return locate(root, SUBFOLDERS, layout_of, "COCO128", expected)[0]
