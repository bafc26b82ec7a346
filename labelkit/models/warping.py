"""Moving maps from frame to frame along optical flow, in pixels.

A flow field (B, 2, H, W) holds x then y displacements in pixels of its own grid: the point seen at x in one frame is
seen at x + flow(x) in the other. Pixel centres have whole coordinates, 0 to W - 1 and 0 to H - 1.

To bring what is known of frame t - 1 to frame t, `backward_warp` it with the flow from t to t - 1. Nothing is lost to
rounding: a flow of whole pixels moves values exactly.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

RELATIVE, ABSOLUTE = 0.01, 0.5  # of the forward-backward check


def backward_warp(values: Tensor, flow: Tensor, mode: str = "bilinear") -> tuple[Tensor, Tensor]:
    """Sample a map at x + flow(x) for each pixel x.

    Args:
        values: (B, C, H, W), what is known of the other frame: probabilities, colours, labels. It may have another size
            than the flow; then both must be of one grid, as for a crop.
        flow: (B, 2, h, w), pixels, from this frame to the other.
        mode: "bilinear" for floating values, or "nearest", for labels too (halves round to the even neighbour).

    Returns:
        warped (B, C, h, w) in the type of the values, with the nearest border value where the point lies outside; and
        inside (B, h, w) bool: the point lies within the image. Leave out what is not inside, it is no zero.
        Gradients reach the values and, with "bilinear", the flow.

    Raises:
        ValueError: the shapes do not fit, the mode is unknown, labels are asked for in between, or the flow holds
            a value that is not finite.
    """
    _check_flow(flow)
    if values.dim() != 4 or values.shape[0] != flow.shape[0]:
        raise ValueError(f"values have shape {tuple(values.shape)}; expected ({flow.shape[0]}, C, H, W), as the flow.")
    if mode not in ("bilinear", "nearest"):
        raise ValueError(f"mode is {mode!r}; expected 'bilinear' or 'nearest'.")
    if mode == "bilinear" and not values.is_floating_point():
        raise ValueError(f"values are {values.dtype}, which have no value in between; expected mode='nearest'.")
    height, width = values.shape[-2:]
    x, y = _landing(flow)
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    x, y = x.clamp(0, width - 1), y.clamp(0, height - 1)
    if mode == "nearest":
        return _take(values, x.round().long(), y.round().long()), inside
    left, top = x.detach().floor(), y.detach().floor()
    across, down = (x - left).unsqueeze(1), (y - top).unsqueeze(1)  # (B, 1, h, w), 0..1
    columns = left.long(), (left.long() + 1).clamp(max=width - 1)
    rows = top.long(), (top.long() + 1).clamp(max=height - 1)
    across, down = across.to(values.dtype), down.to(values.dtype)
    above = torch.lerp(*(_take(values, column, rows[0]) for column in columns), across)
    below = torch.lerp(*(_take(values, column, rows[1]) for column in columns), across)
    return torch.lerp(above, below, down), inside


def forward_splat(values: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
    """Put the value of each pixel x on the pixel nearest to x + flow(x), as DA-VSN propagates [guan2021domain].

    Unlike a backward warp this leaves holes. Where several values meet, the one from furthest right counts, among
    those of one column the lowest: the order in which the authors' loop writes them.

    Args:
        values: (B, C, H, W).
        flow: (B, 2, H, W), pixels, from the frame of the values to the other.

    Returns:
        splatted (B, C, H, W), zero in holes, and covered (B, H, W) bool.

    Raises:
        ValueError: the shapes do not fit, or the flow holds a value that is not finite.
    """
    _check_flow(flow)
    if values.dim() != 4 or values.shape[:1] + values.shape[2:] != flow.shape[:1] + flow.shape[2:]:
        raise ValueError(f"values have shape {tuple(values.shape)} and flow {tuple(flow.shape)}; expected one size.")
    batch, channels, height, width = values.shape
    x, y = (side.round() for side in _landing(flow))
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    target = torch.where(inside, y.clamp(0, height - 1) * width + x.clamp(0, width - 1), height * width).long()
    rank = torch.arange(height * width, device=flow.device).view(width, height).t()  # column after column
    winner = torch.full((batch, height * width + 1), -1, dtype=torch.long, device=flow.device)
    winner.scatter_reduce_(1, target.flatten(1), rank.reshape(1, -1).expand(batch, -1), "amax")
    winner = winner[:, :-1]
    covered = winner >= 0
    source = (winner.clamp(min=0) % height) * width + winner.clamp(min=0) // height
    splatted = values.flatten(2).gather(2, source.unsqueeze(1).expand(-1, channels, -1)) * covered.unsqueeze(1)
    return splatted.view_as(values), covered.view(batch, height, width)


def resize_flow(flow: Tensor, size: tuple[int, int], align_corners: bool = False) -> Tensor:
    """Bring a flow field to another grid: resize it, and scale x by the width ratio and y by the height ratio.

    Args:
        flow: (B, 2, H, W), pixels.
        size: new height and width.
        align_corners: as in `torch.nn.functional.interpolate`. False goes with images resized as area; a flow that is
            affine in x and y then stays exact. True is what DA-VSN does [guan2021domain].

    Returns:
        (B, 2, h, w), in pixels of the new grid.

    Raises:
        ValueError: the shape is not that of a flow, the size is not positive, or the flow is not finite.
    """
    _check_flow(flow)
    height, width = size
    if min(height, width) < 1:
        raise ValueError(f"size is {height} x {width}; expected positive numbers of pixels.")
    ratio = flow.new_tensor([width / flow.shape[-1], height / flow.shape[-2]]).view(1, 2, 1, 1)
    if flow.shape[-2:] == (height, width):
        return flow
    return F.interpolate(flow, (height, width), mode="bilinear", align_corners=align_corners) * ratio


def consistent(forward: Tensor, backward: Tensor, relative: float = RELATIVE, absolute: float = ABSOLUTE) -> Tensor:
    """Forward-backward check: does the way there and back end where it began?

    Where a point can be seen in both frames, backward(x + forward(x)) = -forward(x). A pixel passes if
    |forward + backward'|^2 < relative * (|forward|^2 + |backward'|^2) + absolute, where backward' is sampled at
    x + forward(x), and that point lies inside. The rule is that of Sundaram, Brox and Keutzer [sundaram2010dense], with
    the numbers that UnFlow takes too [meister2018unflow].

    Args:
        forward: (B, 2, H, W), pixels, from this frame to the other.
        backward: (B, 2, H, W), pixels, from the other frame to this one.
        relative: share of the squared lengths that is forgiven.
        absolute: squared pixels that are forgiven in any case.

    Returns:
        (B, H, W) bool, on the grid of this frame.

    Raises:
        ValueError: the shapes differ, or a flow is not finite.
    """
    if forward.shape != backward.shape:
        raise ValueError(
            f"the flow there has shape {tuple(forward.shape)} and the flow back {tuple(backward.shape)}; expected one."
        )
    _check_flow(backward)
    returned, inside = backward_warp(backward, forward)
    gap = (forward + returned).square().sum(1)
    length = forward.square().sum(1) + returned.square().sum(1)
    return inside & (gap < relative * length + absolute)


def _check_flow(flow: Tensor) -> None:
    if flow.dim() != 4 or flow.shape[1] != 2:
        raise ValueError(f"flow has shape {tuple(flow.shape)}; expected (B, 2, H, W), x then y in pixels.")
    if not flow.is_floating_point():
        raise ValueError(f"flow is {flow.dtype}; expected floating numbers of pixels.")
    bad = int((~torch.isfinite(flow)).sum())
    if bad:
        raise ValueError(f"flow holds {bad} values that are NaN or infinite; expected finite numbers of pixels.")


def _landing(flow: Tensor) -> tuple[Tensor, Tensor]:
    """x and y of where each pixel goes, (B, H, W) each, in float32 at least: bfloat16 has no pixel 257."""
    flow = flow if flow.dtype == torch.float64 else flow.float()
    height, width = flow.shape[-2:]
    columns = torch.arange(width, device=flow.device, dtype=flow.dtype)
    rows = torch.arange(height, device=flow.device, dtype=flow.dtype).unsqueeze(1)
    return flow[:, 0] + columns, flow[:, 1] + rows


def _take(values: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
    """Values (B, C, H, W) at whole columns and rows (B, h, w), (B, C, h, w)."""
    index = (rows * values.shape[-1] + columns).flatten(1).unsqueeze(1).expand(-1, values.shape[1], -1)
    return values.flatten(2).gather(2, index).view(*values.shape[:2], *columns.shape[1:])
