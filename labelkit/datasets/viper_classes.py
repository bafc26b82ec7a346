"""The fifteen classes that VIPER and Cityscapes share, as papers of this family map them; and seven coarser ones.

The numbers are those of DA-VSN's code (Dayan-Guan/DA-VSN at 5b79c5b), a sibling of the video chapter's paper; that the
paper used the same fifteen is likely and could not be checked. What is not named is ignored: on Cityscapes wall, pole
and train, among others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

IGNORE = 255
CLASSES: tuple[str, ...] = (
    "road", "sidewalk", "building", "fence", "traffic light", "traffic sign", "vegetation", "terrain", "sky", "person",
    "car", "truck", "bus", "motorcycle", "bicycle",
)  # fmt: skip

VIPER_IDS: dict[int, str] = {
    2: "sky", 3: "road", 4: "sidewalk", 6: "terrain", 7: "vegetation", 8: "vegetation", 9: "building", 11: "fence",
    13: "traffic light", 14: "traffic sign", 20: "person", 22: "bicycle", 23: "motorcycle", 24: "car", 26: "bus",
    27: "truck",
}  # fmt: skip
"""Class id of VIPER's label maps to class."""

CITYSCAPES_IDS: dict[int, str] = {
    7: "road", 8: "sidewalk", 11: "building", 13: "fence", 19: "traffic light", 20: "traffic sign", 21: "vegetation",
    22: "terrain", 23: "sky", 24: "person", 25: "person", 26: "car", 27: "truck", 28: "bus", 32: "motorcycle",
    33: "bicycle",
}  # fmt: skip
"""Label id of Cityscapes (not its train id) to class; a rider is a person."""

CATEGORIES: dict[str, tuple[str, ...]] = {
    "flat": ("road", "sidewalk"),
    "construction": ("building", "wall", "fence"),
    "object": ("pole", "traffic light", "traffic sign"),
    "nature": ("vegetation", "terrain"),
    "sky": ("sky",),
    "human": ("person", "rider"),
    "vehicle": ("car", "truck", "bus", "motorcycle", "bicycle"),
}
"""The seven categories of Cityscapes, for pictures so small that many a class has next to no pixel."""


def lookup(ids: Mapping[int, str], classes: Sequence[str] = CLASSES) -> np.ndarray:
    """A table that turns a label map into class numbers: ``lookup(VIPER_IDS)[label_map]``.

    Args:
        ids: label to name of class, such as `VIPER_IDS`.
        classes: names in the order of the wanted numbers; a label whose class is not among them is ignored.

    Returns:
        (256,) uint8; `IGNORE` for every label that is not mapped.

    Raises:
        ValueError: a label is outside 0..255.
    """
    table = np.full(256, IGNORE, np.uint8)
    places = {name: place for place, name in enumerate(classes)}
    for label, name in ids.items():
        if not 0 <= label < 256:
            raise ValueError(f"label {label} ({name}) is outside 0..255; label maps of one byte were expected")
        table[label] = places.get(name, IGNORE)
    return table


def categories(names: Sequence[str]) -> np.ndarray:
    """The table from a data set whose classes bear Cityscapes' names to the numbers of the seven categories.

    Args:
        names: of the data set's classes, in its order, such as `labelkit.worlds.streets.CLASSES`.

    Returns:
        (256,) uint8; `IGNORE` for what is in no category.
    """
    category = {name: category for category, members in CATEGORIES.items() for name in members}
    return lookup({label: category.get(name, "") for label, name in enumerate(names)}, tuple(CATEGORIES))


def without_ego_vehicle(masks: np.ndarray, car: int = CLASSES.index("car")) -> np.ndarray:
    """VIPER frames show the bonnet of the car that drives: the connected piece of car at the middle of the lower edge.

    Args:
        masks: (H, W) class numbers.
        car: number of the class.

    Returns:
        (H, W), the piece set to `IGNORE`; unchanged if that pixel is no car.
    """
    height, width = masks.shape
    if masks[height - 1, width // 2] != car:
        return masks
    from scipy.ndimage import label

    pieces, _ = label(masks == car)
    return np.where(pieces == pieces[height - 1, width // 2], np.uint8(IGNORE), masks)
