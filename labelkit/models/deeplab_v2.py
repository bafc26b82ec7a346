"""DeepLab v2 on ResNet-101 (Chen et al., TPAMI 2018) in the form that semi-supervised papers hand on: AdvSemiSeg, DARS.

Torchvision's ResNet-101, caffe's place of the strides (on the 1x1 convolutions), output stride 8, sum of dilated
classifiers, affine parameters of normalisation frozen. In that code a ``return`` inside the loop ends the sum after two
of the four dilated classifiers; that is what was trained, so it is the default here.
"""

import torch
from torch import Tensor, nn

from labelkit.models.layers import imagenet_normalise, upsample
from labelkit.models.weights import torchvision_weights


class DeepLabV2(nn.Module):
    """Dilations 2 and 4 in stages 3 and 4, then 3x3 classifiers at several dilations, added.

    43,200,614 parameters at 19 classes, of which 105,344 are frozen. There is no auxiliary head: train with weight 0.

    Args:
        num_classes: K.
        rates: dilations of the classifiers: (6, 12) as the code runs, (6, 12, 18, 24) as the paper says.
        pretrained: load torchvision's ImageNet weights into the backbone (needs a network or its cache).

    Raises:
        RuntimeError: `pretrained` weights cannot be fetched.
    """

    def __init__(self, num_classes: int, rates: tuple[int, ...] = (6, 12), pretrained: bool = False) -> None:
        super().__init__()
        self.backbone = _backbone(pretrained)
        self.classifiers = nn.ModuleList(
            nn.Conv2d(2048, num_classes, kernel_size=3, padding=rate, dilation=rate) for rate in rates
        )
        for classifier in self.classifiers:
            nn.init.normal_(classifier.weight, std=0.01)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) in 0..1 -> logits (B, K, H, W)."""
        features = self.backbone(imagenet_normalise(images))
        logits = torch.stack([classifier(features) for classifier in self.classifiers]).sum(0)
        return upsample(logits, images.shape[-2:])


def _backbone(pretrained: bool) -> nn.Sequential:
    from torchvision.models import ResNet101_Weights, resnet101

    network = resnet101()
    if pretrained:
        network.load_state_dict(torchvision_weights("resnet101", ResNet101_Weights.IMAGENET1K_V1))
    network.maxpool.ceil_mode = True
    for stage, dilation in ((network.layer2, 1), (network.layer3, 2), (network.layer4, 4)):
        first, keep = stage[0], dilation == 1
        first.conv1.stride, first.conv2.stride = ((2, 2) if keep else (1, 1)), (1, 1)
        first.downsample[0].stride = first.conv1.stride
        for block in stage:
            block.conv2.dilation = block.conv2.padding = (dilation, dilation)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.requires_grad_(False)
    names = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")
    return nn.Sequential(*(getattr(network, name) for name in names))
