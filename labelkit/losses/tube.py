"""Tube matching: a class over several frames, predicted and true, compared as one volume.

Our reading. The paper's text could not be had; what is public says that its source losses are several and that tubes of
classes are matched, not how. The overlap below (Dice with squares in the denominator) is the usual one for soft masks.
"""

import torch
from torch import Tensor


def tube_matching(logits: Tensor, masks: Tensor, ignore_index: int = 255) -> Tensor:
    """One minus the overlap of predicted and true class tubes, averaged over the tubes that are there.

    The tube of class c in a window is its probability (or its one-hot mask) over all pixels of all frames. Its overlap
    is 2 sum(P G) / (sum P^2 + sum G^2), summed over the labelled pixels of the window, so that a frame in which a class
    is large weighs more than one in which it is small.

    Args:
        logits: class scores of windows of T consecutive frames, (B, T, C, H, W).
        masks: labels (B, T, H, W) int64, 0..C-1 or `ignore_index`.
        ignore_index: label of pixels that do not count.

    Returns:
        Scalar in 0..1: the mean over all (window, class) with at least one labelled pixel; 0 with zero gradient if
        there is none.

    Raises:
        ValueError: the shapes do not fit.
    """
    if logits.dim() != 5 or masks.shape != logits.shape[:2] + logits.shape[3:]:
        raise ValueError(
            f"logits have shape {tuple(logits.shape)} and masks {tuple(masks.shape)}; "
            "expected (B, T, C, H, W) and (B, T, H, W)."
        )
    # float32 even under autocast: the sums run over tens of thousands of pixels.
    probabilities = logits.float().softmax(2) if logits.dtype != torch.float64 else logits.softmax(2)
    valid = (masks != ignore_index)[:, :, None]
    classes = torch.arange(logits.shape[2], device=masks.device)[:, None, None]
    truth = (masks[:, :, None] == classes) & valid  # (B, T, C, H, W)
    volume = (1, 3, 4)
    area = truth.sum(volume)  # (B, C)
    shared = (probabilities * truth).sum(volume)
    squares = (probabilities.square() * valid).sum(volume)
    overlap = 2 * shared / (squares + area).clamp(min=1e-12)
    present = area > 0
    return torch.where(present, 1 - overlap, 0).sum() / present.sum().clamp(min=1)
