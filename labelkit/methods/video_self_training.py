"""Video self-training (VST), the second phase of Shin, Park, Woo and Kweon, arXiv 2107.11052: our reading.

On the target alone. The first phase's network labels every frame from its own prediction and from those of preceding
frames, carried along optical flow; a student that starts from that network learns the labels. What public texts leave
open (how many frames, which threshold, what "online refinement" is) is decided here and named in the chapter.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from labelkit.losses.cross_entropy import cross_entropy
from labelkit.methods.video_flow import carried
from labelkit.pseudo_labels.flow_aggregation import class_thresholds, pool, refine, select, select_share


@dataclass(frozen=True)
class ClipLabels:
    """What the first phase's network says about a clip.

    Attributes:
        labels: (T, H, W) int64, 255 where it is not sure.
        probabilities: what the labels were cut from, (T, C, H, W).
        thresholds: of the clip, (C,).
    """

    labels: Tensor
    probabilities: Tensor
    thresholds: Tensor

    @property
    def kept(self) -> float:
        """Share of the pixels that have a label."""
        return float((self.labels != 255).float().mean())


@torch.no_grad()
def label_clip(
    predict: Callable[[Tensor], Tensor],
    frames: Tensor,
    back: Tensor,
    forth: Tensor,
    *,
    pooled: bool = True,
    check: bool = True,
    consensus: bool = False,
    quantile: float = 0.5,
    cap: float = 0.9,
) -> ClipLabels:
    """Pseudo labels of a clip.

    Args:
        predict: images (T, 3, H, W) to logits (T, C, H, W); in evaluation mode.
        frames: (T, 3, H, W).
        back, forth: flows, (T, M, 2, H, W), see :func:`labelkit.methods.video_flow.carried`.
        pooled: label from several frames (the method). False labels each frame from itself, keeping exactly as
            many pixels of the clip as pooling would, so that the two can be compared.
        check: leave out votes whose flows back and forth disagree.
        consensus: keep only pixels on which all valid votes agree.
        quantile, cap: of the class thresholds.
    """
    own = predict(frames).float().softmax(1)
    found = pool(*carried(own, back, forth, check))
    agreed = found.agreed if consensus else None
    thresholds = class_thresholds(found.probabilities, quantile, cap)
    labels = select(found.probabilities, thresholds, agreed)
    if pooled:
        return ClipLabels(labels, found.probabilities, thresholds)
    share = float((labels != 255).double().mean())
    thresholds = class_thresholds(own, quantile, cap)
    return ClipLabels(select_share(own, thresholds, share), own, thresholds)


class VideoSelfTraining(nn.Module):
    """A student on pseudo labels of target clips; no source data.

    Args:
        network: images (B, 3, H, W) to logits (B, C, H, W), with the first phase's weights.
        refinement: weight of the student's present predictions when labels are renewed inside a step, 0..1. 0 keeps
            the stored labels. More than 0 needs ``probabilities``, ``thresholds``, ``back`` and ``forth`` in a batch.

    Raises:
        ValueError: the weight is outside 0..1.
    """

    def __init__(self, network: nn.Module, refinement: float = 0.0) -> None:
        super().__init__()
        if not 0 <= refinement <= 1:
            raise ValueError(f"refinement is {refinement}; expected a weight from 0 to 1")
        self.network, self.refinement = network, refinement

    def training_step(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """One step on ``frames`` (B, T, 3, H, W) with ``masks`` (B, T, H, W), the pseudo labels.

        Returns:
            loss; kept, the share of pixels with a label; and with refinement changed, the share of pixels that have a
            label before and after and not the same one.
        """
        frames, labels = batch["frames"], batch["masks"]
        logits = self.network(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
        measured = {}
        if self.refinement:
            stored, labels = labels, self.renewed(logits, batch)
            both = (stored != 255) & (labels != 255)
            measured["changed"] = (both & (stored != labels)).float().mean()
        loss = cross_entropy(logits.flatten(0, 1), labels.flatten(0, 1))
        return {"loss": loss, "kept": (labels != 255).float().mean(), **measured}

    @torch.no_grad()
    def renewed(self, logits: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """Labels (B, T, H, W) from the stored predictions and the student's own, pooled over the window by flow.

        Args:
            logits: of the student on the window, (B, T, C, H, W).
            batch: with ``probabilities`` (B, T, C, H, W), ``thresholds`` (B, T, C), ``back`` and ``forth``
                (B, T, M, 2, H, W).
        """
        renewed = []
        for i, own in enumerate(logits.float().softmax(2)):
            online = pool(*carried(own, batch["back"][i], batch["forth"][i])).probabilities
            offline = batch["probabilities"][i].to(online.dtype)
            renewed.append(refine(offline, online, batch["thresholds"][i], self.refinement))
        return torch.stack(renewed)

    def predict(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) -> logits (B, C, H, W)."""
        return self.network(images)
