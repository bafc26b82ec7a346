"""Batches of the video chapter: some consecutive frames of each clip, and of the target nothing but frames."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from labelkit.datasets.streams import Joined, Stream
from labelkit.experiments.settings import Context
from labelkit.experiments.video_data import VideoData
from labelkit.experiments.video_settings import Arm, Settings


def batches(arm: Arm, data: VideoData, settings: Settings, seed: int, context: Context) -> Joined:
    """Batches of the first phase: ``source`` with labels, ``target`` with frames alone."""
    labelled = data.source_train if arm.labels == "source" else data.target_train
    streams = {"source": stream(labelled, settings, 3 * seed, context, ("frames", "masks"))}
    if arm.image or arm.sequence or arm.statistics:
        streams["target"] = stream(data.target_train, settings, 3 * seed + 1, context, ("frames",))
    return Joined(**streams)


def stream(clips: Any, settings: Settings, seed: int, context: Context, keys: tuple[str, ...]) -> Stream:
    """Windows of clips, batch by batch.

    Args:
        clips: give samples by index.
        settings: with batch_size and window.
        seed: of order, window and flip.
        context: of the run.
        keys: what of a sample enters a batch.
    """
    cut = Windows(settings.window)

    def augment(sample, rng):
        return cut({key: sample[key] for key in keys}, rng)

    return Stream(clips, range(len(clips)), settings.batch_size, augment, seed=seed, **context.place)


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
