"""The wide ResNet-38 of Wu, Shen and van den Hengel (2016) as AuxSegNet has it: output stride 8, norms never trained.

Shapes and names were checked in the authors' code, xulianuwa/AuxSegNet at 9f40a5d (network/resnet38d.py).
"""

from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labelkit.models.layers import imagenet_normalise

STAGES = (  # number of blocks, widths of a block, stride and first dilation of the first block, all other dilations
    (3, (128, 128), 2, 1, 1),
    (3, (256, 256), 2, 1, 1),
    (6, (512, 512), 2, 1, 1),
    (3, (512, 1024), 1, 1, 2),
)


class FrozenNorm(nn.Module):
    """Batch normalisation with fixed statistics, scale and shift: all four are buffers, in training as in evaluation.

    Not a subclass of PyTorch's, so that nothing which looks for batch normalisation can make it learn.

    Args:
        channels: of the input.
        eps: added to the variance.
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("weight", torch.ones(channels))
        self.register_buffer("bias", torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) -> the same shape."""
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


class WideBlock(nn.Module):
    """Two 3x3 convolutions, each after normalisation and ReLU, and a shortcut.

    Args:
        in_channels: of the input.
        channels: of the first and of the second convolution.
        stride: of the first convolution.
        first_dilation, dilation: of the first and of the second convolution.
    """

    def __init__(
        self, in_channels: int, channels: tuple[int, int], stride: int = 1, first_dilation: int = 1, dilation: int = 1
    ) -> None:
        super().__init__()
        inner, out = channels
        self.norm1 = FrozenNorm(in_channels)
        self.conv1 = nn.Conv2d(in_channels, inner, 3, stride, first_dilation, first_dilation, bias=False)
        self.norm2 = FrozenNorm(inner)
        self.conv2 = nn.Conv2d(inner, out, 3, 1, dilation, dilation, bias=False)
        self.shortcut: nn.Module | None = None
        if stride != 1 or in_channels != out:
            self.shortcut = nn.Conv2d(in_channels, out, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, channels[1], H / stride, W / stride)."""
        active = F.relu(self.norm1(x))
        shortcut = x if self.shortcut is None else self.shortcut(active)
        return self.conv2(F.relu(self.norm2(self.conv1(active)))) + shortcut


class BottleneckBlock(nn.Module):
    """Convolutions 1x1, 3x3, 1x1 to a quarter, a half and all of the channels; whole maps are dropped before the last
    two.

    Args:
        in_channels, channels: of input and output.
        dilation: of the 3x3 convolution.
        dropout: share of maps dropped.
    """

    def __init__(self, in_channels: int, channels: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = FrozenNorm(in_channels)
        self.conv1 = nn.Conv2d(in_channels, channels // 4, 1, bias=False)
        self.norm2 = FrozenNorm(channels // 4)
        self.conv2 = nn.Conv2d(channels // 4, channels // 2, 3, 1, dilation, dilation, bias=False)
        self.norm3 = FrozenNorm(channels // 2)
        self.conv3 = nn.Conv2d(channels // 2, channels, 1, bias=False)
        self.shortcut = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, channels, H, W)."""
        active = F.relu(self.norm1(x))
        inner = self.dropout(F.relu(self.norm2(self.conv1(active))))
        inner = self.dropout(F.relu(self.norm3(self.conv2(inner))))
        return self.conv3(inner) + self.shortcut(active)


class ResNet38(nn.Module):
    """Images to features of 4096 channels at stride 8; 105,023,168 parameters, of which the first convolution is fixed.

    A 3x3 convolution to 64 channels; 3, 3, 6 and 3 wide blocks to 128, 256, 512 and 1024 channels, of which the first
    three stages halve the size and the fourth has dilation 2 (not in the very first convolution); two bottlenecks to
    2048 and 4096 with dilation 4; normalisation and ReLU. No normalisation is ever trained or updated.

    Args:
        width_divisor: divides every width; 1 is the network of the paper, more is for tests.

    Attributes:
        channels: of the features.
    """

    def __init__(self, width_divisor: int = 1) -> None:
        super().__init__()
        channels = 64 // width_divisor
        self.stem = nn.Conv2d(3, channels, 3, padding=1, bias=False)
        self.stem.weight.requires_grad_(False)
        blocks: list[nn.Module] = []
        for count, widths, stride, first_dilation, dilation in STAGES:
            inner, out = (width // width_divisor for width in widths)
            for number in range(count):
                first = number == 0
                blocks.append(
                    WideBlock(
                        channels, (inner, out), stride if first else 1, first_dilation if first else dilation, dilation
                    )
                )
                channels = out
        for width, dropout in ((2048, 0.3), (4096, 0.5)):
            blocks.append(BottleneckBlock(channels, width // width_divisor, dilation=4, dropout=dropout))
            channels = width // width_divisor
        self.blocks = nn.Sequential(*blocks)
        self.norm = FrozenNorm(channels)
        self.channels = channels

    def features(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W), already normalised -> features (B, 4096, H/8, W/8), not negative; odd sizes round up."""
        return F.relu(self.norm(self.blocks(self.stem(images))))

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) in 0..1 -> features (B, 4096, H/8, W/8)."""
        return self.features(imagenet_normalise(images))

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """As PyTorch's, but the first convolution stays fixed."""
        super().requires_grad_(requires_grad)
        self.stem.weight.requires_grad_(False)
        return self
