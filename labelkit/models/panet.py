"""PANet's neck: the bottom-up path, and the pooling of one region from every level (Liu, Qi, Qin, Shi, Jia; CVPR 2018).

A feature pyramid carries strong but coarse features down to fine levels. The bottom-up path carries fine features up
again by a short way. Adaptive feature pooling then gives a region the features of all levels in place of one level
that is chosen by its size. Read against the authors' code, ShuLiu1993/PANet at f055f71, and held against arrays that
it produced (tests/parity/isaid). The heads that use all levels are in :mod:`labelkit.models.panet_heads`.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

Norm = Callable[[int], nn.Module]


def group_norm(groups: int) -> Norm:
    """Group normalisation with so many groups, or with as many as divide the channels if those are fewer."""
    return lambda channels: nn.GroupNorm(math.gcd(groups, channels), channels)


class BottomUpPath(nn.Module):
    """Levels P2..P5 of a feature pyramid to N2..N5.

    N2 is P2. N of the next level is conv3x3(conv3x3 of stride 2 (N) + P of the next level); each convolution is
    followed by normalisation and ReLU. Without normalisation the released code leaves out the ReLU as well; here it
    stays.

    Args:
        channels: of every level.
        levels: how many there are.
        norm: makes the normalisation of a number of channels; None for none.
    """

    def __init__(self, channels: int, levels: int = 4, norm: Norm | None = None) -> None:
        super().__init__()

        def layer(stride: int) -> nn.Sequential:
            normalised = [] if norm is None else [norm(channels)]
            return nn.Sequential(nn.Conv2d(channels, channels, 3, stride, 1), *normalised, nn.ReLU(inplace=True))

        self.down = nn.ModuleList(layer(2) for _ in range(levels - 1))
        self.join = nn.ModuleList(layer(1) for _ in range(levels - 1))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_uniform_(module.weight, a=1)
                nn.init.zeros_(module.bias)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Fine to coarse (B, C, H, W), (B, C, ceil(H/2), ceil(W/2)), ... -> as many of the same shapes.

        Raises:
            ValueError: another number of levels than the path was built for.
        """
        if len(features) != len(self.down) + 1:
            raise ValueError(f"a bottom-up path of {len(self.down) + 1} levels was given {len(features)}")
        raised = [features[0]]
        for down, join, level in zip(self.down, self.join, features[1:], strict=True):
            raised.append(join(down(raised[-1]) + level))
        return raised


class Pyramid(nn.Module):
    """A trunk, a feature pyramid, and the bottom-up path where one is given; torchvision's names for the weights.

    Args:
        body: images to levels "0".."3" at strides 4 to 32.
        fpn: torchvision's ``FeaturePyramidNetwork`` with "pool" as an extra level.
        out_channels: of every level.
        bottom_up: None leaves the pyramid as it is.
    """

    def __init__(self, body: nn.Module, fpn: nn.Module, out_channels: int, bottom_up: BottomUpPath | None) -> None:
        super().__init__()
        self.body, self.fpn, self.out_channels, self.bottom_up = body, fpn, out_channels, bottom_up

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Images (B, 3, H, W) -> levels "0".."3", and "pool": every second pixel of the last."""
        levels = self.fpn(self.body(images))
        if self.bottom_up is None:
            return levels
        names = [name for name in levels if name != "pool"]
        raised = OrderedDict(zip(names, self.bottom_up([levels[name] for name in names]), strict=True))
        raised["pool"] = raised[names[-1]][..., ::2, ::2]
        return raised


class AdaptivePooling(nn.Module):
    """RoIAlign of each region on every level. Takes the place of torchvision's ``MultiScaleRoIAlign``.

    Args:
        names: of the levels to pool from, fine to coarse.
        output_size: positions along each side of a pooled region.
        sampling_ratio: sample points along each side of a position.
    """

    def __init__(self, names: Sequence[str], output_size: int, sampling_ratio: int = 2) -> None:
        super().__init__()
        self.names, self.output_size, self.sampling_ratio = tuple(names), (output_size, output_size), sampling_ratio

    def forward(
        self, features: Mapping[str, Tensor], boxes: Sequence[Tensor], image_shapes: Sequence[tuple[int, int]]
    ) -> Tensor:
        """Pool every region from every level.

        Args:
            features: level name to (B, C, H, W).
            boxes: of each image, (R_b, 4) as x0, y0, x1, y1 in pixels of the network's input.
            image_shapes: height and width of each image before padding; they tell the strides of the levels.

        Returns:
            (levels, R, C, size, size), regions in the order of the images.
        """
        from torchvision.ops import roi_align

        height = max(shape[0] for shape in image_shapes)
        numbers = [torch.full_like(each[:, :1], image) for image, each in enumerate(boxes)]
        regions = torch.cat([torch.cat(numbers), torch.cat(list(boxes))], dim=1)
        pooled = []
        for name in self.names:
            level = features[name]
            scale = 2.0 ** round(math.log2(level.shape[-2] / height))  # strides are powers of two; padding only adds
            pooled.append(roi_align(level, regions.to(level.dtype), self.output_size, scale, self.sampling_ratio))
        return torch.stack(pooled)
