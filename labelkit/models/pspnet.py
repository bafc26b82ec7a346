"""PSPNet (Zhao et al., CVPR 2017) on a deep-stem ResNet at output stride 8, with the auxiliary head of its training."""

import torch
from torch import Tensor, nn

from labelkit.models.layers import conv_bn_relu, imagenet_normalise, upsample
from labelkit.models.resnet import STAGE_CHANNELS, ResNet
from labelkit.models.weights import load_imagenet_weights


class PyramidPooling(nn.Module):
    """Averages over grids of several sizes, reduced, resized back and joined to the features.

    Args:
        in_channels: width of the features; each grid gives an equal share of as many again.
        bins: sides of the grids.
    """

    def __init__(self, in_channels: int, bins: tuple[int, ...] = (1, 2, 3, 6)) -> None:
        super().__init__()
        reduced = in_channels // len(bins)
        self.grids = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(side), conv_bn_relu(in_channels, reduced, kernel_size=1))
            for side in bins
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, 2 * in_channels, H, W)."""
        return torch.cat([x, *(upsample(grid(x), x.shape[-2:]) for grid in self.grids)], dim=1)


class PSPNet(nn.Module):
    """Pyramid scene parsing network: dilations 2 and 4 in stages 3 and 4, pyramid pooling over 1, 2, 3 and 6 bins.

    Every block of a stage is dilated, its first one too. 49,080,038 parameters with ResNet-50 at 19 classes, of which
    the auxiliary head, which only training needs, has 2,364,691. A crop of side 8 k + 1 (361, 713, 321) gives a grid
    of k + 1, so that resizing with aligned corners puts every eighth pixel on a grid point; the authors refuse other
    sides, this network takes any. Training needs B >= 2: the grid of one bin has one value an image.

    Args:
        num_classes: K.
        depth: of the ResNet, 50 or 101.
        dropout: share of channels dropped before each classifier.
        pretrained: load ImageNet weights into the backbone (needs a network or timm's cache).

    Raises:
        RuntimeError: `pretrained` weights cannot be fetched.
    """

    def __init__(self, num_classes: int, depth: int = 50, dropout: float = 0.1, pretrained: bool = False) -> None:
        super().__init__()
        self.backbone = ResNet(depth, strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4))
        width = STAGE_CHANNELS[-1]
        self.pyramid = PyramidPooling(width)
        self.classifier = _classifier(2 * width, 512, num_classes, dropout)
        self.auxiliary = _classifier(STAGE_CHANNELS[-2], 256, num_classes, dropout)
        if pretrained:
            load_imagenet_weights(self.backbone, f"resnet{depth}s.gluon_in1k")

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) in 0..1 -> logits (B, K, H, W)."""
        stages = self.backbone(imagenet_normalise(images))
        return upsample(self.classifier(self.pyramid(stages[-1])), images.shape[-2:])

    def both_logits(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Main logits and those of the auxiliary head on stage 3, each (B, K, H, W)."""
        stages = self.backbone(imagenet_normalise(images))
        main = self.classifier(self.pyramid(stages[-1]))
        return upsample(main, images.shape[-2:]), upsample(self.auxiliary(stages[-2]), images.shape[-2:])


def _classifier(in_channels: int, channels: int, num_classes: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        conv_bn_relu(in_channels, channels), nn.Dropout2d(dropout), nn.Conv2d(channels, num_classes, kernel_size=1)
    )
