"""Weights that the Group-WSSS authors' code saves (Lixy1997/Group-WSSS at fc9ab8e) for our group network.

Every tensor has one place but those of a linear layer that the code builds and never calls. The thirteen convolutions
of VGG-16 are numbered as torchvision numbers them, there as here.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from labelkit.models.convert import blueprint, same_names, size_of, translated, unwrapped
from labelkit.models.group_network import GroupGraph, GroupNetwork, class_head
from labelkit.models.vgg import VGG16Trunk

WHOSE = "the authors' Group-WSSS network"
UNUSED = ("extra_linear_e.",)

NAMES = {
    "extra_proja": "graph.coattention.receiver_projection",
    "extra_projb": "graph.coattention.sender_projection",
    "extra_gate": "graph.coattention.gate",
    "extra_conv_fusion": "graph.fusion",
    "extra_ConvGRU.update_gate": "graph.update.update",
    "extra_ConvGRU.reset_gate": "graph.update.reset",
    "extra_ConvGRU.out_gate": "graph.update.candidate",
    **{f"extra_convs.{index}": f"head.{index}" for index in (0, 2, 4, 6)},
}
"""Modules of the graph and the head: released name to ours."""


def network_for(state: Mapping[str, Any]) -> GroupNetwork:
    """Our network of the number of classes of a checkpoint, with weights of its own; no graph dropout is added.

    Raises:
        ValueError: the checkpoint is none of this network.
    """
    classes = size_of(unwrapped(state, WHOSE), "extra_convs.6.weight", WHOSE)
    return GroupNetwork(VGG16Trunk("2x2"), class_head(512, classes), GroupGraph(classes))


def from_group_wsss(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """Tensors under the names of :class:`labelkit.models.group_network.GroupNetwork` on VGG-16, groups of three.

    Args:
        state: the checkpoint (weights under ``state_dict``, names that start with ``module.``), or its weights alone.

    Returns:
        What `network_for(state)` loads.

    Raises:
        ValueError: a name is missing or unknown, or a shape differs.
    """
    with blueprint():
        network = network_for(state)
    return _translated(network, state)


def load_official(network: nn.Module, state: Mapping[str, Any]) -> None:
    """Load a checkpoint into a group network, in place; every weight is set and every tensor used.

    Args:
        network: with a VGG-16 trunk, a head of three convolutions, and a graph for groups of three.
        state: see `from_group_wsss`.

    Raises:
        ValueError: a name is unknown or missing, or a shape differs; nothing is loaded then.
    """
    network.load_state_dict(_translated(network, state))


def _translated(network: nn.Module, state: Mapping[str, Any]) -> dict[str, Tensor]:
    names = same_names(network.trunk.features, "features.", "trunk.features.") | NAMES
    return translated(unwrapped(state, WHOSE), names, network, WHOSE, UNUSED)
