"""Blank data: what a data set delivers, in kind, classes and size, without the data set. For dry runs.

The name is ``blank-`` and the name of a reader with its variant: ``blank-voc2012-official``. Classes are the reader's;
pictures are noise, labels are blocks. There are as few samples as a split needs: the number of images decides nothing
about the cost of a step. Validation and test parts hold one small sample, or two.
"""

import importlib
from pathlib import Path
from typing import Any

import numpy as np

SIZES = {"voc2012": (375, 500), "coco": (480, 640), "ilsvrc2012": (375, 500), "cityscapes": (1024, 2048)}
"""Height and width at which a reader delivers its files, if no size is asked for. VOC: 500 x 375 is the most frequent
size [everingham2010voc]; COCO: 640 x 480 [lin2014microsoft]; ImageNet: 400 x 350 on average [russakovsky2015imagenet],
500 x 375 most often; Cityscapes: all [cordts2016cityscapes]."""
USUAL = (375, 500)
KINDS = {
    "ilsvrc2012": "labels", "cifar10": "labels", "viper_vps": "clips", "camvid_drives": "clips", "s3dis": "clouds",
    "scannet": "clouds", "isaid": "scenes",
}  # fmt: skip
"""Readers of anything but images with masks."""
TAGGED = ("voc2012", "coco", "magnetic_tile", "ecssd")
"""Readers whose samples have image tags."""


def parts(root: Path, variant: str, **options: Any) -> dict[str, Any]:
    """The parts of blank data.

    Args:
        root: not used.
        variant: name of a reader, and its own variant.
        options: as the reader takes them.

    Raises:
        ValueError: there is no such reader.
    """
    reader = variant.partition("-")[0]
    classes, palette = classes_of(reader)
    name, kind = f"blank-{variant}", KINDS.get(reader, "images")
    if kind == "clips":
        from labelkit.datasets.blank_clips import clip_parts

        return clip_parts(name, classes, palette, **options)
    if kind == "clouds":
        from labelkit.datasets.blank_clouds import cloud_parts

        return cloud_parts(name, classes, palette)
    if kind == "scenes":
        from labelkit.datasets.blank_scenes import scene_parts

        return scene_parts(name, classes, palette)
    from labelkit.datasets.blank_images import image_parts, labelled_parts

    if kind == "labels":
        return labelled_parts(name, classes, palette, SIZES.get(reader), **options)
    return image_parts(name, classes, palette, SIZES.get(reader, USUAL), tagged=reader in TAGGED, **options)


def classes_of(reader: str) -> tuple[tuple[str, ...], np.ndarray]:
    """Names and colours of a reader's classes.

    Raises:
        ValueError: there is no such reader.
    """
    try:
        module = importlib.import_module(f"labelkit.datasets.{reader}")
    except ModuleNotFoundError:
        raise ValueError(f"data {reader!r} has no reader of which a blank could be made") from None
    if reader == "viper_vps":
        module = importlib.import_module("labelkit.datasets.viper")
    found = getattr(module, "CLASSES", None)
    if found is None:
        raise ValueError(f"the reader of {reader!r} does not say its classes (CLASSES); a blank needs them")
    classes = tuple(f"class {index}" for index in range(found)) if isinstance(found, int) else tuple(found)
    palette = getattr(module, "PALETTE", None)
    if palette is None or len(palette) != len(classes):
        palette = np.random.default_rng(0).integers(0, 256, (len(classes), 3)).astype(np.uint8)
    return classes, palette
