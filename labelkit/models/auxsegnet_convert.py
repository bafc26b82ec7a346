"""Reads weights of the authors' AuxSegNet (xulianuwa/AuxSegNet at 9f40a5d): their names become ours."""

from collections.abc import Mapping

from torch import Tensor, nn

from labelkit.models.auxsegnet import AuxSegHead, AuxSegNetwork
from labelkit.models.resnet38 import ResNet38

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
"""Modules of the trunk: official name to ours."""

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
"""Modules of the heads: official name to ours."""

UNUSED = tuple(f"{task}_att.{layer}." for task in ("seg", "sal") for layer in ("g", "W_z"))
"""Beginnings of official names whose weights no forward pass reads; they are passed over."""


def load_official(network: AuxSegNetwork, state: Mapping[str, Tensor]) -> None:
    """Load an official checkpoint into a network with :class:`ResNet38` as trunk and all parts of the head, in place.

    Args:
        network: the target.
        state: tensors under official names, with or without ``module.`` in front.

    Raises:
        ValueError: a name is unknown or missing, or a shape differs; nothing is loaded then.
    """
    names = {theirs: f"trunk.{ours}" for theirs, ours in TRUNK_NAMES.items()}
    names |= {theirs: f"head.{ours}" for theirs, ours in HEAD_NAMES.items()}
    _load(network, state, names)


def load_official_head(head: AuxSegHead, state: Mapping[str, Tensor]) -> None:
    """Load the tensors of the heads alone, under official names, in place.

    Args:
        head: the target; its widths must be those of the tensors.
        state: tensors whose names are those of the heads, and no others.

    Raises:
        ValueError: as :func:`load_official`.
    """
    _load(head, state, HEAD_NAMES)


def load_official_trunk(trunk: ResNet38, state: Mapping[str, Tensor]) -> None:
    """Load a trunk from the tensors of a trunk or of any network built on it, such as the authors' tag classifier.

    Args:
        trunk: the target.
        state: tensors under official names; those of heads are passed over.

    Raises:
        ValueError: as :func:`load_official`.
    """
    state = {name.removeprefix("module."): value for name, value in state.items()}
    _load(trunk, {name: value for name, value in state.items() if name.rpartition(".")[0] in TRUNK_NAMES}, TRUNK_NAMES)


def _load(target: nn.Module, state: Mapping[str, Tensor], names: Mapping[str, str]) -> None:
    """Rename by ``names`` and load; every tensor is known, every weight of the target is set, or nothing changes."""
    wanted, renamed, unknown = target.state_dict(), {}, []
    theirs = {ours: official for official, ours in names.items()}
    for name, value in state.items():
        name = name.removeprefix("module.")
        if name.endswith("num_batches_tracked") or name.startswith(UNUSED):
            continue
        module, _, leaf = name.rpartition(".")
        ours = f"{names.get(module)}.{leaf}"
        if ours not in wanted:
            unknown.append(name)
        elif value.shape != wanted[ours].shape:
            raise ValueError(f"{name} has shape {tuple(value.shape)}; expected {tuple(wanted[ours].shape)}")
        renamed[ours] = value
    missing = [f"{theirs[key.rpartition('.')[0]]}.{key.rpartition('.')[2]}" for key in wanted if key not in renamed]
    for what, found in (("has unknown", unknown), ("lacks", missing)):
        if found:
            shown = ", ".join(sorted(found)[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
            raise ValueError(f"the state dict {what} entries: {shown}; expected those of the authors' AuxSegNet")
    target.load_state_dict(renamed)
