"""The frame of one training, whatever is predicted: seed, checkpoint, validation, test of two sets of weights."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from labelkit.datasets.splits import Split
from labelkit.experiments.data import Parts
from labelkit.experiments.settings import Context, Outcome, TrainingSettings
from labelkit.training import Schedule, train

Measured = dict[str, dict[str, Any]]


def train_cell(
    method: nn.Module,
    batches: Any,
    *,
    label: str,
    settings: TrainingSettings,
    context: Context,
    seed: int,
    steps: int,
    optimizer: torch.optim.Optimizer,
    images_a_step: int,
    network: nn.Module,
    data: Parts,
    split: Split | None,
    validate: Callable[[], Mapping[str, float]],
    keep_best: str,
    test: Callable[[], Measured],
    stage: str = "",
    schedule: Schedule | None = None,
    evaluate_every: int | None = None,
) -> Outcome:
    """Train, then test the last weights and those that were best on the validation part.

    Args:
        method: with ``training_step`` and ``predict``.
        batches: ``batches[step]``.
        label: of the cell, for progress.
        settings, context: of the run.
        seed: of the draws in training steps (dropout, CutMix masks).
        steps: optimiser steps.
        optimizer: over the method's parameters.
        images_a_step: images that a step consumes.
        network: the network that predicts, for its size.
        data, split: for the record; no split if all images are labelled alike.
        validate: values on the validation part, for series; called in evaluation mode without gradients.
        keep_best: the one of these values that chooses the second set of weights, and steers nothing else.
        test: protocol name -> metrics of the method as it stands; called as ``validate`` is.
        stage: name of this training in a cell that has several; each has a checkpoint of its own.
        schedule: poly if None.
        evaluate_every: steps between validations; the run file's if None.
    """
    every = settings.evaluate_every if evaluate_every is None else evaluate_every
    torch.manual_seed(seed + 1_000_003 * context.rank)  # processes must not share dropout and CutMix masks
    history = train(
        method,
        batches,
        steps=steps,
        optimizer=optimizer,
        schedule=schedule,
        **context.loop(settings, stage),
        evaluate=lambda step: validate(),
        evaluate_every=every or steps,
        keep_best=keep_best,
        log_every=max(1, steps // 30),
        on_step=(lambda step, total: context.on_step(label, step, total)) if context.on_step else None,
    )
    last = {name: value.detach().cpu().clone() for name, value in method.state_dict().items()}
    method.eval()
    with torch.no_grad():
        metrics = dict(test())
        method.load_state_dict(history.best_weights)
        for protocol, values in test().items():
            metrics[f"{protocol}/best-on-val"] = values | {"step": history.best_step}
    method.load_state_dict(last)
    return Outcome(
        metrics=metrics,
        series=history.series,
        steps=steps,
        dataset=data.summary(),
        split=split.summary() if split else {},
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        train_seconds=history.seconds,
        images_seen=images_a_step * steps,
        weights=last,
    )
