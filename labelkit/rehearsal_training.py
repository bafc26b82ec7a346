"""What stands in for a training in a rehearsal: it looks at one step, in the way that the machine allows."""

import time
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils._pytree import tree_map

from labelkit.rehearsal_batches import pictures_in, smaller_batches
from labelkit.rehearsal_sketch import Sketch
from labelkit.rehearsal_step import Cost, copied, count, count_contentless, measure
from labelkit.training import History


@dataclass(frozen=True)
class Training:
    """One training of a cell.

    Attributes:
        method: name of the method's class.
        steps: optimiser steps.
        images: that a step sees (frames of clips, clouds).
        parameters: that are trained.
        precision: of the run.
        way: "measured", "computed", "counted" or "sketched"; see :mod:`labelkit.rehearsal`.
        scaled: by how much a smaller batch was scaled up; 1 if the whole was looked at.
        cost: of a step.
        loader_seconds: of a core, to build one batch; of blank images, which are neither read nor decoded.
    """

    method: str
    steps: int
    images: int
    parameters: int
    precision: str
    way: str
    scaled: int
    cost: Cost
    loader_seconds: float

    def hours(self, tflops: float) -> float:
        """Measured step time x steps; where nothing was measured, what a device takes that sustains so many TFLOP/s."""
        seconds = self.cost.step_seconds
        return self.steps * (self.cost.flops / (tflops * 1e12) if seconds is None else seconds) / 3600


class Enough(BaseException):
    """All trainings of an arm were seen, and what follows was rehearsed for another arm."""


class StandIn:
    """Takes the place of a training: looks at its step, or takes what was found for an arm that is alike.

    Args:
        trainings: of the arm; they are added here.
        sketch: under which the cell runs; it rests while a step is looked at, unless that is to be sketched.
        device: of the run.
        patience: seconds of this process from one training to the next; the sketch's deadline.
        known: costs by what decides them; it grows.
        before: trainings of an arm that differs in steps alone; None if none is known.
    """

    def __init__(
        self,
        trainings: list[Training],
        sketch: Sketch,
        device: torch.device,
        patience: float,
        known: dict,
        before: list[Training] | None,
    ) -> None:
        self.trainings, self.sketch, self.device, self.patience = trainings, sketch, device, patience
        self.known, self.before = known, before

    def __call__(
        self,
        method: nn.Module,
        batches: Any,
        *,
        optimizer: torch.optim.Optimizer,
        steps: int,
        precision: str,
        channels_last: bool,
        compile: bool,
        accumulate: int = 1,
        **others: Any,
    ) -> History:
        loop = {
            "precision": precision, "channels_last": channels_last, "compile": compile, "accumulate": accumulate
        }  # fmt: skip
        self.sketch.deadline, sketching = None, self.sketch.on
        self.sketch.on = False
        if self.before is None:
            self.trainings.append(self._training(method, batches, optimizer, steps, loop, sketching))
        else:
            self.trainings.append(replace(self.before[len(self.trainings)], steps=steps))
            if len(self.trainings) == len(self.before):
                raise Enough
        state = {name: value.detach().cpu().clone() for name, value in method.state_dict().items()}
        self.sketch.on, self.sketch.deadline = sketching, time.process_time() + self.patience
        series = {"loss": [(steps, 0.0)]}
        return History(series, steps, best_step=steps, best_value=0.0, best_weights=state)

    def _training(
        self,
        method: nn.Module,
        batches: Any,
        optimizer: torch.optim.Optimizer,
        steps: int,
        loop: dict[str, Any],
        sketching: bool,
    ) -> Training:
        started = time.process_time()
        batch = batches[0]
        loader_seconds = time.process_time() - started
        key = (_alike(method), _shapes(batch), type(optimizer).__name__, *loop.items(), sketching)
        if key not in self.known:
            self.known[key] = self._look(method, batches, batch, optimizer, loop, sketching)
        way, scaled, cost = self.known[key]
        parts = loop["accumulate"]
        groups = {id(each): each for group in optimizer.param_groups for each in group["params"]}
        return Training(
            type(method).__name__, steps, parts * pictures_in(batch),
            sum(each.numel() for each in groups.values() if each.requires_grad),
            loop["precision"], way, scaled, cost.in_parts(parts), parts * loader_seconds,
        )  # fmt: skip

    def _look(
        self, method: nn.Module, batches: Any, batch: Any, optimizer: torch.optim.Optimizer, loop: dict, sketching: bool
    ) -> tuple[str, int, Cost]:
        if not sketching:
            way = "measured" if self.device.type == "cuda" else "computed"
            with _disable_current_modes():  # the sketch's own, which would slow every operation down
                return way, 1, measure(method, batch, optimizer, self.device, loop)
        try:
            with torch.random.fork_rng(devices=[]), _disable_current_modes():
                return "counted", 1, count_contentless(method, batch, optimizer, loop["precision"])
        except Exception:  # it looks at numbers: torch and methods have many ways to say so
            pass
        problem: Exception | None = None
        self.sketch.on = True
        for factor, smaller in smaller_batches(batches):
            twin, its_optimizer = copied(method, optimizer, {})  # a step of noise spoils the weights
            try:
                return "sketched", factor, count(twin, smaller[0], its_optimizer, loop["precision"]).times(factor)
            except ValueError as error:  # batch normalisation of one value, or a group that one image does not make
                problem = error
        raise problem


def _alike(method: nn.Module) -> Any:
    """What decides the cost of a method's step: shapes and plain attributes of all its modules."""
    plain = (bool, int, float, str, tuple, list, type(None))
    modules = [
        (name, type(each).__qualname__, sorted((k, repr(v)) for k, v in vars(each).items() if isinstance(v, plain)))
        for name, each in method.named_modules()
    ]
    trained = [(name, tuple(each.shape), each.requires_grad) for name, each in method.named_parameters()]
    called = [(k, _called(v)) for k, v in sorted(vars(method).items()) if callable(v)]
    return repr((modules, trained, called))


def _called(function: Any) -> str:
    inner = getattr(function, "func", function)  # of a partial
    name = getattr(inner, "__qualname__", type(inner).__name__)
    return f"{name} {getattr(function, 'args', '')} {getattr(function, 'keywords', '')}"


def _shapes(batch: Any) -> str:
    return repr(tree_map(lambda leaf: (leaf.shape, leaf.dtype) if isinstance(leaf, torch.Tensor) else "", batch))
