"""Networks of CycleGAN for semi-supervised segmentation: a residual generator for both ways, a pixel discriminator.

Facts from arnab39/Semi-supervised-segmentation-cycleGAN at bc02d92: nine residual blocks, instance normalisation
without scale and shift, convolutions with bias, weights drawn from N(0, 0.02).
"""

from torch import Tensor, nn


def _normalised(convolution: nn.Module, channels: int) -> list[nn.Module]:
    # The bias does nothing before a normalisation without scale and shift; the authors' networks have it all the same.
    # ReLU is not in place: on the view that InstanceNorm2d returns that costs a CPU two copies in the backward pass.
    return [convolution, nn.InstanceNorm2d(channels), nn.ReLU()]


class ReflectedBlock(nn.Module):
    """Residual block: two 3x3 convolutions with reflected borders, instance normalisation and dropout between them.

    Args:
        channels: of input and output.
        dropout: probability; it acts in training only.
    """

    def __init__(self, channels: int, dropout: float = 0.5) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1),
            *_normalised(nn.Conv2d(channels, channels, 3), channels),
            nn.Dropout(dropout),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class ResNetGenerator(nn.Module):
    """Maps pictures to pictures of the same size: two halvings, residual blocks, two doublings.

    At the paper's size (width 64, 9 blocks) and 21 classes: 11.43 M parameters from image to mask, 11.43 M back.

    Args:
        in_channels: of the input.
        out_channels: of the output.
        width: channels after the first convolution; the residual blocks have four times as many.
        blocks: residual blocks.
        dropout: probability inside the blocks.
        tanh: end with tanh (images in -1..1); without it the output is logits.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        width: int = 64,
        blocks: int = 9,
        dropout: float = 0.5,
        tanh: bool = False,
    ) -> None:
        super().__init__()
        up = {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1}
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(3),
            *_normalised(nn.Conv2d(in_channels, width, 7), width),
            *_normalised(nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), 2 * width),
            *_normalised(nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1), 4 * width),
            *(ReflectedBlock(4 * width, dropout) for _ in range(blocks)),
            *_normalised(nn.ConvTranspose2d(4 * width, 2 * width, **up), 2 * width),
            *_normalised(nn.ConvTranspose2d(2 * width, width, **up), width),
            nn.ReflectionPad2d(3),
            nn.Conv2d(width, out_channels, 7),
            nn.Tanh() if tanh else nn.Identity(),
        )
        draw_weights(self)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, out_channels, H, W).

        Raises:
            ValueError: a side is not a multiple of 4, so that two halvings and two doublings would change the size.
        """
        if x.shape[-2] % 4 or x.shape[-1] % 4:
            raise ValueError(f"the generator was given {x.shape[-2]}x{x.shape[-1]} pixels; expected multiples of 4")
        return self.layers(x)


class SegmentationGenerator(nn.Module):
    """The generator from images to logits, used like any segmentation network: images come in 0..1.

    Args:
        num_classes: classes of the logits.
        width, blocks, dropout: see :class:`ResNetGenerator`.
    """

    def __init__(self, num_classes: int, width: int = 64, blocks: int = 9, dropout: float = 0.5) -> None:
        super().__init__()
        self.generator = ResNetGenerator(3, num_classes, width, blocks, dropout)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) in 0..1 -> logits (B, num_classes, H, W)."""
        return self.generator(2 * images - 1)


class ImageGenerator(nn.Module):
    """The generator from masks to images: class maps in, images in -1..1 out.

    Args:
        num_classes: channels of the one-hot or softmax maps.
        width, blocks, dropout: see :class:`ResNetGenerator`.
    """

    def __init__(self, num_classes: int, width: int = 64, blocks: int = 9, dropout: float = 0.5) -> None:
        super().__init__()
        self.generator = ResNetGenerator(num_classes, 3, width, blocks, dropout, tanh=True)

    def forward(self, maps: Tensor) -> Tensor:
        """Class maps (B, num_classes, H, W), one-hot or softmax -> images (B, 3, H, W) in -1..1."""
        return self.generator(maps)


class PixelDiscriminator(nn.Module):
    """Judges every pixel by itself: 1x1 convolutions only.

    What it sees beyond the pixel is the mean and the variance of its features over the image, through the instance
    normalisation. 8,705 parameters for images (3 channels), 8,577 for masks of one channel, at width 64.

    Args:
        in_channels: of the input.
        width: channels after the first convolution.
    """

    def __init__(self, in_channels: int, width: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, width, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 1),
            nn.InstanceNorm2d(2 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 1),
        )
        draw_weights(self)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> scores (B, 1, H, W): towards 1 for real, towards 0 for generated."""
        return self.layers(x)


def draw_weights(network: nn.Module) -> None:
    """Convolutions, transposed ones too: weights from N(0, 0.02), biases 0. In place, from torch's global generator."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
            nn.init.zeros_(module.bias)
