"""Cross pseudo supervision (Chen, Yuan, Zeng, Wang; CVPR 2021) and the alternatives that its ablation compares."""

import torch
import torch.nn.functional as F
from torch import Tensor


def _check_pair(logits_a: Tensor, logits_b: Tensor) -> None:
    if logits_a.dim() != 4 or logits_a.shape != logits_b.shape:
        raise ValueError(
            f"logits_a have shape {tuple(logits_a.shape)} and logits_b {tuple(logits_b.shape)}; "
            "expected the same shape (B, C, H, W)."
        )


def hard_labels(logits: Tensor) -> Tensor:
    """Pseudo labels: the class with the largest score. (B, C, H, W) -> (B, H, W) int64; carries no gradient."""
    return logits.detach().max(dim=1).indices  # the same as argmax, five times as fast on a CPU


def cross_pseudo_supervision(logits_a: Tensor, logits_b: Tensor) -> Tensor:
    """Each network learns from the other's hard labels [cps, eq. 3].

    All pixels count: there is no confidence threshold and nothing is ignored. For labelled and unlabelled images
    together, concatenate on the batch axis first: the loss is one mean over both, not the sum of two means.

    Args:
        logits_a, logits_b: class scores of the two networks for the same images, (B, C, H, W).

    Returns:
        Scalar: the mean cross-entropy over all pixels, both directions added. No gradient flows through a label.

    Raises:
        ValueError: the shapes differ.
    """
    _check_pair(logits_a, logits_b)
    return F.cross_entropy(logits_a, hard_labels(logits_b)) + F.cross_entropy(logits_b, hard_labels(logits_a))


def cross_pseudo_supervision_mixed(student_a: Tensor, student_b: Tensor, labels_a: Tensor, labels_b: Tensor) -> Tensor:
    """The CutMix form: labels come from other forward passes (the teachers' scores, mixed by the same mask).

    Args:
        student_a, student_b: class scores on the mixed images, (B, C, H, W).
        labels_a, labels_b: pseudo labels (B, H, W) int64 of network a and network b; a's students learn from b's.

    Returns:
        Scalar: the mean cross-entropy over all pixels, both directions added.

    Raises:
        ValueError: the shapes differ.
    """
    _check_pair(student_a, student_b)
    for name, labels in (("labels_a", labels_a), ("labels_b", labels_b)):
        if labels.shape != student_a.shape[:1] + student_a.shape[2:]:
            raise ValueError(
                f"{name} have shape {tuple(labels.shape)}; expected (B, H, W) of {tuple(student_a.shape)}."
            )
    return F.cross_entropy(student_a, labels_b) + F.cross_entropy(student_b, labels_a)


def cross_probability_consistency(logits_a: Tensor, logits_b: Tensor) -> Tensor:
    """Soft alternative: each network approaches the other's probabilities (mean squared error, both directions added).

    The target side is detached, as in the hard form. The mean runs over batch, classes and pixels.

    Args:
        logits_a, logits_b: class scores of the two networks for the same images, (B, C, H, W).

    Returns:
        Scalar.

    Raises:
        ValueError: the shapes differ.
    """
    _check_pair(logits_a, logits_b)
    probability_a, probability_b = F.softmax(logits_a, dim=1), F.softmax(logits_b, dim=1)
    return F.mse_loss(probability_a, probability_b.detach()) + F.mse_loss(probability_b, probability_a.detach())


def self_pseudo_supervision(logits: Tensor) -> Tensor:
    """Single-network alternative: a network learns from its own hard labels; mean cross-entropy over all pixels.

    Args:
        logits: class scores (B, C, H, W).

    Returns:
        Scalar.
    """
    return F.cross_entropy(logits, hard_labels(logits))


def agreement(logits_a: Tensor, logits_b: Tensor) -> Tensor:
    """Share of pixels on which two networks name the same class: (B, C, H, W) twice -> scalar in 0..1, no gradient."""
    _check_pair(logits_a, logits_b)
    return (hard_labels(logits_a) == hard_labels(logits_b)).to(torch.float32).mean()
