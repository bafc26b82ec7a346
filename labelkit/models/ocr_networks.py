"""The paper-sized OCR networks: on a dilated ResNet-101 (output stride 8) and on HRNetV2-W48 (stride 4)."""

import torch
from torch import Tensor, nn

from labelkit.models.layers import imagenet_normalise, upsample
from labelkit.models.ocr import OCRHead
from labelkit.models.resnet import BLOCKS, ResNet
from labelkit.models.weights import load_imagenet_weights


class _OCRNetwork(nn.Module):
    """What both share: `backbone`, `head`, and the three ways to call them."""

    backbone: nn.Module
    head: OCRHead

    def features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, 3, H, W) in 0..1 -> features of the pixel representation and of the coarse classifier."""
        raise NotImplementedError

    def explain(self, images: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:
        """Everything in between, for figures: see `OCRBlock.explain`; `logits` and `coarse` are at image size.

        Args:
            images: (B, 3, H, W) in 0..1.
            mask: labels (B, H, W), 255 = ignore; only for ideal regions.
        """
        steps = self.head.explain(*self.features(images), mask)
        size = images.shape[-2:]
        return {**steps, "logits": upsample(steps["logits"], size), "coarse": upsample(steps["coarse"], size)}

    def both_logits(self, images: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Main and coarse logits, each (B, K, H, W), for the two cross-entropies of the training step."""
        steps = self.explain(images, mask)
        return steps["logits"], steps["coarse"]

    def forward(self, images: Tensor, mask: Tensor | None = None) -> Tensor:
        """Images (B, 3, H, W) in 0..1 -> main logits (B, K, H, W); `mask` only for ideal regions."""
        logits, _ = self.head(*self.features(images), mask)
        return upsample(logits, images.shape[-2:])


class ResNetOCR(_OCRNetwork):
    """OCR on a deep-stem ResNet with output stride 8: dilation 2 in stage 3 and 4 in stage 4 (their first blocks 1, 2).

    The coarse classifier reads stage 3 (1024 channels), the pixel representation stage 4 (2048). 57,988,838 parameters
    with ResNet-101 at 19 classes.

    Args:
        num_classes: K.
        depth: of the ResNet, 101 (the paper) or 50.
        pretrained: load ImageNet weights into the backbone (needs a network or timm's cache).
        **head: options of `OCRHead` and `OCRBlock`: scale, use_ground_truth, bias, gather, ...

    Raises:
        RuntimeError: `pretrained` weights cannot be fetched.
    """

    def __init__(self, num_classes: int, depth: int = 101, pretrained: bool = False, **head) -> None:
        super().__init__()
        blocks = BLOCKS.get(depth, (1, 1, 1, 1))  # an unknown depth is refused by ResNet
        stage3, stage4 = [1] + [2] * (blocks[2] - 1), [2] + [4] * (blocks[3] - 1)
        self.backbone = ResNet(depth, strides=(1, 2, 1, 1), dilations=(1, 1, stage3, stage4), ceil_pool=True)
        self.head = OCRHead(2048, 1024, num_classes, **head)
        if pretrained:
            load_imagenet_weights(self.backbone, f"resnet{depth}s.gluon_in1k")

    def features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Stages 4 (B, 2048, h, w) and 3 (B, 1024, h, w) of images in 0..1; h = H / 8 + 1 for H a multiple of 8."""
        _, _, stage3, stage4 = self.backbone(imagenet_normalise(images))
        return stage4, stage3


class HRNetOCR(_OCRNetwork):
    """OCR on HRNetV2-W48 (Wang et al., TPAMI 2020): four branches, upsampled to stride 4, 720 channels together.

    Coarse classifier and pixel representation read the same map. 74,522,182 parameters at 19 classes with the coarse
    kernel 3 of openseg; 70,374,982 with kernel 1 of the HRNet repository (70,372,678 also without block biases).

    Args:
        num_classes: K.
        pretrained: load ImageNet weights into the backbone (needs a network or timm's cache).
        coarse_kernel: 3 (openseg) or 1 (HRNet repository).
        **head: options of `OCRHead` and `OCRBlock`: scale, use_ground_truth, bias (False in the HRNet repository), ...

    Raises:
        RuntimeError: `pretrained` weights cannot be fetched.
    """

    def __init__(self, num_classes: int, pretrained: bool = False, coarse_kernel: int = 3, **head) -> None:
        super().__init__()
        from labelkit.models.hrnet import CHANNELS, hrnet_w48  # imports timm

        self.backbone = hrnet_w48()
        if pretrained:
            load_imagenet_weights(self.backbone, "hrnet_w48.ms_in1k")
        channels = sum(CHANNELS)
        self.head = OCRHead(
            channels,
            channels,
            num_classes,
            coarse_channels=channels,
            coarse_kernel=coarse_kernel,
            coarse_dropout=0.0,
            **head,
        )

    def features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The 720-channel map (B, 720, H/4, W/4) of images in 0..1, twice: both classifiers read it."""
        branches = self.backbone(imagenet_normalise(images))
        size = branches[0].shape[-2:]
        joined = torch.cat([upsample(branch, size) for branch in branches], dim=1)
        return joined, joined
