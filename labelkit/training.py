"""The one training loop: steps, schedules, precision, checkpoints, resume, several processes, batches in parts.

It takes any method (an ``nn.Module`` with ``training_step(batch) -> dict of named losses``) and any batches
(``batches[step]``, a pure function of the step) and knows neither. Two consequences carry the rest of the house. A
resumed run sees exactly the batches that an uninterrupted one sees, because no loader state exists. And everything
that must survive a stop lives in tensors of the method or of the optimiser, or in the state of the random number
generators, so one file holds it.
"""

import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from labelkit import checkpoints, distributed
from labelkit.batch_statistics import synchronise

Schedule = Callable[[int, int], float]
Rehearse = Callable[..., "History"]


class Batches(Protocol):
    """Anything that gives the batch of a step: ``batches[step]``, the same for the same step, whenever it is asked.

    Where a step is taken in parts, ``batches[step * parts + part]`` gives those of a part.
    """

    def __getitem__(self, index: int) -> Any: ...


class Interrupted(SystemExit):
    """SIGTERM arrived: the step was finished and a checkpoint written. Exit status 143, as a shell expects."""

    def __init__(self, step: int, checkpoint: Path | None):
        super().__init__(143)
        self.step, self.checkpoint = step, checkpoint
        where = f"resume from {checkpoint}" if checkpoint else "no checkpoint was asked for"
        self.message = f"stopped after step {step}; {where}"

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple:  # from a worker process to its parent
        return Interrupted, (self.step, self.checkpoint)


def poly(power: float = 0.9) -> Schedule:
    """Learning-rate factor (1 - step / steps) ** power, the schedule of DeepLab, CPS and OCR, once per iteration."""
    return lambda step, steps: (1.0 - step / steps) ** power


def constant() -> Schedule:
    """Learning-rate factor 1 at every step."""
    return lambda step, steps: 1.0


@dataclass
class History:
    """What a training left behind, apart from the weights.

    Attributes:
        series: name -> list of (step, value). Losses are means over the steps since the previous entry, over their
            parts and over all processes; a key that ``evaluate`` returned holds its values.
        step: optimiser steps done.
        seconds: time spent in training steps, evaluation and checkpoints left out; adds up over resumed parts.
        best_step, best_value: where the ``keep_best`` series was highest (None without it).
        best_weights: the method's state dict there.
    """

    series: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    step: int = 0
    seconds: float = 0.0
    best_step: int | None = None
    best_value: float | None = None
    best_weights: dict[str, Tensor] | None = None

    def add(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self.series.setdefault(name, []).append((step, float(value)))


class _Step(nn.Module):
    """``training_step`` as a forward pass, which is what DistributedDataParallel and torch.compile wrap."""

    def __init__(self, method: nn.Module):
        super().__init__()
        self.method = method

    def forward(self, batch: Any) -> dict[str, Tensor]:
        losses = self.method.training_step(batch)
        # Only the loss is differentiated: whoever looks for parameters without gradient must not find them elsewhere.
        return {name: value if name == "loss" else value.detach() for name, value in losses.items()}


def train(
    method: nn.Module,
    batches: Batches,
    *,
    steps: int,
    optimizer: torch.optim.Optimizer,
    schedule: Schedule | None = None,
    precision: str = "fp32",
    device: str | torch.device = "cpu",
    channels_last: bool = False,
    compile: bool = False,
    clip_norm: float | None = None,
    accumulate: int = 1,
    workers: int = 0,
    checkpoint: str | os.PathLike | None = None,
    checkpoint_every: int = 0,
    identity: str = "",
    evaluate: Callable[[int], Mapping[str, float]] | None = None,
    evaluate_every: int = 0,
    keep_best: str | None = None,
    log_every: int = 10,
    on_step: Callable[[int, int], None] | None = None,
    rehearse: Rehearse | None = None,
) -> History:
    """Train a method for a number of optimiser steps, continuing from the checkpoint if there is one.

    Where processes work together (:mod:`labelkit.distributed`) all of them call this alike, each with its own share of
    the batches. Gradients are averaged over processes and parts.

    Args:
        method: ``training_step(batch)`` returns named scalar losses; ``"loss"`` is differentiated. Moved to ``device``.
            A method that counts steps may have an attribute ``last_part``: it tells whether the batch is the last of
            its step, and is True throughout where steps have one part.
        batches: ``batches[step]`` for step in 0..steps-1, or of parts of a step; nested dicts, lists and tensors are
            moved to ``device``.
        steps: optimiser steps in all, those before a resume included.
        optimizer: over the method's parameters; the learning rate of each group is its rate at factor 1.
        schedule: factor of the learning rate at (step, steps), set before the step; default ``poly(0.9)``.
        precision: ``"fp32"``, ``"bf16"`` (autocast) or ``"fp16"`` (autocast and loss scaling; CUDA only).
        channels_last: convolution weights and 4-d inputs in channels-last memory format.
        compile: compile the training step with ``torch.compile``.
        clip_norm: largest norm of the gradient, if given.
        accumulate: parts of a step, one after another: a larger batch than memory bears. The step's gradient is the
            mean of the parts'. Batch normalisation sees a part at a time.
        workers: processes that prepare batches ahead; 0 prepares them in this one.
        checkpoint: file to write and to resume from; written whole or not at all, by the first process for all.
        checkpoint_every: steps between checkpoints; 0 writes only on SIGTERM.
        identity: a digest of what is trained. A checkpoint with another identity is refused.
        evaluate: called as ``evaluate(step)`` with the method in evaluation mode and gradients off; in all processes,
            of which the first one's values count.
        evaluate_every: steps between evaluations, the last step always included; 0 for none.
        keep_best: name of an evaluated value; the weights at its highest value are kept.
        log_every: steps between entries of the loss series.
        on_step: told (steps done, steps in all) after each step, for a progress bar.
        rehearse: called in place of the training, as ``rehearse(method, batches, optimizer=..., steps=..., ...)`` with
            whatever else bears on the cost of a step; its history is returned. For dry runs.

    Returns:
        The history; the method holds the weights of the last step.

    Raises:
        ValueError: an argument is out of range, or the checkpoint is corrupt or belongs to another run.
        FloatingPointError: the loss is not finite; names the step and the losses.
        Interrupted: SIGTERM came; a checkpoint was written if one was asked for.
    """
    schedule = schedule or poly()
    device = torch.device(device)
    if rehearse is not None:
        cost = {"precision": precision, "channels_last": channels_last, "compile": compile, "accumulate": accumulate}
        return rehearse(method, batches, optimizer=optimizer, steps=steps, device=device, **cost)
    checkpoint = Path(checkpoint) if checkpoint else None
    _check(precision, device, steps, accumulate)
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    method.to(device=device, memory_format=memory_format)
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])
    _optimizer_to(optimizer, device)
    scaler = torch.amp.GradScaler("cuda", enabled=precision == "fp16")
    history, running = History(), _Running()
    step_module, quiet = _together(_Step(method), device)
    if compile:
        step_module = torch.compile(step_module)
    kept = checkpoints.Kept(method, optimizer, scaler, history, running, device)
    # Now that the wrapper is made, which may give all processes the first one's buffers: a resumed one has its own.
    if checkpoint and distributed.first_of(checkpoint.exists()):  # nobody begins anew where another goes on
        checkpoints.restore(checkpoint, identity, kept, steps)

    autocast = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    method.train()
    with _sigterm() as stop:
        started = time.perf_counter()
        for step, part, batch in _iterate(batches, history.step, steps, accumulate, workers):
            if part == 0:
                for group in optimizer.param_groups:
                    group["lr"] = group["initial_lr"] * schedule(step, steps)
                optimizer.zero_grad(set_to_none=True)
            method.last_part = part == accumulate - 1
            batch = to_device(batch, device, memory_format)
            with nullcontext() if method.last_part else quiet():
                with torch.autocast(device.type, dtype=autocast, enabled=autocast is not None):
                    losses = step_module(batch)
                loss = losses["loss"] if accumulate == 1 else losses["loss"] / accumulate
                scaler.scale(loss).backward()
            running.add(losses)
            if not method.last_part:
                continue
            if clip_norm is not None:
                scaler.unscale_(optimizer)
                nn.utils.clip_grad_norm_(parameters, clip_norm)
            scaler.step(optimizer)
            scaler.update()
            history.step = done = step + 1
            if done % log_every == 0 or done == steps:
                history.add(done, running.means(done))
            if on_step:
                on_step(done, steps)
            # A signal reaches processes at different times; they must stop after the same step.
            stopping = distributed.any_of(stop.is_set())
            evaluating = evaluate and evaluate_every and (done % evaluate_every == 0 or done == steps)
            saving = checkpoint and (stopping or (checkpoint_every and done % checkpoint_every == 0))
            if evaluating or saving or stopping or done == steps:
                history.seconds += time.perf_counter() - started
                if evaluating:
                    _evaluate(method, evaluate, done, history, keep_best)
                if saving:
                    checkpoints.save(checkpoint, identity, kept)
                if stopping and done < steps:
                    raise Interrupted(done, checkpoint)
                started = time.perf_counter()
    return history


def _together(step: _Step, device: torch.device) -> tuple[nn.Module, Callable[[], AbstractContextManager]]:
    """A step whose gradients are averaged over the processes, and a block in which they are not, for parts of a step.

    What the methods here need of DistributedDataParallel:

    - Parameters may be without gradient: an auxiliary head of weight 0, a graph that groups of one do not use. Which
      ones is the same in every process and step, but nobody says so beforehand, so each step looks for them
      (``find_unused_parameters``; torch remarks once where there are none). Otherwise the second step would fail.
    - Buffers are not handed round (``broadcast_buffers``), as would happen before every forward pass. Statistics
      of synchronised normalisation are equal in all processes already; all other buffers belong to their process:
      pools of earlier fakes, maps accumulated for the images that it saw.
    - A step calls networks several times, some of them twice, without gradient or with parameters detached. All of it
      is one forward pass of this wrapper, so gradients are averaged once, in the one backward pass. Gradients that a
      step takes for itself (virtual adversarial training) are those of its inputs and are left alone.
    - Gradients are averaged before any optimiser sees them, so two of them side by side need nothing more.
    """
    if distributed.place()[1] == 1:
        return step, nullcontext
    synchronise(step, device)
    ids = [device.index] if device.type == "cuda" and device.index is not None else None
    with warnings.catch_warnings():  # newer versions rename the option; what takes its place still hands buffers round
        warnings.simplefilter("ignore", FutureWarning)
        together = nn.parallel.DistributedDataParallel(
            step, device_ids=ids, broadcast_buffers=False, find_unused_parameters=True
        )
    return together, together.no_sync


def _check(precision: str, device: torch.device, steps: int, accumulate: int) -> None:
    if precision not in ("fp32", "bf16", "fp16"):
        raise ValueError(f"precision is {precision!r}; expected 'fp32', 'bf16' or 'fp16'")
    if precision == "fp16" and device.type != "cuda":
        raise ValueError(f"precision 'fp16' needs a CUDA device, not {device.type!r}; use 'bf16' or 'fp32'")
    if steps < 1:
        raise ValueError(f"steps is {steps}; expected at least 1")
    if accumulate < 1:
        raise ValueError(f"accumulate is {accumulate}; expected at least 1 part of a step")


def to_device(batch: Any, device: torch.device, memory_format: torch.memory_format = torch.contiguous_format) -> Any:
    """A nested batch (dicts, lists, tuples of tensors) on a device; 4-d floating tensors take the memory format."""
    if isinstance(batch, Tensor):
        keep = batch.dim() == 4 and batch.is_floating_point()
        return batch.to(device, non_blocking=True, memory_format=memory_format if keep else torch.preserve_format)
    if isinstance(batch, Mapping):
        return {key: to_device(value, device, memory_format) for key, value in batch.items()}
    if isinstance(batch, list | tuple):
        return type(batch)(to_device(value, device, memory_format) for value in batch)
    return batch


def _iterate(batches: Batches, start: int, steps: int, parts: int, workers: int) -> Iterator[tuple[int, int, Any]]:
    """Step, part and batch, from a step on."""
    order = range(start * parts, steps * parts)
    if workers == 0:
        for index in order:
            yield *divmod(index, parts), batches[index]
        return
    loader = torch.utils.data.DataLoader(
        batches, batch_size=None, sampler=order, num_workers=workers, pin_memory=torch.cuda.is_available()
    )
    for index, batch in zip(order, loader):
        yield *divmod(index, parts), batch


def _evaluate(method: nn.Module, evaluate: Callable, step: int, history: History, keep_best: str | None) -> None:
    method.eval()
    with torch.no_grad():
        # All go on with one set of values, so that none keeps other best weights for a digit that differs.
        values = distributed.first_of(evaluate(step))
    method.train()
    history.add(step, values)
    if keep_best is None:
        return
    if keep_best not in values:
        raise ValueError(f"keep_best is {keep_best!r}, but the evaluation gives only {sorted(values)}")
    if history.best_value is None or values[keep_best] > history.best_value:
        history.best_step, history.best_value = step, float(values[keep_best])
        history.best_weights = {name: value.detach().cpu().clone() for name, value in method.state_dict().items()}


class _Running:
    """Sums of the losses since the last entry of the series; kept on the device, so that a step never waits for it.

    Attributes:
        sums: by name, of this process.
        count: of the batches, or parts of one, that were added.
    """

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.count = 0

    def add(self, losses: Mapping[str, Tensor]) -> None:
        for name, value in losses.items():
            value = value.detach().double()
            self.sums[name] = self.sums[name] + value if name in self.sums else value
        self.count += 1

    def means(self, step: int) -> dict[str, float]:
        """Over all processes; then everything begins anew."""
        values = [float(value) for value in self.sums.values()]
        total = distributed.add_up(torch.tensor([*values, self.count], dtype=torch.float64)).tolist()
        means = {name: value / total[-1] for name, value in zip(self.sums, total)}
        self.sums, self.count = {}, 0
        if not np.isfinite(means.get("loss", 0.0)):
            shown = ", ".join(f"{name} {value:.4g}" for name, value in means.items())
            raise FloatingPointError(f"the loss is not finite in the steps before step {step}: {shown}")
        return means


class _sigterm:
    """Within the block SIGTERM sets an event instead of ending the process (main thread only; elsewhere nothing
    changes)."""

    def __enter__(self) -> threading.Event:
        self.event, self.previous = threading.Event(), None
        if threading.current_thread() is threading.main_thread():
            self.previous = signal.signal(signal.SIGTERM, lambda *_: self.event.set())
        return self.event

    def __exit__(self, *_: object) -> None:
        if self.previous is not None:
            signal.signal(signal.SIGTERM, self.previous)


def _optimizer_to(optimizer: torch.optim.Optimizer, device: torch.device) -> None:
    for state in optimizer.state.values():
        for name, value in state.items():
            if isinstance(value, Tensor):
                state[name] = value.to(device)
