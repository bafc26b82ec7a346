"""Co-attention messages between images: what one image's features say at each position of another image.

The message block of Group-WSSS (Li, Zhou, Li, Zhou, Zhang; AAAI 2021), read against the authors' code,
Lixy1997/Group-WSSS at fc9ab8e. There the features are class score maps, so a message is a set of class maps, too.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class CoAttention(nn.Module):
    """Messages from senders to receivers.

    P = receiver_projection(receiver) and Q = sender_projection(sender) are two different 1x1 convolutions to fewer
    channels. The affinity E[i, j] = P_i . Q_j, unscaled, goes through a softmax over the SENDER's positions j for each
    position i of the receiver; the weights gather the sender's full features, z_i = sum_j softmax(E)[i, j] h_j. The
    message is z times a gate of one channel, sigmoid of a 1x1 convolution of z without bias.

    Args:
        channels: C of the features; on class score maps the number of classes.
        projected: channels of the projections, at most C; C // 2 as released if None.

    Raises:
        ValueError: a number of channels is out of range.
    """

    def __init__(self, channels: int, projected: int | None = None):
        super().__init__()
        projected = max(1, channels // 2) if projected is None else projected
        if not 1 <= projected <= channels:
            raise ValueError(f"channels {channels}, projected {projected}: expected 1 <= projected <= channels")
        self.receiver_projection = nn.Conv2d(channels, projected, 1)
        self.sender_projection = nn.Conv2d(channels, projected, 1)
        self.gate = nn.Conv2d(channels, 1, 1, bias=False)

    def affinity(self, receiver: Tensor, sender: Tensor) -> Tensor:
        """E before the softmax, for looking at it; messages do without it in memory.

        Args:
            receiver, sender: features (B, C, H, W) and (B, C, h, w), image by image.

        Returns:
            (B, H*W, h*w): a row for each position of the receiver, positions in row-major order.
        """
        return rows(self.receiver_projection(receiver)) @ rows(self.sender_projection(sender)).transpose(1, 2)

    def forward(self, receiver: Tensor, sender: Tensor) -> Tensor:
        """Messages (B, C, H, W), one for each pair of images at the same place of the two batches."""
        queries, keys = rows(self.receiver_projection(receiver)), rows(self.sender_projection(sender))
        return self._message(queries, keys, rows(sender), receiver.shape)

    def between(self, nodes: Tensor) -> Tensor:
        """Messages of all ordered pairs of a group at once; the cost grows with K (K - 1).

        Every image is projected once as receiver and once as sender, however large the group.

        Args:
            nodes: features (G, K, C, H, W) of G groups of K images each.

        Returns:
            (G, K, K - 1, C, H, W): for each receiver the messages of all others, in the order of the group.

        Raises:
            ValueError: a group has fewer than two images.
        """
        groups, size = nodes.shape[:2]
        if size < 2:
            raise ValueError(f"a group of {size} image(s) has nobody to send a message; expected at least 2")
        receivers, senders = ordered_pairs(size, nodes.device)
        flat = nodes.flatten(0, 1)
        queries, keys, values = (
            rows(each).unflatten(0, (groups, size))  # (G, K, H*W, channels)
            for each in (self.receiver_projection(flat), self.sender_projection(flat), flat)
        )
        pairs = (groups * size * (size - 1), *nodes.shape[2:])
        messages = self._message(
            queries[:, receivers].flatten(0, 1), keys[:, senders].flatten(0, 1), values[:, senders].flatten(0, 1), pairs
        )
        return messages.view(groups, size, size - 1, *nodes.shape[2:])

    def _message(self, queries: Tensor, keys: Tensor, values: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Messages of a given shape (B, C, H, W) from rows: (B, H*W, d), (B, h*w, d) and (B, h*w, C)."""
        # The softmax over the sender's positions is that of attention, unscaled. Its fast kernels, which never hold E,
        # want an axis of heads, dense rows, and all of one length; zeros behind the projections change no product.
        zeros = (0, values.shape[-1] - queries.shape[-1])
        queries, keys, values = (x[:, None].contiguous() for x in (F.pad(queries, zeros), F.pad(keys, zeros), values))
        gathered = F.scaled_dot_product_attention(queries, keys, values, scale=1.0)[:, 0]
        gathered = gathered.transpose(1, 2).reshape(shape)
        return gathered * self.gate_of(gathered)

    def gate_of(self, gathered: Tensor) -> Tensor:
        """How much of what was gathered (B, C, H, W) passes at each position: (B, 1, H, W) in 0..1."""
        return torch.sigmoid(self.gate(gathered))


def rows(features: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, H*W, C): one row for each position."""
    return features.flatten(2).transpose(1, 2)


def ordered_pairs(size: int, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """All (receiver, sender) of a group: receivers 0, 0, .., 1, 1, .., each with the others in ascending order.

    Args:
        size: K, images of the group.
        device: of the index tensors.

    Returns:
        Two int64 tensors of length K (K - 1).
    """
    place = torch.arange(size * (size - 1), device=device)
    receivers, other = place // (size - 1), place % (size - 1)
    return receivers, other + (other >= receivers)
