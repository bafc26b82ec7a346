"""Clips of two domains: what the video chapter trains and tests on.

A source with labels (training, validation) and a target (training without labels, test). There is no validation part
of the target: nothing may be chosen by its truth.
"""

import importlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from labelkit.datasets.viper_classes import CATEGORIES, categories
from labelkit.experiments.data import Source, find
from labelkit.experiments.settings import Context
from labelkit.experiments.video_clips import Clips, Maker
from labelkit.experiments.video_storage import Read, clips_of

PARTS = ("source_train", "source_val", "target_train", "target_test", "dense")
STREET_SEEDS = {"source": 2_107, "target": 11_052}  # unlike each other: a street is never seen in both domains


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
    """The clips of a run file's name.

    A part that fits into ``memory`` stays there for the next cell, and on disk for the next process. Of a larger part
    each clip is read when it is asked for.

    Args:
        name: as in the run file.
        settings: with height, width, images and test_images (clips of a world), frames, gap, reach, flow, memory.
        context: of the run.

    Raises:
        ValueError: the name is unknown, the version has no reader for it, or LABELKIT_DATA is not set.
    """
    return _load(name, _Shape.of(settings), context.shared, context.data_root, settings.memory, context.device)


def prepare(name: str, settings: Any, context: Context) -> None:
    """Make all that :func:`load` leaves on disk, the flow of every clip among it; arguments as there."""
    found = load(name, settings, context)
    for part in PARTS:
        samples = getattr(found, part).samples
        if isinstance(samples, Read):
            samples.prepare()


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

    @property
    def of_clips(self) -> dict[str, Any]:
        return {"frames": self.frames, "reach": self.reach, "flow": self.flow}


@lru_cache(maxsize=2)
def _load(name: str, shape: _Shape, shared: Path, root: Path | None, memory: int, device: str) -> VideoData:
    makers = _makers(name, shape, root)
    return VideoData(name, **{part: clips_of(maker, shared, memory, device) for part, maker in makers.items()})


@lru_cache(maxsize=4)
def _makers(name: str, shape: _Shape, root: Path | None) -> dict[str, Maker]:
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
        found[part] = Maker(part, dataset, dataset.classes, dataset.palette, None, 1, **shape.of_clips)
    return found


def _drawn(source: Source, shape: _Shape) -> dict[str, Maker]:
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
    gaps = {"target_test": shape.gap}
    return {
        part: Maker(part, world, tuple(CATEGORIES), palette, table, gaps.get(part, 1), **shape.of_clips)
        for part, world in worlds.items()
    }
