"""Random rotation and Gaussian blur, and a chain of augmentations. Each takes (sample, generator), as a stream asks."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

Augment = Callable[[dict[str, Any], np.random.Generator], dict[str, Any]]


class Compose:
    """Augmentations one after the other, all drawing from the same generator.

    Args:
        *steps: each takes (sample, generator) and gives a sample.
    """

    def __init__(self, *steps: Augment) -> None:
        self.steps = steps

    def __call__(self, sample: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
        """The sample after all steps."""
        for step in self.steps:
            sample = step(sample, rng)
        return sample


class RandomRotation:
    """Rotate image and mask about the centre by an angle drawn uniformly from -degrees to +degrees.

    Args:
        probability: of a rotation.
        degrees: largest angle.
        fill: value of image pixels from outside, a channel each; the mean, as for padding. The mask gets 255 there.
    """

    def __init__(
        self, probability: float = 0.5, degrees: float = 10.0, fill: Sequence[float] = (0.485, 0.456, 0.406)
    ) -> None:
        self.probability, self.degrees, self.fill = probability, degrees, torch.tensor(fill).view(-1, 1, 1)

    def __call__(self, sample: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
        """Rotate ``image`` (3, H, W) bilinearly and ``mask`` (H, W) by nearest neighbour; sizes stay."""
        chance, along = rng.random(2)  # drawn in every call, so that the probability never shifts later draws
        if chance >= self.probability:
            return sample
        rotated = dict(sample)
        grid = _grid(math.radians((2 * along - 1) * self.degrees), *sample["image"].shape[-2:])
        # Outside pixels are 0 after sampling, so what is sampled is the distance to the fill value.
        shifted = sample["image"] - self.fill
        rotated["image"] = F.grid_sample(shifted[None], grid, "bilinear", "zeros", align_corners=False)[0] + self.fill
        if "mask" in sample:
            distance = 255 - sample["mask"].to(torch.float32)
            turned = F.grid_sample(distance[None, None], grid, "nearest", "zeros", align_corners=False)[0, 0]
            rotated["mask"] = (255 - turned).to(sample["mask"].dtype)
        return rotated


class RandomBlur:
    """Gaussian blur of the image, 5 x 5.

    Args:
        probability: of a blur.
        sigma: standard deviation in pixels; 1.1 is what image libraries take for five taps.
    """

    def __init__(self, probability: float = 0.5, sigma: float = 1.1) -> None:
        self.probability = probability
        taps = torch.exp(-0.5 * (torch.arange(-2.0, 3.0) / sigma) ** 2)
        self.taps = taps / taps.sum()

    def __call__(self, sample: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
        """Blur ``image`` (3, H, W), mirrored at the border; the mask stays as it is."""
        if rng.random() >= self.probability:
            return sample
        image = F.pad(sample["image"][None], (2, 2, 2, 2), mode="reflect")
        channels = image.shape[1]
        for shape in ((1, 1, 5, 1), (1, 1, 1, 5)):
            image = F.conv2d(image, self.taps.view(shape).expand(channels, -1, -1, -1), groups=channels)
        return {**sample, "image": image[0]}


def _grid(angle: float, height: int, width: int) -> Tensor:
    """Where each pixel of a picture turned by an angle comes from, (1, H, W, 2) in the coordinates of grid_sample."""
    cosine, sine = math.cos(angle), math.sin(angle)
    # The grid's coordinates run from -1 to 1 on both axes, so a rotation of pixels carries the aspect ratio.
    matrix = torch.tensor([[cosine, -sine * height / width, 0.0], [sine * width / height, cosine, 0.0]])
    return F.affine_grid(matrix[None], [1, 1, height, width], align_corners=False)
