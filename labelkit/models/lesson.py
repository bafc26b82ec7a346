"""The lesson network: a residual encoder with stride-8 features and a light decoder, sized for one CPU thread."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labelkit.models.layers import conv_bn_relu, upsample


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut, which is a 1x1 convolution where width or stride change."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.first = conv_bn_relu(in_channels, out_channels, stride=stride, dilation=dilation)
        self.second = conv_bn_relu(out_channels, out_channels, dilation=dilation)[:2]
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = conv_bn_relu(in_channels, out_channels, kernel_size=1, stride=stride)[:2]

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.second(self.first(x)) + self.shortcut(x))


class LessonEncoder(nn.Module):
    """Images to features at strides 2, 4 and 8; the deepest blocks are dilated and see most of a 72x96 image.

    Args:
        width: channels at stride 2; strides 4 and 8 have twice and four times as many.
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.channels = (width, 2 * width, 4 * width)
        self.stem = conv_bn_relu(3, width, stride=2)
        self.stride4 = ResidualBlock(width, 2 * width, stride=2)
        self.stride8 = nn.Sequential(
            ResidualBlock(2 * width, 4 * width, stride=2),
            ResidualBlock(4 * width, 4 * width, dilation=2),
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the three feature maps.

        Args:
            images: (B, 3, H, W), values around 0..1.

        Returns:
            Features (B, width, H/2, W/2), (B, 2 width, H/4, W/4) and (B, 4 width, H/8, W/8); odd sizes round up.
        """
        stride2 = self.stem(images - 0.5)  # centred, so that the first batch statistics are not dominated by the mean
        stride4 = self.stride4(stride2)
        return stride2, stride4, self.stride8(stride4)


class LessonDecoder(nn.Module):
    """Joins the stride-8 features with those of strides 4 and 2, then classifies at stride 2.

    Args:
        num_classes: classes of the logits.
        channels: encoder widths at strides 2, 4 and 8.
    """

    def __init__(self, num_classes: int, channels: tuple[int, int, int]) -> None:
        super().__init__()
        width2, width4, width8 = channels
        self.reduce = conv_bn_relu(width8, width4, kernel_size=1)
        self.join4 = conv_bn_relu(2 * width4, width4)
        self.join2 = conv_bn_relu(width4 + width2, width2)
        self.classifier = nn.Conv2d(width2, num_classes, kernel_size=1)

    def forward(self, stride2: Tensor, stride4: Tensor, stride8: Tensor) -> Tensor:
        """Features (B, C2, H/2, W/2), (B, C4, H/4, W/4), (B, C8, H/8, W/8) -> logits (B, num_classes, H/2, W/2)."""
        x = upsample(self.reduce(stride8), stride4.shape[-2:])
        x = self.join4(torch.cat([x, stride4], dim=1))
        x = upsample(x, stride2.shape[-2:])
        x = self.join2(torch.cat([x, stride2], dim=1))
        return self.classifier(x)


class LessonNet(nn.Module):
    """Small encoder-decoder for lessons: `backbone` (encoder), then a head (one 3x3 convolution and the decoder).

    About 0.2 M parameters at width 16. `labelkit.models.lesson_ocr.LessonContextNet` puts a context module (OCR,
    self-attention, plain convolutions) between the same encoder and the same decoder.

    Args:
        num_classes: classes of the logits.
        width: channels at stride 2; everything scales with it.
    """

    def __init__(self, num_classes: int, width: int = 16) -> None:
        super().__init__()
        self.backbone = LessonEncoder(width)
        self.feature_channels = self.backbone.channels[-1]
        self.context = conv_bn_relu(self.feature_channels, self.feature_channels)
        self.decoder = LessonDecoder(num_classes, self.backbone.channels)

    def features(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Encoder features at strides 2, 4 and 8 of images (B, 3, H, W); the last has `feature_channels` channels."""
        return self.backbone(images)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) -> logits (B, num_classes, H, W)."""
        stride2, stride4, stride8 = self.features(images)
        logits = self.decoder(stride2, stride4, self.context(stride8))
        return upsample(logits, images.shape[-2:])
