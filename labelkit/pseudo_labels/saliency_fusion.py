"""Labels from activation maps and a saliency map: which pixels are an object, which background, which unsure.

A map says which class; a saliency map says where there is an object at all. `fuse` labels as AuxSegNet does (Xu et al.,
ICCV 2021; read against xulianuwa/AuxSegNet at 9f40a5d), `seeds` as DSRG and FickleNet do: few labels, but right ones.
"""

import torch
from torch import Tensor

IGNORE = 255


def fuse(
    maps: Tensor,
    saliency: Tensor,
    tags: Tensor,
    map_threshold: float = 0.2,
    saliency_threshold: float = 0.06,
) -> Tensor:
    """Object where a map and the saliency agree, background where neither sees one, unsure where one does alone.

    An image without any tag becomes background where saliency is low, and unsure elsewhere. Without any saliency no
    pixel becomes an object: where a map is high the pixel is unsure, elsewhere it is background.

    Args:
        maps: (B, C, H, W) in 0..1, maps of the C foreground classes; those of absent classes do not count.
        saliency: (B, 1, H, W) or (B, H, W) in 0..1.
        tags: (B, C), above 0 where a class is present.
        map_threshold: a map must be above it.
        saliency_threshold: the saliency must be above it.

    Returns:
        Labels (B, H, W) int64: 0 background, 1..C classes, 255 unsure.

    Raises:
        ValueError: the shapes do not fit.
    """
    maps, saliency = _present(maps, saliency, tags)
    largest, label = maps.max(1)
    active, salient = largest > map_threshold, saliency > saliency_threshold
    label = torch.where(active & salient, label + 1, 0)
    return label.masked_fill(active != salient, IGNORE)


def seeds(
    maps: Tensor,
    saliency: Tensor,
    tags: Tensor,
    foreground: float = 0.35,
    background: float = 0.06,
    fired: Tensor | None = None,
) -> Tensor:
    """Hard seeds: a class where its map is high, background where saliency is low, nothing where both or neither hold.

    Where several classes fire, the one with the largest map wins.

    Args:
        maps: (B, C, H, W) in 0..1, maps of the C foreground classes; those of absent classes do not count.
        saliency: (B, 1, H, W) or (B, H, W) in 0..1.
        tags: (B, C), above 0 where a class is present.
        foreground: a class fires where its map is above it.
        background: a pixel is background where its saliency is not above it.
        fired: (B, C, H, W) bool, where each class fires, in place of ``maps > foreground``; for several maps of one
            image, give their union here and their mean as ``maps``.

    Returns:
        Labels (B, H, W) int64: 0 background, 1..C classes, 255 no seed.

    Raises:
        ValueError: the shapes do not fit.
    """
    shape = maps.shape
    maps, saliency = _present(maps, saliency, tags)
    if fired is None:
        fired = maps > foreground
    elif fired.shape != shape:
        raise ValueError(f"fired has shape {tuple(fired.shape)}; expected that of the maps, {tuple(shape)}.")
    fired = fired & (tags > 0)[:, :, None, None]
    label = maps.masked_fill(~fired, -1).argmax(1) + 1
    classed, empty = fired.any(1), ~(saliency > background)
    label = torch.where(classed, label, 0)
    return label.masked_fill(classed == empty, IGNORE)


def _present(maps: Tensor, saliency: Tensor, tags: Tensor) -> tuple[Tensor, Tensor]:
    """Maps with those of absent classes set to 0, and saliency (B, H, W)."""
    if maps.dim() != 4 or tags.shape != maps.shape[:2]:
        raise ValueError(
            f"maps have shape {tuple(maps.shape)} and tags {tuple(tags.shape)}; expected (B, C, H, W) and (B, C)."
        )
    flat = saliency[:, 0] if saliency.dim() == 4 and saliency.shape[1] == 1 else saliency
    if flat.shape != maps.shape[:1] + maps.shape[2:]:
        raise ValueError(
            f"saliency has shape {tuple(saliency.shape)}; expected (B, 1, H, W) or (B, H, W) of maps "
            f"{tuple(maps.shape)}."
        )
    return maps * (tags > 0)[:, :, None, None], flat
