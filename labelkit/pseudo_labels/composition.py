"""Pseudo labels from class maps and a saliency map, as Group-WSSS composes them.

Read against the authors' code, Lixy1997/Group-WSSS at fc9ab8e. Scores are in float32, as there: with float64 the two
sides of a tie fall otherwise at a pixel or two of an image.
"""

import torch
from torch import Tensor

IGNORE = 255


def compose(
    maps: Tensor,
    saliency: Tensor,
    tags: Tensor,
    conflict: float = 0.9,
    strong: float = 0.8,
    salient: float = 32 / 255,
    least: float = 0.01,
) -> Tensor:
    """Labels from the largest score; unsure where scores contradict each other.

    Scores are 1 - saliency for the background, and the min-max-normalised map for each present class. A pixel becomes
    255 if more than one score is above ``conflict``; and if the background wins though the pixel is salient or some map
    is above ``strong``. An image with next to no labelled foreground becomes 255 everywhere. So an image whose saliency
    is 0 everywhere gives no label.

    Args:
        maps: (B, C, H, W) of the foreground classes; float, or uint8 as :mod:`labelkit.pseudo_labels.accumulation`
            keeps them.
        saliency: (B, 1, H, W) or (B, H, W); float 0..1, or uint8 0..255.
        tags: (B, C), above 0 where a class is present and has a map; the other maps do not count.
        conflict, strong: see above.
        salient: least saliency, in 0..1, of a pixel that is not taken for background; 32 of 255 as released.
        least: share of the image's pixels below which its foreground is not believed.

    Returns:
        (B, H, W) uint8: 0 background, c + 1 for class c, 255 unsure.

    Raises:
        ValueError: the shapes do not fit.
    """
    saliency = saliency[:, 0] if saliency.dim() == 4 else saliency
    if maps.dim() != 4 or saliency.shape != maps[:, 0].shape or tags.shape != maps.shape[:2]:
        raise ValueError(
            f"maps {tuple(maps.shape)}, saliency {tuple(saliency.shape)}, tags {tuple(tags.shape)}; expected "
            "(B, C, H, W), (B, H, W) and (B, C)"
        )
    whole = saliency.to(torch.float32) / 255 if saliency.dtype == torch.uint8 else saliency.to(torch.float32)
    present = (tags > 0)[:, :, None, None]
    shares = torch.where(present, _min_max(maps), 0)
    scores = torch.cat([(1 - whole)[:, None], shares.to(torch.float32)], dim=1)

    labels = scores.argmax(dim=1)
    labels[(scores > conflict).sum(dim=1) > 1] = IGNORE
    missed = (whole >= salient) | (shares > strong).any(dim=1)
    labels[(labels == 0) & missed] = IGNORE
    foreground = ((labels > 0) & (labels < IGNORE)).double().mean(dim=(-2, -1))
    labels[foreground < least] = IGNORE
    return labels.to(torch.uint8)


def _min_max(maps: Tensor) -> Tensor:
    """Each map from 0 at its smallest to 1 at its largest value, float64; a constant map becomes 0."""
    maps = maps.double()
    low, high = maps.amin(dim=(-2, -1), keepdim=True), maps.amax(dim=(-2, -1), keepdim=True)
    return (maps - low) / (high - low + 1e-8)
