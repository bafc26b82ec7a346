"""What a network is worth on clips: frame by frame, tube by tube, and how much it flickers."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from labelkit.experiments.video_data import Clips, VideoData
from labelkit.metrics.confusion import ConfusionMatrix
from labelkit.metrics.panoptic_tubes import VideoPanopticQuality
from labelkit.metrics.protocols import summary
from labelkit.metrics.temporal import TemporalConsistency
from labelkit.models.warping import backward_warp, consistent

Predict = Callable[[Tensor], Tensor]
WINDOWS = (1, 2, 3, 4)
PIXELS = 2**21  # in one forward pass


def scores_of(predict: Predict, frames: Tensor) -> Tensor:
    """Logits (T, C, H, W) of the frames of a clip, as many at a time as memory bears."""
    size = max(1, PIXELS // frames[0, 0].numel())
    return torch.cat([predict(piece) for piece in frames.split(size)])


def predictions(predict: Predict, clips: Clips, device: str) -> Iterator[tuple[dict[str, Any], Tensor]]:
    """Each clip with its predicted classes (T, H, W), both on the CPU."""
    for index in range(len(clips)):
        clip = clips[index]
        yield clip, scores_of(predict, clip["frames"].to(device)).argmax(1).cpu()


def frame_miou(predict: Predict, clips: Clips, device: str) -> float:
    """Mean IoU over all frames."""
    confusion = ConfusionMatrix(len(clips.classes))
    for clip, guess in predictions(predict, clips, device):
        confusion.update(guess, clip["masks"])
    return confusion.miou()


def flicker(predict: Predict, clips: Clips, device: str) -> dict[str, float]:
    """How often the predicted class of a point changes from frame to frame, see ``TemporalConsistency``."""
    temporal = TemporalConsistency()
    for clip, guess in predictions(predict, clips, device):
        back, forth = clip["back"][1:, 0], clip["forth"][1:, 0]
        carried, inside = backward_warp(guess[:-1, None], back, mode="nearest")
        temporal.update(guess[1:], carried[:, 0], inside & consistent(back, forth))
    return temporal.summary()


def evaluate(predict: Predict, data: VideoData, device: str) -> dict[str, Any]:
    """All numbers of a network.

    Args:
        predict: images (B, 3, H, W) to logits, in evaluation mode, without gradient.
        data: whose target is tested.
        device: where to predict.

    Returns:
        On the target's test clips: mIoU, accuracy and IoU by class over all frames; VPQ over windows of 1 to 4
        labelled frames, named by the paper's k of 0, 5, 10 and 15 frames, classes as tubes; ``vpq_drop`` = VPQ at
        k = 0 less VPQ at k = 15, and ``vpq_lost`` the same as a share of VPQ at k = 0. ``flips`` on the dense clips. On
        the source's validation frames ``source_miou``, and ``drop_miou`` = source_miou - miou.
    """
    classes = data.classes
    confusion, tubes = ConfusionMatrix(len(classes)), VideoPanopticQuality(len(classes), WINDOWS)
    for clip, guess in predictions(predict, data.target_test, device):
        confusion.update(guess, clip["masks"])
        tubes.update_semantic(guess, clip["masks"])
    values = summary(confusion, classes) | tubes.summary(classes) | flicker(predict, data.dense, device)
    values["source_miou"] = frame_miou(predict, data.source_val, device)
    values["drop_miou"] = values["source_miou"] - values["miou"]
    start, end = values["vpq_by_k"]["0"], values["vpq_by_k"]["15"]
    if start is not None and end is not None:
        values["vpq_drop"] = start - end
        values["vpq_lost"] = (start - end) / start if start else None
    return values
