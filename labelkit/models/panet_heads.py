"""PANet's heads: regions pooled from every level, fused by a maximum, and masks with a fully connected view of them.

Both heads treat each level with a first layer of its own, take the element-wise maximum over the levels, and go on
with shared layers. The mask head may add one map that a fully connected layer draws for all classes alike: it sees the
whole region at once, where a convolution sees a window. Read against ShuLiu1993/PANet at f055f71: there the output of
the fully connected layer passes a ReLU before it is added, so that it can only raise logits.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labelkit.models.panet import Norm


class LevelwiseMax(nn.Module):
    """One layer a level, and the element-wise maximum of what they give.

    Args:
        layers: as many as there are levels; they are not shared.
    """

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.levels = nn.ModuleList(layers)

    def forward(self, regions: Tensor) -> Tensor:
        """(levels, R, ...) -> (R, ...).

        Raises:
            ValueError: another number of levels than there are layers.
        """
        if len(regions) != len(self.levels):
            raise ValueError(f"{len(self.levels)} first layers were given regions of {len(regions)} levels")
        fused = self.levels[0](regions[0])
        for layer, level in zip(self.levels[1:], regions[1:], strict=True):
            fused = torch.maximum(fused, layer(level))
        return fused


def conv_norm_relu(in_channels: int, out_channels: int, norm: Norm | None) -> nn.Sequential:
    """A 3x3 convolution (with a bias only where no normalisation follows), normalisation and ReLU."""
    convolution = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=norm is None)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    if norm is None:
        nn.init.zeros_(convolution.bias)
        return nn.Sequential(convolution, nn.ReLU(inplace=True))
    return nn.Sequential(convolution, norm(out_channels), nn.ReLU(inplace=True))


class AdaptiveBoxHead(nn.Module):
    """Two fully connected layers for boxes; the first is one a level, fused by the maximum.

    Args:
        in_features: of a region of one level, channels times positions.
        hidden: units of both layers.
        levels: of the pyramid.
        norm: after each of the layers (the released code has group normalisation there); None for none, as in
            torchvision's head of the same size.
    """

    def __init__(self, in_features: int, hidden: int, levels: int = 4, norm: Norm | None = None) -> None:
        super().__init__()

        def layer(width: int) -> nn.Module:
            linear = nn.Linear(width, hidden)
            return linear if norm is None else nn.Sequential(linear, norm(hidden))

        self.fc6 = LevelwiseMax([layer(in_features) for _ in range(levels)])
        self.fc7 = layer(hidden)

    def forward(self, regions: Tensor) -> Tensor:
        """(levels, R, C, size, size) -> (R, hidden)."""
        # The ReLU of each level comes before the maximum in the released code; it gives the same after it.
        return F.relu(self.fc7(F.relu(self.fc6(regions.flatten(2)))))


class AdaptiveConvBoxHead(nn.Module):
    """Convolutions and one fully connected layer for boxes; the first convolution is one a level.

    Args:
        in_channels: of a region.
        size: positions along its side.
        widths: channels of the convolutions.
        hidden: units of the fully connected layer.
        levels: of the pyramid.
        norm: after the convolutions.
    """

    def __init__(
        self, in_channels: int, size: int, widths: Sequence[int], hidden: int, levels: int = 4, norm: Norm | None = None
    ) -> None:
        super().__init__()
        self.first = LevelwiseMax([conv_norm_relu(in_channels, widths[0], norm) for _ in range(levels)])
        pairs = itertools.pairwise(widths)
        self.convs = nn.Sequential(*(conv_norm_relu(before, after, norm) for before, after in pairs))
        self.fc = nn.Linear(widths[-1] * size * size, hidden)

    def forward(self, regions: Tensor) -> Tensor:
        """(levels, R, C, size, size) -> (R, hidden)."""
        return F.relu(self.fc(self.convs(self.first(regions)).flatten(1)))


class FullyConnectedFusion(nn.Module):
    """One mask for all classes from the features of a region: two convolutions, the second to half width, and a layer.

    Args:
        channels: of the features.
        size: positions along the side of a region; the mask has twice as many.
        norm: after the convolutions.
        relu: pass the result through a ReLU, as released; the paper's figures do not show one.
    """

    def __init__(self, channels: int, size: int, norm: Norm | None = None, relu: bool = True) -> None:
        super().__init__()
        self.mask_size, self.relu = 2 * size, relu
        self.conv4 = conv_norm_relu(channels, channels, norm)
        self.conv5 = conv_norm_relu(channels, channels // 2, norm)
        self.fc = nn.Linear(channels // 2 * size * size, self.mask_size**2)
        nn.init.normal_(self.fc.weight, std=0.01)
        nn.init.zeros_(self.fc.bias)

    def forward(self, features: Tensor) -> Tensor:
        """(R, C, size, size) -> (R, 1, 2 size, 2 size), to be added to the logits of every class."""
        drawn = self.fc(self.conv5(self.conv4(features)).flatten(1))
        return (F.relu(drawn) if self.relu else drawn).unflatten(1, (1, self.mask_size, self.mask_size))


class AggregatedMaskHead(nn.Module):
    """Four convolutions for masks, with adaptive pooling, with fusion, or with both.

    Its convolutions are the children "0" to "3", as in torchvision's head, so that weights of a plain Mask R-CNN find
    their place. The branch of the fusion leaves after the third.

    Args:
        in_channels: of a region.
        widths: channels of the four convolutions.
        levels: of the pyramid if every level has a first convolution of its own; 0 if regions come from one level.
        fusion: the fully connected branch, or None.
        norm: after the convolutions.
    """

    def __init__(
        self,
        in_channels: int,
        widths: Sequence[int],
        levels: int,
        fusion: FullyConnectedFusion | None,
        norm: Norm | None = None,
    ) -> None:
        super().__init__()
        first = [conv_norm_relu(in_channels, widths[0], norm) for _ in range(max(levels, 1))]
        self.add_module("0", LevelwiseMax(first) if levels else first[0])
        for number, (before, after) in enumerate(itertools.pairwise(widths), start=1):
            self.add_module(str(number), conv_norm_relu(before, after, norm))
        self.depth, self.fusion = len(widths), fusion

    def forward(self, regions: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """(R, C, size, size) or (levels, R, C, size, size) -> features (R, C', size, size), with fusion and its map."""
        features = regions
        for number in range(self.depth - 1):
            features = self.get_submodule(str(number))(features)
        last = self.get_submodule(str(self.depth - 1))(features)
        return last if self.fusion is None else (last, self.fusion(features))


class FusedMaskPredictor(nn.Module):
    """Mask logits of every class, and the map of the fusion added to each; names as in torchvision's predictor.

    Args:
        in_channels: of the mask head's features.
        channels: of the upsampled features.
        num_classes: of the logits, with the background.
    """

    def __init__(self, in_channels: int, channels: int, num_classes: int) -> None:
        super().__init__()
        self.conv5_mask = nn.ConvTranspose2d(in_channels, channels, 2, 2)
        self.mask_fcn_logits = nn.Conv2d(channels, num_classes, 1)
        for layer in (self.conv5_mask, self.mask_fcn_logits):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, branches: tuple[Tensor, Tensor]) -> Tensor:
        """Features (R, C, size, size) and map (R, 1, 2 size, 2 size) -> logits (R, num_classes, 2 size, 2 size)."""
        features, drawn = branches
        return self.mask_fcn_logits(F.relu(self.conv5_mask(features))) + drawn
