"""Weights that DARS's code saves (CVMI-Lab/DARS at 0cfe09a): its PSPNet and its DeepLab v2 for ours.

PSPNet: every tensor has one place. The same names are those of semseg's PSPNet, from which DARS took it.
DeepLab v2: the code builds four dilated classifiers and, by a `return` inside the loop, adds up two of them. The
tensors of the other two take no part in any forward pass and are passed over.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from labelkit.models.convert import blueprint, resnet_depth, same_names, size_of, translated, unwrapped
from labelkit.models.deeplab_v2 import DeepLabV2
from labelkit.models.pspnet import PSPNet

WHOSE = "DARS's PSPNet"
WHOSE_DEEPLAB = "DARS's DeepLab v2"

NAMES = {
    "layer0.0": "backbone.conv1.0",
    "layer0.1": "backbone.conv1.1",
    "layer0.3": "backbone.conv1.3",
    "layer0.4": "backbone.conv1.4",
    "layer0.6": "backbone.conv1.6",
    "layer0.7": "backbone.bn1",
    **{f"ppm.features.{grid}.{place}": f"pyramid.grids.{grid}.1.{place - 1}" for grid in range(4) for place in (1, 2)},
    **{
        f"{theirs}.{place}": f"{ours}.{inner}"
        for theirs, ours in (("cls", "classifier"), ("aux", "auxiliary"))
        for place, inner in (("0", "0.0"), ("1", "0.1"), ("4", "2"))
    },
}
"""Modules of PSPNet but for the four stages of the ResNet: released name to ours."""


def network_for(state: Mapping[str, Any]) -> PSPNet:
    """Our PSPNet of the depth and the number of classes of a checkpoint, with weights of its own.

    Raises:
        ValueError: the checkpoint is none of this network.
    """
    state = unwrapped(state, WHOSE)
    return PSPNet(size_of(state, "cls.4.weight", WHOSE), resnet_depth(state, "layer3.", WHOSE))


def from_dars(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """Tensors under the names of :class:`labelkit.models.pspnet.PSPNet`, the auxiliary head's among them.

    Args:
        state: the checkpoint (weights under ``state_dict``, names that start with ``module.``), or its weights alone.

    Returns:
        What `network_for(state)` loads.

    Raises:
        ValueError: a name is missing or unknown, or a shape differs.
    """
    state = unwrapped(state, WHOSE)
    with blueprint():
        network = network_for(state)
    stages = {}
    for number in range(1, 5):
        stages |= same_names(getattr(network.backbone, f"layer{number}"), f"layer{number}.", f"backbone.layer{number}.")
    return translated(state, stages | NAMES, network, WHOSE)


def deeplab_network_for(state: Mapping[str, Any]) -> DeepLabV2:
    """Our DeepLab v2 of the number of classes of a checkpoint, with weights of its own.

    Raises:
        ValueError: the checkpoint is none of this network.
    """
    return DeepLabV2(size_of(unwrapped(state, WHOSE_DEEPLAB), "layer5.conv2d_list.0.weight", WHOSE_DEEPLAB))


def from_dars_deeplab(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """Tensors under the names of :class:`labelkit.models.deeplab_v2.DeepLabV2` with its two classifiers.

    Args:
        state: as for `from_dars`.

    Returns:
        What `deeplab_network_for(state)` loads.

    Raises:
        ValueError: a name is missing or unknown, or a shape differs.
    """
    state = unwrapped(state, WHOSE_DEEPLAB)
    with blueprint():
        network = deeplab_network_for(state)
    names = {"conv1": "backbone.0", "bn1": "backbone.1"}
    for number in range(1, 5):  # children of our sequence: the stem's four, then the stages
        names |= same_names(network.backbone[3 + number], f"layer{number}.", f"backbone.{3 + number}.")
    names |= {f"layer5.conv2d_list.{number}": f"classifiers.{number}" for number in range(2)}
    return translated(state, names, network, WHOSE_DEEPLAB, ("layer5.conv2d_list.2.", "layer5.conv2d_list.3."))
