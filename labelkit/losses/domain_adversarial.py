"""Losses of adversarial domain adaptation on predictions: what two domains' softmax maps are judged by.

Read against valeoai/ADVENT at 3e58d45 (Vu et al., CVPR 2019). A discriminator answers with logits; 0 means source and 1
target. The segmenter wants its predictions on the target to be called source.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

SOURCE, TARGET = 0.0, 1.0
"""What a discriminator should answer."""


def called(scores: Tensor, domain: float) -> Tensor:
    """Binary cross-entropy of a discriminator's answers if all of them ought to be one domain.

    Args:
        scores: logits of any shape.
        domain: `SOURCE` or `TARGET`.

    Returns:
        Scalar, the mean; log 2 for a discriminator that cannot tell.
    """
    return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, domain))


def fooling(target_scores: Tensor) -> Tensor:
    """The segmenter's term: its target predictions should be called source. Scalar."""
    return called(target_scores, SOURCE)


def telling_apart(source_scores: Tensor, target_scores: Tensor) -> Tensor:
    """The discriminator's loss: half of each domain's. Both scores must come from detached predictions. Scalar."""
    return 0.5 * (called(source_scores, SOURCE) + called(target_scores, TARGET))


@torch.no_grad()
def right_answers(source_scores: Tensor, target_scores: Tensor) -> Tensor:
    """Share of right answers, both domains counting half; 0.5 is guessing. Scalar without gradient."""
    return 0.5 * ((source_scores < 0).float().mean() + (target_scores > 0).float().mean())


def weighted_self_information(probabilities: Tensor) -> Tensor:
    """What ADVENT shows its discriminator: -p log2(p) / log2(C), a map a class; their sum is the normalised entropy.

    Args:
        probabilities: softmax maps (B, C, H, W).

    Returns:
        (B, C, H, W). The logarithm sees p + 1e-30, as in the authors' code, so that p = 0 gives 0.
    """
    # 1e-30 is below half precision's smallest number; the logarithm is taken in at least single precision.
    p = probabilities if probabilities.dtype == torch.float64 else probabilities.float()
    return -p * torch.log2(p + 1e-30) / math.log2(probabilities.shape[1])
