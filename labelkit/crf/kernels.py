"""The two kernels of a dense CRF without approximation, normalised symmetrically.

A kernel K is applied as D^(-1/2) K D^(-1/2), D the row sums: the default of the authors' code (NORMALIZE_SYMMETRIC,
seen in lucasb-eyer/pydensecrf). As there, a pixel counts among its own neighbours. Filters take and give values
(N, C), pixels in row-major order.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

KEPT = 1 << 27  # a kernel of up to so many entries is kept between iterations; 512 MiB in float32
CHUNK = {"cpu": 1 << 18, "cuda": 1 << 26}  # entries made at a time: what fits a processor's cache, a graphics card
LEAST = -40.0  # exponents below count as this: nothing beside the pixel's own 1, and numbers near 0 are slow


class GaussianKernel:
    """exp(-|p_i - p_j|^2 / (2 sxy^2)) over pixel positions; exact, as a product of a row and a column kernel.

    Args:
        size: (H, W).
        sxy: standard deviation in pixels.
        like: tensor whose type and device the kernel gets.
    """

    def __init__(self, size: tuple[int, int], sxy: float, like: Tensor) -> None:
        self.size = size
        self.rows, self.columns = (self._line(length, sxy).to(like) for length in size)

    @staticmethod
    def _line(length: int, sxy: float) -> Tensor:
        place = torch.arange(length, dtype=torch.float64) / sxy
        exponent = -0.5 * (place[:, None] - place[None]).square()
        kernel = exponent.exp().masked_fill(exponent < LEAST, 0)
        scale = kernel.sum(1).rsqrt()
        return scale[:, None] * kernel * scale[None]

    def __call__(self, values: Tensor) -> Tensor:
        """(N, C) -> (N, C)."""
        height, width = self.size
        along_y = self.rows @ values.reshape(height, -1)  # (H, W * C)
        return (self.columns @ along_y.view(height, width, -1)).view(values.shape)


class ExactKernel:
    """exp(-|f_i - f_j|^2 / 2) over any features, every pair of pixels; time grows with N^2, memory does not.

    Args:
        features: (N, d) in units of their standard deviations.
        like: tensor whose type the values have.
    """

    def __init__(self, features: Tensor, like: Tensor) -> None:
        self.dtype = like.dtype
        features = features.double()
        features = features - features.mean(0)  # smaller numbers, smaller rounding
        half = -0.5 * features.square().sum(1, keepdim=True)
        one = torch.ones_like(half)
        # f_i . f_j - |f_i|^2 / 2 - |f_j|^2 / 2 as one matrix product
        self.left = torch.cat([features, half, one], 1)
        self.right = torch.cat([features, one, half], 1).T.contiguous()
        self.rows = max(1, CHUNK.get(features.device.type, CHUNK["cpu"]) // len(features))
        self.kept = None
        if len(features) ** 2 <= KEPT:
            kept = like.new_empty(len(features), len(features))
            for place, part in zip(kept.split(self.rows), self._parts()):
                place.copy_(part)
            self.kept = kept
        self.scale = torch.cat([part.sum(1) for part in self._parts()]).rsqrt()[:, None]

    def _parts(self) -> Iterator[Tensor]:
        if self.kept is not None:
            yield self.kept
            return
        for rows in self.left.split(self.rows):
            yield (rows @ self.right).clamp_(LEAST, 0).to(self.dtype).exp_()

    def __call__(self, values: Tensor) -> Tensor:
        """(N, C) -> (N, C)."""
        values = values * self.scale
        return torch.cat([part @ values for part in self._parts()]) * self.scale


def place_features(size: tuple[int, int], sxy: float, device: torch.device | str = "cpu") -> Tensor:
    """Place of every pixel divided by its standard deviation in pixels: size (H, W) -> (H * W, 2) float64, x and y."""
    y, x = (torch.arange(n, dtype=torch.float64, device=device) / sxy for n in size)
    return torch.stack([x.expand(size), y[:, None].expand(size)], -1).view(-1, 2)


def bilateral_features(image: Tensor, sxy: float, srgb: float) -> Tensor:
    """Place and colour of every pixel, each divided by its standard deviation.

    Args:
        image: (3, H, W) in 0..1.
        sxy: standard deviation of the place, in pixels.
        srgb: standard deviation of the colour, in levels of 0..255.

    Returns:
        (H * W, 5) float64: x, y, red, green, blue.
    """
    colour = image.double().flatten(1).T * (255 / srgb)
    return torch.cat([place_features((image.shape[1], image.shape[2]), sxy, image.device), colour], 1)
