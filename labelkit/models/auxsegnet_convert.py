"""Weights that the AuxSegNet authors' code saves (xulianuwa/AuxSegNet at 9f40a5d) for our network on ResNet-38.

Every tensor that a forward pass reads has one place. Two layers of each affinity block are built and never called;
they are passed over, and so are the counters of normalisations that never count. The ImageNet weights from which the
authors start are a file of MXNet, which they convert to the names of the trunk here; `load_official_trunk` takes the
result, and the weights of their tag classifier.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from labelkit.models.auxsegnet import AuxSegHead, AuxSegNetwork
from labelkit.models.convert import blueprint, size_of, translated, unwrapped
from labelkit.models.resnet38 import ResNet38

WHOSE = "the authors' AuxSegNet"

BLOCKS = (  # of the trunk, in order
    *("b2", "b2_1", "b2_2"),
    *("b3", "b3_1", "b3_2"),
    *("b4", "b4_1", "b4_2", "b4_3", "b4_4", "b4_5"),
    *("b5", "b5_1", "b5_2"),
    *("b6", "b7"),
)
_WIDE = {"bn_branch2a": "norm1", "conv_branch2a": "conv1", "bn_branch2b1": "norm2", "conv_branch2b1": "conv2"}
_BOTTLENECK = _WIDE | {"bn_branch2b2": "norm3", "conv_branch2b2": "conv3"}

TRUNK_NAMES = {"conv1a": "stem", "bn7": "norm"} | {
    f"{theirs}.{layer}": f"blocks.{number}.{ours}"
    for number, theirs in enumerate(BLOCKS)
    for layer, ours in ({**(_BOTTLENECK if theirs in ("b6", "b7") else _WIDE), "conv_branch1": "shortcut"}).items()
}
"""Modules of the trunk: released name to ours."""

HEAD_NAMES = {"fc8": "classifier", "cross_att.0": "fusion.mix", "cross_att.2": "fusion.weigh"} | {
    f"{theirs}_{layer}": f"{ours}.{place}"
    for theirs, ours in (("seg", "segmentation"), ("sal", "saliency"))
    for layer, place in {
        "conv1": "first",
        "conv2": "second",
        "conv3": "third",
        "conv4": "classifier",
        "att.theta": "block.query",
        "att.phi": "block.key",
        "g": "block.value",
        "W": "block.output",
    }.items()
}
"""Modules of the heads: released name to ours."""

UNUSED = tuple(f"{task}_att.{layer}." for task in ("seg", "sal") for layer in ("g", "W_z"))
"""Beginnings of released names whose weights no forward pass reads; they are passed over."""


def network_for(state: Mapping[str, Any]) -> AuxSegNetwork:
    """Our network of the number of classes of a checkpoint, with weights of its own.

    Raises:
        ValueError: the checkpoint is none of this network.
    """
    tags = size_of(unwrapped(state, WHOSE), "fc8.weight", WHOSE)
    trunk = ResNet38()
    return AuxSegNetwork(trunk, AuxSegHead(trunk.channels, tags))


def from_auxsegnet(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """Tensors under the names of :class:`labelkit.models.auxsegnet.AuxSegNetwork` with ResNet-38 and all of the head.

    Args:
        state: the checkpoint, with or without ``module.`` in front of its names.

    Returns:
        What `network_for(state)` loads.

    Raises:
        ValueError: a name is missing or unknown, or a shape differs.
    """
    with blueprint():
        network = network_for(state)
    return _translated(network, state)


def load_official(network: AuxSegNetwork, state: Mapping[str, Any]) -> None:
    """Load a checkpoint into a network with :class:`ResNet38` as trunk and all parts of the head, in place.

    Args:
        network: the target.
        state: see `from_auxsegnet`.

    Raises:
        ValueError: a name is unknown or missing, or a shape differs; nothing is loaded then.
    """
    network.load_state_dict(_translated(network, state))


def load_official_head(head: AuxSegHead, state: Mapping[str, Any]) -> None:
    """Load the tensors of the heads alone, in place.

    Args:
        head: the target; its widths must be those of the tensors.
        state: tensors whose names are those of the heads, and no others.

    Raises:
        ValueError: as `load_official`.
    """
    head.load_state_dict(translated(unwrapped(state, WHOSE), HEAD_NAMES, head, WHOSE, UNUSED))


def load_official_trunk(trunk: ResNet38, state: Mapping[str, Any]) -> None:
    """Load a trunk from the tensors of a trunk or of any network built on it, such as the authors' tag classifier.

    Args:
        trunk: the target.
        state: tensors under released names; those of heads are passed over.

    Raises:
        ValueError: as `load_official`.
    """
    state = unwrapped(state, WHOSE)
    known = {name: value for name, value in state.items() if name.rpartition(".")[0] in TRUNK_NAMES}
    trunk.load_state_dict(translated(known, TRUNK_NAMES, trunk, f"the trunk of {WHOSE}"))


def _translated(network: AuxSegNetwork, state: Mapping[str, Any]) -> dict[str, Tensor]:
    names = {theirs: f"trunk.{ours}" for theirs, ours in TRUNK_NAMES.items()}
    names |= {theirs: f"head.{ours}" for theirs, ours in HEAD_NAMES.items()}
    return translated(unwrapped(state, WHOSE), names, network, WHOSE, UNUSED)
