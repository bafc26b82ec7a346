"""Losses of segmentation from seeds: DSRG's balanced seed loss, and the boundary loss of SEC.

DSRG: Huang et al., CVPR 2018, read against speedinghzl/DSRG at 91efdf7. SEC: Kolesnikov and Lampert, ECCV 2016. Channel
0 is the background.
"""

import torch
from torch import Tensor


def floored_softmax(logits: Tensor, floor: float = 1e-4) -> Tensor:
    """Softmax over classes with a floor: ``floor`` is added to every probability, and they are normalised again.

    Args:
        logits: (B, K, ...).
        floor: keeps logarithms and gradients finite.

    Returns:
        Probabilities (B, K, ...), float32 or higher.
    """
    dtype = torch.promote_types(logits.dtype, torch.float32)
    probabilities = logits.to(dtype).softmax(1) + floor
    return probabilities / probabilities.sum(1, keepdim=True)


def balanced_seed_loss(probabilities: Tensor, seeds: Tensor) -> Tensor:
    """Cross-entropy on the seeds; background and foreground weigh the same in an image, however many seeds they have.

    The foreground classes are not balanced among each other. An image without seeds of one side adds nothing to it.

    Args:
        probabilities: (B, K, H, W), above 0, such as from `floored_softmax`.
        seeds: (B, K, H, W), 1 where a pixel is seed of a class; a pixel may be seed of several. Carries no gradient.

    Returns:
        Scalar: mean over images of the background term plus that of the foreground term.

    Raises:
        ValueError: the shapes differ.
    """
    _check(probabilities, seeds, "seeds")
    seeds = seeds.detach().to(probabilities.dtype)
    likelihood = seeds * probabilities.log()
    loss = 0.0
    for side in (slice(0, 1), slice(1, None)):
        count = seeds[:, side].sum((1, 2, 3)).clamp(min=1e-4)
        loss = loss - (likelihood[:, side].sum((1, 2, 3)) / count).mean()
    return loss


def boundary_loss(probabilities: Tensor, smoothed: Tensor, floor: float = 1e-4) -> Tensor:
    """Divergence of the probabilities from those that a dense CRF makes of them, so that they end where objects do.

    The mean over pixels of sum_c q_c log(q_c / p_c), with the ratio kept in 0.05..20. No gradient flows into q: the
    CRF is a target. (The Caffe code passes an approximate one; see the chapter.)

    Args:
        probabilities: p, (B, K, H, W), above 0, such as from `floored_softmax`.
        smoothed: q before its floor, (B, K, H, W), the CRF's probabilities.
        floor: least value of q, before it is normalised again.

    Returns:
        Scalar.

    Raises:
        ValueError: the shapes differ.
    """
    _check(probabilities, smoothed, "smoothed")
    target = smoothed.detach().to(probabilities.dtype).clamp(min=floor)
    target = target / target.sum(1, keepdim=True)
    return (target * (target / probabilities).clamp(0.05, 20).log()).sum(1).mean()


def _check(probabilities: Tensor, other: Tensor, name: str) -> None:
    if probabilities.dim() != 4 or probabilities.shape != other.shape:
        raise ValueError(
            f"probabilities have shape {tuple(probabilities.shape)} and {name} {tuple(other.shape)}; "
            "expected (B, K, H, W) twice."
        )
