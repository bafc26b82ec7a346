"""Pseudo labels of video: predictions of several frames, brought to one frame by flow, pooled and thresholded.

Our reading. Public texts say of the paper that it pools the predictions of several preceding frames along pretrained
flow; how many, by which rule and with which threshold they do not say. Here: the mean over the frames whose flow can be
trusted at a pixel, a threshold a class (its median confidence over the clip, at most 0.9), and optionally agreement.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

IGNORE = 255


@dataclass(frozen=True)
class Pooled:
    """Predictions pooled over frames.

    Attributes:
        probabilities: mean over the valid votes, (T, C, H, W).
        votes: how many votes entered, (T, H, W) int64, at least 1.
        agreed: whether all valid votes have the same most likely class, (T, H, W) bool.
    """

    probabilities: Tensor
    votes: Tensor
    agreed: Tensor


def pool(votes: Tensor, valid: Tensor) -> Pooled:
    """Mean over the valid votes; what is not valid is left out, never counted as zero.

    Args:
        votes: K predictions of the same T frames, (K, T, C, H, W); the first is the frame's own, the others were
            carried there from other frames.
        valid: (K, T, H, W) bool; all of ``valid[0]`` must be True.

    Raises:
        ValueError: the shapes do not fit, or a pixel has no vote of its own.
    """
    if votes.dim() != 5 or valid.shape != votes.shape[:2] + votes.shape[3:]:
        raise ValueError(
            f"votes have shape {tuple(votes.shape)} and valid {tuple(valid.shape)}; "
            "expected (K, T, C, H, W) and (K, T, H, W)"
        )
    if not bool(valid[0].all()):
        raise ValueError("a pixel lacks the vote of its own frame; expected the first vote to be valid everywhere")
    weight = valid[:, :, None]
    count = valid.sum(0)
    # where, not multiplication: a flow that leaves the image may carry nan, and 0 * nan is nan.
    mean = torch.where(weight, votes, 0).sum(0) / count[:, None]
    best = votes.argmax(2)  # (K, T, H, W)
    agreed = ((best == best[:1]) | ~valid).all(0)
    return Pooled(mean, count, agreed)


def class_thresholds(probabilities: Tensor, quantile: float = 0.5, cap: float = 0.9) -> Tensor:
    """The confidence from which a pixel is kept, for each class: a quantile over the clip, but at most ``cap``.

    Args:
        probabilities: of one clip, (T, C, H, W).
        quantile: 0.5 is the median over the pixels whose most likely class it is.
        cap: so that a class that is nearly always sure does not lose half of its pixels.

    Returns:
        (C,); ``cap`` for a class that is nowhere the most likely one.
    """
    confidence, label = probabilities.max(1)
    thresholds = probabilities.new_full((probabilities.shape[1],), cap)
    for index in label.unique().tolist():
        thresholds[index] = confidence[label == index].quantile(quantile).clamp(max=cap)
    return thresholds


def select(probabilities: Tensor, thresholds: Tensor, agreed: Tensor | None = None) -> Tensor:
    """Hard labels where the confidence reaches the threshold of its class, `IGNORE` elsewhere.

    Args:
        probabilities: (T, C, H, W).
        thresholds: (C,).
        agreed: (T, H, W) bool; where False nothing is kept. None asks for no agreement.

    Returns:
        (T, H, W) int64.
    """
    confidence, label = probabilities.max(1)
    kept = confidence >= thresholds[label]
    if agreed is not None:
        kept &= agreed
    return label.masked_fill(~kept, IGNORE)


def select_share(probabilities: Tensor, thresholds: Tensor, share: float, agreed: Tensor | None = None) -> Tensor:
    """Hard labels of exactly a share of the pixels: those furthest above the threshold of their class.

    Two ways to make labels can only be compared where they keep equally much; a rule that keeps less is right more
    often. Pixels are ranked by confidence divided by threshold, so that `select` keeps those of ratio 1 and more.

    Args:
        probabilities: (T, C, H, W).
        thresholds: (C,).
        share: of all pixels, 0..1.
        agreed: pixels without agreement come last; None asks for none.

    Returns:
        (T, H, W) int64 with round(share * pixels) labels, `IGNORE` elsewhere. Ties fall to the earlier pixel.

    Raises:
        ValueError: the share is outside 0..1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share is {share}; expected a number from 0 to 1")
    confidence, label = probabilities.max(1)
    ratio = confidence / thresholds[label].clamp(min=1e-12)
    if agreed is not None:
        ratio = torch.where(agreed, ratio, ratio - ratio.max() - 1)
    order = ratio.flatten().argsort(descending=True, stable=True)
    kept = torch.zeros(ratio.numel(), dtype=torch.bool, device=ratio.device)
    kept[order[: round(share * ratio.numel())]] = True
    return label.masked_fill(~kept.view_as(label), IGNORE)


def refine(offline: Tensor, online: Tensor, thresholds: Tensor, weight: float = 0.5) -> Tensor:
    """Labels renewed during training: the stored prediction and the student's present one, mixed and thresholded anew.

    Args:
        offline: what the first phase's network predicted, pooled, (T, C, H, W).
        online: what the student predicts now, pooled; no gradient flows through it.
        thresholds: (C,) or one set a frame, (T, C); of the offline prediction.
        weight: of the student, 0..1; 0 gives the stored labels.

    Returns:
        (T, H, W) int64, `IGNORE` where the mixture is not sure.
    """
    mixed = (1 - weight) * offline + weight * online.detach()
    confidence, label = mixed.max(1)
    if thresholds.dim() == 1:
        thresholds = thresholds.expand(len(label), -1)
    needed = thresholds.gather(1, label.flatten(1)).view_as(confidence)
    return label.masked_fill(confidence < needed, IGNORE)
