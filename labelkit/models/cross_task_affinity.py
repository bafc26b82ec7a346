"""Affinities between all pairs of positions, one for each task, and their fusion (AuxSegNet, section 3.2).

The N = h * w positions of a map are numbered row by row. Row i of an affinity says how much position i takes from every
position j. Read against the authors' code, xulianuwa/AuxSegNet at 9f40a5d, which never transposes it, whatever the
paper's text says.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class AffinityBlock(nn.Module):
    """Affinity of one task's features, and the features refined by it: ``S + output(A value(S))``.

    No scaling by the width, no normalisation; four 1x1 convolutions with bias (``query``, ``key``, ``value``,
    ``output``).

    Args:
        channels: of the features.
        inner: of query, key and value; as many as the features if None.
    """

    def __init__(self, channels: int, inner: int | None = None) -> None:
        super().__init__()
        inner = inner or channels
        self.query = nn.Conv2d(channels, inner, 1)
        self.key = nn.Conv2d(channels, inner, 1)
        self.value = nn.Conv2d(channels, inner, 1)
        self.output = nn.Conv2d(inner, channels, 1)

    def affinity(self, features: Tensor) -> Tensor:
        """Features (B, channels, h, w) -> affinity (B, N, N) whose rows sum to 1."""
        return self._affinity(_by_position(features))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, channels, h, w) -> refined features of that shape, and the affinity (B, N, N)."""
        rows = _by_position(features)
        affinity = self._affinity(rows)
        refined = rows + _apply(self.output, affinity @ _apply(self.value, rows))
        return refined.transpose(1, 2).reshape(features.shape), affinity

    def _affinity(self, rows: Tensor) -> Tensor:
        return torch.softmax(_apply(self.query, rows) @ _apply(self.key, rows).transpose(1, 2), dim=-1)


def _by_position(features: Tensor) -> Tensor:
    """(B, channels, h, w) -> (B, N, channels): the products of N x N then find their rows one after the other."""
    return features.flatten(2).transpose(1, 2)


def _apply(convolution: nn.Conv2d, rows: Tensor) -> Tensor:
    """A 1x1 convolution of rows (B, N, channels)."""
    return F.linear(rows, convolution.weight.flatten(1), convolution.bias)


class CrossTaskFusion(nn.Module):
    """One affinity out of those of segmentation and saliency, weighed pair by pair.

    The two affinities are the channels of one picture of N x N: a 3x3 convolution without bias (``mix``), ReLU, a 1x1
    convolution (``weigh``) and a softmax over the two channels give the weights, which depend on the pair (i, j). So
    the rows of the result sum to about 1, not to 1; they are left as they are. A 3x3 window spans neighbours in the
    numbering, so it also joins the end of one line of the map to the start of the next, as in the authors' code.
    """

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(2, 2, 3, padding=1, bias=False)
        self.weigh = nn.Conv2d(2, 2, 1)

    def share(self, segmentation: Tensor, saliency: Tensor) -> Tensor:
        """Weight of the segmentation affinity for each pair, in 0..1; that of saliency is the rest.

        Args:
            segmentation, saliency: affinities (B, N, N).

        Returns:
            (B, N, N).
        """
        # Two channels at the end of memory: the convolution of so narrow a picture is then six times as fast on a CPU.
        both = torch.stack((segmentation, saliency), dim=-1).permute(0, 3, 1, 2)
        mixed = F.relu(self.mix(both)).permute(0, 2, 3, 1)  # (B, N, N, 2)
        # A softmax over two scores is a sigmoid of their difference, so one score is enough.
        difference = self.weigh.weight[0, :, 0, 0] - self.weigh.weight[1, :, 0, 0]
        score = mixed @ difference.to(mixed.dtype) + (self.weigh.bias[0] - self.weigh.bias[1])
        return torch.sigmoid(score).to(segmentation.dtype)

    def forward(self, segmentation: Tensor, saliency: Tensor) -> Tensor:
        """Affinities of segmentation and saliency (B, N, N) -> the cross-task affinity (B, N, N)."""
        return torch.lerp(saliency, segmentation, self.share(segmentation, saliency))
