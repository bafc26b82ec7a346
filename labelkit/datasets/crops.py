"""Augmentation for classifiers, drawn from the generator that the stream hands over: crop, flip, colour, copies."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

ATTEMPTS = 10  # at a crop that fits; after that the whole image is taken


class InceptionCrop:
    """Cut a random part of the image, resize it, flip it, and perhaps change its colours.

    The part has a share of the image's area and an aspect ratio, both drawn uniformly (Szegedy et al., CVPR 2015; the
    ranges of S4L's code by default). The resize is bilinear, with antialiasing where it shrinks.

    Args:
        height, width: of the result, in pixels.
        area: smallest and largest share of the area.
        aspect: smallest and largest ratio of width to height.
        flip: probability of a horizontal flip.
        colour_noise: apply :func:`hsv_noise`.

    Raises:
        ValueError: a range is empty, or an area is not in (0, 1].
    """

    def __init__(
        self,
        height: int,
        width: int,
        area: Sequence[float] = (0.05, 1.0),
        aspect: Sequence[float] = (0.75, 1.33),
        flip: float = 0.5,
        colour_noise: bool = False,
    ):
        if len(area) != 2 or not 0 < area[0] <= area[1] <= 1:
            raise ValueError(f"area is {list(area)}; expected two shares in (0, 1], the smaller first")
        if len(aspect) != 2 or not 0 < aspect[0] <= aspect[1]:
            raise ValueError(f"aspect is {list(aspect)}; expected two ratios above 0, the smaller first")
        self.height, self.width, self.area, self.aspect = height, width, tuple(area), tuple(aspect)
        self.flip, self.colour_noise = flip, colour_noise

    def __call__(self, sample: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
        """A copy of the sample with ``image`` (3, H, W) cut to (3, height, width)."""
        return sample | {"image": self.copies(sample["image"], 1, rng)[0]}

    def copies(self, image: Tensor, count: int, rng: np.random.Generator) -> Tensor:
        """Independent augmentations of an image (3, H, W): (count, 3, height, width)."""
        # Every draw happens in every call, so that one setting never shifts the random numbers of another.
        boxes, flips, colours = rng.random((count, ATTEMPTS, 4)), rng.random(count), rng.random((count, 7))
        cuts = []
        for draws, flip in zip(boxes, flips):
            top, left, height, width = self.box(*image.shape[-2:], draws)
            cut = _resize(image[:, top : top + height, left : left + width], self.height, self.width)
            cuts.append(cut.flip(-1) if flip < self.flip else cut)
        stacked = torch.stack(cuts)
        return hsv_noise(stacked, torch.from_numpy(colours)) if self.colour_noise else stacked

    def box(self, height: int, width: int, draws: np.ndarray) -> tuple[int, int, int, int]:
        """Top, left, height, width of the part; ``draws`` (attempts, 4) in 0..1: area, aspect, place down, across."""
        for area, aspect, down, across in draws:
            share = self.area[0] + area * (self.area[1] - self.area[0])
            ratio = self.aspect[0] + aspect * (self.aspect[1] - self.aspect[0])
            h = round((share * height * width / ratio) ** 0.5)
            w = round((share * height * width * ratio) ** 0.5)
            if 1 <= h <= height and 1 <= w <= width:
                return int(down * (height - h + 1)), int(across * (width - w + 1)), h, w
        return 0, 0, height, width


class Copies:
    """Several independent augmentations of one image, for exemplar training.

    Args:
        crop: how each is made.
        count: copies of an image.

    Raises:
        ValueError: fewer than two copies.
    """

    def __init__(self, crop: InceptionCrop, count: int):
        if count < 2:
            raise ValueError(f"count is {count}; exemplar training needs at least 2 copies of an image")
        self.crop, self.count = crop, count

    def __call__(self, sample: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
        """A copy of the sample with ``image`` (count, 3, height, width)."""
        return sample | {"image": self.crop.copies(sample["image"], self.count, rng)}


def hsv_noise(images: Tensor, draws: Tensor) -> Tensor:
    """Shift the hue cyclically; put saturation and value to a power, scale and shift them [s4l, code].

    Hue + U(-0.1, 0.1); saturation and value v become v ** (2 ** U(-2, 2)) * 2 ** U(-0.5, 0.5) + U(-0.1, 0.1), clipped.

    Args:
        images: (B, 3, H, W) in 0..1.
        draws: (B, 7) in 0..1: hue; power, scale and shift of saturation; the same of value.

    Returns:
        (B, 3, H, W) in 0..1.
    """
    hue, tone = rgb_to_hsv(images).split([1, 2], dim=1)
    spread = (2 * draws.to(images.dtype) - 1)[:, :, None, None]  # -1..1
    power, scale, shift = spread[:, 1::3], spread[:, 2::3], spread[:, 3::3]  # (B, 2, 1, 1): saturation, value
    tone = tone ** (2 ** (2 * power)) * 2 ** (0.5 * scale) + 0.1 * shift
    return hsv_to_rgb(torch.cat([(hue + 0.1 * spread[:, :1]) % 1.0, tone.clamp(0, 1)], dim=1))


def rgb_to_hsv(images: Tensor) -> Tensor:
    """Red, green, blue (B, 3, H, W) in 0..1 -> hue, saturation, value in 0..1; the hue of grey is 0."""
    value, brightest = images.max(1, keepdim=True)
    chroma = value - images.amin(1, keepdim=True)
    red, green, blue = images.split(1, dim=1)
    differences = torch.cat([green - blue, blue - red, red - green], dim=1).gather(1, brightest)
    sixths = 2 * brightest + differences / torch.where(chroma > 0, chroma, 1)  # of grey: 0, as red is the first
    return torch.cat([(sixths / 6) % 1.0, chroma / torch.where(value > 0, value, 1), value], dim=1)


def hsv_to_rgb(images: Tensor) -> Tensor:
    """Hue, saturation, value (B, 3, H, W) in 0..1 -> red, green, blue in 0..1."""
    hue, saturation, value = images.split(1, dim=1)
    places = (6 * hue + torch.tensor([5.0, 3.0, 1.0], dtype=images.dtype).view(1, 3, 1, 1)) % 6
    return value - value * saturation * torch.minimum(places, 4 - places).clamp(0, 1)


def _resize(image: Tensor, height: int, width: int) -> Tensor:
    h, w = image.shape[-2:]
    if (h, w) == (height, width):
        return image
    shrinks = h > height or w > width
    resized = F.interpolate(image[None], (height, width), mode="bilinear", align_corners=False, antialias=shrinks)[0]
    return resized.clamp(0, 1)
