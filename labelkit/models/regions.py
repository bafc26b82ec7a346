"""From pixels to region vectors: the soft object regions of OCR, their ablations, and ideal regions from the truth.

B images, C channels, K regions, N = H * W positions of the feature grid.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

GATHERS = ("pixel-softmax", "class-softmax", "global")


def region_indicator(mask: Tensor, num_classes: int, size: tuple[int, int], ignore_index: int = 255) -> Tensor:
    """Ground truth as hard regions; ignored pixels form one extra region, as in the authors' ideal experiments.

    Args:
        mask: labels (B, H', W') int64 at any size; resized to `size` by nearest neighbour.
        num_classes: K.
        size: (H, W) of the feature grid.
        ignore_index: label of pixels without a class.

    Returns:
        (B, K + 1, H * W) of 0 and 1, float32; each pixel belongs to exactly one region.
    """
    mask = F.interpolate(mask[:, None].float(), size=size, mode="nearest").long().flatten(1)
    mask = torch.where(mask == ignore_index, num_classes, mask)
    return F.one_hot(mask, num_classes + 1).transpose(1, 2).float()


def gather_regions(features: Tensor, membership: Tensor) -> Tensor:
    """Region vectors: features averaged with the given weights. (B, C, H, W), (B, K, N) -> (B, C, K)."""
    return torch.matmul(features.flatten(2), membership.transpose(1, 2))


class SpatialGather(nn.Module):
    """Turns coarse class scores into soft regions: weights over the pixels that sum to one for every region.

    A class that is absent from the image still has a region, because the softmax runs over positions: it is not masked.

    Args:
        gather: "pixel-softmax" (the paper: softmax of each class's logits over the N positions), "class-softmax"
            (softmax over classes, then normalised over positions, as in ACFNet) or "global" (one region, the mean).
        logit_scale: factor on the logits before the softmax over positions.

    Raises:
        ValueError: `gather` is none of the three.
    """

    def __init__(self, gather: str = "pixel-softmax", logit_scale: float = 1.0) -> None:
        super().__init__()
        if gather not in GATHERS:
            raise ValueError(f"gather is {gather!r}; expected one of {', '.join(GATHERS)}.")
        self.gather = gather
        self.logit_scale = logit_scale

    def soft_regions(self, coarse_logits: Tensor) -> Tensor:
        """Coarse logits (B, K, H, W) -> weights (B, K, N), rows sum to 1 ((B, 1, N) for "global")."""
        scores = coarse_logits.flatten(2)
        if self.gather == "pixel-softmax":
            return F.softmax(self.logit_scale * scores, dim=2)
        if self.gather == "class-softmax":
            return F.normalize(F.softmax(self.logit_scale * scores, dim=1), p=1, dim=2)
        return torch.full_like(scores[:, :1], 1.0 / scores.shape[2])

    def forward(self, features: Tensor, coarse_logits: Tensor) -> Tensor:
        """Features (B, C, H, W) and coarse logits (B, K, H, W) -> region vectors (B, C, K)."""
        return gather_regions(features, self.soft_regions(coarse_logits))
