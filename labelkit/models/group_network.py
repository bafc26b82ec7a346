"""The network of Group-WSSS: images of a group are nodes of a complete graph and exchange messages for some rounds.

Read against the authors' code, Lixy1997/Group-WSSS at fc9ab8e, which fixes three images a group and three rounds. The
nodes are class score maps: the trunk's features go through a head to one map a class before the first message. The
readout is the mean of a map over its positions, so there are no classifier weights besides.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from labelkit.models.coattention import CoAttention
from labelkit.models.conv_gru import ConvGRU
from labelkit.models.graph_dropout import GraphDropout

FUSIONS = ("concat", "mean")


class GroupGraph(nn.Module):
    """Rounds of messages over the class score maps of a group.

    A round: messages between all ordered pairs, from the old maps of all; fusion of the messages that reach an image;
    update of its maps by a ConvGRU; graph dropout. All rounds and images share their weights.

    Args:
        classes: C, channels of a node.
        group_size: K, at least 2.
        rounds: T; 0 leaves the maps as they are.
        fusion: "concat", the K - 1 messages side by side in the order of the group, then a 3x3 convolution from
            (K - 1) C to C (as released for K = 3; the order of the partners matters), or "mean", the mean of the
            messages, then a 3x3 convolution from C to C (ours; the order does not matter, any group size fits).
        dropout: applied to each image after each round; None for none.
        initial_std: convolution weights are drawn from a normal distribution with this deviation, 0.01 as released;
            None keeps PyTorch's own. Biases are PyTorch's own, as in the released code.

    Raises:
        ValueError: a group of one, negative rounds, or an unknown fusion.
    """

    def __init__(
        self,
        classes: int,
        group_size: int = 3,
        rounds: int = 3,
        fusion: str = "concat",
        dropout: GraphDropout | None = None,
        initial_std: float | None = 0.01,
    ):
        super().__init__()
        if group_size < 2:
            raise ValueError(f"group_size is {group_size}; a group needs at least 2 images")
        if rounds < 0:
            raise ValueError(f"rounds is {rounds}; expected 0 or more")
        if fusion not in FUSIONS:
            raise ValueError(f"fusion is {fusion!r}; expected one of {', '.join(FUSIONS)}")
        self.group_size, self.rounds, self.fusion_form, self.dropout = group_size, rounds, fusion, dropout
        self.coattention = CoAttention(classes)
        self.fusion = nn.Conv2d(classes * (group_size - 1 if fusion == "concat" else 1), classes, 3, padding=1)
        self.update = ConvGRU(classes, classes)
        if initial_std is not None:
            draw_normal(self, initial_std)

    def forward(self, nodes: Tensor, coins: Tensor | None = None, rounds: int | None = None) -> list[Tensor]:
        """Maps before the first round and after each.

        Args:
            nodes: class score maps (G, K, C, H, W) of G groups.
            coins: (T, G, K) of graph dropout, 1 for the drop mask and 0 for the importance map; drawn if None.
            rounds: other than the network's own, for looking at a trained one.

        Returns:
            T + 1 tensors like ``nodes``; after a round, what graph dropout left.

        Raises:
            ValueError: the group is not of the size that the fusion was built for.
        """
        if nodes.dim() != 5:
            raise ValueError(f"nodes has shape {tuple(nodes.shape)}; expected (groups, images, classes, height, width)")
        if nodes.shape[1] != self.group_size and (self.fusion_form == "concat" or nodes.shape[1] < 2):
            raise ValueError(f"a group of {nodes.shape[1]} image(s) came; expected {self.group_size}")
        states = [nodes]
        for index in range(self.rounds if rounds is None else rounds):
            states.append(self.step(states[-1], None if coins is None else coins[index]))
        return states

    def step(self, nodes: Tensor, coins: Tensor | None = None) -> Tensor:
        """One round: maps (G, K, C, H, W) and coins (G, K) to maps of the same shape."""
        messages = self.coattention.between(nodes)  # (G, K, K - 1, C, H, W)
        fused = self.fusion(self._joined(messages).flatten(0, 1))
        state = self.update(fused, nodes.flatten(0, 1))
        if self.dropout is not None:
            state = self.dropout(state, None if coins is None else coins.reshape(-1))
        return state.unflatten(0, nodes.shape[:2])

    def _joined(self, messages: Tensor) -> Tensor:
        return messages.flatten(2, 3) if self.fusion_form == "concat" else messages.mean(dim=2)


@dataclass(frozen=True)
class GroupOutput:
    """What the network makes of G groups.

    Attributes:
        states: maps (G, K, C, h, w) before the first round and after each; the last one is what the group agreed on.
    """

    states: list[Tensor]

    @property
    def single_logits(self) -> Tensor:
        """(G, K, C): each image by itself, the mean of its first maps over positions."""
        return self.states[0].mean(dim=(-2, -1))

    @property
    def group_logits(self) -> Tensor:
        """(G, K, C): each image after the last round."""
        return self.states[-1].mean(dim=(-2, -1))

    def maps(self, choice: str = "mean") -> Tensor:
        """Class maps (G, K, C, h, w), not below 0 and not yet divided by anything; see :func:`combined`."""
        return combined(self.states[0], self.states[-1], choice)


class GroupNetwork(nn.Module):
    """Trunk, head and graph.

    Args:
        trunk: images (B, 3, H, W) to features (B, channels, h, w); has the attribute ``channels``.
        head: features to class score maps (B, C, h, w); see :func:`class_head`.
        graph: of the same C.
    """

    def __init__(self, trunk: nn.Module, head: nn.Module, graph: GroupGraph):
        super().__init__()
        self.trunk, self.head, self.graph = trunk, head, graph

    def nodes(self, images: Tensor) -> Tensor:
        """Class score maps (B, C, h, w) of images (B, 3, H, W), each by itself."""
        return self.head(self.trunk(images))

    def forward(self, images: Tensor, coins: Tensor | None = None) -> GroupOutput:
        """Run G groups of K images, (G, K, 3, H, W); all of them pass the trunk together.

        Raises:
            ValueError: the images are not grouped, or the group is not of the graph's size.
        """
        if images.dim() != 5:
            raise ValueError(f"images has shape {tuple(images.shape)}; expected (groups, images, 3, height, width)")
        nodes = self.nodes(images.flatten(0, 1)).unflatten(0, images.shape[:2])
        return GroupOutput(self.graph(nodes, coins))


def class_head(channels: int, classes: int, widths: Sequence[int] = (512, 512, 512), initial_std: float | None = 0.01):
    """Convolutions 3x3 with ReLU of the given widths, then 1x1 to one map a class; as released, three of 512.

    Args:
        channels: of the features.
        classes: C.
        widths: channels of the 3x3 convolutions; empty for the 1x1 convolution alone.
        initial_std: as for :class:`GroupGraph`.

    Returns:
        A sequence whose children 0, 2, 4, .. are convolutions: (B, channels, h, w) -> (B, C, h, w).
    """
    layers: list[nn.Module] = []
    for width in widths:
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
        channels = width
    head = nn.Sequential(*layers, nn.Conv2d(channels, classes, 1))
    if initial_std is not None:
        draw_normal(head, initial_std)
    return head


def combined(first: Tensor, last: Tensor, choice: str = "mean") -> Tensor:
    """ReLU of the maps of which a class map is made: the "mean" of first and last (released), "first" or "last"."""
    if choice not in ("mean", "first", "last"):
        raise ValueError(f"choice is {choice!r}; expected 'mean', 'first' or 'last'")
    return torch.relu({"mean": (first + last) / 2, "first": first, "last": last}[choice])


def draw_normal(module: nn.Module, std: float) -> None:
    """Draw the weights of all convolutions from a normal distribution around 0, in place; biases stay."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, 0.0, std)
