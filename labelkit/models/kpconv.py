"""Kernel point convolution (KPConv), rigid and deformable [thomas2019kpconv].

A neighbour at y of a point at x acts through each kernel point k by how near it is to it, h(|y - x - k|); the kernel
point has a matrix of weights. Read against HuguesTHOMAS/KPConv-PyTorch at d19c575.

How it is computed here: a few points at a time, so that what is between stays in the processor's cache, and nothing of
it is kept; the backward pass computes it again, equally few points at a time. No tensor of (points x neighbours x
channels) ever lies in memory, let alone one with kernel points as well.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from labelkit.models.kernel_points import kernel_points as own_kernel_points
from labelkit.models.point_parts import in_parts

INFLUENCES, AGGREGATIONS = ("linear", "gaussian", "constant"), ("sum", "closest")


class KPConv(nn.Module):
    """A convolution over the neighbours of points.

    Index N in a list of neighbours, one past the last support point, stands for "none": such a place adds nothing.
    Gradients reach the features and the weights, also those that shift the kernel points, but not the points.

    Args:
        in_channels, out_channels: C and O.
        radius: within which neighbours were searched, in metres; kernel points lie within it.
        extent: distance at which a kernel point's linear influence ends; the Gaussian's sigma is 0.3 of it.
        count: number of kernel points, K.
        influence: "linear", "gaussian" or "constant".
        aggregation: "sum", or "closest": a neighbour acts through its nearest kernel point only.
        deformable: kernel points are shifted, point by point, by a rigid convolution of the same features.
        modulated: deformable kernel points also get a weight between 0 and 2.
        offset_gradient: the gradient that reaches the shifts is multiplied by it; 0.1 as released.
        kernel_points: (K, 3) in metres, where they are not to be our own.

    Attributes:
        weights: (K, C, O).
        kernel_points: buffer (K, 3).
        deformation: after a forward pass of a deformable layer with gradients, what its penalty needs: kernel points
            (M, K, 3) and their squared distance to the nearest neighbour (M, K), in extents and squared extents.

    Raises:
        ValueError: an argument is not what it should be.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        radius: float,
        extent: float,
        count: int = 15,
        influence: str = "linear",
        aggregation: str = "sum",
        deformable: bool = False,
        modulated: bool = False,
        offset_gradient: float = 0.1,
        kernel_points: Tensor | None = None,
    ) -> None:
        super().__init__()
        if influence not in INFLUENCES or aggregation not in AGGREGATIONS:
            raise ValueError(
                f"influence {influence!r}, aggregation {aggregation!r}: one of {', '.join(INFLUENCES)} and one of "
                f"{', '.join(AGGREGATIONS)} were expected"
            )
        if min(in_channels, out_channels, count) < 1 or min(radius, extent) <= 0:
            raise ValueError("channels and kernel points must be at least 1, radius and extent above 0")
        points = own_kernel_points(count, radius) if kernel_points is None else kernel_points.detach().clone()
        if points.shape != (count, 3):
            raise ValueError(f"kernel points of shape {tuple(points.shape)}: ({count}, 3) was expected")
        self.radius, self.extent = radius, extent
        self.influence, self.aggregation, self.modulated = influence, aggregation, modulated
        self.offset_gradient = offset_gradient
        self.register_buffer("kernel_points", points)
        self.weights = nn.Parameter(torch.empty(count, in_channels, out_channels))
        nn.init.kaiming_uniform_(self.weights, a=5**0.5)  # as released: the fan-in is taken to be C O
        self.deformation: tuple[Tensor, Tensor] | None = None
        self.offsets: KPConv | None = None
        if deformable:
            shifts = count * (4 if modulated else 3)
            self.offsets = KPConv(in_channels, shifts, radius, extent, count, influence, aggregation)
            self.offset_bias = nn.Parameter(torch.zeros(shifts))

    def forward(self, queries: Tensor, supports: Tensor, neighbours: Tensor, features: Tensor) -> Tensor:
        """Convolve.

        Args:
            queries: points at which the output is wanted, (M, 3) in metres.
            supports: points that carry features, (N, 3) in metres.
            neighbours: of each query among the supports, (M, H), integers in 0..N; N is none.
            features: of the supports, (N, C).

        Returns:
            (M, O).
        """
        kernel, modulation = self.kernel_points, None
        if self.offsets is not None:
            kernel, modulation = self._deformed(queries, supports, neighbours, features)
        out, nearest = in_parts(self._part, features, kernel, modulation, self.weights, queries, supports, neighbours)
        if nearest is not None and torch.is_grad_enabled():
            self.deformation = kernel / self.extent, nearest / self.extent**2
        return out

    def _part(
        self, gathered: Tensor, relative: Tensor, kernel: Tensor, modulation: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Weighted sums (m, K, C) over the neighbours of m points: their features (m, H, C) and places (m, H, 3)."""
        squared = squared_distances(relative, kernel)
        influences = influences_of(squared, self.extent, self.influence, self.aggregation)  # (m, K, H)
        weighted = torch.bmm(influences.to(gathered.dtype), gathered)
        if modulation is not None:
            weighted = weighted * modulation[..., None]
        return weighted, None if self.offsets is None else squared.amin(2)

    def _deformed(
        self, queries: Tensor, supports: Tensor, neighbours: Tensor, features: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Kernel points of each query (M, K, 3) and, if modulated, their weights (M, K)."""
        count = len(self.kernel_points)
        shifts = self.offsets(queries, supports, neighbours, features) + self.offset_bias
        shifts = shifts.to(self.kernel_points.dtype)
        if self.offset_gradient != 1:
            shifts = _ScaledGradient.apply(shifts, self.offset_gradient)
        modulation = 2 * torch.sigmoid(shifts[:, 3 * count :]) if self.modulated else None
        return self.kernel_points + self.extent * shifts[:, : 3 * count].unflatten(1, (count, 3)), modulation

    def __getstate__(self) -> dict:
        """A copy does not take along what belongs to a forward pass."""
        return self.__dict__ | {"deformation": None}

    def extra_repr(self) -> str:
        count, inner, outer = self.weights.shape
        kind = "rigid" if self.offsets is None else "deformable"
        return f"{inner}, {outer}, radius={self.radius:g}, extent={self.extent:g}, kernel points={count}, {kind}"


def squared_distances(relative: Tensor, kernel: Tensor) -> Tensor:
    """Of each neighbour to each kernel point.

    Args:
        relative: neighbours seen from their query, (M, H, 3).
        kernel: (K, 3), or (M, K, 3).

    Returns:
        (M, K, H).
    """
    # Coordinate by coordinate: (M, K, H, 3) would be three times as large, and a product of matrices less exact.
    places = relative.permute(2, 0, 1).contiguous()
    total = None
    for axis in range(3):
        apart = places[axis][:, None] - kernel[..., :, axis, None]
        total = apart.square() if total is None else torch.addcmul(total, apart, apart)
    return total


def influences_of(squared: Tensor, extent: float, influence: str, aggregation: str) -> Tensor:
    """How much each kernel point has to say about each neighbour.

    Args:
        squared: squared distances (M, K, H).
        extent, influence, aggregation: see `KPConv`.

    Returns:
        (M, K, H), not negative.
    """
    if influence == "linear":
        # The least distance keeps the root's gradient finite where a neighbour lies on a kernel point.
        values = torch.sub(1, squared.clamp_min(1e-24).sqrt(), alpha=1 / extent).relu()
    elif influence == "gaussian":
        values = torch.exp(-squared / (2 * (0.3 * extent) ** 2 + 1e-9))
    else:
        values = torch.ones_like(squared)
    if aggregation == "closest":
        values = values * torch.zeros_like(values).scatter_(1, squared.argmin(1, keepdim=True), 1)
    return values


class _ScaledGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return values.view_as(values)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        return ctx.factor * grad, None
