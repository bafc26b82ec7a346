"""`Streets` and `StreetClips`: the world as data sets."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any

import numpy as np

from labelkit.worlds.draw import Draw
from labelkit.worlds.streets.classes import CLASSES, PALETTE
from labelkit.worlds.streets.clips import flow_between
from labelkit.worlds.streets.domains import DOMAINS, look_of
from labelkit.worlds.streets.furniture import furnish
from labelkit.worlds.streets.paint import Painter, Surfaces, surfaces_of
from labelkit.worlds.streets.scene import lay_out
from labelkit.worlds.streets.traffic import add_traffic

WORLD_VERSION = 1  # raise it when any pixel changes
SPLITS = {"train": 0, "val": 1, "test": 2}
SECONDS_PER_FRAME = 1 / 16


def _require_integer(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"streets: {name} is {value!r}, expected an integer of at least {least}.")
    return int(value)


class _World:
    """What stills and clips share."""

    classes = CLASSES
    palette = PALETTE
    ignore_index = 255
    licence = "Drawn by labelkit from a seed; free of any rights."

    def __init__(self, split: str, length: int, height: int, width: int, domain: str, seed: int) -> None:
        if split not in SPLITS:
            raise ValueError(f"streets: split is {split!r}, expected one of {', '.join(SPLITS)}.")
        if domain not in DOMAINS:
            raise ValueError(f"streets: domain is {domain!r}, expected one of {', '.join(DOMAINS)}.")
        self.split, self.domain = split, domain
        self.length = _require_integer("length", length, 1)
        self.height = _require_integer("height", height, 16)
        self.width = _require_integer("width", width, 16)
        self.seed = _require_integer("seed", seed, 0)

    def __len__(self) -> int:
        return self.length

    def _painter(self, index: int) -> tuple[Painter, Surfaces]:
        """Lay out scene `index`; the same in both domains, which then differ in look only."""
        stream = (self.seed, SPLITS[self.split], index)
        draw = Draw(*stream)
        scene = lay_out(draw)
        furnish(draw, scene)
        add_traffic(draw, scene)
        scene.things.sort(key=lambda thing: -thing.z)  # painted from far to near
        look = look_of(Draw(*stream, 1 + DOMAINS.index(self.domain)), self.domain, scene)
        return Painter(scene, look, self.height, self.width), surfaces_of(scene)

    def _check(self, index: int) -> int:
        if not 0 <= index < self.length:
            raise IndexError(f"streets: index {index} is outside 0..{self.length - 1}.")
        return int(index)

    def _arguments(self) -> dict[str, Any]:
        return {
            "kind": type(self).__name__,
            "split": self.split,
            "length": self.length,
            "height": self.height,
            "width": self.width,
            "domain": self.domain,
            "seed": self.seed,
        }

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the world's version, all arguments and the first sample, 16 hex digits."""
        digest = hashlib.sha256(f"streets {WORLD_VERSION} {sorted(self._arguments().items())}".encode())
        for key, value in sorted(self[0].items()):
            if not isinstance(value, str):
                digest.update(key.encode())
                digest.update(value.contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]


class Streets(_World):
    """Street scenes with exact masks.

    Scene i depends on (seed, split, i) only; its look also on the domain. So `sim` and `real` of one seed show the same
    streets with the same masks: use two seeds where the domains must not be paired. Splits are disjoint random
    streams. Every number that decides a pixel is made of integers, PCG64 uniforms and single IEEE operations, so a
    sample is the same on every machine.

    Args:
        split: "train", "val" or "test".
        length: number of scenes.
        height, width: pixels.
        domain: "real" (weathered, noisy, in all weathers) or "sim" (clean and bright).
        seed: of the whole set.
        keep_mib: memory for scenes already drawn, so that later epochs need not draw them again; it changes no sample.
            A scene of 96x128 takes 72 KiB.

    Raises:
        ValueError: an argument is not what it should be.
    """

    def __init__(
        self,
        split: str = "train",
        length: int = 1000,
        height: int = 96,
        width: int = 128,
        domain: str = "real",
        seed: int = 0,
        keep_mib: int = 128,
    ) -> None:
        super().__init__(split, length, height, width, domain, seed)
        self.name = f"streets-{domain}"
        self.keep_mib = _require_integer("keep_mib", keep_mib, 0)
        self._room = (self.keep_mib << 20) // (6 * height * width)
        self._kept: dict[int, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": {}}  # a copy for another process starts empty

    def _drawn(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Image (3, H, W) uint8, mask (H, W) uint8 and instances (H, W) int16 of a scene, kept if there is room."""
        if index in self._kept:
            return self._kept[index]
        painter, surfaces = self._painter(index)
        frame = painter.frame(0.0, index)
        surface = frame.surface.astype(np.intp)
        drawn = (frame.image, surfaces.labels.astype(np.uint8)[surface], surfaces.instances.astype(np.int16)[surface])
        if len(self._kept) < self._room:
            self._kept[index] = drawn
        return drawn

    def __getitem__(self, index: int) -> dict[str, Any]:
        """A sample: `image` (3, H, W) float32 in 0..1, `mask` and `instances` (H, W) int64, `name`.

        Raises:
            IndexError: the index is outside 0..len-1.
        """
        import torch

        index = self._check(index)
        image, mask, instances = self._drawn(index)
        return {
            "image": torch.from_numpy(np.divide(image, np.float32(255), dtype=np.float32)),
            "mask": torch.from_numpy(mask.astype(np.int64)),
            "instances": torch.from_numpy(instances.astype(np.int64)),
            "name": f"{self.split}-{index:06d}",
        }


class StreetClips(_World):
    """Clips of the same scenes: the camera drives ahead while cars, people and bicycles move.

    The first frame of clip i is still i of `Streets` with the same arguments. Flow is exact: it comes from the depth
    and motion of what each pixel shows. Cars, people and plants are flat, rigid pictures that face the camera.

    Args:
        split, length, height, width, domain, seed: as for `Streets`.
        frames: frames per clip, 1/16 s apart.

    Raises:
        ValueError: an argument is not what it should be.
    """

    def __init__(
        self,
        split: str = "train",
        length: int = 200,
        height: int = 96,
        width: int = 128,
        domain: str = "real",
        seed: int = 0,
        frames: int = 6,
    ) -> None:
        super().__init__(split, length, height, width, domain, seed)
        self.frames = _require_integer("frames", frames, 1)
        self.name = f"street-clips-{domain}"

    def _arguments(self) -> dict[str, Any]:
        return {**super()._arguments(), "frames": self.frames}

    def __getitem__(self, index: int) -> dict[str, Any]:
        """A clip.

        Returns:
            `frames` (T, 3, H, W) float32 in 0..1, `masks` and `instances` (T, H, W) int64, `flow` (T-1, 2, H, W)
            float32 pixels (x, y) from frame t to t+1, `occluded` (T-1, H, W) bool, `name`.

        Raises:
            IndexError: the index is outside 0..len-1.
        """
        import torch

        index = self._check(index)
        painter, surfaces = self._painter(index)
        frames = [painter.frame(t * SECONDS_PER_FRAME, index + 101 * t) for t in range(self.frames)]
        flow = np.zeros((self.frames - 1, 2, self.height, self.width), np.float32)
        occluded = np.zeros((self.frames - 1, self.height, self.width), bool)
        for t in range(self.frames - 1):
            flow[t], occluded[t] = flow_between(frames[t], frames[t + 1], surfaces, SECONDS_PER_FRAME)
        images = np.stack([frame.image for frame in frames])
        surface = np.stack([frame.surface for frame in frames])
        return {
            "frames": torch.from_numpy(np.divide(images, np.float32(255), dtype=np.float32)),
            "masks": torch.from_numpy(surfaces.labels[surface]),
            "instances": torch.from_numpy(surfaces.instances[surface]),
            "flow": torch.from_numpy(flow),
            "occluded": torch.from_numpy(occluded),
            "name": f"{self.split}-{index:06d}",
        }


def parts(variant: str, height: int, width: int, lengths: dict[str, int]) -> dict[str, Streets]:
    """The stills of a run file's ``streets`` or ``streets-sim``, nothing kept in memory.

    Args:
        variant: domain; empty means "real".
        height, width: pixels.
        lengths: number of images by part: "train", "val", "test".
    """
    return {
        part: Streets(part, length, height, width, domain=variant or "real", keep_mib=0)
        for part, length in lengths.items()
    }
