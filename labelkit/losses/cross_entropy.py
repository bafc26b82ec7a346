"""Pixel cross-entropy with ignored pixels, and its variant on hard pixels (OHEM)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from labelkit.losses.checks import check_logits_and_target


def cross_entropy(logits: Tensor, target: Tensor, weight: Tensor | None = None, ignore_index: int = 255) -> Tensor:
    """Mean cross-entropy over the pixels that have a label.

    Args:
        logits: class scores (B, C, H, W).
        target: labels (B, H, W) int64, 0..C-1 or `ignore_index`.
        weight: class weights (C,); the mean is then the weighted mean, as in PyTorch.
        ignore_index: label of pixels that do not count.

    Returns:
        Scalar. If every pixel is ignored: 0, with zero gradient (PyTorch's mean would be NaN).

    Raises:
        ValueError: the shapes do not fit.
    """
    check_logits_and_target(logits, target)
    if weight is None:
        total = F.cross_entropy(logits, target, ignore_index=ignore_index, reduction="sum")
        return total / (target != ignore_index).sum().clamp(min=1)
    total = F.cross_entropy(logits, target, weight, ignore_index=ignore_index, reduction="sum")
    valid = target != ignore_index
    counts = weight[target.masked_fill(~valid, 0)] * valid
    denominator = counts.sum()
    return total / torch.where(denominator > 0, denominator, torch.ones_like(denominator))


def ohem_cross_entropy(
    logits: Tensor, target: Tensor, threshold: float = 0.7, min_kept: int = 50_000, ignore_index: int = 255
) -> Tensor:
    """Cross-entropy over hard pixels only (online hard example mining, as in the CPS authors' code).

    A pixel is kept if the probability of its true class is at most max(`threshold`, the `min_kept`-th smallest such
    probability). With fewer than `min_kept` labelled pixels, or with `min_kept` 0, nothing is mined: all are kept.

    Args:
        logits: class scores (B, C, H, W).
        target: labels (B, H, W) int64, 0..C-1 or `ignore_index`.
        threshold: probability of the true class above which a pixel counts as easy.
        min_kept: at least so many pixels are kept.
        ignore_index: label of pixels that do not count.

    Returns:
        Scalar, the mean over the kept pixels; 0 with zero gradient if every pixel is ignored.

    Raises:
        ValueError: the shapes do not fit.
    """
    check_logits_and_target(logits, target)
    valid = target != ignore_index
    num_valid = int(valid.sum())
    if min_kept <= 0 or num_valid == 0 or min_kept > num_valid:
        return cross_entropy(logits, target, ignore_index=ignore_index)
    with torch.no_grad():
        labels = target.masked_fill(~valid, 0)
        true_class = F.softmax(logits, dim=1).gather(1, labels[:, None])[:, 0]
        kth = torch.kthvalue(true_class[valid], min_kept).values
        kept = valid & (true_class <= kth.clamp(min=threshold))
    return cross_entropy(logits, target.masked_fill(~kept, ignore_index), ignore_index=ignore_index)


def with_auxiliary(main: Tensor, auxiliary: Tensor, weight: float = 0.4) -> Tensor:
    """Main loss plus weighted auxiliary loss: OCR adds 0.4 of the coarse classifier's cross-entropy. Scalars."""
    return main + weight * auxiliary
