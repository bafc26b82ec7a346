"""Clips of two domains: what the video chapter trains and tests on.

A source with labels (training, validation) and a target (training without labels, test). There is no validation part
of the target: nothing may be chosen by its truth.
"""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labelkit.datasets.viper_classes import CATEGORIES, categories
from labelkit.experiments.data import Source, find
from labelkit.experiments.settings import Context
from labelkit.files import write_whole
from labelkit.methods.video_flow import chained
from labelkit.provenance import digest

IGNORE = 255
PARTS = ("source_train", "source_val", "target_train", "target_test", "dense")
WITH_FLOW = ("target_train", "dense")  # pseudo labels need it, and so does seeing what flickers
STREET_SEEDS = {"source": 2_107, "target": 11_052}  # unlike each other: a street is never seen in both domains


class Clips:
    """Clips held in memory as bytes, handed out as floats.

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
        self.samples, self.name, self.fingerprint = list(samples), name, fingerprint
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
class VideoData:
    """The parts, and what a record says about them.

    Attributes:
        name: as in the run file.
        source_train, source_val: labelled clips; those of validation may have a single frame each.
        target_train: clips at the video's own rate; their masks only measure, and teach the upper bound.
        target_test: labelled clips in which some time passes from frame to frame.
        dense: clips at the video's own rate, only for flicker.
    """

    name: str
    source_train: Clips
    source_val: Clips
    target_train: Clips
    target_test: Clips
    dense: Clips

    @property
    def classes(self) -> tuple[str, ...]:
        return self.target_test.classes

    @property
    def fingerprint(self) -> str:
        """Of the parts together."""
        return "-".join(getattr(self, part).fingerprint[:8] for part in PARTS)

    def summary(self) -> dict[str, Any]:
        """Name, fingerprint and counts of clips."""
        counts = {part: len(getattr(self, part)) for part in PARTS}
        return {"name": self.name, "fingerprint": self.fingerprint, **counts}


def load(name: str, settings: Any, context: Context) -> VideoData:
    """The clips of a run file's name; kept in memory for the next cell, and on disk for the next process.

    Args:
        name: as in the run file.
        settings: with height, width, images and test_images (clips of a world), frames, reach, flow.
        context: of the run.

    Raises:
        ValueError: the name is unknown, the version has no reader for it, or LABELKIT_DATA is not set.
    """
    return _load(name, _Shape.of(settings), context.shared, context.data_root)


def fingerprint(name: str, settings: Any, context: Context) -> str:
    """Of all parts together; draws one clip of each."""
    return "-".join(maker.fingerprint[:8] for maker in _makers(name, _Shape.of(settings), context.data_root).values())


@dataclass(frozen=True)
class _Shape:
    """What decides the clips, apart from their name."""

    height: int
    width: int
    images: int
    test_images: int
    frames: int
    gap: int
    reach: int
    flow: str

    @classmethod
    def of(cls, settings: Any) -> "_Shape":
        return cls(*(getattr(settings, field) for field in cls.__dataclass_fields__))


@lru_cache(maxsize=2)
def _load(name: str, shape: _Shape, shared: Path, root: Path | None) -> VideoData:
    return VideoData(name, **{part: _held(maker, shared) for part, maker in _makers(name, shape, root).items()})


@lru_cache(maxsize=4)
def _makers(name: str, shape: _Shape, root: Path | None) -> dict[str, "_Maker"]:
    """Part to what makes its clips."""
    source = find(name)
    if source.drawn:
        return _drawn(source, shape)
    if shape.flow == "exact":
        raise ValueError(f"flow is 'exact', which {name!r} does not have; expected auto, dis, raft_small or raft_large")
    parts = source.parts(root, height=shape.height, width=shape.width, frames=shape.frames)
    found = {}
    for part in PARTS:
        key = "clip" if part == "dense" else part
        dataset = parts.get(f"{key}_clips", parts.get(key))
        found[part] = _Maker(part, dataset, dataset.classes, dataset.palette, None, 1, shape)
    return found


def _held(maker: "_Maker", shared: Path) -> Clips:
    """The clips of a part, from the file in which an earlier process left them if there is one."""
    path = shared / f"clips-{maker.name}-{maker.part}-{maker.fingerprint}.pt"
    if not path.exists():
        samples = maker.samples()
        write_whole(path, lambda partial: torch.save(samples, partial))
    samples = torch.load(path, map_location="cpu", weights_only=True)
    return Clips(samples, maker.name, maker.fingerprint, maker.classes, maker.palette)


def _drawn(source: Source, shape: _Shape) -> dict[str, "_Maker"]:
    """Drawn streets: bright simulated ones are the source, weathered ones the target.

    Classes are Cityscapes' seven categories, since many a class has next to no pixel in pictures of this size. Test
    clips have a label every ``gap`` frames, as Cityscapes-VPS has; their first frames are the dense clips.
    """
    if source.variant:
        raise ValueError(f"data {source.name!r} is one domain; expected a name without a variant, which holds both")
    module = importlib.import_module(source.module)

    def clips(domain: str, split: str, length: int, frames: int) -> Any:
        look = {"source": "sim", "target": "real"}[domain]
        size = (shape.height, shape.width, {split: length})
        return module.parts(look, *size, frames=frames, seed=STREET_SEEDS[domain])[split]

    test = clips("target", "test", shape.test_images, shape.gap * (shape.frames - 1) + 1)
    worlds = {
        "source_train": clips("source", "train", shape.images, shape.frames),
        "source_val": clips("source", "val", max(2, shape.test_images // 2), shape.frames),
        "target_train": clips("target", "train", shape.images, shape.frames),
        "target_test": test,
        "dense": test,
    }
    table = categories(test.classes)
    palette = test.palette[[test.classes.index(members[0]) for members in CATEGORIES.values()]]  # of the first member
    return {
        part: _Maker(part, world, tuple(CATEGORIES), palette, table, shape.gap if part == "target_test" else 1, shape)
        for part, world in worlds.items()
    }


@dataclass(frozen=True)
class _Maker:
    """Turns a data set of clips or of stills (clips of one frame) into what :class:`Clips` holds."""

    part: str
    dataset: Any
    classes: Sequence[str]
    palette: np.ndarray
    table: np.ndarray | None
    gap: int
    shape: _Shape

    @property
    def name(self) -> str:
        return self.dataset.name

    @property
    def fingerprint(self) -> str:
        kept = [self.part in WITH_FLOW and [self.shape.flow, self.shape.reach], self.gap, self.shape.frames]
        return digest([self.dataset.fingerprint, list(self.classes), *kept])

    def samples(self) -> list[dict[str, Any]]:
        return [self._sample(self.dataset[index]) for index in range(len(self.dataset))]

    def _sample(self, clip: Mapping[str, Any]) -> dict[str, Any]:
        frames = clip["frames"] if "frames" in clip else clip["image"][None]
        masks = clip["masks"] if "masks" in clip else clip["mask"][None]
        masks = masks if self.table is None else torch.from_numpy(self.table)[masks]
        chosen = slice(None, self.gap * (self.shape.frames - 1) + 1, self.gap)
        sample = {"frames": (frames[chosen] * 255).round().to(torch.uint8), "masks": masks[chosen].to(torch.uint8)}
        if self.part in WITH_FLOW:
            back, forth = chained(*self._flows(clip, frames[chosen]), self.shape.reach)
            sample |= {"back": back.to(torch.float16), "forth": forth.to(torch.float16)}
        return sample | {"name": clip["name"]}

    def _flows(self, clip: Mapping[str, Any], frames: Tensor) -> tuple[Tensor, Tensor]:
        """Exact where it is known and not asked otherwise; else estimated, by DIS if nothing is said."""
        if self.shape.flow in ("auto", "exact") and "flow_back" in clip:
            return clip["flow"][: len(frames) - 1], clip["flow_back"][: len(frames) - 1]
        return estimated(frames, "dis" if self.shape.flow == "auto" else self.shape.flow)


def estimated(frames: Tensor, kind: str) -> tuple[Tensor, Tensor]:
    """Estimated flow between neighbouring frames.

    Args:
        frames: (T, 3, H, W).
        kind: of :func:`labelkit.models.optical_flow.dense_flow`.

    Returns:
        From each frame to the next, and from each frame but the first to the one before; (T - 1, 2, H, W) each.
    """
    from labelkit.models.optical_flow import flow_estimator

    estimate = flow_estimator(kind)
    return estimate(frames[:-1], frames[1:]), estimate(frames[1:], frames[:-1])


class Windows:
    """Augmentation of clips: some consecutive frames, all flipped or none. Flow is flipped with them.

    Args:
        frames: of a window.
    """

    def __init__(self, frames: int) -> None:
        self.frames = frames

    def __call__(self, sample: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any]:
        """``thresholds`` (C,) become one set a frame; a ``name`` stays as it is."""
        first, flip = rng.random(2)
        length = len(sample["frames"])
        start = int(first * (length - self.frames + 1))
        cut = dict(sample)
        for key, value in sample.items():
            if not isinstance(value, Tensor):
                continue
            if key == "thresholds":
                cut[key] = value.expand(self.frames, -1)
                continue
            value = value[start : start + self.frames]
            if flip < 0.5:
                value = value.flip(-1)
                if key in ("back", "forth"):
                    value = value * value.new_tensor([-1.0, 1.0]).view(2, 1, 1)
            cut[key] = value.contiguous()
        return cut
