"""Unary energies of a dense CRF from probabilities: the lower the energy of a label, the likelier it is."""

import torch
from torch import Tensor


def negative_log(probabilities: Tensor, floor: float = 1e-5) -> Tensor:
    """-log p, the usual unary; probabilities (B, C, H, W) below ``floor`` count as ``floor``."""
    return -probabilities.clamp(min=floor).log()


def negative_probability(probabilities: Tensor) -> Tensor:
    """-p, the unary that the released code of DSRG uses during training, where -log p would be expected."""
    return -probabilities


def saliency_energy(saliency: Tensor) -> Tensor:
    """AuxSegNet's unary of a saliency map: -log(p_k + 1e-8) / (1.05 sigmoid(p_k)) for the two labels k.

    Args:
        saliency: (B, 1, H, W), probability of an object.

    Returns:
        (B, 2, H, W): energy of background, energy of object.
    """
    if saliency.dim() != 4 or saliency.shape[1] != 1:
        raise ValueError(f"saliency has shape {tuple(saliency.shape)}; expected (B, 1, H, W).")
    probability = torch.cat([1 - saliency, saliency], 1)
    return -(probability + 1e-8).log() / (1.05 * probability.sigmoid())
