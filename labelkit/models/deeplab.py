"""DeepLabv3+ (Chen et al., ECCV 2018) in the form that the CPS authors built; it differs from the common one.

Differences: one normalisation over the four concatenated branches of the pyramid; LeakyReLU(0.01) in it; the pooled
branch is added instead of concatenated; no dropout; dilations 2, 4, 8 in the last stage.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labelkit.models.layers import conv_bn_relu, imagenet_normalise, upsample
from labelkit.models.resnet import STAGE_CHANNELS, ResNet
from labelkit.models.weights import load_imagenet_weights


class AtrousPyramid(nn.Module):
    """Parallel 1x1 and dilated 3x3 convolutions plus a globally pooled branch, which is added.

    Args:
        in_channels: width of the backbone's last stage.
        out_channels: width of every branch and of the result.
        rates: dilations of the three 3x3 branches.
    """

    def __init__(self, in_channels: int, out_channels: int = 256, rates: tuple[int, int, int] = (6, 12, 18)) -> None:
        super().__init__()
        self.branches = nn.ModuleList([nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=False)])
        for rate in rates:
            self.branches.append(nn.Conv2d(in_channels, out_channels, 3, padding=rate, dilation=rate, bias=False))
        self.branches_bn = nn.BatchNorm2d(4 * out_channels, eps=1e-5)
        self.reduce = nn.Conv2d(4 * out_channels, out_channels, kernel_size=1, bias=False)
        self.pooled = nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=False)
        self.pooled_bn = nn.BatchNorm2d(out_channels, eps=1e-5)
        self.pooled_reduce = nn.Conv2d(out_channels, out_channels, kernel_size=1, bias=False)
        self.out_bn = nn.BatchNorm2d(out_channels, eps=1e-5)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, out_channels, H, W)."""
        local = torch.cat([branch(x) for branch in self.branches], dim=1)
        local = self.reduce(F.leaky_relu(self.branches_bn(local), 0.01))
        whole = self.pooled(x.mean(dim=(2, 3), keepdim=True))  # (B, out_channels, 1, 1)
        whole = self.pooled_reduce(F.leaky_relu(self.pooled_bn(whole), 0.01))
        return F.leaky_relu(self.out_bn(local + whole), 0.01)


class DeepLabV3Plus(nn.Module):
    """One CPS branch: deep-stem ResNet at output stride 16, atrous pyramid, decoder, classifier.

    40,475,957 parameters with ResNet-50 at 21 classes; 59,468,085 with ResNet-101.

    Args:
        num_classes: classes of the logits.
        depth: of the ResNet, 50 or 101.
        pretrained: load ImageNet weights into the backbone (needs a network or timm's cache).

    Raises:
        RuntimeError: `pretrained` weights cannot be fetched.
    """

    def __init__(self, num_classes: int, depth: int = 50, pretrained: bool = False) -> None:
        super().__init__()
        self.backbone = ResNet(depth, strides=(1, 2, 2, 1), dilations=(1, 1, 1, (2, 4, 8)))
        self.pyramid = AtrousPyramid(STAGE_CHANNELS[-1])
        self.low_level = conv_bn_relu(STAGE_CHANNELS[0], 48, kernel_size=1)
        self.decoder = nn.Sequential(conv_bn_relu(256 + 48, 256), conv_bn_relu(256, 256))
        self.classifier = nn.Conv2d(256, num_classes, kernel_size=1)
        if pretrained:
            load_imagenet_weights(self.backbone, f"resnet{depth}s.gluon_in1k")

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) in 0..1 -> logits (B, num_classes, H, W). Training needs B >= 2 (pooled branch)."""
        stages = self.backbone(imagenet_normalise(images))
        low = self.low_level(stages[0])  # stride 4
        x = upsample(self.pyramid(stages[-1]), low.shape[-2:])
        x = self.decoder(torch.cat([x, low], dim=1))
        return upsample(self.classifier(x), images.shape[-2:])
