"""Two optimisers of AuxSegNet, the paper's and the one that its code really runs, and their learning-rate groups."""

from collections.abc import Iterable
from typing import Literal

import torch
from torch import nn

NEW_LAYERS = 10.0
"""Learning rate of the heads over that of the trunk, in the authors' code."""
DECAY_TAKEN_FOR_MOMENTUM = 1e-5


def is_new_layer(name: str) -> bool:
    """Whether a parameter of :class:`labelkit.methods.auxsegnet.AuxSegNet` has the higher learning rate, by its name.

    The authors go by names, too: the tag classifier and all of the segmentation and saliency heads, affinities
    included, are new layers. The fusion of the affinities, though as new, has the rate of the trunk.
    """
    parts = name.split(".")
    return "head" in parts and "fusion" not in parts


def parameter_groups(
    named: Iterable[tuple[str, nn.Parameter]], learning_rate: float, new_layers: float = NEW_LAYERS
) -> list[dict]:
    """The trunk with the fusion, then the new layers; parameters that are fixed are left out.

    Args:
        named: names and parameters of the method.
        learning_rate: of the trunk.
        new_layers: rate of the new layers over it.
    """
    old, new = [], []
    for name, parameter in named:
        if parameter.requires_grad:
            (new if is_new_layer(name) else old).append(parameter)
    return [{"params": old, "lr": learning_rate}, {"params": new, "lr": new_layers * learning_rate}]


def sgd(
    method: nn.Module,
    learning_rate: float,
    kind: Literal["paper", "code"] = "paper",
    new_layers: float = NEW_LAYERS,
    weight_decay: float = 0.0,
) -> torch.optim.SGD:
    """Stochastic gradient descent with two groups; the schedule of both kinds is poly with power 0.9.

    Args:
        method: whose parameters are trained.
        learning_rate: of the trunk; 0.001 in the paper, 0.0007 in the code.
        kind: "paper" has momentum 0.9. "code" does what the released code does: its weight decay of 1e-5 arrives where
            PyTorch expects the momentum, so there is next to no momentum and no weight decay.
        new_layers: rate of the new layers over that of the trunk.
        weight_decay: of "paper" only.
    """
    groups = parameter_groups(method.named_parameters(), learning_rate, new_layers)
    groups = [group for group in groups if group["params"]]
    if kind == "code":
        return torch.optim.SGD(groups, lr=learning_rate, momentum=DECAY_TAKEN_FOR_MOMENTUM)
    return torch.optim.SGD(groups, lr=learning_rate, momentum=0.9, weight_decay=weight_decay)
