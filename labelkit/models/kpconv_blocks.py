"""The blocks of KPConv's networks: one convolution, bottlenecks with and without stride, pooling, upsampling.

As in HuguesTHOMAS/KPConv-PyTorch at d19c575: leaky ReLU of slope 0.1, batch normalisation over the points of the whole
batch with momentum 0.02.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from labelkit.models.kpconv import KPConv

SLOPE = 0.1
MOMENTUM = 0.02  # weight of the newest batch in the running statistics


def unary(in_channels: int, out_channels: int, momentum: float = MOMENTUM, activated: bool = True) -> nn.Sequential:
    """A linear layer at each point, batch normalisation and, if activated, leaky ReLU: (N, C) -> (N, O)."""
    layers: list[nn.Module] = [nn.Linear(in_channels, out_channels, bias=False)]
    layers.append(nn.BatchNorm1d(out_channels, momentum=momentum))
    return nn.Sequential(*layers, *([nn.LeakyReLU(SLOPE)] if activated else []))


def max_pool(features: Tensor, pools: Tensor) -> Tensor:
    """The largest value of each channel over a neighbourhood, where none counts as zero.

    Args:
        features: (N, C).
        pools: (M, H), integers in 0..N; N is none.

    Returns:
        (M, C). The gradient goes to the first of equal values.
    """
    padded = torch.cat([features, features.new_zeros(1, features.shape[1])])
    with torch.no_grad():
        best, winner = padded[pools[:, 0]], pools[:, :1].expand(-1, features.shape[1])
        for column in pools.T[1:]:  # (M, C) at a time, not (M, H, C)
            values = padded[column]
            larger = values > best
            best, winner = torch.where(larger, values, best), torch.where(larger, column[:, None], winner)
    return padded.gather(0, winner)


def nearest_upsample(features: Tensor, nearest: Tensor) -> Tensor:
    """Each fine point takes the features of its nearest coarse point.

    Args:
        features: of the coarse points, (N, C).
        nearest: (M,), integers in 0..N; N is none, and gives zeros.

    Returns:
        (M, C).
    """
    return torch.cat([features, features.new_zeros(1, features.shape[1])])[nearest]


class Simple(nn.Module):
    """One convolution, batch normalisation, leaky ReLU.

    Args:
        in_channels, out_channels: C and O.
        level: of the batch at which it works; 0 is the finest.
        momentum: of batch normalisation.
        convolution: arguments of `KPConv` but for channels.
    """

    def __init__(
        self, in_channels: int, out_channels: int, level: int, momentum: float, convolution: dict[str, Any]
    ) -> None:
        super().__init__()
        self.level = level
        self.convolution = KPConv(in_channels, out_channels, **convolution)
        self.after = nn.Sequential(nn.BatchNorm1d(out_channels, momentum=momentum), nn.LeakyReLU(SLOPE))

    def forward(self, features: Tensor, batch: dict[str, Any]) -> Tensor:
        """Features of the level (N, C) -> (N, O)."""
        points = batch["points"][self.level]
        return self.after(self.convolution(points, points, batch["neighbours"][self.level], features))


class Bottleneck(nn.Module):
    """A residual bottleneck: a quarter of the channels, the convolution, all channels, and a shortcut.

    A strided one goes to the next coarser level, and its shortcut takes the largest value over the same neighbourhood.

    Args:
        in_channels, out_channels: C and O; O is a multiple of 4.
        level: of the batch from which it takes features.
        strided: whether it goes to the next level.
        momentum: of batch normalisation.
        convolution: arguments of `KPConv` but for channels.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        level: int,
        strided: bool,
        momentum: float,
        convolution: dict[str, Any],
    ) -> None:
        super().__init__()
        self.level, self.strided = level, strided
        inner = out_channels // 4
        self.before = unary(in_channels, inner, momentum) if in_channels != inner else nn.Identity()
        self.convolution = KPConv(inner, inner, **convolution)
        self.after = nn.Sequential(
            nn.BatchNorm1d(inner, momentum=momentum),
            nn.LeakyReLU(SLOPE),
            unary(inner, out_channels, momentum, activated=False),
        )
        same = in_channels == out_channels
        self.shortcut = nn.Identity() if same else unary(in_channels, out_channels, momentum, activated=False)
        self.activation = nn.LeakyReLU(SLOPE)

    def forward(self, features: Tensor, batch: dict[str, Any]) -> Tensor:
        """Features of the level (N, C) -> (N, O), or (M, O) of the next level if strided."""
        supports = batch["points"][self.level]
        if self.strided:
            queries, neighbours = batch["points"][self.level + 1], batch["pools"][self.level]
            passed = max_pool(features, neighbours)
        else:
            queries, neighbours, passed = supports, batch["neighbours"][self.level], features
        found = self.convolution(queries, supports, neighbours, self.before(features))
        return self.activation(self.after(found) + self.shortcut(passed))


def deformation_penalty(network: nn.Module, repulsion: float = 0.5, power: float = 0.1) -> Tensor:
    """Keeps the shifted kernel points of all deformable layers near points of the cloud and apart from one another.

    Fitting: the squared distance to the nearest neighbour. Repulsion: the squared shortfall of the distance between
    two kernel points below `repulsion`, where only one of the two is moved. All in extents, means over kernel points.

    Args:
        network: after a forward pass with gradients; of each layer the last pass counts, and counts once.
        repulsion: distance, in extents, below which kernel points repel.
        power: weight of the sum; 0.1 as released.

    Returns:
        Scalar; zero if no layer is deformable.
    """
    total = torch.zeros((), device=next(network.parameters()).device)
    for layer in network.modules():
        if not isinstance(layer, KPConv) or layer.deformation is None:
            continue
        (points, nearest), layer.deformation = layer.deformation, None
        away = points[:, :, None] - points[:, None].detach()  # (M, K, K, 3)
        itself = torch.eye(points.shape[1], dtype=torch.bool, device=points.device)
        distance = away.square().sum(-1).clamp_min(1e-24).sqrt()
        short = (repulsion - distance).clamp_min(0).masked_fill(itself, 0)
        total = total + nearest.mean() + short.square().sum(2).mean()
    return power * total
