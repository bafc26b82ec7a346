"""Feature reallocating: rows of one cloud rewritten as mixtures of another cloud's features, or of its own.

The two modules of Dense Supervision Propagation (Wei, Lin, Yap, Liu, Hung; arXiv 2107.11267). No code of the authors
was found in public; the equations are those that a public note on version 3 restates. How W starts is not known and is
our choice: the identity over the square root of the width, so that attention begins as a scaled similarity of features.

Each module takes the features of one cloud, (N, D), or of several clouds padded to one length, (B, N, D), with masks
that say which rows exist. Padded rows are left out before the softmax and come out as zeros.
"""

import torch
from torch import Tensor, nn


class CrossSampleReallocation(nn.Module):
    """CSFR: two clouds write each other's rows. One learnt affinity serves both directions.

    Args:
        channels: D, width of the features.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(channels) / channels**0.5)

    def attention(
        self, first: Tensor, second: Tensor, first_valid: Tensor | None = None, second_valid: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Who looks at whom.

        Args:
            first, second: (..., N, D) and (..., M, D).
            first_valid, second_valid: (..., N) and (..., M) bool; None if every row exists.

        Returns:
            A_i (..., N, M), whose rows add up to 1 over the points of the second cloud, and A_j (..., M, N), the
            softmax of the transposed affinity, whose rows add up to 1 over the points of the first.
        """
        affinity = first @ self.weight @ second.transpose(-1, -2)  # (..., N, M)
        return _rows(affinity, second_valid), _rows(affinity.transpose(-1, -2), first_valid)

    def forward(
        self, first: Tensor, second: Tensor, first_valid: Tensor | None = None, second_valid: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Reallocate both ways.

        Returns:
            F_{j->i} (..., N, D): a row for each point of the first cloud, made of the second cloud's features; and
            F_{i->j} (..., M, D).
        """
        to_first, to_second = self.attention(first, second, first_valid, second_valid)
        return _existing(to_first @ second, first_valid), _existing(to_second @ first, second_valid)


class IntraSampleReallocation(nn.Module):
    """ISFR: a cloud writes its own rows anew, by the softmax of its transposed affinity.

    Args:
        channels: D, width of the features.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(channels) / channels**0.5)

    def attention(self, features: Tensor, valid: Tensor | None = None) -> Tensor:
        """A (..., N, N): rows of the transposed affinity, each adding up to 1.

        Args:
            features: (..., N, D).
            valid: (..., N) bool; None if every row exists.
        """
        affinity = features @ self.weight @ features.transpose(-1, -2)
        return _rows(affinity.transpose(-1, -2), valid)

    def forward(self, features: Tensor, valid: Tensor | None = None) -> Tensor:
        """F_self (..., N, D): each row a mixture of the cloud's own features."""
        return _existing(self.attention(features, valid) @ features, valid)


def pad(clouds: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Lay clouds of different lengths side by side.

    Args:
        clouds: B tensors (N_b, D).

    Returns:
        Features (B, N, D), zero where padded, and which rows exist, (B, N) bool.

    Raises:
        ValueError: there is no cloud, or one without a point.
    """
    if not clouds or min(len(cloud) for cloud in clouds) == 0:
        raise ValueError("a cloud without a point cannot be reallocated; expected at least one in each")
    lengths = torch.tensor([len(cloud) for cloud in clouds], device=clouds[0].device)
    valid = torch.arange(int(lengths.max()), device=lengths.device) < lengths[:, None]
    return nn.utils.rnn.pad_sequence(clouds, batch_first=True), valid


def unpad(features: Tensor, valid: Tensor) -> list[Tensor]:
    """The clouds again: B tensors (N_b, D) from (B, N, D) and (B, N)."""
    return [cloud[rows] for cloud, rows in zip(features, valid)]


def _rows(affinity: Tensor, valid: Tensor | None) -> Tensor:
    """Softmax along the last axis, over the columns that exist."""
    if valid is not None:
        affinity = affinity.masked_fill(~valid[..., None, :], -torch.inf)
    return affinity.softmax(-1)


def _existing(features: Tensor, valid: Tensor | None) -> Tensor:
    return features if valid is None else features.masked_fill(~valid[..., None], 0.0)
