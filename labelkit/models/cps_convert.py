"""Weights that the CPS authors' code saves (charlesCXK/TorchSemiSeg at 5e0c29c) for our DeepLabv3+.

Every tensor has one place; nothing is transformed. A checkpoint holds two branches of one form; the first is the one
that their evaluation runs. The names of the backbone are ours.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from labelkit.models.convert import blueprint, resnet_depth, same_names, size_of, translated, unwrapped
from labelkit.models.deeplab import DeepLabV3Plus

WHOSE = "TorchSemiSeg's DeepLabv3+"
BRANCHES = ("branch1.", "branch2.")

HEAD = {
    **{f"head.aspp.map_convs.{number}": f"pyramid.branches.{number}" for number in range(4)},
    "head.aspp.map_bn": "pyramid.branches_bn",
    "head.aspp.red_conv": "pyramid.reduce",
    "head.aspp.global_pooling_conv": "pyramid.pooled",
    "head.aspp.global_pooling_bn": "pyramid.pooled_bn",
    "head.aspp.pool_red_conv": "pyramid.pooled_reduce",
    "head.aspp.red_bn": "pyramid.out_bn",
    "head.reduce.0": "low_level.0",
    "head.reduce.1": "low_level.1",
    "head.last_conv.0": "decoder.0.0",
    "head.last_conv.1": "decoder.0.1",
    "head.last_conv.3": "decoder.1.0",
    "head.last_conv.4": "decoder.1.1",
    "classifier": "classifier",
}
"""Modules of a branch but for its backbone: released name to ours."""


def network_for(state: Mapping[str, Any], branch: int = 1) -> DeepLabV3Plus:
    """Our network of the depth and the number of classes of a checkpoint, with weights of its own.

    Raises:
        ValueError: the checkpoint is none of this network.
    """
    part = _branch(state, branch)
    return DeepLabV3Plus(size_of(part, "classifier.weight", WHOSE), resnet_depth(part, "backbone.layer3.", WHOSE))


def from_torchsemiseg(state: Mapping[str, Any], branch: int = 1) -> dict[str, Tensor]:
    """Tensors of one branch under the names of :class:`labelkit.models.deeplab.DeepLabV3Plus`.

    Args:
        state: the checkpoint (weights under ``model``), its weights alone, or those of one branch without ``branch1.``.
        branch: 1, the one that is evaluated, or 2.

    Returns:
        What `network_for(state)` loads.

    Raises:
        ValueError: a name is missing or unknown, or a shape differs.
    """
    part = _branch(state, branch)
    with blueprint():
        network = network_for(part)
    names = same_names(network.backbone, "backbone.", "backbone.") | HEAD
    return translated(part, names, network, f"{WHOSE}, branch {branch}")


def _branch(state: Mapping[str, Any], branch: int) -> dict[str, Tensor]:
    if branch not in (1, 2):
        raise ValueError(f"branch is {branch}; expected 1 or 2")
    state = unwrapped(state, WHOSE)
    if not any(name.startswith(BRANCHES) for name in state):
        return state
    if stray := next((name for name in state if not name.startswith(BRANCHES)), None):
        raise ValueError(f"{WHOSE}: {stray!r} belongs to neither branch")
    mine = {name: value for name, value in state.items() if name.startswith(BRANCHES[branch - 1])}
    if not mine:
        raise ValueError(f"{WHOSE}: there is no branch {branch}")
    return {name.removeprefix(BRANCHES[branch - 1]): value for name, value in mine.items()}
