"""HRNetV2-W48 with its plain head, without object context: the baseline of the authors' comparison."""

import torch
from torch import Tensor, nn

from labelkit.models.layers import conv_bn_relu, imagenet_normalise, upsample
from labelkit.models.weights import load_imagenet_weights


class PlainHRNet(nn.Module):
    """The four branches side by side at stride 4, a 1x1 convolution and a classifier, as in the HRNet repository.

    65,859,379 parameters at 19 classes.

    Args:
        num_classes: K.
        pretrained: load ImageNet weights into the backbone (needs a network or timm's cache).

    Raises:
        RuntimeError: `pretrained` weights cannot be fetched.
    """

    def __init__(self, num_classes: int, pretrained: bool = False) -> None:
        super().__init__()
        from labelkit.models.hrnet import CHANNELS, hrnet_w48  # imports timm

        self.backbone = hrnet_w48()
        if pretrained:
            load_imagenet_weights(self.backbone, "hrnet_w48.ms_in1k")
        channels = sum(CHANNELS)
        self.head = nn.Sequential(
            *conv_bn_relu(channels, channels, kernel_size=1, bias=True), nn.Conv2d(channels, num_classes, kernel_size=1)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) in 0..1 -> logits (B, K, H, W)."""
        branches = self.backbone(imagenet_normalise(images))
        size = branches[0].shape[-2:]
        joined = torch.cat([upsample(branch, size) for branch in branches], dim=1)
        return upsample(self.head(joined), images.shape[-2:])

    def both_logits(self, images: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The logits twice: there is no second head, and a loss on the second ones must have the weight 0."""
        logits = self(images)
        return logits, logits
