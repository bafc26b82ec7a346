"""What all converters of released weights share: wrappers come off, tensors get our names, what does not fit is said.

A converter (`cps_convert`, `ocr_convert`, ...) knows which module of the authors' network is which of ours; the tensors
of a module (weight, bias, running_mean, ...) are called alike in both. Its `network_for` builds our network of the size
that a checkpoint has, its `from_...` gives the tensors that this network loads strictly. Neither changes what it reads.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

WRAPPERS = ("state_dict", "model", "model_state_dict")
"""Keys under which training scripts put the tensors of a network, beside the optimiser's state and the like."""

PREFIX = "module."
"""What data-parallel training leaves in front of every name."""

DEEP_STEM = {
    "conv1": "conv1.0",
    "bn1": "conv1.1",
    "conv2": "conv1.3",
    "bn2": "conv1.4",
    "conv3": "conv1.6",
    "bn3": "bn1",
}
"""Modules of a stem with names of its own: to those of `labelkit.models.resnet.ResNet`, which are timm's."""

_COUNTER = "num_batches_tracked"  # of batch normalisation; PyTorch before 0.4.1 had none, and no arithmetic uses it


class _NoDraws(TorchFunctionMode):
    """First weights are not drawn: `kaiming_normal_` and the like leave their tensor as it is."""

    def __torch_function__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        name = getattr(function, "__name__", "")
        if name.endswith(("normal_", "uniform_")):
            return args[0] if args else kwargs["tensor"]
        return function(*args, **(kwargs or {}))


@contextmanager
def blueprint() -> Iterator[None]:
    """Networks that are built within have names and shapes but no memory; nothing is drawn for them."""
    with torch.device("meta"), _NoDraws():
        yield


def unwrapped(content: Mapping[str, Any], whose: str = "the checkpoint") -> dict[str, Tensor]:
    """Tensors of a checkpoint by name, out of its wrappers.

    Args:
        content: what a file held: names to tensors, or a dict that has them under one of `WRAPPERS`.
        whose: words for the error sentence.

    Returns:
        Names, without `PREFIX` where every name has it, to the same tensors.

    Raises:
        ValueError: there are no tensors, or a value is something else.
    """
    while (key := next((key for key in WRAPPERS if isinstance(content.get(key), Mapping)), None)) is not None:
        content = content[key]
    if not content:
        raise ValueError(f"{whose}: the state dict is empty")
    other = next((name for name, value in content.items() if not isinstance(value, Tensor)), None)
    if other is not None:
        raise ValueError(f"{whose}: {other!r} is of type {type(content[other]).__name__}; expected a tensor")
    state = dict(content)
    while all(name.startswith(PREFIX) for name in state):
        state = {name.removeprefix(PREFIX): value for name, value in state.items()}
    return state


def translated(
    state: Mapping[str, Tensor],
    names: Mapping[str, str],
    network: nn.Module,
    whose: str,
    unused: tuple[str, ...] = (),
) -> dict[str, Tensor]:
    """Tensors under our names: each one used once, each place filled once.

    Args:
        state: unwrapped tensors by released name.
        names: modules, released name to ours. Two released modules may share one of ours if their tensors differ.
        network: ours, for its names and shapes; it may lie on the meta device.
        whose: words for the error sentences.
        unused: beginnings of released names that no forward pass reads; they are passed over.

    Returns:
        What `network.load_state_dict` takes; the same tensors, not copies. Counters of batches that a checkpoint
        lacks are zeros.

    Raises:
        ValueError: a name is missing or unknown, or a shape differs.
    """
    wanted, found, unknown = network.state_dict(), {}, []
    for name, value in state.items():
        module, _, leaf = name.rpartition(".")
        ours = f"{names[module]}.{leaf}" if module in names else None
        if ours is None or ours not in wanted:
            counts = ours is not None and leaf == _COUNTER  # ours is a normalisation that never counts
            if not counts and not name.startswith(unused or "\0"):
                unknown.append(name)
        elif value.shape != wanted[ours].shape:
            raise ValueError(f"{whose}: {name!r} has shape {tuple(value.shape)}; expected {tuple(wanted[ours].shape)}")
        elif ours in found:
            raise ValueError(f"{whose}: {name!r} comes twice")
        else:
            found[ours] = value
    theirs: dict[str, list[str]] = {}
    for released, ours in names.items():
        theirs.setdefault(ours, []).append(released)
    lacking = [name for name in wanted if name not in found and not name.endswith(_COUNTER)]
    if lacking:
        module, _, leaf = lacking[0].rpartition(".")
        first = " or ".join(repr(f"{released}.{leaf}") for released in theirs.get(module, [module]))
        raise ValueError(f"{whose}: {_count(lacking)} missing, the first is {first}{_sample(unknown)}")
    if unknown:
        raise ValueError(f"{whose}: {_count(unknown)} unknown, the first is {unknown[0]!r}")
    return {name: found[name] if name in found else torch.zeros((), dtype=torch.int64) for name in wanted}


def same_names(module: nn.Module, theirs: str = "", ours: str = "") -> dict[str, str]:
    """Names for a module whose parts are called alike in both networks.

    Args:
        module: our part.
        theirs, ours: what stands in front of its names.
    """
    owners = dict.fromkeys(name.rpartition(".")[0] for name in module.state_dict())
    return {f"{theirs}{name}": f"{ours}{name}" for name in owners}


def size_of(state: Mapping[str, Tensor], name: str, whose: str, axis: int = 0) -> int:
    """Size of a tensor along an axis, such as the number of classes from the last layer.

    Raises:
        ValueError: there is no such tensor; then this is no checkpoint of that network.
    """
    if name not in state or state[name].dim() <= axis:
        found = f"there are {len(state)}, such as {next(iter(state))!r}"
        raise ValueError(f"{whose}: no tensor {name!r} with {axis + 1} or more axes; {found}")
    return state[name].shape[axis]


def resnet_depth(state: Mapping[str, Tensor], stage: str, whose: str) -> int:
    """Depth of a ResNet, from the number of blocks of its third stage.

    Args:
        state: unwrapped tensors by released name.
        stage: released name of that stage, with a point at the end.
        whose: words for the error sentence.

    Raises:
        ValueError: neither that of depth 50 nor that of depth 101.
    """
    blocks = len({name.removeprefix(stage).split(".")[0] for name in state if name.startswith(stage)})
    if blocks not in (6, 23):
        raise ValueError(f"{whose}: {stage.rstrip('.')!r} has {blocks} blocks; expected 6 (depth 50) or 23 (depth 101)")
    return 50 if blocks == 6 else 101


def _count(names: list[str]) -> str:
    return "1 tensor is" if len(names) == 1 else f"{len(names)} tensors are"


def _sample(unknown: list[str]) -> str:
    return f"; {_count(unknown)} unknown, the first is {unknown[0]!r}" if unknown else ""
