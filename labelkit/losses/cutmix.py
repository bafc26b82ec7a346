"""CutMix with box masks, as the CPS authors draw them (after French et al., BMVC 2020)."""

import torch
from torch import Tensor


def box_masks(
    batch: int,
    height: int,
    width: int,
    *,
    boxes: int = 3,
    area: tuple[float, float] = (0.25, 0.5),
    generator: torch.Generator | None = None,
) -> Tensor:
    """Masks of random boxes; where boxes overlap, they cancel.

    Each box draws its area fraction a ~ U(area) and its shape: height share a**u with u ~ U(0, 1), width share
    a / height share. Both are multiplied by sqrt(1 / boxes), so that all boxes together cover about a. Sizes and
    positions are rounded and a box lies inside the image. The mask starts at 0 and is flipped inside each box. At 64x64
    with three boxes, 0.2525 of the pixels are 1 on average (standard deviation 0.069).

    Args:
        batch: number of masks B, one per image.
        height, width: H and W in pixels.
        boxes: boxes per mask.
        area: range of the area fraction, inside (0, 1].
        generator: a CPU generator; None = torch's global generator, whose state a checkpoint holds.

    Returns:
        (B, 1, H, W) float32 of 0 and 1, on the CPU; the same mask serves all channels.

    Raises:
        ValueError: a size is below 1, or `area` is not an increasing pair inside (0, 1].
    """
    if min(batch, height, width, boxes) < 1:
        raise ValueError(f"batch {batch}, height {height}, width {width}, boxes {boxes}: each must be at least 1.")
    if not 0 < area[0] <= area[1] <= 1:
        raise ValueError(f"area is {area}; expected (low, high) with 0 < low <= high <= 1.")
    draw = torch.rand(4, batch, boxes, generator=generator, dtype=torch.float64)
    share = area[0] + (area[1] - area[0]) * draw[0]
    height_share = share ** draw[1]
    factor = boxes**-0.5
    size_y = (height_share * factor * height).round()
    size_x = (share / height_share * factor * width).round()
    top = ((height - size_y) * draw[2]).round()
    left = ((width - size_x) * draw[3]).round()
    rows = torch.arange(height)
    columns = torch.arange(width)
    in_rows = (rows >= top[..., None]) & (rows < (top + size_y)[..., None])  # (B, boxes, H)
    in_columns = (columns >= left[..., None]) & (columns < (left + size_x)[..., None])  # (B, boxes, W)
    inside = in_rows[..., :, None] & in_columns[..., None, :]  # (B, boxes, H, W)
    return (inside.sum(dim=1, keepdim=True) % 2).to(torch.float32)


def mix(a: Tensor, b: Tensor, mask: Tensor) -> Tensor:
    """Put `b` where the mask is 1 and keep `a` where it is 0: for images and for the teachers' scores alike.

    Args:
        a, b: (B, C, H, W).
        mask: (B, 1, H, W) of 0 and 1.

    Returns:
        (B, C, H, W).

    Raises:
        ValueError: the shapes do not fit.
    """
    if a.shape != b.shape or mask.shape != (*a.shape[:1], 1, *a.shape[2:]):
        raise ValueError(
            f"a, b and mask have shapes {tuple(a.shape)}, {tuple(b.shape)}, {tuple(mask.shape)}; "
            "expected (B, C, H, W) twice and (B, 1, H, W)."
        )
    mask = mask.to(device=a.device, dtype=a.dtype)
    return a * (1 - mask) + b * mask
