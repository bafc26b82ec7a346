"""The domain discriminator of AdaptSegNet and ADVENT: five strided convolutions over softmax maps."""

from itertools import pairwise

from torch import Tensor, nn


class DomainDiscriminator(nn.Module):
    """Does a stack of softmax maps come from the source or from the target?

    Five convolutions with kernel 4, stride 2, padding 1; all but the last followed by LeakyReLU 0.2. Widths
    width x (1, 2, 4, 8) and 1. Nothing is normalised.

    Args:
        in_channels: classes times frames of a stack.
        width: of the first convolution. ADVENT: 64. A lesson takes less.
    """

    def __init__(self, in_channels: int, width: int = 64) -> None:
        super().__init__()
        widths = [in_channels, width, 2 * width, 4 * width, 8 * width]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, kernel_size=4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, kernel_size=4, stride=2, padding=1))

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (B, in_channels, H, W) -> logits (B, 1, H / 32, W / 32), above 0 for target.

        Raises:
            ValueError: the maps are smaller than 32 pixels on a side, so that nothing is left after five halvings.
        """
        if min(maps.shape[-2:]) < 32:
            raise ValueError(f"maps of {maps.shape[-2]} x {maps.shape[-1]} pixels; five halvings need at least 32 x 32")
        return self.layers(maps)
