"""Where in an image a classifier finds its evidence for a tag: class activation maps and Grad-CAM.

Maps are (B, C, H, W) over the C foreground classes; the map of class c belongs to mask label c + 1. A raw map has any
scale and sign. `normalise` turns it into shares of its own maximum, and only then do thresholds mean the same in every
image. Maps are made at the resolution of the features and brought to that of the image by `resize_maps`.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def class_activation_maps(features: Tensor, weights: Tensor) -> Tensor:
    """Class activation maps [Zhou et al., CVPR 2016]: the classifier's weights applied at every position.

    For a classifier that averages features over positions and then weighs them, the mean of a map is the logit of its
    class (without bias).

    Args:
        features: (B, K, h, w), those that the classifier averages, without dropout.
        weights: (C, K), or (C, K, 1, 1) of a 1x1 convolution.

    Returns:
        Raw maps (B, C, h, w).

    Raises:
        ValueError: the numbers of channels differ.
    """
    if features.dim() != 4 or weights.shape[1] != features.shape[1] or weights[0].numel() != features.shape[1]:
        raise ValueError(
            f"features have shape {tuple(features.shape)} and weights {tuple(weights.shape)}; "
            "expected (B, K, h, w) and (C, K)."
        )
    return F.conv2d(features, weights.reshape(*weights.shape[:2], 1, 1))


def grad_cam(
    score_of: Callable[[Tensor], Tensor],
    features: Tensor,
    classes: Tensor | None = None,
    elementwise: bool = False,
) -> Tensor:
    """Grad-CAM [Selvaraju et al., ICCV 2017]: features weighed by the gradient of a class score.

    Args:
        score_of: features (B, K, h, w) to logits (B, C); called once, so a random head shows one draw to all classes.
            The score of an image must depend on its own features alone (batch normalisation in evaluation mode).
        features: (B, K, h, w); nothing flows back beyond them.
        classes: (B, C), above 0 where the map of a class is wanted, usually the tags; all if None. The number of
            backward passes is the largest number of wanted classes in an image, not C.
        elementwise: weigh each position by its own gradient, as FickleNet does; else by the gradient's mean over
            positions, as in the paper.

    Returns:
        Maps (B, C, h, w) after ReLU, without gradient; 0 for the classes that were not asked for.

    Raises:
        ValueError: the scores are not (B, C), or ``classes`` has another shape.
    """
    with torch.enable_grad():
        features = features.detach().requires_grad_()
        scores = score_of(features)
    if scores.dim() != 2 or len(scores) != len(features):
        raise ValueError(f"score_of gave shape {tuple(scores.shape)}; expected (B, C) with B = {len(features)}.")
    if classes is None:
        classes = torch.ones_like(scores)
    if classes.shape != scores.shape:
        raise ValueError(f"classes have shape {tuple(classes.shape)}; expected that of the scores, {scores.shape}.")
    maps = features.new_zeros(*scores.shape, *features.shape[2:])
    wanted = classes > 0
    # The n-th wanted class of every image goes into one backward pass: images do not see each other.
    order = wanted.int().argsort(dim=1, descending=True, stable=True)
    passes = int(wanted.sum(1).max()) if wanted.numel() else 0
    for number in range(passes):
        chosen = order[:, number]
        here = wanted.gather(1, chosen[:, None])[:, 0]
        with torch.enable_grad():
            score = scores.gather(1, chosen[:, None])[here].sum()
        (gradient,) = torch.autograd.grad(score, features, retain_graph=number + 1 < passes)
        if not elementwise:
            gradient = gradient.mean((2, 3), keepdim=True)
        found = (features.detach() * gradient).sum(1).relu().to(maps.dtype)
        rows = here.nonzero()[:, 0]
        maps[rows, chosen[rows]] = found[rows]
    return maps


def normalise(maps: Tensor, tags: Tensor | None = None, eps: float = 1e-5) -> Tensor:
    """Negative values to 0, then each map divided by its own largest value.

    A map without any positive value stays 0 everywhere: a tag without activation gives no label.

    Args:
        maps: raw maps (B, C, H, W).
        tags: (B, C), above 0 where a class is present; maps of absent classes become 0. None: all are kept.
        eps: added to the maximum, so the largest value is a little under 1.

    Returns:
        Maps (B, C, H, W) in 0..1.

    Raises:
        ValueError: tags have another (B, C).
    """
    maps = maps.relu()
    maps = maps / (maps.amax((2, 3), keepdim=True) + eps)
    if tags is None:
        return maps
    if tags.shape != maps.shape[:2]:
        raise ValueError(f"tags have shape {tuple(tags.shape)}; expected (B, C) of maps {tuple(maps.shape)}.")
    return maps * (tags > 0)[:, :, None, None]


def resize_maps(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear, corners not aligned: (B, C, h, w) -> (B, C, H, W) for ``size`` (H, W)."""
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)
