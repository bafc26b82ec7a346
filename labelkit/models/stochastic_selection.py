"""FickleNet's last layer (Lee et al., CVPR 2019): a convolution that sees a random subset of positions in every window.

At each position of the kernel's centre another mask says which positions under the kernel count; the mask is the same
for all channels, and the centre always counts. Four forms give the same scores for the same masks:

- ``windows``: the definition, a loop over the windows;
- ``expanded``: the paper's. Every window is copied into a tile of its own, then one convolution whose stride is its
  kernel size;
- ``unfold``: the same copies as columns, then one matrix product;
- ``products``: ours. The score is linear in the mask, so the products of features and weights come first, without a
  mask, and the masked products are added up. It needs memory for classes x windows in place of channels x windows.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FORMS = ("windows", "expanded", "unfold", "products")
MASKS = ("window", "pass", "channel")


def scores_by_windows(x: Tensor, weight: Tensor, bias: Tensor, factors: Tensor) -> Tensor:
    """Class scores, one window after the other: the definition.

    Args:
        x: features (B, K, h, w).
        weight: kernel (C, K, s, s), s odd.
        bias: (C,).
        factors: what a position counts in a window, (B, h, w, s, s): 0 for dropped ones. A batch of 1 serves all.

    Returns:
        Scores (B, C, h, w): the bias plus, over channels and offsets, weight * factor * feature; features outside the
        map are 0.
    """
    size, (height, width) = weight.shape[-1], x.shape[-2:]
    padded = F.pad(x, [size // 2] * 4)
    rows = []
    for i in range(height):
        row = []
        for j in range(width):
            window = padded[:, :, i : i + size, j : j + size] * factors[:, None, i, j]
            row.append(torch.einsum("bkuv,ckuv->bc", window, weight))
        rows.append(torch.stack(row, -1))
    return torch.stack(rows, -2) + bias[:, None, None]


def expanded(x: Tensor, factors: Tensor) -> Tensor:
    """The paper's expanded map: every masked window in a tile of its own.

    Args:
        x: features (B, K, h, w).
        factors: (B, h, w, s, s).

    Returns:
        (B, K, s * h, s * w): offset (u, v) of window (i, j) lies at row i * s + u, column j * s + v.
    """
    size, (height, width) = factors.shape[-1], x.shape[-2:]
    windows = F.pad(x, [size // 2] * 4).unfold(2, size, 1).unfold(3, size, 1)  # (B, K, h, w, s, s), still a view
    tiles = (windows * factors[:, None]).transpose(3, 4)  # (B, K, h, s, w, s)
    return tiles.reshape(len(x), x.shape[1], size * height, size * width)


def scores_by_expansion(x: Tensor, weight: Tensor, bias: Tensor, factors: Tensor) -> Tensor:
    """The same scores by one convolution with stride s over the expanded map; arguments as `scores_by_windows`."""
    return F.conv2d(expanded(x, factors), weight, bias, stride=weight.shape[-1])


def scores_by_unfold(x: Tensor, weight: Tensor, bias: Tensor, factors: Tensor) -> Tensor:
    """The same scores by one matrix product with windows as columns; arguments as `scores_by_windows`."""
    (batch, channels, height, width), size = x.shape, weight.shape[-1]
    columns = F.unfold(x, size, padding=size // 2).view(batch, channels, size * size, height * width)
    masked = columns * factors.flatten(3).flatten(1, 2).transpose(1, 2)[:, None]  # factors: (B, 1, s * s, h * w)
    scores = weight.flatten(1) @ masked.flatten(1, 2)
    return scores.view(batch, -1, height, width) + bias[:, None, None]


def scores_by_products(x: Tensor, weight: Tensor, bias: Tensor, factors: Tensor) -> Tensor:
    """The same scores from products taken before the mask; arguments as `scores_by_windows`."""
    size, (height, width) = weight.shape[-1], x.shape[-2:]
    masked = contributions(x, weight) * by_source(factors)[:, None]  # (B, C, s, s, h, w)
    # Position q under offset o belongs to the window centred at q - o, so the offsets run backwards in the sum.
    columns = masked.flip(2, 3).flatten(4).flatten(1, 3)
    scores = F.fold(columns, (height, width), size, padding=size // 2)
    return scores + bias[:, None, None]


SCORES = dict(zip(FORMS, (scores_by_windows, scores_by_expansion, scores_by_unfold, scores_by_products)))


def contributions(x: Tensor, weight: Tensor) -> Tensor:
    """What each position adds to each class under each offset of the kernel, before any mask.

    Args:
        x: features (B, K, h, w).
        weight: kernel (C, K, s, s).

    Returns:
        (B, C, s, s, h, w): at [b, c, u, v, q] the sum over channels k of weight[c, k, u, v] * x[b, k, q].
    """
    classes, channels, size, _ = weight.shape
    flat = weight.permute(0, 2, 3, 1).reshape(classes * size * size, channels, 1, 1)
    return F.conv2d(x, flat).view(len(x), classes, size, size, *x.shape[-2:])


def by_source(factors: Tensor) -> Tensor:
    """Factors (B, h, w, s, s) of window and offset, rearranged by the position that they act on.

    Returns:
        (B, s, s, h, w): at [b, u, v, q] the factor of position q in the window in which it lies at offset (u, v); 0
        where that window's centre would lie outside the map.
    """
    size, (height, width) = factors.shape[-1], factors.shape[1:3]
    reach = size // 2
    padded = F.pad(factors.permute(0, 3, 4, 1, 2), [reach] * 4)
    rearranged = factors.new_empty(len(factors), size, size, height, width)
    for u in range(size):
        for v in range(size):  # the window's centre lies at q minus the offset (u - reach, v - reach)
            top, left = size - 1 - u, size - 1 - v
            rearranged[:, u, v] = padded[:, u, v, top : top + height, left : left + width]
    return rearranged


class StochasticSelection(nn.Module):
    """Features to class scores through a kernel of which every window sees a random part.

    Masks are drawn whenever `forward` is asked for them; the module's training or evaluation mode plays no part, so
    that ``eval()`` cannot turn the randomness of inference off unseen.

    Args:
        in_channels: K.
        num_classes: C.
        kernel_size: s, odd. Paper: 9 (from memory).
        rate: p, the probability that a position is dropped, in 0..1 without 1. Paper: 0.9 (from memory).
        rescale: kept positions count 1 / (1 - p), so that the mean over masks is the score without a mask. Our choice:
            whether the paper does so is not settled.
        keep_centre: never drop the kernel's centre (the paper). It then counts 1.
        masks: "window": a mask for every window (the paper); "pass": one mask for all windows of an image; "channel":
            Dropout2d, whole channels of the features. The last two are controls.
        form: of the computation, one of `FORMS`.

    Raises:
        ValueError: an even kernel size, a rate outside 0..1, an unknown option.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        kernel_size: int = 9,
        rate: float = 0.9,
        *,
        rescale: bool = True,
        keep_centre: bool = True,
        masks: str = "window",
        form: str = "products",
    ) -> None:
        super().__init__()
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size is {kernel_size}; expected an odd number: an even kernel has no centre.")
        if not 0 <= rate < 1:
            raise ValueError(f"rate is {rate}; expected a probability from 0 to below 1.")
        if masks not in MASKS:
            raise ValueError(f"masks is {masks!r}; expected one of {', '.join(MASKS)}.")
        if form not in FORMS:
            raise ValueError(f"form is {form!r}; expected one of {', '.join(FORMS)}.")
        self.kernel_size, self.rate, self.rescale = kernel_size, rate, rescale
        self.keep_centre, self.masks, self.form = keep_centre, masks, form
        self.conv = nn.Conv2d(in_channels, num_classes, kernel_size, padding=kernel_size // 2)

    def forward(self, x: Tensor, stochastic: bool = True, factors: Tensor | None = None) -> Tensor:
        """Scores of features.

        Args:
            x: (B, K, h, w).
            stochastic: draw masks, from torch's global generator; else every position counts its expected factor.
            factors: use these, (B, h, w, s, s), in place of drawn ones.

        Returns:
            Class scores (B, C, h, w); their mean over positions is the class logit.
        """
        if factors is None and self.masks == "channel":
            return self.conv(F.dropout2d(x, self.rate, training=stochastic))
        if factors is None and stochastic and self.rate > 0:
            factors = self.factors(self.draw(len(x), *x.shape[-2:], device=x.device)).to(x.dtype)
        if factors is None:
            return F.conv2d(x, self.conv.weight * self.expected().to(x), self.conv.bias, padding=self.kernel_size // 2)
        return SCORES[self.form](x, self.conv.weight, self.conv.bias, factors)

    def logits(self, x: Tensor, stochastic: bool = True, factors: Tensor | None = None) -> Tensor:
        """Class logits (B, C): the mean of the scores over positions; arguments as `forward`.

        The mean of a sum is the sum of means, so the form "products" does not even make the scores: it averages the
        kept features of each offset first, (B, K, s, s), and weighs these. The three other forms average their scores.
        """
        if factors is None and stochastic and self.rate > 0 and self.masks != "channel":
            factors = self.factors(self.draw(len(x), *x.shape[-2:], device=x.device)).to(x.dtype)
        if factors is None or self.form != "products":
            return self(x, stochastic, factors).mean((2, 3))
        positions = x.shape[-2] * x.shape[-1]
        kept = by_source(factors).flatten(3).flatten(1, 2).transpose(1, 2)  # (B, h * w, s * s)
        means = x.flatten(2) @ kept.expand(len(x), -1, -1) / positions  # (B, K, s * s)
        return means.flatten(1) @ self.conv.weight.flatten(1).T + self.conv.bias

    def draw(
        self, batch: int, height: int, width: int, *, device: str | torch.device = "cpu", generator=None
    ) -> Tensor:
        """Draw which positions are kept: (B, h, w, s, s) bool, the centre always if `keep_centre`."""
        size = self.kernel_size
        windows = (1, 1) if self.masks == "pass" else (height, width)
        keep = torch.rand(batch, *windows, size, size, device=device, generator=generator) >= self.rate
        if self.keep_centre:
            keep[..., size // 2, size // 2] = True
        return keep.expand(batch, height, width, size, size)

    def factors(self, keep: Tensor) -> Tensor:
        """What kept positions count: masks (..., s, s) bool -> float32 of the same shape, 0 where dropped."""
        return keep * self.counts().to(keep.device)

    def counts(self) -> Tensor:
        """What a position counts if it is kept, (s, s)."""
        counts = torch.full((self.kernel_size, self.kernel_size), 1 / (1 - self.rate) if self.rescale else 1.0)
        if self.keep_centre:
            counts[self.kernel_size // 2, self.kernel_size // 2] = 1.0
        return counts

    def expected(self) -> Tensor:
        """The mean factor of each offset over all masks, (s, s): all 1 with `rescale`."""
        if self.rescale or self.masks == "channel":
            return torch.ones(self.kernel_size, self.kernel_size)
        expected = self.counts() * (1 - self.rate)
        if self.keep_centre:
            expected[self.kernel_size // 2, self.kernel_size // 2] = 1.0
        return expected
