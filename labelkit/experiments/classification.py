"""What experiments with image classifiers share: data by name, evaluation, and the frame of a cell."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from labelkit.datasets.splits import Split
from labelkit.experiments.cells import Measured, train_cell
from labelkit.experiments.data import Parts, three_parts
from labelkit.experiments.settings import Context, Outcome, TrainingSettings
from labelkit.metrics.classification import PROTOCOLS, accuracies, classify
from labelkit.training import Schedule


class ClassificationSettings(TrainingSettings):
    """Run-file keys of every classification paper."""


def load_data(name: str, settings: ClassificationSettings, context: Context) -> Parts:
    """The data set of a run file's name; kept in memory for the next cell.

    Raises:
        ValueError: the name is unknown, the version has no reader for it, or LABELKIT_DATA is not set.
    """
    size = settings.height, settings.width
    return three_parts(name, *size, settings.images, settings.test_images, context.data_root)


def fingerprint(name: str, settings: ClassificationSettings, context: Context) -> str:
    """Of the three parts together."""
    return load_data(name, settings, context).fingerprint


def prepare(settings: ClassificationSettings, context: Context) -> None:
    """Nothing is shared between cells: classifiers start from random weights."""


def labels_of(dataset: Any) -> np.ndarray:
    """The class of every image, (n,) int64, without decoding images where the data set knows its labels."""
    known = getattr(dataset, "labels", None)
    if known is not None:
        return np.asarray(known, dtype=np.int64)
    return np.array([int(dataset[index]["label"]) for index in range(len(dataset))], dtype=np.int64)


def train_and_evaluate(
    method: nn.Module,
    batches: Any,
    *,
    label: str,
    data: Parts,
    split: Split | None,
    settings: ClassificationSettings,
    context: Context,
    seed: int,
    steps: int,
    images_a_step: int,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: Schedule | None = None,
    observe: Callable[[], Mapping[str, float]] | None = None,
    stage: str = "",
    evaluate_every: int | None = None,
) -> Outcome:
    """Train, then test the last weights and those that were best on the validation part.

    Args:
        method: with ``training_step`` and ``predict`` (images (B, 3, H, W) to logits (B, C)).
        batches: ``batches[step]``.
        label, settings, context, seed, steps, images_a_step, network, optimizer, schedule, stage, evaluate_every:
            see :func:`labelkit.experiments.cells.train_cell`.
        data: the three parts; validation steers nothing but the choice of the second set of weights.
        split: labelled and unlabelled images; None if all are labelled.
        observe: extra values at each validation, for series.
    """

    def measure(part: Any, protocol: str) -> dict[str, Any]:
        return accuracies(*classify(method.predict, part, protocol, device=context.device), data.classes)

    def validate() -> dict[str, float]:
        return {"val_accuracy": measure(data.val, "upright")["accuracy"], **(observe() if observe else {})}

    def test() -> Measured:
        return {f"{data.test.name}/test/{protocol}": measure(data.test, protocol) for protocol in PROTOCOLS}

    return train_cell(
        method,
        batches,
        label=label,
        settings=settings,
        context=context,
        seed=seed,
        steps=steps,
        optimizer=optimizer,
        images_a_step=images_a_step,
        network=network,
        data=data,
        split=split,
        validate=validate,
        keep_best="val_accuracy",
        test=test,
        stage=stage,
        schedule=schedule,
        evaluate_every=evaluate_every,
    )
