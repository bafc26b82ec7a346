"""A computation over the neighbours of points, a few points at a time, that keeps nothing for its backward pass.

Gathered features are many times the features themselves: one set for each neighbour. Here they exist for a few points
only, forward and again backward, where they are gathered a second time. Results and gradients are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

FAR = 1e6  # metres; where the neighbour that is none lies
BYTES_AT_A_TIME = {"cpu": 2**21, "cuda": 2**28}  # of what is gathered; on a CPU for each thread
Part = Callable[[Tensor, Tensor, Tensor, Tensor | None], tuple[Tensor, Tensor | None]]


def in_parts(
    part: Part,
    features: Tensor,
    kernel: Tensor,
    modulation: Tensor | None,
    weights: Tensor,
    queries: Tensor,
    supports: Tensor,
    neighbours: Tensor,
) -> tuple[Tensor, Tensor | None]:
    """Call a function on all points, a few at a time, and multiply what it gives by weights.

    Args:
        part: takes the neighbours' features (m, H, C), their places seen from their query (m, H, 3), the kernel and the
            modulation; returns (m, K, C) and either None or (m, K). Made of differentiable operations, without
            randomness: the backward pass calls it again.
        features: of the supports, (N, C).
        kernel: kernel points, (K, 3) for all queries or (M, K, 3).
        modulation: None or (M, K).
        weights: (K, C, O).
        queries, supports: (M, 3) and (N, 3).
        neighbours: (M, H), integers in 0..N; N is none: its features are zero, and it lies far away.

    Returns:
        (M, O), the sum over K and C of the function's first result times the weights, and its second result for all
        points. Gradients reach features, kernel, modulation and weights.
    """
    return _InParts.apply(features, kernel, modulation, weights, queries, supports, neighbours, part)


class _InParts(torch.autograd.Function):
    """See `in_parts`."""

    @staticmethod
    def forward(ctx, features, kernel, modulation, weights, queries, supports, neighbours, part):
        device = features.device.type
        ctx.save_for_backward(features, kernel, modulation, weights, queries, supports, neighbours)
        ctx.part = part
        ctx.autocast = {"dtype": torch.get_autocast_dtype(device), "enabled": torch.is_autocast_enabled(device)}
        out, nearest = None, None
        for rows, gathered, relative in _parts(features, queries, supports, neighbours):
            found, near = part(gathered, relative, *_own(kernel, modulation, rows))
            one = found.flatten(1) @ weights.flatten(0, 1)
            if out is None:
                out = one.new_empty(len(queries), one.shape[1])
                nearest = None if near is None else near.new_empty(len(queries), near.shape[1])
            out[rows] = one
            if near is not None:
                nearest[rows] = near
        return out, nearest

    @staticmethod
    @once_differentiable
    def backward(ctx, of_out, of_nearest):
        features, kernel, modulation, weights, queries, supports, neighbours = ctx.saved_tensors
        wanted = dict(zip(("features", "kernel", "modulation"), ctx.needs_input_grad))
        # Sums of many terms, in single precision at least.
        precise = torch.promote_types(features.dtype, torch.float32)
        sums = {
            "features": features.new_zeros(len(features) + 1, features.shape[1], dtype=precise),
            "kernel": torch.zeros_like(kernel),
            "modulation": None if modulation is None else torch.zeros_like(modulation),
        }
        of_weights = torch.zeros_like(weights) if ctx.needs_input_grad[3] else None
        flat = weights.flatten(0, 1).T
        for rows, gathered, relative in _parts(features, queries, supports, neighbours):
            values = (gathered, *_own(kernel, modulation, rows))
            inputs = {
                name: None if value is None else value.detach().requires_grad_(wanted[name])
                for name, value in zip(wanted, values)
            }
            with torch.autocast(features.device.type, **ctx.autocast):
                with torch.enable_grad():
                    given, kernel_part, modulation_part = inputs.values()
                    found, near = ctx.part(given, relative, kernel_part, modulation_part)
                of_found = (of_out[rows] @ flat).view_as(found).to(found.dtype)
                if of_weights is not None:
                    of_weights += (found.detach().flatten(1).T @ of_out[rows]).view_as(weights)
            outputs, grads = ([found], [of_found]) if found.requires_grad else ([], [])
            if near is not None and near.requires_grad:
                outputs, grads = [*outputs, near], [*grads, of_nearest[rows]]
            names = [name for name, value in inputs.items() if value is not None and value.requires_grad]
            if not names or not outputs:
                continue
            result = torch.autograd.grad(outputs, [inputs[name] for name in names], grads, allow_unused=True)
            for name, grad in zip(names, result):
                if grad is None:  # "constant" influence does not depend on where the kernel points are
                    continue
                if name == "features":
                    sums[name].index_add_(0, neighbours[rows].flatten(), grad.flatten(0, 1).to(precise))
                elif name == "kernel" and kernel.dim() == 2:
                    sums[name] += grad
                else:
                    sums[name][rows] = grad
        sums["features"] = sums["features"][:-1].to(features.dtype)
        return *(sums[name] if wanted[name] else None for name in wanted), of_weights, None, None, None, None


def _parts(
    features: Tensor, queries: Tensor, supports: Tensor, neighbours: Tensor
) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """A few points at a time: which, their neighbours' features (m, H, C), and places (m, H, 3)."""
    padded = torch.cat([features, features.new_zeros(1, features.shape[1])])
    places = torch.cat([supports, supports.new_full((1, 3), FAR)])
    limit = BYTES_AT_A_TIME.get(features.device.type, 2**26)
    if features.device.type == "cpu":
        limit *= torch.get_num_threads()
    one = max(1, neighbours.shape[1]) * (features.shape[1] + 16) * features.element_size()
    step = max(16, limit // one)
    for start in range(0, max(1, len(queries)), step):  # no points at all are one empty part
        rows = slice(start, start + step)
        chosen = neighbours[rows]
        gathered = padded.index_select(0, chosen.flatten()).view(*chosen.shape, features.shape[1])
        relative = places.index_select(0, chosen.flatten()).view(*chosen.shape, 3) - queries[rows, None]
        yield rows, gathered, relative


def _own(kernel: Tensor, modulation: Tensor | None, rows: slice) -> tuple[Tensor, Tensor | None]:
    """Kernel points and modulation of some points; a kernel that all points share stays whole."""
    return kernel[rows] if kernel.dim() == 3 else kernel, None if modulation is None else modulation[rows]
