"""Patches of aerial scenes, for training and for evaluation, cut or read when they are asked for."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from labelkit.datasets.aerial_pieces import LEAST_AREA, kept_by_devkit
from labelkit.datasets.aerial_store import PatchStore, Piece, pixels, share
from labelkit.datasets.aerial_tiles import Window, boxes_of, cut_instances, tile_name, windows


class AerialPatches:
    """The patches of some scenes.

    Pieces are dropped as by iSAID's devkit: those of at most 10 pixels, and those with an outer part of one or two
    pixels (`aerial_pieces`). What is kept in memory is where each patch lies and which objects it has. Its pixels are
    cut when it is asked for, from the scene, of which the last few are kept decoded, or read from a folder of cut
    patches. With such a folder each scene is decoded once, and never again by any process.

    Args:
        scenes: a data set of scenes: the world of aerial images or iSAID itself.
        patch, overlap: side of a patch and what neighbours share, in pixels.
        keep_empty: keep patches without any object; wanted for evaluation, where false alarms count.
        least_area: pixels that a piece needs.
        specks: drop pieces with a speck of one or two pixels, as the devkit does.
        alive: scenes that are kept decoded at a time, as bytes.
        store: folder of cut patches; a folder of its own is made in it for these scenes and arguments.

    Attributes:
        scenes: as given.
        windows: by patch, its window.
        owners: by patch, the index of its scene.

    Raises:
        ValueError: patch and overlap do not fit a scene, `alive` is not positive, or a file of the store is damaged.
        OSError: the store cannot be written.
    """

    def __init__(
        self,
        scenes: Any,
        patch: int = 256,
        overlap: int = 64,
        keep_empty: bool = False,
        least_area: int = LEAST_AREA,
        specks: bool = True,
        *,
        alive: int = 2,
        store: Path | None = None,
    ) -> None:
        if alive < 1:
            raise ValueError(f"{alive} scenes are to be kept decoded: at least 1 was expected")
        self.scenes, self.patch, self.overlap = scenes, patch, overlap
        self.keep_empty, self.least_area, self.specks = keep_empty, least_area, specks
        self.alive = alive
        self.name = f"{scenes.name}-{patch}-{overlap}"
        self._decoded: OrderedDict[int, dict[str, Any]] = OrderedDict()
        self.store = None if store is None else PatchStore(Path(store) / self.fingerprint)
        found = {number: self._index(number) for number in (share if self.store else range)(len(scenes))}
        self._pieces = [piece for number in range(len(scenes)) for piece in found[number]]
        self.owners = [number for number in range(len(scenes)) for _ in found[number]]
        self.windows: list[Window] = [piece.window for piece in self._pieces]

    def _index(self, number: int) -> list[Piece]:
        """The patches of a scene; cut and stored if there is a store that does not have them."""
        known = self.store.index(number) if self.store else None
        if known is not None:
            return known
        scene, pieces = self._scene(number), []
        height, width = scene["instances"].shape
        for window in windows(height, width, self.patch, self.overlap, whole_up_to=self.patch):
            part, ids = cut_instances(scene["instances"], window)
            ids = ids[kept_by_devkit(part, len(ids), self.least_area, self.specks)]
            if not len(ids) and not self.keep_empty:
                continue
            name = tile_name(scene["name"], None if window == (0, height, 0, width) else window).removesuffix(".png")
            pieces.append(Piece(window, ids, scene["labels"][ids - 1], name))
            if self.store:
                self.store.write(name, *pixels(scene, window, ids))
        if self.store:
            self.store.close_scene(number, pieces)
            self._decoded.clear()
        return pieces

    def _scene(self, number: int) -> dict[str, Any]:
        """A decoded scene; the least recently used one makes room."""
        if number in self._decoded:
            self._decoded.move_to_end(number)
            return self._decoded[number]
        while len(self._decoded) >= self.alive:
            self._decoded.popitem(last=False)
        scene = self.scenes[number]
        self._decoded[number] = {
            "image": scene["image"].mul(255).round().to(torch.uint8).numpy(),
            "instances": scene["instances"].numpy(),
            "labels": scene["labels"].numpy(),
            "name": scene["name"],
        }
        return self._decoded[number]

    def __len__(self) -> int:
        return len(self._pieces)

    def __getattr__(self, name: str) -> Any:
        if name in ("classes", "palette", "licence", "ignore_index"):
            return getattr(self.scenes, name)
        raise AttributeError(f"AerialPatches has no attribute {name!r}")

    @property
    def names(self) -> tuple[str, ...]:
        """By patch, its name."""
        return tuple(piece.name for piece in self._pieces)

    @property
    def counts(self) -> np.ndarray:
        """By patch, the number of its objects, (len,) int64; no pixel is read."""
        return np.array([len(piece.ids) for piece in self._pieces], np.int64)

    def of_scene(self, number: int) -> list[int]:
        """The patches of one scene."""
        return [index for index, owner in enumerate(self.owners) if owner == number]

    def __getitem__(self, index: int) -> dict[str, Any]:
        """A patch.

        Returns:
            `image` (3, h, w) float32 in whole 255ths, `instances` (h, w) int32 with 0 and 1..K, `labels` (K,) int64,
            `boxes` (K, 4) float32 x0, y0, x1, y1, `areas` (K,) int64 pixels, `ids` (K,) int64 numbers in the scene,
            `scene` index, `window` (y0, y1, x0, x1), `name`.

        Raises:
            FileNotFoundError, ValueError: a file of the store is missing or damaged; names it.
        """
        piece, owner = self._pieces[index], self.owners[index]
        image, instances = (
            self.store.read(piece.name) if self.store else pixels(self._scene(owner), piece.window, piece.ids)
        )
        count = len(piece.ids)
        return {
            "image": torch.from_numpy(np.ascontiguousarray(image)).to(torch.float32).div_(255),
            "instances": torch.from_numpy(instances),
            "labels": torch.from_numpy(piece.labels.copy()),
            "boxes": torch.from_numpy(boxes_of(instances, count)),
            "areas": torch.from_numpy(np.bincount(instances.ravel(), minlength=count + 1)[1:]),
            "ids": torch.from_numpy(piece.ids.copy()),
            "scene": owner,
            "window": tuple(piece.window),
            "name": piece.name,
        }

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the scenes' fingerprint and the arguments, 16 hex digits."""
        arguments = (self.patch, self.overlap, self.keep_empty, self.least_area, self.specks)
        return hashlib.sha256(f"patches {self.scenes.fingerprint} {arguments}".encode()).hexdigest()[:16]
