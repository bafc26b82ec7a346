"""Weights that KPConv's code saves (HuguesTHOMAS/KPConv-PyTorch at d19c575) for our KP-FCNN.

Every tensor has one place. Each layer's kernel points are stored beside its weights and come along, in their order, so
that matrix k still belongs to kernel point k; ours are buffers, theirs parameters that are never trained. The head's
layers have their bias in a normalisation that is none. A weight of the loss's classes is passed over.

A checkpoint does not say how large the grid, the radius and the extent were: the `parameters.txt` beside it does. They
are options of `network_for`.
"""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from labelkit.models.convert import size_of, translated, unwrapped
from labelkit.models.kpconv_network import KPFCNN

WHOSE = "KPConv's KP-FCNN"
UNUSED = ("criterion.",)

_HEAD = {"head_mlp.mlp": "head.0", "head_mlp.batch_norm": "head.0"}
_HEAD |= {"head_softmax.mlp": "head.2", "head_softmax.batch_norm": "head.2"}
_SIMPLE = {"KPConv": "convolution", "batch_norm.batch_norm": "after.0"}
_BOTTLENECK = {
    "unary1.mlp": "before.0",
    "unary1.batch_norm.batch_norm": "before.1",
    "KPConv": "convolution",
    "KPConv.offset_conv": "convolution.offsets",
    "batch_norm_conv.batch_norm": "after.0",
    "unary2.mlp": "after.2.0",
    "unary2.batch_norm.batch_norm": "after.2.1",
    "unary_shortcut.mlp": "shortcut.0",
    "unary_shortcut.batch_norm.batch_norm": "shortcut.1",
}


def network_for(state: Mapping[str, Any], **options: Any) -> KPFCNN:
    """Our network of the size of a checkpoint, with weights of its own.

    Args:
        state: the checkpoint or its weights.
        options: `voxel`, `radius`, `extent`, and whatever else of `KPFCNN` a state dict does not show.

    Raises:
        ValueError: the checkpoint is none of this network, or of another order of blocks than ours.
    """
    state = unwrapped(state, WHOSE)
    first = "encoder_blocks.0.KPConv.weights"
    count, in_features, half = (size_of(state, first, WHOSE, axis) for axis in range(3))
    number = 1 + max(_places(state, "encoder_blocks"), default=0)
    width, last = 2 * half, f"encoder_blocks.{number - 1}.unary2.mlp.weight"
    levels = (size_of(state, last, WHOSE) // width).bit_length()
    blocks, rest = divmod(number + 1, levels)  # of each level so many, and a strided one between two levels
    if rest or blocks < 3 or size_of(state, last, WHOSE) != width << (levels - 1):
        raise ValueError(
            f"{WHOSE}: {number} blocks to {size_of(state, last, WHOSE)} channels from {width}; expected a network that "
            "doubles its channels at each level and has equally many blocks, at least 2, at all of them"
        )
    deformable = sorted(p for p in _places(state, "encoder_blocks") if _offsets(p) in state)
    made: dict[str, Any] = {"in_features": in_features, "width": width, "levels": levels, "blocks": blocks - 1}
    if deformable:
        made["deformable_from"] = deformable[0] // blocks
        made["modulated"] = size_of(state, _offsets(deformable[0]), WHOSE) == 4 * count
    classes = size_of(state, "head_softmax.mlp.weight", WHOSE)
    return KPFCNN(classes, **made | {"count": count} | options)


def from_kpconv(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """Tensors under the names of :class:`labelkit.models.kpconv_network.KPFCNN`.

    Args:
        state: the checkpoint (weights under ``model_state_dict``), or its weights alone.

    Returns:
        What `network_for(state, ...)` loads.

    Raises:
        ValueError: a name is missing or unknown, or a shape differs.
    """
    state = unwrapped(state, WHOSE)
    with torch.random.fork_rng(devices=[]):  # kernel points are drawn, which the meta device cannot do
        network = network_for(state)
    return translated(state, _names(network), network, WHOSE, UNUSED)


def _names(network: KPFCNN) -> dict[str, str]:
    """Modules, released name to ours. The released encoder is one list; the decoder's odd places have weights."""
    names, place = dict(_HEAD), 0
    for level in range(network.levels):
        paths = [f"down.{level - 1}"] if level else []
        for path in paths + [f"inside.{level}.{number}" for number in range(len(network.inside[level]))]:
            parts = _SIMPLE if place == 0 else _BOTTLENECK
            names |= {f"encoder_blocks.{place}.{theirs}": f"{path}.{ours}" for theirs, ours in parts.items()}
            place += 1
    for level in range(network.levels - 1):
        unary = f"decoder_blocks.{2 * (network.levels - 2 - level) + 1}"
        names |= {f"{unary}.mlp": f"up.{level}.0", f"{unary}.batch_norm.batch_norm": f"up.{level}.1"}
    return names


def _places(state: Mapping[str, Tensor], part: str) -> set[int]:
    found = (re.match(rf"{part}\.(\d+)\.", name) for name in state)
    return {int(match[1]) for match in found if match}


def _offsets(place: int) -> str:
    return f"encoder_blocks.{place}.KPConv.offset_bias"
