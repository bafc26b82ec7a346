"""Maps spread along an affinity of pixels: what is found at one pixel counts at those that belong together with it.

Direction: row i of an affinity is the pixel that receives, column j the one that gives, so out_i = sum_j A[i, j] x_j.
Pixels are flattened row-major, y * w + x. Transposing the matrix gives other results unless it is symmetric.
"""

import torch
from torch import Tensor


def propagate(maps: Tensor, affinity: Tensor) -> Tensor:
    """One step: every pixel takes the sum of all pixels weighed by its row, out_i = sum_j A[i, j] x_j.

    AuxSegNet refines logits and activation maps so, with its cross-task affinity (Xu et al., ICCV 2021; the released
    code does not transpose, though the text says so). Rows are used as they are; they need not sum to 1.

    Args:
        maps: (B, C, h, w).
        affinity: (B, N, N) with N = h * w.

    Returns:
        (B, C, h, w). Gradients flow into maps and affinity.

    Raises:
        ValueError: the shapes do not fit.
    """
    count = maps.shape[-1] * maps.shape[-2]
    if maps.dim() != 4 or affinity.shape != (len(maps), count, count):
        raise ValueError(
            f"maps have shape {tuple(maps.shape)} and affinity {tuple(affinity.shape)}; "
            f"expected (B, C, h, w) and (B, h * w, h * w) = ({len(maps)}, {count}, {count})."
        )
    return (maps.flatten(2) @ affinity.transpose(1, 2)).view(maps.shape)


def random_walk(maps: Tensor, affinity: Tensor, power: float = 8.0, steps: int = 256) -> Tensor:
    """AffinityNet's random walk: maps spread by ``steps`` steps of the transition matrix of the affinity.

    Ahn and Kwak, CVPR 2018: the affinity is raised to ``power`` element by element, so that what is doubtful counts
    little, and its rows are normalised. The maps are multiplied ``steps`` times, which costs less than powers of the
    matrix as long as ``steps`` times C is below N log2(steps).

    Args:
        maps: (B, C, h, w).
        affinity: (B, N, N), not negative.
        power: beta in the paper.
        steps: t in the paper; 0 gives the maps back.

    Returns:
        (B, C, h, w).

    Raises:
        ValueError: the shapes do not fit, or ``steps`` is negative.
    """
    if steps < 0:
        raise ValueError(f"steps is {steps}; expected 0 or more.")
    matrix = transition(affinity, power)
    for _ in range(steps):
        maps = propagate(maps, matrix)
    return maps


def transition(affinity: Tensor, power: float = 1.0) -> Tensor:
    """Affinity (B, N, N), not negative, to the power of ``power``, each row divided by its sum; a row of 0 stays 0."""
    raised = affinity**power
    total = raised.sum(-1, keepdim=True)
    return raised / torch.where(total > 0, total, 1)


def pixel_affinity(features: Tensor, radius: float | None = None) -> Tensor:
    """Affinity of pixels from features, exp(-mean |f_i - f_j|): 1 where they agree, learnt if the features are.

    AffinityNet's measure [Ahn and Kwak, CVPR 2018; mean over channels as in the released code, jiwoon-ahn/psa].

    Args:
        features: (B, K, h, w).
        radius: affinity is 0 between pixels further apart, in pixels of the features; None: no such limit.

    Returns:
        (B, N, N), symmetric, with N = h * w.
    """
    flat = features.flatten(2).transpose(1, 2).contiguous()  # (B, N, K)
    affinity = (-torch.cdist(flat, flat, p=1) / features.shape[1]).exp()
    if radius is None:
        return affinity
    place = torch.cartesian_prod(
        *(torch.arange(n, device=features.device, dtype=torch.float32) for n in features.shape[2:])
    )
    return affinity * (torch.cdist(place, place) <= radius)
