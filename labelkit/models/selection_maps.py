"""Localisation maps of many random draws of one image, without a backward pass for any of them.

The class logit is the mean over positions of a convolution (`labelkit.models.stochastic_selection`), so its gradient
with respect to the feature at position q is a sum over the kernel's offsets of weight * factor, divided by the number
of positions. Grad-CAM multiplies it with the feature itself and adds up the channels. Both steps are linear in the
factors, and the products of features and weights do not depend on them: they are computed once an image, and each draw
only says which of them count. A test holds the result against autograd. This shortcut is ours, not the paper's.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from labelkit.models.stochastic_selection import StochasticSelection, by_source, contributions


def maps_from_factors(head: StochasticSelection, x: Tensor, factors: Tensor, elementwise: bool = True) -> Tensor:
    """Grad-CAM of all classes for given masks.

    Args:
        head: the last layer.
        x: features (B, K, h, w).
        factors: (B, h, w, s, s), what a position counts in a window; a batch of 1 serves all.
        elementwise: weigh each position by its own gradient (FickleNet); else by the gradient's mean over positions.

    Returns:
        (B, C, h, w): ReLU of the sum over channels of feature * gradient of the mean score.
    """
    products = contributions(x, head.conv.weight)
    acting = by_source(factors)[:, None]
    positions = x.shape[-2] * x.shape[-1]
    if not elementwise:
        acting = acting.sum((4, 5), keepdim=True) / positions
    return ((products * acting).sum((2, 3)) / positions).relu()


def expected_maps(head: StochasticSelection, x: Tensor, elementwise: bool = True) -> Tensor:
    """Maps (B, C, h, w) of the deterministic pass, in which every position counts its expected factor."""
    factors = head.expected().to(x).expand(1, *x.shape[-2:], -1, -1)
    return maps_from_factors(head, x, factors, elementwise)


def random_maps(
    head: StochasticSelection,
    x: Tensor,
    classes: Tensor,
    count: int,
    *,
    elementwise: bool = True,
    generator: torch.Generator | None = None,
    at_a_time: int = 50,
) -> Iterator[Tensor]:
    """Maps of one image, a few draws at a time. The first n of N draws are the same for every N at a multiple of
    ``at_a_time``.

    Args:
        head: the last layer.
        x: features of one image (K, h, w).
        classes: numbers of the classes that are wanted, (P,).
        count: N, draws.
        elementwise: see `maps_from_factors`.
        generator: of the masks; lies on the device of ``x``. Torch's global one if None.
        at_a_time: draws that lie in memory together.

    Yields:
        (n, P, h, w), n at most ``at_a_time``.
    """
    draws = _channel_draws if head.masks == "channel" else _mask_draws
    drawn = draws(head, x, classes, elementwise)
    for start in range(0, count, at_a_time):
        yield drawn(min(at_a_time, count - start), generator)


def _mask_draws(head: StochasticSelection, x: Tensor, classes: Tensor, elementwise: bool):
    """A function (draws, generator) -> maps (draws, P, h, w), for masks over positions.

    Masks are drawn by the position that they act on, not by window: the two differ in the order of independent
    numbers, and in those that act on nothing.
    """
    height, width = x.shape[-2:]
    positions, size = height * width, head.kernel_size
    products = contributions(x[None], head.conv.weight[classes])[0] * head.counts().to(x)[..., None, None] / positions
    inside = by_source(x.new_ones(1, height, width, size, size))[0].flatten(2).flatten(0, 1)  # (s * s, h * w)
    products = products.flatten(3).flatten(1, 2)  # (P, s * s, h * w)
    by_position = (products * inside).permute(2, 1, 0).contiguous()  # (h * w, s * s, P)

    def draw(number: int, generator: torch.Generator | None) -> Tensor:
        windows = 1 if head.masks == "pass" else positions
        keep = torch.rand(windows, number, size * size, device=x.device, generator=generator) >= head.rate
        if head.keep_centre:
            keep[..., size * size // 2] = True
        keep = keep.to(x.dtype)
        if elementwise:
            maps = (keep @ by_position).permute(1, 2, 0)  # (n, P, h * w)
        else:
            acting = torch.einsum("qno,oq->no", keep.expand(positions, -1, -1), inside) / positions
            maps = torch.einsum("no,poq->npq", acting, products)
        return maps.relu().unflatten(2, (height, width))

    return draw


def _channel_draws(head: StochasticSelection, x: Tensor, classes: Tensor, elementwise: bool):
    """The same for Dropout2d: whole channels of the features are dropped."""
    height, width = x.shape[-2:]
    positions, size = height * width, head.kernel_size
    inside = by_source(x.new_ones(1, height, width, size, size))[0]
    weight = head.conv.weight[classes] / ((1 - head.rate) * positions)
    gradient = torch.einsum("pkuv,uvhw->kphw", weight, inside)  # of a kept channel, (K, P, h, w)
    if not elementwise:
        gradient = gradient.mean((2, 3), keepdim=True)
    products = (gradient * x[:, None]).flatten(1)  # (K, P * h * w)

    def draw(number: int, generator: torch.Generator | None) -> Tensor:
        keep = torch.rand(number, len(x), device=x.device, generator=generator) >= head.rate
        return (keep.to(x.dtype) @ products).relu().view(number, len(classes), height, width)

    return draw
