"""Blank aerial scenes: noise with as many objects as an image of iSAID has on average."""

from typing import Any

import numpy as np
import torch

from labelkit.datasets.blank_images import noise

SIDE = 1400
"""Of a training scene in pixels: two patches of 800 that overlap by 200, down and across."""
SMALL = 256
"""Of a scene for validation and test; three for the test, which compares sparse, middling and crowded patches."""
OBJECTS = 234
"""Objects of a training scene: iSAID has 655,451 in 2,806 images [zamir2019isaid]."""
LONG = 24
"""Side of an object in pixels; seven in eight of iSAID's are below 32."""


class BlankScenes:
    """A part of blank scenes.

    Args:
        name, classes, palette: of the data, the background first.
        split: of the part.
        count: scenes.
        side: of a scene in pixels.
        objects: in a scene, at most.
    """

    ignore_index, licence = 255, "Noise."

    def __init__(
        self, name: str, classes: tuple[str, ...], palette: np.ndarray, split: str, count: int, side: int, objects: int
    ) -> None:
        self.name, self.classes, self.palette, self.side, self.objects = name, classes, palette, side, objects
        self.names = tuple(f"{split}_{index}" for index in range(count))
        self.fingerprint = f"{name} {split} {count} {side} {objects}"

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """``image`` (3, H, W), ``instances`` (H, W) int32, ``labels`` (K,), ``boxes`` (K, 4), ``name``."""
        if not 0 <= index < len(self):
            raise IndexError(f"scene {index} of {self.name} does not exist: 0 to {len(self) - 1} was expected")
        generator = np.random.default_rng(index)
        across = self.side // (2 * LONG)  # places on a grid, so that objects do not touch
        places = generator.permutation(across**2)[: self.objects]
        corners = np.stack([places % across, places // across], 1) * 2.0 * LONG
        boxes = np.concatenate([corners, corners + LONG], 1)
        return self._sample(index, boxes, generator)

    def _sample(self, index: int, boxes: np.ndarray, generator: np.random.Generator) -> dict[str, Any]:
        instances = np.zeros((self.side, self.side), np.int32)
        for number, (left, top, right, bottom) in enumerate(boxes.astype(int), 1):
            instances[top:bottom, left:right] = number
        return {
            "image": noise(self.side, self.side).float().div_(255),
            "instances": torch.from_numpy(instances),
            "labels": torch.from_numpy(generator.integers(1, len(self.classes), len(boxes))),
            "boxes": torch.from_numpy(boxes.astype(np.float32)),
            "name": self.names[index],
        }


def scene_parts(name: str, classes: tuple[str, ...], palette: np.ndarray) -> dict[str, BlankScenes]:
    """One scene for training, one small one for validation and three for the test."""
    sizes = {"train": (1, SIDE, OBJECTS), "val": (1, SMALL, 8), "test": (3, SMALL, 8)}
    return {part: BlankScenes(name, classes, palette, part, *size) for part, size in sizes.items()}
