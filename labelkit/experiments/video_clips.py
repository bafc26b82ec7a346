"""Clips of the video chapter: frames, masks, and flow over several frames, from any data set of films or stills."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labelkit.methods.video_flow import chained
from labelkit.provenance import digest

IGNORE = 255
WITH_FLOW = ("target_train", "dense")  # pseudo labels need it, and so does seeing what flickers


class Clips:
    """Clips kept as bytes, handed out as floats.

    Args:
        samples: each with frames (T, 3, H, W) uint8, masks (T, H, W) uint8, and where flow is known back and
            forth (T, M, 2, H, W) float16, see :func:`labelkit.methods.video_flow.carried`.
        name, fingerprint, classes, palette: of the data.
    """

    ignore_index = IGNORE

    def __init__(
        self,
        samples: Sequence[Mapping[str, Any]],
        name: str,
        fingerprint: str,
        classes: Sequence[str],
        palette: np.ndarray,
    ) -> None:
        self.samples, self.name, self.fingerprint = samples, name, fingerprint
        self.classes, self.palette = tuple(classes), palette

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> dict[str, Any]:
        sample = dict(self.samples[index])
        sample["frames"] = sample["frames"].float().div_(255)
        sample["masks"] = sample["masks"].long()
        for key in ("back", "forth"):
            if key in sample:
                sample[key] = sample[key].float()
        return sample


@dataclass(frozen=True)
class Maker:
    """Turns a data set of clips or of stills (clips of one frame) into what :class:`Clips` keeps.

    Attributes:
        part: of :class:`labelkit.experiments.video_data.VideoData`.
        dataset: of clips (frames, masks, and flow and flow_back where a world knows them) or of stills (image, mask).
        classes, palette: as delivered.
        table: label of the data set -> label as delivered, or None.
        gap: 1 takes every frame, 2 every other one, and so on.
        frames: of a clip.
        reach: M, over how many frames flow is wanted.
        flow: kind; "auto" or "exact" take the data set's own where there is one.
    """

    part: str
    dataset: Any
    classes: Sequence[str]
    palette: np.ndarray
    table: np.ndarray | None
    gap: int
    frames: int
    reach: int
    flow: str

    @property
    def name(self) -> str:
        return self.dataset.name

    @property
    def with_flow(self) -> bool:
        return self.part in WITH_FLOW

    @property
    def fingerprint(self) -> str:
        kept = [self.with_flow and [self.flow, self.reach], self.gap, self.frames]
        return digest([self.dataset.fingerprint, list(self.classes), *kept])

    def __len__(self) -> int:
        return len(self.dataset)

    def size(self) -> int:
        """Bytes that all clips take, as large as the first one each."""
        pixels = self.pictures(self.dataset[0])["masks"].numel()
        return len(self) * pixels * (4 + (8 * self.reach if self.with_flow else 0))

    def pictures(self, clip: Mapping[str, Any]) -> dict[str, Any]:
        """Frames, masks and name of a clip."""
        frames = clip["frames"] if "frames" in clip else clip["image"][None]
        masks = clip["masks"] if "masks" in clip else clip["mask"][None]
        masks = masks if self.table is None else torch.from_numpy(self.table)[masks]
        sample = {"frames": (frames[self._chosen] * 255).round().to(torch.uint8)}
        return sample | {"masks": masks[self._chosen].to(torch.uint8), "name": clip["name"]}

    def flows(self, clip: Mapping[str, Any], device: str) -> dict[str, Tensor]:
        """Flow of a clip: exact where it is known and not asked otherwise; else estimated, by DIS if nothing is said.

        Args:
            clip: of the data set.
            device: where a network estimates it.
        """
        frames = (clip["frames"] if "frames" in clip else clip["image"][None])[self._chosen]
        if self.flow in ("auto", "exact") and "flow_back" in clip:
            neighbours = clip["flow"][: len(frames) - 1], clip["flow_back"][: len(frames) - 1]
        else:
            neighbours = estimated(frames, "dis" if self.flow == "auto" else self.flow, device)
        back, forth = chained(*neighbours, self.reach)
        return {"back": back.to(torch.float16), "forth": forth.to(torch.float16)}

    @property
    def _chosen(self) -> slice:
        return slice(None, self.gap * (self.frames - 1) + 1, self.gap)


def estimated(frames: Tensor, kind: str, device: str = "cpu") -> tuple[Tensor, Tensor]:
    """Estimated flow between neighbouring frames.

    Args:
        frames: (T, 3, H, W).
        kind: of :func:`labelkit.models.optical_flow.dense_flow`.
        device: where RAFT runs.

    Returns:
        From each frame to the next, and from each frame but the first to the one before; (T - 1, 2, H, W) each.
    """
    estimate = _estimator(kind, device)
    return estimate(frames[:-1], frames[1:]), estimate(frames[1:], frames[:-1])


@lru_cache(maxsize=1)
def _estimator(kind: str, device: str) -> Any:
    from labelkit.models.optical_flow import flow_estimator

    return flow_estimator(kind, device=device)
