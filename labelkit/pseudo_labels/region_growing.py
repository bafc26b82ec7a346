"""Seeded region growing: seeds spread over what a network is sure of, as long as they are connected to it.

DSRG (Huang, Wang, Wang, Liu, Wang; CVPR 2018), whose segmentation stage FickleNet takes over; read against
speedinghzl/DSRG at 91efdf7. Channel 0 is the background; K = C + 1 channels in all.
"""

import numpy as np
import torch
from torch import Tensor

IGNORE = 255


def one_hot_seeds(labels: Tensor, num_classes: int) -> Tensor:
    """Label maps as seeds of each class.

    Args:
        labels: (B, H, W) integer, 0..K-1, or 255 for no seed.
        num_classes: K, with background.

    Returns:
        (B, K, H, W) float32 of 0 and 1.
    """
    classes = torch.arange(num_classes, device=labels.device)[:, None, None]
    return (labels[:, None] == classes).float()


@torch.no_grad()
def grow_seeds(
    seeds: Tensor,
    probabilities: Tensor,
    tags: Tensor,
    foreground: float = 0.85,
    background: float = 0.99,
) -> Tensor:
    """One step of growing; the result is a target and carries no gradient.

    A pixel's candidate is the likeliest of the classes that are in the image, the background among them, if its
    probability is above the threshold. The working map of an image holds the seeds, overwritten by the candidates. For
    each class in the order of numbers, an 8-connected region of that class in the working map becomes seed if it holds
    a seed of that class; pixels that are seed of exactly one class, and that another, stay out. Classes see what those
    before them have grown. No seed is ever removed; a pixel may be seed of several classes.

    Args:
        seeds: (B, K, H, W), above 0 where a pixel is seed of a class; classes that are not in the image included, but
            they do not grow.
        probabilities: (B, K, H, W), usually those after a CRF.
        tags: (B, C), above 0 where a foreground class is in the image.
        foreground: a candidate's probability must be above it.
        background: the same for the background, which is easier to be sure of.

    Returns:
        (B, K, H, W) of 0 and 1, of the probabilities' type and device.

    Raises:
        ValueError: the shapes do not fit.
    """
    if seeds.dim() != 4 or seeds.shape != probabilities.shape or tags.shape != (len(seeds), seeds.shape[1] - 1):
        raise ValueError(
            f"seeds have shape {tuple(seeds.shape)}, probabilities {tuple(probabilities.shape)} and tags "
            f"{tuple(tags.shape)}; expected (B, K, H, W) twice and (B, K - 1)."
        )
    grown = [
        _grow(*arrays, foreground, background)
        for arrays in zip(
            (seeds > 0).cpu().numpy(), probabilities.float().cpu().numpy(), (tags > 0).cpu().numpy(), strict=True
        )
    ]
    return torch.from_numpy(np.stack(grown)).to(probabilities)


def _grow(seeds: np.ndarray, likely: np.ndarray, tags: np.ndarray, foreground: float, background: float) -> np.ndarray:
    from scipy.ndimage import label  # heavy

    present = np.concatenate([[0], 1 + np.flatnonzero(tags)])
    candidate = present[likely[present].argmax(0)]
    sure = likely[present].max(0) > np.where(candidate == 0, max(foreground, background), foreground)
    working = np.full(seeds.shape[1:], IGNORE)
    for number, seed in enumerate(seeds):
        working[seed] = number  # where seeds conflict the highest class holds the working map
    working[sure] = candidate[sure]
    seeds = seeds.copy()
    for number in present:
        regions, _ = label(working == number, structure=np.ones((3, 3)))
        touched = np.unique(regions[seeds[number]])
        grown = np.isin(regions, touched[touched > 0])
        # Cut after the regions were made: such a pixel still connects what lies on its two sides.
        another = (seeds.sum(0) == 1) & ~seeds[number]
        seeds[number] |= grown & ~another
    return seeds
