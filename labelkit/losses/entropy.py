"""Entropy minimisation (Grandvalet and Bengio, NIPS 2004)."""

import torch
import torch.nn.functional as F
from torch import Tensor


def mean_entropy(logits: Tensor) -> Tensor:
    """Mean entropy of the predictions, in nats.

    It is differentiated through its own predictions: nothing is detached. Alone it can be satisfied by scaling up the
    last layer, which is why S4L uses it only beside a smoothness loss.

    Args:
        logits: (B, C).

    Returns:
        Scalar in 0..log(C).
    """
    logits = logits if logits.dtype == torch.float64 else logits.float()
    logarithm = F.log_softmax(logits, dim=1)
    return -(logarithm.exp() * logarithm).sum(1).mean()
