"""How the arms of S4L are trained: split, streams, optimiser, schedule, pseudo labels, several stages in a cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from labelkit.datasets.crops import Copies, InceptionCrop
from labelkit.datasets.ilsvrc2012_lists import read_list
from labelkit.datasets.relabelled import Relabelled
from labelkit.datasets.splits import Split, class_balanced_split
from labelkit.datasets.streams import Joined, Stream
from labelkit.experiments import classification
from labelkit.experiments.data import Parts
from labelkit.experiments.s4l_settings import Settings
from labelkit.experiments.settings import Context, Outcome
from labelkit.losses.rotation import TURNS, four_rotations
from labelkit.methods.s4l import centred
from labelkit.metrics.classification import classify
from labelkit.training import Schedule


def warmup_and_steps(warmup: float, decay_at: Sequence[float], factor: float = 0.1) -> Schedule:
    """Learning-rate factor of S4L: up from 0 in a line, then 1, then ``factor`` times less after each share passed.

    Args:
        warmup: share of the steps.
        decay_at: shares of the steps, 0..1.
        factor: 0.1 in the authors' code.
    """

    def schedule(step: int, steps: int) -> float:
        if step < warmup * steps:
            return step / (warmup * steps)
        return factor ** sum(step > share * steps for share in decay_at)

    return schedule


def kernels_decayed(method: nn.Module, rate: float, decay: float) -> torch.optim.SGD:
    """SGD with momentum 0.9; weight decay on the kernels of convolutions and heads alone."""
    trained = [parameter for parameter in method.parameters() if parameter.requires_grad]
    kernels = {"params": [parameter for parameter in trained if parameter.dim() > 1], "weight_decay": decay}
    others = {"params": [parameter for parameter in trained if parameter.dim() == 1], "weight_decay": 0.0}
    return torch.optim.SGD([kernels, others], lr=rate, momentum=0.9)


def split_of(data: Parts, fraction: str, seed: int, settings: Settings) -> Split:
    """Which images are labelled: as many of each class, at least one.

    How many: the run file's ``labelled_per_class``, else the fraction of the mean class to the nearest whole. A list of
    labelled images, if the run file names one, takes the place of the draw.

    Args:
        data: whose training part is split.
        fraction: of an arm, such as "1/10".
        seed: of the draw.
        settings: of the run.
    """
    names = getattr(data.train, "names", None)
    labels = classification.labels_of(data.train)
    if settings.labelled_list:
        found = read_list(settings.labelled_list, data.train)
        rest = np.setdiff1d(np.arange(len(labels)), found.indices).tolist()
        return Split(Path(settings.labelled_list).name, seed, found.indices, tuple(rest), found.hash)
    mean = Fraction(fraction) * len(labels) / len(data.classes)
    return class_balanced_split(labels, settings.labelled_per_class or max(1, int(mean + Fraction(1, 2))), seed, names)


@torch.no_grad()
def pseudo_labels(
    method: nn.Module, data: Parts, split: Split, settings: Settings, device: str, rotations: bool
) -> tuple[Tensor, float]:
    """Labels for all training images: the true ones of the labelled images, the method's guess for the others.

    Args:
        method: a trained one.
        data: whose training part is labelled.
        split: which true labels may be used.
        settings: of the run, for the size of the images.
        device: where to predict.
        rotations: guess by the mean of the logits over four rotations in place of the upright image.

    Returns:
        Labels (n,) int64, and the share of right ones among the guesses.
    """
    method.eval()
    protocol = "four-rotations" if rotations else "upright"
    dataset = data.train
    if hasattr(dataset, "centred"):  # whole images of different sizes, which do not make a batch
        dataset = dataset.centred(settings.height, settings.width)
    logits, truth = classify(method.predict, dataset, protocol, device=device)
    method.train()
    labels = logits.argmax(1)
    unlabelled = torch.tensor(split.unlabelled)
    right = float((labels[unlabelled] == truth[unlabelled]).double().mean())
    labelled = torch.tensor(split.labelled)
    labels[labelled] = truth[labelled]
    return labels, right


def joined(before: Outcome, last: Outcome, name: str) -> Outcome:
    """The last stage's outcome with the steps, time and images of the stages before; their series under ``name``.

    Series that already carry the name of a stage, and those of labels, keep it.
    """
    kept = {}
    for key, values in before.series.items():
        own = key.split("_")[0] in ("teacher", "pseudo")
        kept[key if own else f"{name}_{key}"] = values
    return replace(
        last,
        steps=before.steps + last.steps,
        train_seconds=before.train_seconds + last.train_seconds,
        images_seen=before.images_seen + last.images_seen,
        series=kept | {key: [(step + before.steps, v) for step, v in vs] for key, vs in last.series.items()},
    )


@dataclass(frozen=True)
class Cell:
    """One cell: what its trainings share."""

    label: str
    data: Parts
    split: Split
    seed: int
    settings: Settings
    context: Context

    def train(
        self,
        method: nn.Module,
        steps: int,
        *,
        labelled: bool = True,
        unlabelled: bool = True,
        copies: bool = False,
        stage: str = "",
        pseudo: Tensor | None = None,
        rate: float = 1.0,
        decay: float | None = None,
        decay_at: Sequence[float] | None = None,
    ) -> Outcome:
        """One training of the cell on the streams asked for; ``pseudo`` labels make every training image labelled."""
        settings, train = self.settings, self.data.train
        decay = settings.weight_decay if decay is None else decay
        everything = tuple(range(len(train)))
        streams: dict[str, Stream] = {}
        if unlabelled:  # the whole training set, labelled images included; twice as many where there is no other stream
            size = settings.batch_size * (1 if labelled else 2)
            streams["unlabelled"] = self._stream(train, everything, size, 1, copies)
        if labelled and pseudo is None:
            streams["labelled"] = self._stream(train, self.split.labelled, settings.batch_size, 0, copies)
        elif labelled:
            streams["labelled"] = self._stream(
                Relabelled(train, pseudo, "label"), everything, settings.batch_size, 0, copies
            )
        return classification.train_and_evaluate(
            method,
            Joined(**streams),
            label=f"{self.label} {stage}".strip(),
            data=self.data,
            split=self.split,
            settings=settings,
            context=self.context,
            seed=self.seed,
            steps=steps,
            images_a_step=sum(stream.batch_size for stream in streams.values()) * (settings.copies if copies else 1),
            network=method.network,
            optimizer=kernels_decayed(method, rate * settings.learning_rate, decay),
            schedule=warmup_and_steps(settings.warmup, settings.decay_at if decay_at is None else decay_at),
            observe=self._observer(method),
            stage=stage,
        )

    def _stream(self, dataset: Any, indices: Sequence[int], size: int, number: int, copies: bool) -> Stream:
        settings = self.settings
        crop = InceptionCrop(
            settings.height, settings.width, settings.crop_area, colour_noise=settings.colour_noise or copies
        )
        return Stream(
            dataset,
            indices,
            size,
            Copies(crop, settings.copies) if copies else crop,
            seed=2 * self.seed + number,
            **self.context.place,
        )

    def _observer(self, method: nn.Module) -> Callable[[], dict[str, float]] | None:
        """How often the rotation head is right on some validation images; nothing where there is none."""
        if "rotations" not in method.network.heads:
            return None
        chosen = np.linspace(0, len(self.data.val) - 1, min(32, len(self.data.val))).astype(int)

        def observe() -> dict[str, float]:
            images = torch.stack([self.data.val[int(index)]["image"] for index in chosen]).to(self.context.device)
            turned = four_rotations(centred(images))
            guesses = method.network.heads["rotations"](method.network.features(turned)).argmax(1)
            truth = torch.arange(TURNS, device=guesses.device).repeat(len(images))
            return {"rotation_accuracy": float((guesses == truth).double().mean())}

        return observe
