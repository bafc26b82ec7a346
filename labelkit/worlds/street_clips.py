"""Clips of `streets` for video methods: flow both ways, occlusion both ways, and room to keep what was drawn.

The name in a run file is ``street_clips`` (real) or ``street_clips-sim``.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from labelkit.worlds.streets.clips import flow_between
from labelkit.worlds.streets.dataset import SECONDS_PER_FRAME, StreetClips

KEPT = {"frames": np.uint8, "masks": np.uint8, "instances": np.int16}  # all other arrays are kept as they are


class StreetVideo(StreetClips):
    """`StreetClips` with the flow from each frame back to the one before, along which predictions are carried ahead.

    What the two share is equal, pixel for pixel.

    Args:
        split, length, height, width, domain, seed, frames: as for `StreetClips`.
        keep_mib: memory for clips already drawn; it changes no sample. A clip of 6 frames of 64 x 96 takes 0.7 MiB.

    Raises:
        ValueError: an argument is not what it should be.
    """

    def __init__(
        self,
        split: str = "train",
        length: int = 200,
        height: int = 64,
        width: int = 96,
        domain: str = "real",
        seed: int = 0,
        frames: int = 6,
        keep_mib: int = 256,
    ) -> None:
        super().__init__(split, length, height, width, domain, seed, frames)
        if isinstance(keep_mib, bool) or not isinstance(keep_mib, int) or keep_mib < 0:
            raise ValueError(f"street_clips: keep_mib is {keep_mib!r}, expected an integer of at least 0.")
        self.keep_mib = keep_mib
        self._room = (self.keep_mib << 20) // (height * width * (6 * frames + 18 * (frames - 1)))
        self._kept: dict[int, dict[str, np.ndarray]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": {}}  # a copy for another process starts empty

    def __getitem__(self, index: int) -> dict[str, Any]:
        """A clip.

        Returns:
            `frames` (T, 3, H, W) float32 in 0..1; `masks` and `instances` (T, H, W) int64; `flow` (T-1, 2, H, W)
            float32 pixels (x, y), on the grid of frame t, to frame t+1, and `occluded` (T-1, H, W) bool, what of
            frame t is not seen in t+1; `flow_back` and `occluded_back`, the same shapes, on the grid of frame t+1, to
            frame t; `name`.

        Raises:
            IndexError: the index is outside 0..len-1.
        """
        import torch

        index = self._check(index)
        drawn = self._kept.get(index)
        if drawn is None:
            drawn = self._draw(index)
            if len(self._kept) < self._room:
                self._kept[index] = drawn
        sample: dict[str, Any] = {name: torch.from_numpy(values.copy()) for name, values in drawn.items()}
        sample["frames"] = torch.from_numpy(np.divide(drawn["frames"], np.float32(255), dtype=np.float32))
        sample |= {name: sample[name].long() for name in ("masks", "instances")}
        return sample | {"name": f"{self.split}-{index:06d}"}

    def _draw(self, index: int) -> dict[str, np.ndarray]:
        painter, surfaces = self._painter(index)
        painted = [painter.frame(t * SECONDS_PER_FRAME, index + 101 * t) for t in range(self.frames)]
        steps = list(pairwise(painted))
        there = [flow_between(now, then, surfaces, SECONDS_PER_FRAME) for now, then in steps]
        back = [flow_between(then, now, surfaces, -SECONDS_PER_FRAME) for now, then in steps]
        surface = np.stack([each.surface for each in painted])
        drawn = {
            "frames": np.stack([each.image for each in painted]),
            "masks": surfaces.labels[surface],
            "instances": surfaces.instances[surface],
        }
        for suffix, moves in (("", there), ("_back", back)):
            empty = np.zeros((0, 2, self.height, self.width), np.float32), np.zeros((0, self.height, self.width), bool)
            drawn["flow" + suffix] = np.stack([flow for flow, _ in moves]) if moves else empty[0]
            drawn["occluded" + suffix] = np.stack([hidden for _, hidden in moves]) if moves else empty[1]
        return {name: values.astype(KEPT.get(name, values.dtype)) for name, values in drawn.items()}


def parts(
    variant: str, height: int, width: int, lengths: dict[str, int], frames: int = 6, seed: int = 0
) -> dict[str, StreetVideo]:
    """The clips of a run file's ``street_clips`` or ``street_clips-sim``.

    Clip i of one seed shows the same street in both domains: give source and target two seeds.

    Args:
        variant: domain, "sim" or "real"; empty means "real".
        height, width: pixels.
        lengths: number of clips by part: "train", "val", "test".
        frames: frames a clip.
        seed: of the set.
    """
    return {
        part: StreetVideo(part, length, height, width, variant or "real", seed, frames)
        for part, length in lengths.items()
    }
