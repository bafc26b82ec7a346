"""`Objects`: the world as a data set."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any

import numpy as np

from labelkit.worlds.objects.classes import HEADS, MOST_CLASSES, PALETTE
from labelkit.worlds.objects.draw import Draw
from labelkit.worlds.objects.picture import Picture, paint
from labelkit.worlds.objects.saliency import LEVELS, saliency_map

WORLD_VERSION = 1  # raise it when any pixel changes
SPLITS = {"train": 0, "val": 1, "test": 2}
USUAL_CLASSES, USUAL_DETECTOR = 8, 2


def _require_integer(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"objects: {name} is {value!r}, expected an integer of at least {least}.")
    return int(value)


class Objects:
    """Pictures of one to three toys with image tags, exact masks and a detector's saliency map.

    Picture i depends on (seed, split, i), the number of classes and the picture's proportions only: another size shows
    the same scene, and a longer set begins with the shorter one. Among C pictures in a row each of the C classes is
    once the first toy that is laid down. Splits are disjoint random streams.

    Args:
        split: "train", "val" or "test".
        length: number of pictures.
        height, width: pixels.
        seed: of the whole set.
        num_classes: number of classes beside the background, 2 to 20.
        detector: level of the saliency maps, a key of `saliency.LEVELS`; 1 is the best.

    Raises:
        ValueError: an argument is not what it should be.
    """

    ignore_index = 255
    licence = "Drawn by labelkit from a seed; free of any rights."

    def __init__(
        self,
        split: str = "train",
        length: int = 256,
        height: int = 64,
        width: int = 64,
        seed: int = 0,
        num_classes: int = USUAL_CLASSES,
        detector: int = USUAL_DETECTOR,
    ) -> None:
        if split not in SPLITS:
            raise ValueError(f"objects: split is {split!r}, expected one of {', '.join(SPLITS)}.")
        self.split = split
        self.length = _require_integer("length", length, 1)
        self.height, self.width = _require_integer("height", height, 16), _require_integer("width", width, 16)
        self.seed = _require_integer("seed", seed, 0)
        self.num_classes = _require_integer("num_classes", num_classes, 2)
        if self.num_classes > MOST_CLASSES:
            raise ValueError(f"objects: num_classes is {num_classes}, expected an integer from 2 to {MOST_CLASSES}.")
        if detector not in LEVELS:
            raise ValueError(f"objects: detector is {detector!r}, expected one of {', '.join(map(str, LEVELS))}.")
        self.detector = detector
        # Named as in a run file; what is usual is not named.
        self.name = "-".join(
            ["objects"]
            + [str(num_classes)] * (num_classes != USUAL_CLASSES)
            + [f"sal{detector}"] * (detector != USUAL_DETECTOR)
        )
        self.classes = ("background", *(head.name for head in HEADS[:num_classes]))
        self.palette = PALETTE[: num_classes + 1]

    def __len__(self) -> int:
        return self.length

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The name of every picture."""
        return tuple(f"{self.split}-{index:06d}" for index in range(self.length))

    def picture(self, index: int) -> Picture:
        """Paint a picture, with its scene.

        Args:
            index: 0 to len - 1.

        Raises:
            IndexError: the index is outside 0..len-1.
        """
        if not 0 <= index < self.length:
            raise IndexError(f"objects: index {index} is outside 0..{self.length - 1}.")
        turn, place = divmod(int(index), self.num_classes)
        lots = Draw(self.seed, SPLITS[self.split], turn, 1)
        order = np.argsort([lots.unit() for _ in range(self.num_classes)], kind="stable")
        draw = Draw(self.seed, SPLITS[self.split], int(index), 0)
        return paint(draw, int(order[place]), self.num_classes, self.height, self.width)

    def saliency(self, index: int, picture: Picture) -> np.ndarray:
        """The detector's map of a picture, (H, W) float32 in whole 255ths."""
        return saliency_map(Draw(self.seed, SPLITS[self.split], int(index), 2), picture, self.detector)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """A sample.

        Returns:
            `image` (3, H, W) float32 in whole 255ths, `mask` (H, W) int64, `tags` (C,) float32 over the classes without
            the background, `saliency` (1, H, W) float32, `parts` (H, W) int64 (0 neither, 1 head, 2 body), `name`.

        Raises:
            IndexError: the index is outside 0..len-1.
        """
        import torch

        picture = self.picture(index)
        tags = np.bincount(picture.mask.ravel(), minlength=len(self.classes))[1:] > 0
        return {
            "image": torch.from_numpy(np.divide(picture.image, np.float32(255), dtype=np.float32)),
            "mask": torch.from_numpy(picture.mask.astype(np.int64)),
            "tags": torch.from_numpy(tags.astype(np.float32)),
            "saliency": torch.from_numpy(self.saliency(index, picture)[None]),
            "parts": torch.from_numpy(picture.parts.astype(np.int64)),
            "name": self.names[index],
        }

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the world's version, all arguments and the first sample, 16 hex digits."""
        arguments = (self.split, self.length, self.height, self.width, self.seed, self.num_classes, self.detector)
        digest = hashlib.sha256(f"objects {WORLD_VERSION} {arguments}".encode())
        picture = self.picture(0)
        for drawn in (picture.image, picture.mask, picture.parts, self.saliency(0, picture)):
            digest.update(np.ascontiguousarray(drawn).tobytes())
        return digest.hexdigest()[:16]


def parts(variant: str, height: int, width: int, lengths: dict[str, int]) -> dict[str, Objects]:
    """The parts of a run file's ``objects``.

    Args:
        variant: "" for 8 classes, a number from 2 to 20 for so many, "sal1", "sal2" or "sal3" for another level of the
            saliency maps (2 if none is named), or both, such as "20-sal3".
        height, width: pixels.
        lengths: number of pictures by part: "train", "val", "test".

    Raises:
        ValueError: the variant is none of these, or an argument is not what it should be.
    """
    options = {
        "-".join(filter(None, (number, level))): (int(number or USUAL_CLASSES), int(level[3:] or USUAL_DETECTOR))
        for number in ("", *map(str, range(2, MOST_CLASSES + 1)))
        for level in ("", *(f"sal{key}" for key in LEVELS))
    }
    if variant not in options:
        raise ValueError(
            f"objects has no variant {variant!r}: a number of classes from 2 to {MOST_CLASSES}, sal1, sal2 or sal3, "
            "or both, such as 20-sal3, was expected"
        )
    classes, detector = options[variant]
    return {
        part: Objects(part, length, height, width, num_classes=classes, detector=detector)
        for part, length in lengths.items()
    }
