"""Losses on points of which only some are labelled, and on two readings of the same points."""

import torch.nn.functional as F
from torch import Tensor


def labelled_cross_entropy(logits: Tensor, label: Tensor, labelled: Tensor, ignore_index: int = 255) -> Tensor:
    """Cross-entropy of the labelled points alone, sum(mask * CE) / sum(mask), as Xu and Lee (CVPR 2020).

    Args:
        logits: (N, C).
        label: (N,) int64; what unlabelled points hold is never read.
        labelled: (N,) bool.
        ignore_index: label that counts as unlabelled.

    Returns:
        Scalar; 0, with a gradient of zeros, if no point is labelled.

    Raises:
        ValueError: the three do not have one length.
    """
    if not len(logits) == len(label) == len(labelled):
        raise ValueError(
            f"{len(logits)} rows of logits, {len(label)} labels and {len(labelled)} marks; expected as many of each"
        )
    counted = labelled & (label != ignore_index)
    target = label.masked_fill(~counted, ignore_index)
    total = F.cross_entropy(logits.float(), target, ignore_index=ignore_index, reduction="sum")
    return total / counted.sum().clamp(min=1)


def squared_difference(first: Tensor, second: Tensor, of: str = "probabilities", entries: str = "mean") -> Tensor:
    """How far two readings of the same points are apart: the squared Frobenius norm over the number of entries.

    Args:
        first, second: logits (N, C).
        of: compare "probabilities" or "logits".
        entries: "mean" over points and classes, or "sum" over classes with the mean over points.

    Returns:
        Scalar; gradients flow to both sides.

    Raises:
        ValueError: an option is none of those named, or the shapes differ.
    """
    if of not in ("probabilities", "logits") or entries not in ("mean", "sum"):
        raise ValueError(
            f"of is {of!r} and entries {entries!r}; expected 'probabilities' or 'logits', and 'mean' or 'sum'"
        )
    if first.shape != second.shape:
        raise ValueError(f"the readings have shapes {tuple(first.shape)} and {tuple(second.shape)}; expected one shape")
    first, second = first.float(), second.float()
    if of == "probabilities":
        first, second = first.softmax(1), second.softmax(1)
    squares = (first - second).square()
    return squares.mean() if entries == "mean" else squares.sum(1).mean()
