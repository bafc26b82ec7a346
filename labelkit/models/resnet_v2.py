"""ResNet-50 v2 (He et al., ECCV 2016: pre-activation) as S4L has it, with a width factor and several heads."""

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor, nn

BLOCKS = (3, 4, 6, 3)
NORMALISATION = {"eps": 1e-3, "momentum": 0.01}
"""Of the authors' batch normalisation; their momentum 0.99 is PyTorch's 0.01."""


class PreActivationBottleneck(nn.Module):
    """Normalise and ReLU before each of the convolutions 1x1, 3x3, 1x1; the 3x3 carries the stride.

    Args:
        in_channels: input width.
        channels: inner width; the output has four times as many.
        stride: of the 3x3 convolution, and of the shortcut's 1x1 convolution.
    """

    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels, **NORMALISATION)
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels, **NORMALISATION)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, padding=1, bias=False)
        self.norm3 = nn.BatchNorm2d(channels, **NORMALISATION)
        self.conv3 = nn.Conv2d(channels, 4 * channels, 1, bias=False)
        self.project: nn.Module | None = None
        if stride != 1 or in_channels != 4 * channels:
            self.project = nn.Conv2d(in_channels, 4 * channels, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, 4 * channels, H / stride, W / stride)."""
        active = F.relu(self.norm1(x))
        shortcut = x if self.project is None else self.project(active)  # projected after the activation, not before
        x = self.conv1(active)
        x = self.conv2(F.relu(self.norm2(x)))
        return self.conv3(F.relu(self.norm3(x))) + shortcut


class ResNet50V2(nn.Module):
    """Images to features of 2,048 channels (times the width factor), and linear heads on them.

    Stem: 7x7 convolution with stride 2 and 3x3 max-pooling with stride 2, neither followed by a normalisation; the last
    blocks are followed by normalisation, ReLU and the mean over positions. With one head of 1,000 classes 25,549,352
    parameters at width factor 1 and 383,540,456 at 4.

    Args:
        heads: name to number of outputs, e.g. ``{"classes": 1000, "rotations": 4}``. Their weights are drawn in this
            order after those of the body, so that networks of one seed share what they have in common.
        width_factor: multiplies every width; 4 is the network of MOAM.

    Raises:
        ValueError: the width factor is below 1.
    """

    def __init__(self, heads: Mapping[str, int], width_factor: int = 1) -> None:
        super().__init__()
        if width_factor < 1:
            raise ValueError(f"width_factor is {width_factor}; expected 1 or more")
        width = 64 * width_factor
        layers: list[nn.Module] = [
            nn.Conv2d(3, width, 7, 2, padding=3, bias=False),
            nn.ZeroPad2d(1),  # the authors pad with zeros, and nothing before the pooling makes all values positive
            nn.MaxPool2d(3, 2),
        ]
        in_channels = width
        for stage, blocks in enumerate(BLOCKS):
            for block in range(blocks):
                channels = width * 2**stage
                layers.append(PreActivationBottleneck(in_channels, channels, 2 if stage and not block else 1))
                in_channels = 4 * channels
        self.body = nn.Sequential(*layers, nn.BatchNorm2d(in_channels, **NORMALISATION), nn.ReLU())
        self.feature_channels = in_channels
        self.heads = nn.ModuleDict({name: nn.Linear(in_channels, size) for name, size in heads.items()})
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)  # the default of the authors' library
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def features(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) in -1..1 -> features (B, 2048 * width factor)."""
        return self.body(images).mean((2, 3))

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) in -1..1 -> scores of the head ``classes``, (B, C)."""
        return self.heads["classes"](self.features(images))
