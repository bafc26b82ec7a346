"""Predicting by which multiple of 90 degrees an image was turned (Gidaris et al., ICLR 2018), as S4L uses it."""

import torch
import torch.nn.functional as F
from torch import Tensor

TURNS = 4


def four_rotations(images: Tensor) -> Tensor:
    """Each image as it is, and turned counter-clockwise by 90, 180 and 270 degrees; exact, nothing is resampled.

    Args:
        images: (B, C, H, W) with H equal to W.

    Returns:
        (4 B, C, H, W): the four rotations of the first image, then those of the second, and so on.

    Raises:
        ValueError: the images are not square.
    """
    if images.dim() != 4 or images.shape[-1] != images.shape[-2]:
        raise ValueError(
            f"images have shape {tuple(images.shape)}; expected square ones (B, C, H, H), which stay so when turned"
        )
    turned = torch.stack([torch.rot90(images, turn, (2, 3)) for turn in range(TURNS)], dim=1)
    return turned.flatten(0, 1)


def repeat_labels(labels: Tensor, times: int = TURNS) -> Tensor:
    """Class of every rotation or copy: (B,) -> (times * B,), in the order of :func:`four_rotations`."""
    return labels.repeat_interleave(times)


def rotation_cross_entropy(logits: Tensor) -> Tensor:
    """Mean cross-entropy of guessing the turn, for images in the order of :func:`four_rotations`.

    Args:
        logits: scores of the four turns, (4 B, 4).

    Returns:
        Scalar.

    Raises:
        ValueError: the shape is not (4 B, 4).
    """
    if logits.dim() != 2 or logits.shape[1] != TURNS or len(logits) % TURNS:
        raise ValueError(f"rotation logits have shape {tuple(logits.shape)}; expected (4 B, 4)")
    turns = torch.arange(TURNS, device=logits.device).repeat(len(logits) // TURNS)
    return F.cross_entropy(logits.float() if logits.dtype != torch.float64 else logits, turns)


def rotation_loss(*parts: Tensor) -> Tensor:
    """Mean over parts (unlabelled, labelled) of the mean cross-entropy within each [s4l, code].

    A mean of means, not one mean over the union: with batches of different size the two differ.

    Args:
        parts: logits (4 B_i, 4) each.

    Returns:
        Scalar.
    """
    return torch.stack([rotation_cross_entropy(logits) for logits in parts]).mean()
