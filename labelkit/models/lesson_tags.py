"""The lesson network of the image-tag papers: a residual trunk that keeps stride 4, for small objects."""

from torch import Tensor, nn

from labelkit.models.layers import conv_bn_relu
from labelkit.models.lesson import ResidualBlock


class LessonTrunk(nn.Module):
    """Images to features at stride 4, for class activation maps; the last block is dilated and sees 63 pixels.

    What VGG-16 and ResNet-38 at stride 8 are to the papers, at a size for one CPU thread: 64 x 64 images become maps of
    16 x 16 positions. Its batch normalisation is trained, since it starts from random weights.

    Args:
        width: channels at stride 2; the features have four times as many.
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.channels = 4 * width
        self.stem = conv_bn_relu(3, width, stride=2)
        self.stride4 = ResidualBlock(width, 2 * width, stride=2)
        self.deep = nn.Sequential(
            ResidualBlock(2 * width, 4 * width),
            ResidualBlock(4 * width, 4 * width, dilation=2),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W), values 0..1 -> features (B, 4 width, H/4, W/4), not negative; odd sizes round up."""
        return self.deep(self.stride4(self.stem(images - 0.5)))


class LessonTagger(nn.Module):
    """The trunk and a linear classifier at each position; its mean over positions is the score of a tag.

    Args:
        tags: number of foreground classes.
        width: of the trunk.
    """

    def __init__(self, tags: int, width: int = 16) -> None:
        super().__init__()
        self.trunk = LessonTrunk(width)
        self.classifier = nn.Conv2d(self.trunk.channels, tags, kernel_size=1, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) -> logits of the tags (B, C)."""
        return self.classifier(self.trunk(images).mean((2, 3), keepdim=True)).flatten(1)
