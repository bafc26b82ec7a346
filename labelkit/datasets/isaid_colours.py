"""iSAID's colour maps and id maps as arrays [zamir2019isaid].

Both maps are RGB pictures, and a pixel's code is R + 256 G + 65,536 B (labels.py and instances2dict_with_polygons.py of
CAPTAIN-WHU/iSAID_Devkit at a671fd5). A reader that gives BGR turns the codes round. Instance ids below 1,000 are no
instances. The class of an instance is the smallest class code under its pixels, which is not the smallest class id.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

CLASSES = (
    "background", "ship", "storage_tank", "baseball_diamond", "tennis_court", "basketball_court", "Ground_Track_Field",
    "Bridge", "Large_Vehicle", "Small_Vehicle", "Helicopter", "Swimming_pool", "Roundabout", "Soccer_ball_field",
    "plane", "Harbor",
)  # fmt: skip
PALETTE = np.array(
    [[0, 0, 0], [0, 0, 63], [0, 63, 63], [0, 63, 0], [0, 63, 127], [0, 63, 191], [0, 63, 255], [0, 127, 63],
     [0, 127, 127], [0, 0, 127], [0, 0, 191], [0, 0, 255], [0, 191, 127], [0, 127, 191], [0, 127, 255], [0, 100, 155]],
    dtype=np.uint8,
)  # fmt: skip
CODES = PALETTE.astype(np.int64) @ np.array([1, 256, 65536])  # of each class id
FIRST_ID = 1000
_BY_CODE = np.argsort(CODES)  # class ids in the order of their codes; unlabelled pixels, code 0, come first
_RANK = np.argsort(_BY_CODE)


def codes_of(picture: np.ndarray) -> np.ndarray:
    """The codes of a picture's colours.

    Args:
        picture: (H, W, 3) uint8, RGB.

    Returns:
        (H, W) int32.
    """
    codes = picture[..., 0].astype(np.int32)
    codes += picture[..., 1].astype(np.int32) << 8
    codes += picture[..., 2].astype(np.int32) << 16
    return codes


def class_map(picture: np.ndarray, source: str | Path = "colour map") -> np.ndarray:
    """Class ids of a colour map.

    Args:
        picture: (H, W, 3) uint8, RGB, as released.
        source: named in errors.

    Returns:
        (H, W) uint8, 0 for unlabelled, otherwise 1..15.

    Raises:
        ValueError: a colour belongs to no class; names the colour and its first place.
    """
    codes = codes_of(picture)
    table = np.full(1 << 24, 255, np.uint8)
    table[CODES] = np.arange(len(CODES), dtype=np.uint8)
    classes = table[codes]
    if (classes == 255).any():
        row, column = np.argwhere(classes == 255)[0].tolist()
        colour = tuple(int(value) for value in picture[row, column])
        raise ValueError(
            f"{source} holds the colour {colour} at row {row}, column {column}: one of iSAID's 15 class colours, or "
            "black, in RGB order was expected"
        )
    return classes


def id_map(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Instances of an id map, numbered without gaps in the order of their ids.

    Args:
        picture: (H, W, 3) uint8, RGB, as released.

    Returns:
        (H, W) int32 with 0 for none and 1..K, and the K ids, int64; ids below 1,000 are left out, as by the devkit.
    """
    codes = codes_of(picture)
    present = np.zeros(1 << 24, bool)
    present[codes.ravel()] = True
    ids = np.flatnonzero(present)
    ids = ids[ids >= FIRST_ID]
    table = np.zeros(1 << 24, np.int32)
    table[ids] = np.arange(1, len(ids) + 1, dtype=np.int32)
    return table[codes], ids


def classes_of(
    instances: np.ndarray,
    classes: np.ndarray,
    ids: Sequence[int] | np.ndarray,
    strict: bool = False,
    source: str | Path = "id map",
) -> np.ndarray:
    """The class of each instance: the smallest class code under its pixels, as the devkit decides.

    Args:
        instances: (H, W) with 0 and 1..K.
        classes: (H, W) class ids 0..15.
        ids: K ids as released, for errors.
        strict: refuse an instance that spans two classes.
        source: named in errors.

    Returns:
        (K,) int64 class ids; 0 for an instance without a pixel.

    Raises:
        ValueError: the maps differ in size; an instance has unlabelled pixels, which the devkit cannot convert; or,
            with `strict`, spans two classes.
    """
    if instances.shape != classes.shape:
        raise ValueError(f"{source} is {_size(instances)} and its class map {_size(classes)}: one size was expected")
    count, inside = len(ids), instances > 0
    pairs = (instances[inside].astype(np.int64) - 1) * len(CODES) + _RANK[classes[inside]]
    found = np.bincount(pairs, minlength=count * len(CODES)).reshape(count, len(CODES)) > 0
    if found[:, 0].any():
        wrong = ids[int(np.flatnonzero(found[:, 0])[0])]
        raise ValueError(f"{source}: instance {wrong} has unlabelled pixels: a class colour under each was expected")
    if strict and (found.sum(1) > 1).any():
        index = int(np.flatnonzero(found.sum(1) > 1)[0])
        names = " and ".join(CLASSES[_BY_CODE[rank]] for rank in np.flatnonzero(found[index]))
        raise ValueError(f"{source}: instance {ids[index]} spans the classes {names}: one class was expected")
    return _BY_CODE[found.argmax(1)]


def _size(array: np.ndarray) -> str:
    return f"{array.shape[0]} x {array.shape[1]}"
