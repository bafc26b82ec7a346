"""Reads weights of the authors' Group-WSSS network by name: Lixy1997/Group-WSSS at fc9ab8e becomes ours."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

# Modules of the graph and the head, official -> ours.
_NAMES = {
    "extra_proja": "graph.coattention.receiver_projection",
    "extra_projb": "graph.coattention.sender_projection",
    "extra_gate": "graph.coattention.gate",
    "extra_conv_fusion": "graph.fusion",
    "extra_ConvGRU.update_gate": "graph.update.update",
    "extra_ConvGRU.reset_gate": "graph.update.reset",
    "extra_ConvGRU.out_gate": "graph.update.candidate",
    **{f"extra_convs.{index}": f"head.{index}" for index in (0, 2, 4, 6)},
}
_UNUSED = ("extra_linear_e.",)  # a linear layer that the released code builds and never calls
_TRUNK = "features."  # the thirteen convolutions of VGG-16, in the order of torchvision


def official_names(state: Mapping[str, Any], trunk: nn.Module) -> dict[str, Tensor]:
    """Tensors of an official checkpoint under the names of a :class:`labelkit.models.group_network.GroupNetwork`.

    Args:
        state: the checkpoint as the authors save it (weights under ``state_dict``, names that start with ``module.``),
            or its weights alone.
        trunk: the VGG-16 trunk that will take them; its convolutions are met in order.

    Returns:
        Our names; the unused layer is left out.

    Raises:
        ValueError: a name is unknown, or the checkpoint has another number of convolutions than the trunk.
    """
    state = state.get("state_dict", state)
    if state and all(name.startswith("module.") for name in state):
        state = {name.removeprefix("module."): value for name, value in state.items()}
    state = {name: value for name, value in state.items() if not name.startswith(_UNUSED)}

    ours = [name for name, layer in trunk.named_modules() if isinstance(layer, nn.Conv2d)]
    theirs = sorted({int(name.split(".")[1]) for name in state if name.startswith(_TRUNK)})
    if len(ours) != len(theirs):
        raise ValueError(f"the checkpoint has {len(theirs)} trunk convolutions; the trunk has {len(ours)}")
    names = _NAMES | {f"{_TRUNK}{index}": f"trunk.{name}" for index, name in zip(theirs, ours)}

    unknown = sorted(name for name in state if name.rpartition(".")[0] not in names)
    if unknown:
        shown = ", ".join(unknown[:5])
        raise ValueError(f"the state dict has {len(unknown)} unknown key(s): {shown}; expected those of Group-WSSS")
    return {f"{names[name.rpartition('.')[0]]}.{name.rpartition('.')[2]}": value for name, value in state.items()}


def load_official(network: nn.Module, state: Mapping[str, Any]) -> None:
    """Load an official checkpoint into a group network, in place; every weight is set and every tensor used.

    Args:
        network: with a VGG-16 trunk, a head of three convolutions of 512 channels, and a graph for groups of three.
        state: see :func:`official_names`.

    Raises:
        ValueError: a key is unknown or missing, or a shape differs; nothing is loaded then.
    """
    renamed = official_names(state, network.trunk)
    wanted = network.state_dict()
    missing = sorted(wanted.keys() - renamed.keys())
    if missing:
        raise ValueError(f"the state dict lacks {len(missing)} tensor(s), such as that of {missing[0]}")
    for name, value in renamed.items():
        if name not in wanted:
            raise ValueError(f"the state dict has a tensor for {name}, which the network has not")
        if value.shape != wanted[name].shape:
            raise ValueError(
                f"the tensor for {name} has shape {tuple(value.shape)}; expected {tuple(wanted[name].shape)}"
            )
    network.load_state_dict(renamed)
