"""Adversarial losses: what a discriminator is taught, and what its judgement teaches a generator."""

import torch
import torch.nn.functional as F
from torch import Tensor


def least_squares_generator(scores: Tensor) -> Tensor:
    """Least-squares GAN, the generator's side: mean (D(fake) - 1)^2 (Mao et al., ICCV 2017).

    Args:
        scores: the discriminator's output for generated samples, any shape.

    Returns:
        Scalar; 0 where the discriminator takes every generated sample for real.
    """
    return F.mse_loss(scores, torch.ones_like(scores))


def least_squares_discriminator(real: Tensor, fake: Tensor, valid: Tensor | None = None) -> Tensor:
    """Least-squares GAN, the discriminator's side: half the sum of mean (D(real) - 1)^2 and mean D(fake)^2.

    Args:
        real, fake: the discriminator's output for real and for generated samples, any shapes.
        valid: bool of the shape of ``real``; scores elsewhere do not count. All count if None.

    Returns:
        Scalar; 0 for a perfect discriminator, 0.25 for one that answers 0.5 to everything.
    """
    errors = F.mse_loss(real, torch.ones_like(real), reduction="none")
    return 0.5 * (mean_where(errors, valid) + F.mse_loss(fake, torch.zeros_like(fake)))


@torch.no_grad()
def discriminator_accuracy(real: Tensor, fake: Tensor, valid: Tensor | None = None) -> Tensor:
    """Share of right answers with 0.5 as the border, real and generated samples counting half each; no gradient.

    Args:
        real, fake: the discriminator's output for real and for generated samples, any shapes.
        valid: bool of the shape of ``real``; scores elsewhere do not count. All count if None.

    Returns:
        Scalar in 0..1; 0.5 is guessing.
    """
    return 0.5 * (mean_where((real > 0.5).float(), valid) + (fake <= 0.5).float().mean())


def mean_where(values: Tensor, valid: Tensor | None) -> Tensor:
    """Mean of the values where ``valid`` (bool, broadcast to them); of all if None; 0 where none is valid."""
    if valid is None:
        return values.mean()
    valid = valid.expand_as(values)
    return torch.where(valid, values, 0).sum() / valid.sum().clamp(min=1)
