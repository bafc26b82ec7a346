"""Augmentation of image and mask together, drawn from the generator that the stream hands over."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


class RandomScaleCropFlip:
    """Resize by a random factor, cut a random crop, flip: the recipe of DeepLab, CPS and OCR.

    Args:
        height, width: crop in pixels. An image smaller than the crop is padded, the image with ``fill``, the mask
            with 255.
        scales: either a list to draw from (CPS) or, with ``continuous=True``, the two ends of a range (OCR).
        continuous: see ``scales``.
        flip: probability of a horizontal flip.
        brightness: largest absolute shift added to all channels, in units of the image (0..1).
        fill: value of padded image pixels, a channel each; the official codes pad with 0 after normalising, so the
            mean.
    """

    def __init__(
        self,
        height: int,
        width: int,
        scales: Sequence[float] = (1.0,),
        continuous: bool = False,
        flip: float = 0.5,
        brightness: float = 0.0,
        fill: Sequence[float] = (0.485, 0.456, 0.406),
    ):
        if continuous and len(scales) != 2:
            raise ValueError(f"scales is {list(scales)}; a continuous range needs its two ends")
        self.height, self.width, self.scales, self.continuous = height, width, tuple(scales), continuous
        self.flip, self.brightness, self.fill = flip, brightness, torch.tensor(fill).view(-1, 1, 1)

    def __call__(self, sample: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
        """A sample with an image (3, H, W) and perhaps a mask (H, W), as ``image`` (3, height, width) and ``mask``."""
        # Every draw happens in every call, so that one setting never shifts the random numbers of another.
        flip, along, top, left, shift = rng.random(5)
        image, mask = sample["image"], sample.get("mask")
        size = self._size(image, along)
        if size != tuple(image.shape[-2:]):
            image = F.interpolate(image[None], size=size, mode="bilinear", align_corners=False)[0]
            mask = None if mask is None else _resize_mask(mask, size)
        image, mask = self._pad(image, mask)
        y = int(top * (image.shape[-2] - self.height + 1))
        x = int(left * (image.shape[-1] - self.width + 1))
        image = image[:, y : y + self.height, x : x + self.width]
        mask = None if mask is None else mask[y : y + self.height, x : x + self.width]
        if flip < self.flip:
            image, mask = image.flip(-1), None if mask is None else mask.flip(-1)
        if self.brightness:
            image = (image + float((2 * shift - 1) * self.brightness)).clamp(0, 1)
        return {"image": image.contiguous()} | ({} if mask is None else {"mask": mask.contiguous()})

    def _size(self, image: Tensor, along: float) -> tuple[int, int]:
        """Height and width after resizing; ``along`` in 0..1 is the draw."""
        if self.continuous:
            scale = self.scales[0] + (self.scales[1] - self.scales[0]) * along
        else:
            scale = self.scales[min(int(along * len(self.scales)), len(self.scales) - 1)]
        return max(1, round(image.shape[-2] * scale)), max(1, round(image.shape[-1] * scale))

    def _pad(self, image: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        below, right = max(0, self.height - image.shape[-2]), max(0, self.width - image.shape[-1])
        if not (below or right):
            return image, mask
        padded = self.fill.expand(-1, image.shape[-2] + below, image.shape[-1] + right).clone()
        padded[:, : image.shape[-2], : image.shape[-1]] = image
        return padded, None if mask is None else F.pad(mask, (0, right, 0, below), value=255)


def _resize_mask(mask: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(mask[None, None].to(torch.float32), size=size, mode="nearest-exact")[0, 0].to(mask.dtype)
