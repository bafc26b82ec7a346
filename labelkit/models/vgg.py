"""VGG-16 (Simonyan and Zisserman, ICLR 2015) without its linear layers, dilated so that features have stride 8.

Two forms. DeepLab's, which DSRG and FickleNet use, pools 3x3 with padding, so 321 pixels become 41; Group-WSSS pools
2x2, so 256 become 32. In both the fourth pooling is 3x3 with stride 1 and the last block is dilated by 2 instead.
"""

from torch import Tensor, nn

from labelkit.models.layers import imagenet_normalise
from labelkit.models.weights import torchvision_weights

BLOCKS = ((1, 2), (2, 2), (4, 3), (8, 3), (8, 3))
"""Of every block: width over the first block's, and number of 3x3 convolutions."""

POOLINGS = ("3x3", "2x2")


def vgg16_features(
    pooling: str = "3x3", *, pool5: bool = False, pretrained: bool = False, width: int = 64
) -> nn.Sequential:
    """Thirteen convolutions with ReLU and the poolings between them, output stride 8.

    Children are numbered as in torchvision's ``vgg16().features`` (convolutions 0, 2, 5, 7, 10, 12, 14, 17, 19, 21,
    24, 26, 28; poolings 4, 9, 16, 23, 30), so that its state dict loads as it is. 14,714,688 parameters at width 64.

    Args:
        pooling: of the first three poolings: "3x3" with stride 2 and padding 1 (DeepLab, DSRG, FickleNet: 321 -> 41)
            or "2x2" with stride 2 (Group-WSSS: 256 -> 32).
        pool5: add the fifth pooling, 3x3 with stride 1 (DSRG's segmentation network).
        pretrained: load torchvision's ImageNet weights (needs a network or its cache; width 64 only).
        width: channels of the first block; the last has eight times as many. 64 is VGG-16; less is for tests.

    Returns:
        Images (B, 3, H, W), normalised with `labelkit.models.layers.imagenet_normalise`, to features
        (B, 8 * width, H / 8, W / 8): sizes round up with "3x3", down with "2x2".

    Raises:
        ValueError: unknown pooling, or pretrained weights with another width.
        RuntimeError: `pretrained` weights cannot be fetched.
    """
    if pooling not in POOLINGS:
        raise ValueError(f"pooling is {pooling!r}; expected one of {', '.join(POOLINGS)}.")
    if pretrained and width != 64:
        raise ValueError(f"width is {width}; ImageNet weights exist for width 64 only.")
    layers: list[nn.Module] = []
    channels = 3
    for block, (factor, convolutions) in enumerate(BLOCKS):
        dilation = 2 if block == 4 else 1
        for _ in range(convolutions):
            layers.append(nn.Conv2d(channels, factor * width, 3, padding=dilation, dilation=dilation))
            layers.append(nn.ReLU(inplace=True))
            channels = factor * width
        if block == 3 or (block == 4 and pool5):
            layers.append(nn.MaxPool2d(3, stride=1, padding=1))
        elif block < 3:
            layers.append(nn.MaxPool2d(3, stride=2, padding=1) if pooling == "3x3" else nn.MaxPool2d(2))
    features = nn.Sequential(*layers)
    if pretrained:
        features.load_state_dict(_imagenet_weights())
        return features
    for module in features:
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(module.bias)
    return features


def _imagenet_weights() -> dict[str, Tensor]:
    from torchvision.models import VGG16_Weights

    state = torchvision_weights("vgg16", VGG16_Weights.IMAGENET1K_V1)
    return {name.removeprefix("features."): value for name, value in state.items() if name.startswith("features.")}


class VGG16Trunk(nn.Module):
    """`vgg16_features` with the scaling of its input inside: images in 0..1 to features.

    Args:
        pooling, pretrained, width: as for `vgg16_features`.

    Attributes:
        channels: of the features: 8 * width.
    """

    def __init__(self, pooling: str = "3x3", *, pretrained: bool = False, width: int = 64) -> None:
        super().__init__()
        self.features = vgg16_features(pooling, pretrained=pretrained, width=width)
        self.channels = 8 * width

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) in 0..1 -> features (B, channels, H / 8, W / 8), not below 0."""
        return self.features(imagenet_normalise(images))
