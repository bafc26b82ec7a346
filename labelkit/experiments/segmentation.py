"""What the segmentation papers share: data by name, optimiser, evaluation, and the frame of a cell."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import nn

from labelkit.datasets.augment import RandomScaleCropFlip
from labelkit.datasets.memory import as_bytes
from labelkit.datasets.pairs import PairedFiles
from labelkit.datasets.splits import Split, class_presence, labelled_split
from labelkit.datasets.streams import Stream
from labelkit.experiments.cells import Measured, train_cell
from labelkit.experiments.data import Parts, find, three_parts
from labelkit.experiments.settings import Context, Outcome, TrainingSettings
from labelkit.metrics.confusion import ConfusionMatrix
from labelkit.metrics.protocols import rarest_third, sliding_window, summary, whole_image
from labelkit.training import Schedule


class SegmentationSettings(TrainingSettings):
    """Run-file keys of every segmentation paper."""

    native_size: bool = Field(default=False, description="deliver real images at their own size, not at the crop's")
    scales: list[float] = Field(default=[1.0], min_length=1, description="resize factors of the augmentation")
    continuous_scales: bool = Field(default=False, description="scales are the two ends of a range, not a list")
    brightness: float = Field(default=0.0, ge=0, le=1)
    evaluation: Literal["whole-image", "sliding-window"] = "whole-image"
    pretraining: Literal["none", "sim", "imagenet"] = Field(
        default="none", description="where the backbone's weights are from"
    )
    pretrain_steps: int = Field(default=0, ge=0, description="steps of the pretraining on the sim world")


@dataclass(frozen=True)
class Data(Parts):
    """The three parts of a data set, and the labels of its rarest third of classes."""

    rarest: tuple[int, ...]


def load_data(name: str, settings: SegmentationSettings, context: Context) -> Data:
    """The data set of a run file's name; kept in memory for the next cell.

    Raises:
        ValueError: the name is unknown, the version has no reader for it, or LABELKIT_DATA is not set.
    """
    size = (None, None) if settings.native_size and not find(name).drawn else (settings.height, settings.width)
    return _load(name, *size, settings.images, settings.test_images, context.data_root)


@lru_cache(maxsize=4)
def _load(name: str, height: int | None, width: int | None, images: int, test_images: int, root: Path | None) -> Data:
    parts = three_parts(name, height, width, images, test_images, root)
    return Data(parts.train, parts.val, parts.test, tuple(rarest_third(_shares(parts.train))))


def _shares(dataset: Any) -> list[float]:
    # Of files the mask alone is read; pictures would have to be decoded for nothing.
    mask = dataset.mask if isinstance(dataset, PairedFiles) else lambda index: dataset[index]["mask"].numpy()
    counts = sum(np.bincount(mask(index).ravel(), minlength=256) for index in range(len(dataset)))
    counts = counts[: len(dataset.classes)].astype(np.float64)
    return (counts / counts.sum()).tolist()


def prepare(settings: SegmentationSettings, context: Context) -> None:
    """Make the backbone weights that all cells start from."""
    backbone_weights(settings, context)


def backbone_weights(settings: SegmentationSettings, context: Context) -> dict[str, Any] | None:
    """Weights for the lesson network's backbone; None if it starts from random ones or takes ImageNet's.

    Raises:
        ValueError: the pretraining does not go with the network.
    """
    lesson = getattr(settings, "network", "lesson") == "lesson"
    if settings.pretraining == ("imagenet" if lesson else "sim"):
        raise ValueError(
            f"pretraining is {settings.pretraining!r}, which the network {settings.network!r} does not have"
        )
    if settings.pretraining != "sim":
        return None
    from labelkit.experiments.pretraining import sim_backbone

    return sim_backbone(context.shared, settings.pretrain_steps, settings.height, settings.width, context.device)


def fingerprint(name: str, settings: SegmentationSettings, context: Context) -> str:
    """Of the three parts together."""
    return load_data(name, settings, context).fingerprint


def augmentation(settings: SegmentationSettings, dataset: Any = None) -> RandomScaleCropFlip:
    """Resize, crop and flip as the run file says; classes that know left from right change places in a flip."""
    return RandomScaleCropFlip(
        settings.height,
        settings.width,
        scales=settings.scales,
        continuous=settings.continuous_scales,
        brightness=settings.brightness,
        flip_pairs=getattr(dataset, "flip_pairs", ()),
    )


def split_of(data: Data, fraction: Fraction | str, seed: int) -> Split:
    """Which training images are labelled; images of one group, such as slices of a patient, stay together.

    Args:
        data: whose training part is split.
        fraction: share of labelled images (of groups, where there are some), such as "1/8".
        seed: of the draw.
    """
    names, groups = (getattr(data.train, key, None) for key in ("names", "groups"))
    return labelled_split(class_presence_of(data.train), fraction, seed, names, data.classes, groups)


def stream_of(
    data: Data, indices: Sequence[int], number: int, seed: int, settings: SegmentationSettings, context: Context
) -> Stream:
    """Augmented batches of some training images.

    Args:
        data: whose training part is drawn from.
        indices: of the images.
        number: of the stream within its cell, 0 to 2; streams of other numbers draw otherwise.
        seed: of the cell.
        settings, context: of the run.
    """
    augment = augmentation(settings, data.train)
    return Stream(as_bytes(data.train), indices, settings.batch_size, augment, seed=3 * seed + number, **context.place)


def sgd(method: nn.Module, settings: SegmentationSettings) -> torch.optim.SGD:
    """SGD with momentum 0.9; weight decay on convolution weights, none on biases and normalisation (as CPS).

    The two networks of CPS have separate optimisers in the authors' code; since SGD treats each parameter by
    itself, one optimiser over both is the same.
    """
    decayed, free = [], []
    for parameter in method.parameters():
        (decayed if parameter.dim() > 1 else free).append(parameter)
    groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.SGD([group for group in groups if group["params"]], lr=settings.learning_rate, momentum=0.9)


def train_and_evaluate(
    method: nn.Module,
    batches: Any,
    *,
    label: str,
    data: Data,
    split: Split | None,
    settings: SegmentationSettings,
    context: Context,
    seed: int,
    steps: int,
    images_a_step: int,
    network: nn.Module,
    observe: Callable[[], Mapping[str, float]] | None = None,
    extra: Callable[[ConfusionMatrix], Mapping[str, Any]] | None = None,
    oracle: bool = False,
    evaluate_every: int | None = None,
    stage: str = "",
    optimizer: torch.optim.Optimizer | None = None,
    schedule: Schedule | None = None,
) -> Outcome:
    """Train, then test the last weights and those that were best on the validation part.

    Args:
        method: with ``training_step`` and ``predict``.
        batches: ``batches[step]``.
        label: of the cell, for progress.
        data: the three parts; validation steers nothing but the choice of the second set of weights.
        split: labelled and unlabelled images; None if all are labelled.
        settings, context: of the run.
        seed: of the draws in training steps (dropout, CutMix masks).
        steps: optimiser steps.
        images_a_step: images that a step consumes.
        network: the network that predicts, for its size.
        observe: extra values at each validation, for series.
        extra: more metrics from the confusion matrix of the test part.
        oracle: ``predict(images, masks)`` is given the truth (upper bounds only).
        evaluate_every: steps between validations; the run file's if None.
        stage: name of this training in a cell that has several; each has a checkpoint of its own.
        optimizer: SGD as the run file says if None.
        schedule: poly if None.
    """

    def validate() -> dict[str, float]:
        _, confusion = _evaluate(method, data.val, settings, context, oracle)
        return {"val_miou": confusion.miou(), **(observe() if observe else {})}

    def test() -> Measured:
        protocol, confusion = _evaluate(method, data.test, settings, context, oracle)
        values = summary(confusion, data.classes, data.rarest) | (extra(confusion) if extra else {})
        return {f"{data.test.name}/test/{protocol}": values}

    return train_cell(
        method,
        batches,
        label=label,
        settings=settings,
        context=context,
        seed=seed,
        steps=steps,
        optimizer=optimizer or sgd(method, settings),
        images_a_step=images_a_step,
        network=network,
        data=data,
        split=split,
        validate=validate,
        keep_best="val_miou",
        test=test,
        stage=stage,
        schedule=schedule,
        evaluate_every=evaluate_every,
    )


def _evaluate(method, dataset, settings, context, oracle: bool) -> tuple[str, ConfusionMatrix]:
    """Name of the run file's protocol, and the confusion matrix of a part under it."""
    if settings.evaluation == "sliding-window":
        crop = (settings.height, settings.width)
        confusion = sliding_window(method.predict, dataset, crop=crop, device=context.device)
        return f"sliding-window-{settings.height}x{settings.width}", confusion
    return "whole-image", whole_image(method.predict, dataset, device=context.device, oracle=oracle)


def class_presence_of(dataset: Any) -> np.ndarray:
    """Which class occurs in which training image, (n, C) bool; kept for the next cell."""
    key = dataset.fingerprint
    if key not in _PRESENCE:
        _PRESENCE[key] = class_presence(dataset)
    return _PRESENCE[key]


_PRESENCE: dict[str, np.ndarray] = {}
