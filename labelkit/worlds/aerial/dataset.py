"""`Aerial`: the world as a data set of scenes."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any

import numpy as np

from labelkit.worlds.aerial.classes import CLASSES, PALETTE
from labelkit.worlds.aerial.draw import Draw
from labelkit.worlds.aerial.picture import Picture, paint
from labelkit.worlds.aerial.scene import THEMES

WORLD_VERSION = 1  # raise it when any pixel changes
SPLITS = {"train": 0, "val": 1, "test": 2}
SIDES = (1000, 2400)
LEAST_SIDE = 256
VARIANTS = ("", "dense")


class Aerial:
    """Top-down scenes with the instances of iSAID's 15 classes.

    Scene i depends on (seed, split, i), the variant and its size only; a longer set begins with the shorter one.
    Objects measure as many pixels in a small scene as in a large one: a smaller scene shows less. Among six scenes in a
    row each of the six themes occurs once. Splits are disjoint random streams.

    Args:
        split: "train", "val" or "test".
        length: number of scenes.
        height, width: pixels; None for both: every scene draws its own sides, 1,000 to 2,400 pixels.
        seed: of the whole set.
        variant: "" or "dense", which has more vehicles.

    Raises:
        ValueError: an argument is not what it should be.
    """

    ignore_index = 255
    licence = "Drawn by labelkit from a seed; free of any rights."
    classes = CLASSES
    palette = PALETTE

    def __init__(
        self,
        split: str = "train",
        length: int = 8,
        height: int | None = None,
        width: int | None = None,
        seed: int = 0,
        variant: str = "",
    ) -> None:
        if split not in SPLITS:
            raise ValueError(f"aerial: split is {split!r}, expected one of {', '.join(SPLITS)}.")
        if variant not in VARIANTS:
            raise ValueError(f"aerial has no variant {variant!r}: nothing or dense was expected")
        if (height is None) != (width is None):
            raise ValueError(f"aerial: height is {height} and width is {width}, expected both or neither.")
        self.split, self.variant = split, variant
        self.length, self.seed = _require_integer("length", length, 1), _require_integer("seed", seed, 0)
        self.height = None if height is None else _require_integer("height", height, LEAST_SIDE)
        self.width = None if width is None else _require_integer("width", width, LEAST_SIDE)
        self.name = "-".join(filter(None, ("aerial", variant)))

    def __len__(self) -> int:
        return self.length

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The name of every scene."""
        return tuple(f"{self.split}-{index:06d}" for index in range(self.length))

    def theme(self, index: int) -> str:
        """What kind of place a scene is."""
        turn, place = divmod(int(index), len(THEMES))
        lots = Draw(self.seed, SPLITS[self.split], turn, 1)
        order = np.argsort([lots.unit() for _ in THEMES], kind="stable")
        return list(THEMES)[int(order[place])]

    def size(self, index: int) -> tuple[int, int]:
        """Height and width of a scene in pixels."""
        if self.height is not None and self.width is not None:
            return self.height, self.width
        draw = Draw(self.seed, SPLITS[self.split], int(index), 2)
        return tuple(SIDES[0] + draw.below(SIDES[1] - SIDES[0] + 1) for _ in range(2))

    def picture(self, index: int) -> Picture:
        """Paint a scene.

        Args:
            index: 0 to len - 1.

        Raises:
            IndexError: the index is outside 0..len-1.
        """
        if not 0 <= index < self.length:
            raise IndexError(f"aerial: index {index} is outside 0..{self.length - 1}.")
        draw = Draw(self.seed, SPLITS[self.split], int(index), 0)
        return paint(draw, *self.size(index), self.theme(index), self.variant == "dense")

    def __getitem__(self, index: int) -> dict[str, Any]:
        """A sample.

        Returns:
            `image` (3, H, W) float32 in whole 255ths, `instances` (H, W) int32 with 0 for none and 1..K, `labels` (K,)
            int64 class ids 1..15, `boxes` (K, 4) float32 x0, y0, x1, y1 at the edges of pixels, `name`.

        Raises:
            IndexError: the index is outside 0..len-1.
        """
        import torch
        from scipy import ndimage

        picture = self.picture(index)
        boxes = np.zeros((len(picture.labels), 4), np.float32)
        for number, (rows, columns) in enumerate(ndimage.find_objects(picture.instances)):
            boxes[number] = columns.start, rows.start, columns.stop, rows.stop
        return {
            "image": torch.from_numpy(np.divide(picture.image, np.float32(255), dtype=np.float32)),
            "instances": torch.from_numpy(picture.instances),
            "labels": torch.from_numpy(picture.labels),
            "boxes": torch.from_numpy(boxes),
            "name": self.names[index],
        }

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the world's version, all arguments and the first scene, 16 hex digits."""
        arguments = (self.split, self.length, self.height, self.width, self.seed, self.variant)
        digest = hashlib.sha256(f"aerial {WORLD_VERSION} {arguments}".encode())
        picture = self.picture(0)
        for drawn in (picture.image, picture.instances, picture.labels):
            digest.update(np.ascontiguousarray(drawn).tobytes())
        return digest.hexdigest()[:16]


def parts(
    variant: str, height: int | None = None, width: int | None = None, lengths: dict[str, int] | None = None
) -> dict[str, Aerial]:
    """The parts of a run file's ``aerial``.

    Args:
        variant: "" or "dense".
        height, width: pixels; None for both: 1,000 to 2,400, drawn.
        lengths: number of scenes by part; None for 12, 3 and 6 in "train", "val" and "test".

    Raises:
        ValueError: there is no such variant, or an argument is not what it should be.
    """
    lengths = {"train": 12, "val": 3, "test": 6} if lengths is None else lengths
    return {part: Aerial(part, length, height, width, variant=variant) for part, length in lengths.items()}


def _require_integer(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"aerial: {name} is {value!r}, expected an integer of at least {least}.")
    return int(value)
