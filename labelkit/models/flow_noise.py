"""Flow made worse on purpose, for measuring what a method can bear."""

import torch
from torch import Tensor
from torch.nn import functional as F


def disturbed(flow: Tensor, pixels: float, generator: torch.Generator, patch: int = 12) -> Tensor:
    """Flow with a smooth random error, as estimated flow has: neighbours are wrong together.

    Args:
        flow: (N, 2, H, W) in pixels.
        pixels: root mean square length of the error over each field; 0 returns the flow as it is.
        generator: of the random numbers, on the CPU.
        patch: distance in pixels over which the error changes.

    Returns:
        (N, 2, H, W).

    Raises:
        ValueError: the size of the error is negative.
    """
    if pixels < 0:
        raise ValueError(f"pixels is {pixels}; expected an error of at least 0 pixels")
    if pixels == 0:
        return flow
    height, width = flow.shape[-2:]
    coarse = torch.randn(len(flow), 2, height // patch + 2, width // patch + 2, generator=generator)
    error = F.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=True)
    length = error.square().sum(1, keepdim=True).mean((2, 3), keepdim=True).sqrt()
    return flow + (error * (pixels / length)).to(flow)
