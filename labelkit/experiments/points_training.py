"""Two halves of a training: every arm of the points chapter has two stages of equal length, the plain network too.

The rate falls in one curve over both, and momentum starts from zero in the second, whatever the arm: so an arm with one
module throughout, or none, differs from a two-stage arm in nothing but the modules. Arms that share their first stage
train it once for each seed: it is kept in the run's shared folder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import nn

from labelkit import distributed
from labelkit.experiments.points_settings import Settings
from labelkit.experiments.settings import Context
from labelkit.files import write_whole
from labelkit.methods.points import DensePropagation
from labelkit.models.feature_reallocation import CrossSampleReallocation, IntraSampleReallocation
from labelkit.provenance import digest
from labelkit.training import History, Schedule, train

MODULES = {"plain": (False, False), "csfr": (True, False), "isfr": (False, True), "joint": (True, True)}
"""Name of a stage to whether it has the cross-sample and the intra-sample module."""


@dataclass(frozen=True)
class Stage:
    """What a stage trains with.

    Attributes:
        kind: a key of `MODULES`.
        skips, detach: see :class:`labelkit.methods.points.DensePropagation`.
        compare, entries: of the squared difference; the run file's if empty.
    """

    kind: str = "plain"
    skips: str = "receiver"
    detach: str = "none"
    compare: str = ""
    entries: str = ""


@dataclass
class Trained:
    """What the stages so far have left: the method, its series over all steps, seconds, and the best weights."""

    method: DensePropagation
    series: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    seconds: float = 0.0
    best: dict[str, Any] = field(default_factory=dict)
    best_step: int = 0
    best_value: float = -1.0

    def add(self, history: History, before: int) -> None:
        """Take over what a stage left; ``before``: steps of the stages before it."""
        for name, values in history.series.items():
            self.series.setdefault(name, []).extend((step + before, value) for step, value in values)
        self.seconds += history.seconds
        if history.best_value is not None and history.best_value > self.best_value:
            self.best_step, self.best_value = history.best_step + before, history.best_value
            self.best = _of_network(history.best_weights)


def build(stage: Stage, network: nn.Module, settings: Settings) -> DensePropagation:
    """The method of a stage around a network; the modules start from the same weights for every seed."""
    cross, intra = MODULES[stage.kind]
    channels = network.coarse_channels
    return DensePropagation(
        network,
        CrossSampleReallocation(channels) if cross else None,
        IntraSampleReallocation(channels) if intra else None,
        weight=settings.weight,
        ramp=round(settings.ramp * settings.stage_steps),
        of=stage.compare or settings.compare,
        entries=stage.entries or settings.entries,
        skips=stage.skips,
        detach=stage.detach,
    )


def two_stages(
    stages: tuple[Stage, Stage],
    network: nn.Module,
    batches: Any,
    *,
    key: list[Any],
    label: str,
    settings: Settings,
    context: Context,
    seed: int,
    validate: Callable[[DensePropagation], Mapping[str, float]],
    before: Callable[[DensePropagation], Mapping[str, float]],
) -> Trained:
    """Train both stages.

    Args:
        stages: the first and the second; equal ones go on with the same modules.
        network: freshly drawn.
        batches: ``batches[step]`` over the steps of both.
        key: whatever else the first stage depends on: data, seed, labels, pairs.
        label: of the cell, for progress.
        settings, context, seed: of the cell.
        validate: values on the validation part, ``val_miou`` among them.
        before: values to put at the beginning of the series, measured before the first step.
    """
    path = context.shared / f"first-{digest([key, asdict(stages[0]), _shape(settings)])}.pt"
    method = build(stages[0], network, settings)
    trained = Trained(method)
    run = (label, settings, context, seed, validate)
    if distributed.first_of(path.exists()):
        _read(path, trained)
    else:
        method.to(context.device)
        method.eval()
        trained.series |= {name: [(0, value)] for name, value in before(method).items()}
        trained.add(_train(method, batches, 0, *run), 0)
        if context.rank == 0:
            write_whole(path, lambda partial: torch.save(_state(trained), partial))
    if stages[1] != stages[0]:
        trained.method = build(stages[1], method.network, settings)
    trained.add(_train(trained.method, batches, 1, *run), settings.stage_steps)
    return trained


class _From:
    """Batches, or their parts, from one on."""

    def __init__(self, batches: Any, start: int) -> None:
        self.batches, self.start = batches, start

    def __getitem__(self, index: int) -> Any:
        return self.batches[self.start + index]


def _train(
    method: DensePropagation,
    batches: Any,
    number: int,
    label: str,
    settings: Settings,
    context: Context,
    seed: int,
    validate: Callable[[DensePropagation], Mapping[str, float]],
) -> History:
    start = number * settings.stage_steps
    torch.manual_seed(seed + 1_000_003 * context.rank + number)
    options: dict[str, Any] = {"lr": settings.learning_rate, "weight_decay": settings.weight_decay}
    if settings.optimizer == "sgd":
        optimizer: torch.optim.Optimizer = torch.optim.SGD(method.parameters(), momentum=settings.momentum, **options)
    else:
        optimizer = torch.optim.Adam(method.parameters(), **options)
    told = context.on_step
    return train(
        method,
        _From(batches, start * context.parts),
        steps=settings.stage_steps,
        optimizer=optimizer,
        schedule=_schedule(settings, start),
        clip_norm=settings.clip_norm,
        **context.loop(settings, str(number)),
        evaluate=lambda step: validate(method),
        evaluate_every=settings.evaluate_every or settings.stage_steps,
        keep_best="val_miou",
        log_every=max(1, settings.stage_steps // 20),
        on_step=(lambda step, total: told(label, start + step, settings.steps)) if told else None,
    )


def _schedule(settings: Settings, start: int) -> Schedule:
    """One curve over both stages: poly, or a tenth every so many steps."""
    if settings.decay_every:
        return lambda step, steps: 0.1 ** ((start + step) / settings.decay_every)
    return lambda step, steps: (1.0 - (start + step) / settings.steps) ** 0.9


def _shape(settings: Settings) -> dict[str, Any]:
    kept_out = {"run", "budget", "arms", "data", "seeds", "jobs", "results", "about", "device", "workers", "threads"}
    return settings.model_dump(exclude=kept_out)


def _state(trained: Trained) -> dict[str, Any]:
    kept = ("series", "seconds", "best", "best_step", "best_value")
    method = {name: value.detach().cpu() for name, value in trained.method.state_dict().items()}
    return {"method": method} | {name: getattr(trained, name) for name in kept}


def _read(path: Any, trained: Trained) -> None:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        trained.method.load_state_dict(state.pop("method"))
    except Exception as error:  # torch.load has no exception of its own
        raise ValueError(f"{path}: not a readable first stage ({type(error).__name__}); delete it") from error
    for name, value in state.items():
        setattr(trained, name, value)


def _of_network(state: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in state.items() if name.startswith("network.")}
