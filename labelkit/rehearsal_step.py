"""What one training step costs: floating-point operations and memory counted, time measured where it is computed."""

import copy
import gc
import time
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only
from torch.utils.flop_counter import FlopCounterMode

from labelkit.rehearsal_batches import tensors_of
from labelkit.rehearsal_sketch import AllTrue
from labelkit.training import to_device, train

WARM, TIMED = 2, 5
"""Steps before the clock starts, and steps that are timed."""


@dataclass(frozen=True)
class Cost:
    """Of one optimiser step; memory in bytes.

    Attributes:
        flops: floating-point operations of convolutions and matrix products, forward and backward; a multiply-add
            counts as two, everything else as none.
        activations: the most that is held for the backward pass at a time, apart from weights and the batch.
        weights, gradients, optimizer, batch: of parameters and buffers, of gradients, of the optimiser's state, of
            the batch.
        step_seconds: measured; None if the step was only counted.
        peak_memory: measured on a GPU; None elsewhere.
    """

    flops: int
    activations: int
    weights: int
    gradients: int
    optimizer: int
    batch: int
    step_seconds: float | None = None
    peak_memory: int | None = None

    @property
    def memory(self) -> int:
        """All of it together. Gradients come while activations go, so a step takes at most this, passing results
        apart."""
        return self.activations + self.weights + self.gradients + self.optimizer + self.batch

    def times(self, factor: int) -> "Cost":
        """The cost of a batch so many times larger; weights stay what they are."""
        scaled = {name: factor * getattr(self, name) for name in ("flops", "activations", "batch")}
        return replace(self, **scaled)

    def in_parts(self, parts: int) -> "Cost":
        """The cost of a step that takes so many batches one after another."""
        return replace(self, flops=parts * self.flops)


def count(
    method: nn.Module, batch: Any, optimizer: torch.optim.Optimizer, precision: str = "fp32", kind: str = "cpu"
) -> Cost:
    """Take one step of one batch as the training loop does, and count.

    Args:
        method, batch, optimizer: on one device, or on none (see `contentless`).
        precision: of the run.
        kind: type of the device.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state = [*method.parameters(), *method.buffers(), *parameters]
    known = {_storage(each) for each in [*state, *tensors_of(batch)]}
    held = _Held(known)
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
    method.train()
    method.last_part = True  # as the training loop tells it
    with FlopCounterMode(display=False) as counter, torch.autograd.graph.saved_tensors_hooks(held.pack, held.unpack):
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(kind, dtype=dtype, enabled=dtype is not None):
            losses = method.training_step(batch)
        losses["loss"].backward()
        del losses
        optimizer.step()
    gradients = sum(_bytes(each.grad) for each in {id(p): p for p in parameters}.values() if each.grad is not None)
    kept = tensors_of(optimizer.state_dict())
    optimizer.zero_grad(set_to_none=True)
    return Cost(
        flops=int(counter.get_total_flops()),
        activations=held.most,
        weights=sum(_bytes(each) for each in {id(each): each for each in state}.values()),
        gradients=gradients,
        optimizer=sum(map(_bytes, kept)),
        batch=sum(map(_bytes, tensors_of(batch))),
    )


def contentless(method: nn.Module, batch: Any, optimizer: torch.optim.Optimizer) -> tuple[Any, nn.Module, Any, Any]:
    """Copies without content, on which a step of any size costs next to nothing.

    Returns:
        The mode under which they work, method, optimiser and batch.
    """
    from torch._subclasses.fake_tensor import FakeTensorMode

    mode = FakeTensorMode(allow_non_fake_inputs=True)
    groups = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state = [*method.parameters(), *method.buffers(), *groups]
    known: dict[int, Any] = {id(each): mode.from_tensor(each) for each in state}
    return mode, *copied(method, optimizer, known), tree_map_only(Tensor, mode.from_tensor, batch)


def copied(method: nn.Module, optimizer: torch.optim.Optimizer, known: dict[int, Any]) -> tuple[nn.Module, Any]:
    """Copies of a method and its optimiser, over the same new parameters.

    Args:
        method, optimizer: of a training.
        known: copies that are made already, by the ``id`` of the original; it grows.
    """
    method = copy.deepcopy(method, known)
    twin = object.__new__(type(optimizer))  # torch's own way leaves out what a subclass adds
    twin.__dict__.update(copy.deepcopy(vars(optimizer), known))
    return method, twin


def count_contentless(method: nn.Module, batch: Any, optimizer: torch.optim.Optimizer, precision: str) -> Cost:
    """`count` without computing anything; of a mask, all is true.

    Raises:
        Exception: the step looks at numbers; torch and methods have many ways to say so.
    """
    mode, method, optimizer, batch = contentless(method, batch, optimizer)
    with mode, AllTrue():
        return count(method, batch, optimizer, precision)


def measure(
    method: nn.Module, batch: Any, optimizer: torch.optim.Optimizer, device: torch.device, loop: dict[str, Any]
) -> Cost:
    """Count one step where it is computed, then time some in the training loop itself.

    Args:
        method, batch, optimizer: of the training.
        device: where.
        loop: precision, channels_last, compile and accumulate, as :func:`labelkit.training.train` takes them.
    """
    cuda = device.type == "cuda"
    method.to(device)
    cost = count(method, to_device(batch, device), optimizer, loop["precision"], device.type)
    gc.collect()
    if cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    ends = []

    def clock(step: int, steps: int) -> None:
        if cuda:
            torch.cuda.synchronize(device)
        ends.append(time.perf_counter())

    still = 1e-6  # weights hardly move: what is timed is the step, not what it learns from noise
    train(
        method, _Same(batch), steps=WARM + TIMED, optimizer=optimizer, schedule=lambda *_: still, device=device,
        log_every=WARM + TIMED, on_step=clock, **loop,
    )  # fmt: skip
    peak = torch.cuda.max_memory_allocated(device) if cuda else None
    return replace(cost, step_seconds=(ends[-1] - ends[WARM - 1]) / TIMED, peak_memory=peak)


class _Same:
    """One batch for all steps and their parts."""

    def __init__(self, batch: Any) -> None:
        self.batch = batch

    def __getitem__(self, step: int) -> Any:
        return self.batch


class _Held:
    """What the backward pass waits for: each storage once, as long as something holds it."""

    def __init__(self, known: set[int]) -> None:
        self.known, self.holders = known, {}
        self.now = self.most = 0

    def pack(self, tensor: Tensor) -> "_Packed":
        return _Packed(tensor, self)

    def unpack(self, packed: "_Packed") -> Tensor:
        return packed.tensor

    def add(self, key: int, size: int, change: int) -> None:
        before = self.holders.get(key, 0)
        self.holders[key] = before + change
        if (before == 0) != (before + change == 0) and key not in self.known:
            self.now += change * size
            self.most = max(self.most, self.now)


class _Packed:
    """A saved tensor that tells when it is let go."""

    def __init__(self, tensor: Tensor, held: _Held) -> None:
        self.tensor, self.held = tensor, held
        self.key, self.size = _storage(tensor), tensor.untyped_storage().nbytes()
        held.add(self.key, self.size, 1)

    def __del__(self) -> None:
        self.held.add(self.key, self.size, -1)


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata
