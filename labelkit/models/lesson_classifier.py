"""The lesson classifier: a small pre-activation ResNet for images of 32 x 32 pixels, with several heads."""

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor, nn


class PreActivationBlock(nn.Module):
    """Normalise, ReLU, 3x3 convolution, twice, and a shortcut; a 1x1 convolution where width or stride change.

    Args:
        in_channels, out_channels: widths.
        stride: of the first convolution and the shortcut.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.project: nn.Module | None = None
        if stride != 1 or in_channels != out_channels:
            self.project = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, out_channels, H / stride, W / stride)."""
        active = F.relu(self.norm1(x))
        shortcut = x if self.project is None else self.project(active)  # as in ResNet v2: projected after activation
        return self.conv2(F.relu(self.norm2(self.conv1(active)))) + shortcut


class LessonClassifier(nn.Module):
    """A 5x5 convolution to stride 2, two blocks at strides 4 and 8, normalise, ReLU, mean over positions; linear heads.

    About 2 million multiply-adds for an image of 32 x 32 pixels at width 16, and 75,000 parameters with 20 classes.

    Args:
        heads: name to number of outputs, e.g. ``{"classes": 20, "rotations": 4}``. Their weights are drawn in this
            order after those of the body, so that networks of one seed share what they have in common.
        width: channels at stride 2; strides 4 and 8 have twice and four times as many.
    """

    def __init__(self, heads: Mapping[str, int], width: int = 16) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, width, 5, stride=2, padding=2, bias=False),
            PreActivationBlock(width, 2 * width, stride=2),
            PreActivationBlock(2 * width, 4 * width, stride=2),
            nn.BatchNorm2d(4 * width),
            nn.ReLU(),
        )
        self.feature_channels = 4 * width
        for module in self.body.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        self.heads = nn.ModuleDict({name: nn.Linear(self.feature_channels, size) for name, size in heads.items()})

    def features(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) in -1..1 -> features (B, 4 width)."""
        return self.body(images).mean((2, 3))

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) in -1..1 -> scores of the head ``classes``, (B, C)."""
        return self.heads["classes"](self.features(images))
