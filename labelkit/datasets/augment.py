"""Augmentation of image and mask together, drawn from the generator that the stream hands over."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from labelkit.datasets.resized_window import Window, bilinear, nearest

WHOLE = 1 << 18  # pixels up to which a map is resized as a whole, which differs from its window in the last bit


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
        flip_pairs: labels that change places in a mask that is flipped, such as a left and a right arm; a data set
            that has such classes says them as ``flip_pairs``.
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
        flip_pairs: Sequence[tuple[int, int]] = (),
    ):
        if continuous and len(scales) != 2:
            raise ValueError(f"scales is {list(scales)}; a continuous range needs its two ends")
        self.height, self.width, self.scales, self.continuous = height, width, tuple(scales), continuous
        self.flip, self.brightness, self.fill = flip, brightness, torch.tensor(fill).view(-1, 1, 1)
        self.flip_pairs = tuple(flip_pairs)

    def __call__(self, sample: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
        """Cut a sample to (height, width).

        ``image`` and every other floating map (..., H, W), such as ``saliency``, is resized bilinearly; every
        integer map (H, W), such as ``mask`` and ``instances``, by nearest neighbour. Anything else stays as it is.

        Bytes, see `memory.AsBytes`, are converted after the cut: an ``image`` to float32 in 0..1, a ``mask`` to int64.
        """
        # Every draw happens in every call, so that one setting never shifts the random numbers of another.
        flip, along, top, left, shift = rng.random(5)
        full = tuple(sample["image"].shape[-2:])
        size = self._size(sample["image"], along)
        y = int(top * (max(size[0], self.height) - self.height + 1))
        x = int(left * (max(size[1], self.width) - self.width + 1))
        cut = dict(sample)
        for key, value in sample.items():
            if not isinstance(value, Tensor) or value.dim() < 2 or tuple(value.shape[-2:]) != full:
                continue
            fill = self.fill if key == "image" else _padding(key)
            value = _window(value, size, (y, x, self.height, self.width), fill, key == "image")
            if flip < self.flip:
                value = value.flip(-1)
                if key == "mask" and self.flip_pairs:
                    value = exchanged(value, self.flip_pairs)
            cut[key] = value.contiguous()
        if self.brightness:
            cut["image"] = (cut["image"] + float((2 * shift - 1) * self.brightness)).clamp(0, 1)
        return cut

    def _size(self, image: Tensor, along: float) -> tuple[int, int]:
        """Height and width after resizing; ``along`` in 0..1 is the draw."""
        if self.continuous:
            scale = self.scales[0] + (self.scales[1] - self.scales[0]) * along
        else:
            scale = self.scales[min(int(along * len(self.scales)), len(self.scales) - 1)]
        return max(1, round(image.shape[-2] * scale)), max(1, round(image.shape[-1] * scale))


def exchanged(mask: Tensor, pairs: Sequence[tuple[int, int]]) -> Tensor:
    """A mask of labels 0 to 255 in which the labels of each pair have changed places."""
    table = torch.arange(256, dtype=mask.dtype, device=mask.device)
    for left, right in pairs:
        table[left], table[right] = right, left
    return table[mask.long()]


def _padding(key: str) -> int:
    """What a map holds where there is no image: ignored labels, and nothing elsewhere."""
    return 255 if key == "mask" else 0


def _window(value: Tensor, size: tuple[int, int], window: Window, fill: Tensor | int, picture: bool) -> Tensor:
    """The window of a map resized to `size`; what lies below or to the right of the map is `fill`."""
    y, x, height, width = window
    bytewise = value.dtype == torch.uint8
    if size != tuple(value.shape[-2:]) and size[0] * size[1] <= WHOLE:
        value = _resize(value.to(torch.float32).div_(255) if picture and bytewise else value, size)
    inside = y, x, min(height, size[0] - y), min(width, size[1] - x)
    if size == tuple(value.shape[-2:]):
        value = value[..., y : y + inside[2], x : x + inside[3]]
    elif picture or value.is_floating_point():
        value = bilinear(value, size, inside)
        value = value.div_(255) if bytewise else value
    else:
        value = nearest(value, size, inside)
    if picture and value.dtype == torch.uint8:
        value = value.to(torch.float32).div_(255)
    value = _pad(value, height, width, fill)
    return value.to(torch.int64) if bytewise and not picture else value


def _resize(value: Tensor, size: tuple[int, int]) -> Tensor:
    if size == tuple(value.shape[-2:]):
        return value
    if value.is_floating_point():
        return F.interpolate(value[None], size=size, mode="bilinear", align_corners=False)[0]
    return F.interpolate(value[None, None].to(torch.float32), size=size, mode="nearest-exact")[0, 0].to(value.dtype)


def _pad(value: Tensor, height: int, width: int, fill: Tensor | int) -> Tensor:
    """Enlarge a map below and to the right to at least (height, width)."""
    h, w = value.shape[-2:]
    if h >= height and w >= width:
        return value
    padded = value.new_empty(*value.shape[:-2], max(h, height), max(w, width))
    padded[..., h:, :], padded[..., :h, w:], padded[..., :h, :w] = fill, fill, value
    return padded
