"""The trunk of the lesson detector: four stages at strides 4 to 32, with few channels, for one CPU thread."""

from __future__ import annotations

from collections import OrderedDict

import torch.nn.functional as F
from torch import Tensor, nn

from labelkit.models.panet import Norm


class Residual(nn.Module):
    """Two 3x3 convolutions with normalisation, and a shortcut (1x1 where width or stride change).

    Args:
        in_channels, channels: widths.
        stride: of the first convolution.
        norm: makes the normalisation of a number of channels.
    """

    def __init__(self, in_channels: int, channels: int, stride: int, norm: Norm) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False)
        self.norm1 = norm(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm2 = norm(channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != channels:
            self.shortcut = nn.Sequential(nn.Conv2d(in_channels, channels, 1, stride, bias=False), norm(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, channels, H / stride, W / stride)."""
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(y + self.shortcut(x))


class LessonTrunk(nn.Module):
    """Images to features at strides 4, 8, 16 and 32, named as torchvision names them.

    Args:
        widths: channels of the four stages.
        norm: group normalisation, since batches of two patches are too few for batch statistics.
    """

    def __init__(self, widths: tuple[int, int, int, int], norm: Norm) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, widths[0], 3, 2, 1, bias=False), norm(widths[0]), nn.ReLU(inplace=True))
        before = (widths[0], *widths)
        self.stages = nn.ModuleList(Residual(before[i], widths[i], 2, norm) for i in range(4))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Images (B, 3, H, W), normalised -> "0".."3": (B, widths[i], H / 4 / 2^i, W / 4 / 2^i)."""
        x, levels = self.stem(images), OrderedDict()
        for number, stage in enumerate(self.stages):
            x = stage(x)
            levels[str(number)] = x
        return levels
