"""KP-FCNN: KPConv's encoder and decoder for labelling every point, in two halves that can be called apart.

As in HuguesTHOMAS/KPConv-PyTorch at d19c575: each level doubles voxel, radius and channels, a strided bottleneck leads
from level to level, and the decoder takes the nearest coarse point's features and the encoder's of the same level.
The head is two linear layers; here the second one is not followed by an activation.

A batch is a dict as `labelkit.datasets.point_pyramids` builds it: `features` (N_0, F), and lists with one tensor a
level: `points` (N_l, 3), `neighbours` (N_l, H), and, one less, `pools` (N_{l+1}, H) into level l and `upsamples` (N_l,)
into level l + 1. Several clouds lie one behind the other.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from labelkit.models.kpconv_blocks import MOMENTUM, SLOPE, Bottleneck, Simple, nearest_upsample, unary


class KPFCNN(nn.Module):
    """Logits of every point, from a pyramid of clouds.

    Args:
        classes: number of classes.
        in_features: F of the input; five are 1, red, green, blue and height.
        width: channels of the finest level; the first convolution has half as many.
        levels: number of resolutions.
        blocks: convolutions of a level, strided ones not counted.
        voxel: side of the finest grid in metres.
        radius: of a convolution, in voxels of its level.
        extent: of a kernel point's influence, in voxels of the level.
        coarse_level: level whose features `encode` returns and `decode` takes; the coarsest if None.
        deformable_from: first level of deformable bottlenecks; None for a rigid network.
        momentum: of batch normalisation.
        convolution: further arguments of `KPConv`: count, influence, aggregation, modulated.

    Attributes:
        coarse_level: see above.
        coarse_channels: D, channels of the features of that level.

    Raises:
        ValueError: an argument is not what it should be.
    """

    def __init__(
        self,
        classes: int,
        in_features: int = 5,
        width: int = 128,
        levels: int = 5,
        blocks: int = 2,
        voxel: float = 0.04,
        radius: float = 2.5,
        extent: float = 1.2,
        coarse_level: int | None = None,
        deformable_from: int | None = None,
        momentum: float = MOMENTUM,
        **convolution: Any,
    ) -> None:
        super().__init__()
        coarse_level = levels - 1 if coarse_level is None else coarse_level
        if width < 4 or width % 4:
            raise ValueError(f"width {width}: a multiple of 4 was expected")
        if levels < 1 or blocks < 1 or not 0 <= coarse_level < levels:
            raise ValueError(
                f"levels {levels}, blocks {blocks}, coarse_level {coarse_level}: at least one level and one block, and "
                "a coarse level among the levels, were expected"
            )
        self.levels, self.coarse_level, self.coarse_channels = levels, coarse_level, width * 2**coarse_level

        def kernel(level: int) -> dict[str, Any]:
            step = voxel * 2**level
            deformable = deformable_from is not None and level >= deformable_from
            return {"radius": radius * step, "extent": extent * step, "deformable": deformable} | convolution

        self.inside, self.down = nn.ModuleList(), nn.ModuleList()
        for level in range(levels):
            wide = width * 2**level
            if level == 0:
                first = kernel(0) | {"deformable": False}
                found: list[nn.Module] = [Simple(in_features, width // 2, 0, momentum, first)]
            else:
                self.down.append(Bottleneck(wide // 2, wide // 2, level - 1, True, momentum, kernel(level - 1)))
                found = [Bottleneck(wide // 2, wide, level, False, momentum, kernel(level))]
            for _ in range(blocks - 1):
                narrow = width // 2 if level == 0 and len(found) == 1 else wide
                found.append(Bottleneck(narrow, wide, level, False, momentum, kernel(level)))
            if level == 0 and blocks == 1:
                found.append(unary(width // 2, width, momentum))
            self.inside.append(nn.ModuleList(found))
        self.up = nn.ModuleList(
            unary(width * 2**level + width * 2 ** (level + 1), width * 2**level, momentum)
            for level in range(levels - 1)
        )
        self.head = nn.Sequential(nn.Linear(width, width), nn.LeakyReLU(SLOPE), nn.Linear(width, classes))

    def _level(self, level: int, features: Tensor, batch: dict[str, Any]) -> Tensor:
        """All blocks of a level; coarser ones begin with the step down to them."""
        if level:
            features = self.down[level - 1](features, batch)
        for block in self.inside[level]:
            features = block(features) if isinstance(block, nn.Sequential) else block(features, batch)
        return features

    def encode(self, batch: dict[str, Any]) -> tuple[Tensor, list[Tensor]]:
        """Features of the level at which samples are compared, and what the decoder takes beside them.

        Args:
            batch: clouds and their neighbours.

        Returns:
            Features (N_c, D) of level `coarse_level`, and those of each finer level, (N_l, width 2^l), finest first.
        """
        features, skips = batch["features"], []
        for level in range(self.coarse_level + 1):
            features = self._level(level, features, batch)
            skips.append(features)
        return skips.pop(), skips

    def decode(self, coarse: Tensor, skips: list[Tensor], batch: dict[str, Any]) -> Tensor:
        """Logits from features of the level `coarse_level`, on the geometry of a batch.

        Levels coarser than that one, if there are any, are passed here: what they see comes from `coarse` alone.

        Args:
            coarse: (N_c, D).
            skips: as `encode` returns them; zeros of the same shapes leave the decoder with `coarse` alone.
            batch: clouds and their neighbours; those of the points that are to be labelled.

        Returns:
            (N_0, classes).

        Raises:
            ValueError: the features do not fit the batch.
        """
        wanted = len(batch["points"][self.coarse_level])
        if coarse.shape != (wanted, self.coarse_channels) or len(skips) != self.coarse_level:
            raise ValueError(
                f"coarse features {tuple(coarse.shape)} and {len(skips)} skips: ({wanted}, {self.coarse_channels}) and "
                f"{self.coarse_level} were expected"
            )
        found = [*skips, coarse]
        for level in range(self.coarse_level + 1, self.levels):
            found.append(self._level(level, found[-1], batch))
        features = found.pop()
        for level in reversed(range(self.levels - 1)):
            features = nearest_upsample(features, batch["upsamples"][level])
            features = self.up[level](torch.cat([features, found.pop()], dim=1))
        return self.head(features)

    def forward(self, batch: dict[str, Any]) -> Tensor:
        """Logits (N_0, classes) of all points of a batch."""
        return self.decode(*self.encode(batch), batch)


def paper_network(classes: int, voxel: float = 0.04, **options: Any) -> KPFCNN:
    """KP-FCNN at the size of its paper: five levels, first width 128, 15 kernel points.

    Args:
        classes: number of classes.
        voxel: side of the finest grid in metres.
        options: further arguments of `KPFCNN`; `deformable_from` 2 makes the deformable variant.
    """
    return KPFCNN(classes, width=128, levels=5, voxel=voxel, **options)


def lesson_network(classes: int, voxel: float = 0.1, **options: Any) -> KPFCNN:
    """A small one for rooms of a few thousand points: three levels, first width 32.

    Args:
        classes: number of classes.
        voxel: side of the finest grid in metres.
        options: further arguments of `KPFCNN`.
    """
    return KPFCNN(classes, **({"width": 32, "levels": 3, "blocks": 1, "voxel": voxel} | options))
