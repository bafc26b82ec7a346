"""What a training keeps to go on after a stop: one file, written whole by the first process for all of them.

It holds what all processes have in common once (weights, optimiser, history) and for each process what is its own: the
state of its random number generators, its sums of losses, and buffers that differ from the first one's.
"""

import hashlib
import random
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from labelkit import distributed
from labelkit.files import write_whole


@dataclass(frozen=True)
class Kept:
    """What is kept: see :func:`labelkit.training.train`. ``history`` and ``running`` hold plain values and tensors."""

    method: nn.Module
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    history: Any
    running: Any
    device: torch.device


def save(path: Path, identity: str, kept: Kept) -> None:
    """Write the checkpoint; all processes call it after the same step.

    Raises:
        OSError: it could not be written; an older one is still there.
    """
    own = {
        "random": _random_state(kept.device),
        "running": {"sums": {k: v.cpu() for k, v in kept.running.sums.items()}, "count": kept.running.count},
        "buffers": _own_buffers(kept.method),
    }
    everybody = distributed.gather(own)
    if everybody is None:
        return
    state = {
        "identity": identity,
        "method": kept.method.state_dict(),
        "optimizer": kept.optimizer.state_dict(),
        "scaler": kept.scaler.state_dict(),
        "history": {name: getattr(kept.history, name) for name in kept.history.__dataclass_fields__},
        "processes": everybody,
    }
    write_whole(path, lambda partial: torch.save(state, partial))


def restore(path: Path, identity: str, kept: Kept, steps: int) -> None:
    """Go on from a checkpoint; all processes call it.

    With as many processes as before everything is as it was, to the last digit. With another number a warning says so:
    processes that the checkpoint does not know draw numbers of their own from here on.

    Raises:
        ValueError: it is not readable, belongs to another training, or is further than ``steps``.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        found, everybody = state["identity"], state["processes"]
    except Exception as error:  # torch.load has no exception of its own: a cut file shows as one of many
        raise ValueError(
            f"{path}: not a readable checkpoint ({type(error).__name__}); delete it to start over"
        ) from error
    if found != identity:
        raise ValueError(f"{path}: checkpoint of another run (identity {found!r}, expected {identity!r}); move it away")
    if state["history"]["step"] > steps:
        raise ValueError(
            f"{path}: checkpoint after step {state['history']['step']}, but only {steps} steps are asked for"
        )
    kept.method.load_state_dict(state["method"])
    kept.optimizer.load_state_dict(state["optimizer"])
    kept.scaler.load_state_dict(state["scaler"])
    for name, value in state["history"].items():
        setattr(kept.history, name, value)
    rank, processes = distributed.place()
    if rank == 0 and processes != len(everybody):
        warnings.warn(
            f"{path}: written by {len(everybody)} process(es), resumed by {processes}; the run goes on, but not to the "
            f"last digit as it would have",
            stacklevel=2,
        )
    own = everybody[rank] if rank < len(everybody) else everybody[0]
    kept.method.load_state_dict(own["buffers"], strict=False)
    kept.running.sums = {name: value.to(kept.device) for name, value in own["running"]["sums"].items()}
    kept.running.count = own["running"]["count"]
    _set_random_state(own["random"], kept.device)
    if rank >= len(everybody):  # two must not draw the same numbers
        torch.manual_seed(torch.initial_seed() + 1_000_003 * rank + kept.history.step)


def _own_buffers(method: nn.Module) -> dict[str, Tensor]:
    """Kept buffers of this process that differ from the first one's, on the CPU; none in the first one."""
    if distributed.place()[1] == 1:
        return {}
    learnt = {name for name, _ in method.named_parameters()}
    buffers = {name: value.detach().cpu() for name, value in method.state_dict().items() if name not in learnt}
    digests = {name: _digest(value) for name, value in buffers.items()}
    first = distributed.first_of(digests)
    return {name: buffers[name].clone() for name, digest in digests.items() if first.get(name) != digest}


def _digest(value: Tensor) -> str:
    shape = str(tuple(value.shape)).encode()
    return hashlib.sha256(shape + value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()).hexdigest()


def _random_state(device: torch.device) -> dict[str, Any]:
    name, keys, position, has_gauss, cached = np.random.get_state()
    version, internal, gauss = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        # Of this process's device alone: to ask another GPU would take memory there.
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
        "numpy": [name, torch.from_numpy(keys.astype(np.int64)), position, has_gauss, cached],
        "python": [version, list(internal), gauss],
    }


def _set_random_state(state: dict[str, Any], device: torch.device) -> None:
    torch.set_rng_state(state["torch"])
    if state["cuda"] is not None and device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"], device)
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
