"""Patches of aerial scenes, for training and for evaluation, and scenes shrunk as a whole."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any

import numpy as np
import torch

from labelkit.datasets.aerial_pieces import LEAST_AREA, kept_by_devkit
from labelkit.datasets.aerial_tiles import Window, boxes_of, cut_instances, keep_only, tile_name, windows


class AerialPatches:
    """The patches of some scenes.

    Pieces are dropped as by iSAID's devkit: those of at most 10 pixels, and those with an outer part of one or two
    pixels (`aerial_pieces`). Images and instance maps are kept as bytes and short integers, so that thousands of
    patches fit into memory; masks are made where they are used.

    Args:
        scenes: a data set of scenes: the world of aerial images or iSAID itself.
        patch, overlap: side of a patch and what neighbours share, in pixels.
        keep_empty: keep patches without any object; wanted for evaluation, where false alarms count.
        least_area: pixels that a piece needs.
        specks: drop pieces with a speck of one or two pixels, as the devkit does.

    Attributes:
        scenes: as given.
        windows: by patch, its window.
        owners: by patch, the index of its scene.

    Raises:
        ValueError: patch and overlap do not fit a scene.
    """

    def __init__(
        self,
        scenes: Any,
        patch: int = 256,
        overlap: int = 64,
        keep_empty: bool = False,
        least_area: int = LEAST_AREA,
        specks: bool = True,
    ) -> None:
        self.scenes, self.patch, self.overlap = scenes, patch, overlap
        self.keep_empty, self.least_area, self.specks = keep_empty, least_area, specks
        self.name = f"{scenes.name}-{patch}-{overlap}"
        self.windows: list[Window] = []
        self.owners: list[int] = []
        self._held: list[dict[str, Any]] = []
        for number in range(len(scenes)):
            self._cut(number, scenes[number])

    def _cut(self, number: int, scene: dict[str, Any]) -> None:
        instances, labels = scene["instances"].numpy(), scene["labels"].numpy()
        image = scene["image"].mul(255).round().to(torch.uint8)
        height, width = instances.shape
        for window in windows(height, width, self.patch, self.overlap, whole_up_to=self.patch):
            part, ids = cut_instances(instances, window)
            kept = kept_by_devkit(part, len(ids), self.least_area, self.specks)
            if not kept.any() and not self.keep_empty:
                continue
            part, ids = keep_only(part, kept), ids[kept]
            self.windows.append(window)
            self.owners.append(number)
            name = tile_name(scene["name"], None if window == (0, height, 0, width) else window)
            self._held.append(
                {
                    "image": image[(slice(None), *window.slices)].clone(),
                    "instances": part.astype(np.int16),
                    "labels": torch.from_numpy(labels[ids - 1]),
                    "ids": torch.from_numpy(ids),
                    "name": name.removesuffix(".png"),
                }
            )

    def __len__(self) -> int:
        return len(self._held)

    def __getattr__(self, name: str) -> Any:
        if name in ("classes", "palette", "licence", "ignore_index"):
            return getattr(self.scenes, name)
        raise AttributeError(f"AerialPatches has no attribute {name!r}")

    @property
    def names(self) -> tuple[str, ...]:
        """By patch, its name."""
        return tuple(held["name"] for held in self._held)

    def of_scene(self, number: int) -> list[int]:
        """The patches of one scene."""
        return [index for index, owner in enumerate(self.owners) if owner == number]

    def __getitem__(self, index: int) -> dict[str, Any]:
        """A patch.

        Returns:
            `image` (3, h, w) float32 in whole 255ths, `instances` (h, w) int32 with 0 and 1..K, `labels` (K,) int64,
            `boxes` (K, 4) float32 x0, y0, x1, y1, `areas` (K,) int64 pixels, `ids` (K,) int64 numbers in the scene,
            `scene` index, `window` (y0, y1, x0, x1), `name`.
        """
        held = self._held[index]
        count = len(held["ids"])
        instances = held["instances"].astype(np.int32)
        return {
            "image": held["image"].to(torch.float32).div_(255),
            "instances": torch.from_numpy(instances),
            "labels": held["labels"],
            "boxes": torch.from_numpy(boxes_of(instances, count)),
            "areas": torch.from_numpy(np.bincount(instances.ravel(), minlength=count + 1)[1:]),
            "ids": held["ids"],
            "scene": self.owners[index],
            "window": tuple(self.windows[index]),
            "name": held["name"],
        }

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the scenes' fingerprint and the arguments, 16 hex digits."""
        arguments = (self.patch, self.overlap, self.keep_empty, self.least_area, self.specks, len(self))
        return hashlib.sha256(f"patches {self.scenes.fingerprint} {arguments}".encode()).hexdigest()[:16]
