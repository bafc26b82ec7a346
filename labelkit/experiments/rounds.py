"""Offline self-training: train, label what has no labels, train on. One cell is a chain of rounds.

Round 0 sees labelled images alone. Before every later round the network labels the unlabelled images, and these pseudo
labels stay as they are for the round. A finished round is kept on disk with its optimiser, so that a stopped cell goes
on in the round in which it was, with the pseudo labels that it had begun to use.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from labelkit import distributed
from labelkit.datasets.splits import Split, refuse_overlap
from labelkit.datasets.streams import Augment, Joined, Stream
from labelkit.experiments import segmentation
from labelkit.experiments.labelling import Labelling, label_folder, make_labels, predict_share
from labelkit.experiments.segmentation import Data, SegmentationSettings
from labelkit.experiments.settings import Context, Outcome
from labelkit.files import write_whole
from labelkit.pseudo_labels.folder import PseudoLabelled
from labelkit.training import Schedule, poly


@dataclass(frozen=True)
class Round:
    """One stage of training.

    Attributes:
        steps: optimiser steps.
        augment: of labelled and pseudo-labelled images alike.
        batch_size: labelled images a step; with pseudo labels, as many images more.
        labelling: how the pseudo labels are made; None trains on labelled images alone.
    """

    steps: int
    augment: Augment
    batch_size: int
    labelling: Labelling | None = None


def round_schedule(number: int, power: float = 0.9) -> Schedule:
    """Poly schedule that is not restarted: round k goes from (1 / (k + 1)) ** power down to 0.

    In the code every round resumes at the epoch where the last one ended and its horizon is its own last epoch: with
    rounds of equally many epochs, round 1 begins at (1 - 200/400) ** 0.9 = 0.536 of the rate, round 2 at 0.372.
    """
    return lambda step, steps: ((1.0 - step / steps) / (number + 1)) ** power


def train_rounds(
    method: nn.Module,
    rounds: Sequence[Round],
    *,
    label: str,
    data: Data,
    split: Split,
    settings: SegmentationSettings,
    context: Context,
    seed: int,
    network: nn.Module,
    optimizer: Callable[[nn.Module], torch.optim.Optimizer] | None = None,
    restart: str = "resume",
    long_side: int | None = None,
    cache_maps: bool = True,
    judge: bool = True,
) -> Outcome:
    """Train a method over several rounds, with labelling between them.

    Args:
        method: takes batches with ``labelled`` and ``pseudo``, each image and mask; has ``predict``.
        rounds: the first has no labelling.
        label: of the cell, for progress.
        data, split: images with and without labels. The truth of the unlabelled ones is used for ``judge`` alone.
        settings: of the run; only keys that every segmentation paper has are read.
        context: of the cell.
        seed: of batches, of draws in training steps and of the random sampling.
        network: the network that predicts, for its size.
        optimizer: makes the optimiser of the method; SGD as the run file says if None.
        restart: "resume" keeps optimiser and schedule from round to round (the paper's code); "weights" begins every
            round with a new optimiser and the full learning rate.
        long_side: size at which images are labelled; see :func:`labelkit.methods.dars.window_scores`.
        cache_maps: keep confidences on disk between the two passes of a labelling; else predict twice.
        judge: hold the pseudo labels against the truth, for the record.

    Returns:
        The outcome of the last round. Steps, time, images and series are those of all rounds together. Metrics also
        hold ``<data>/test/<protocol>/after-round-<k>`` for earlier rounds and
        ``<data>/unlabelled/pseudo-labels-round-<k>``.

    Raises:
        ValueError: ``restart`` is unknown, the first round has a labelling, or a training image, labelled or not, is
            also used for validation or testing.
    """
    if restart not in ("resume", "weights"):
        raise ValueError(f"restart is {restart!r}; expected 'resume' or 'weights'")
    if rounds[0].labelling is not None:
        raise ValueError("round 0 has no network yet that could label; its labelling must be None")
    names = {part: getattr(getattr(data, part), "names", None) or () for part in ("train", "val", "test")}
    refuse_overlap(names["train"], names["val"], "validation")
    refuse_overlap(names["train"], names["test"], "test")
    make = optimizer or (lambda trained: segmentation.sgd(trained, settings))
    ends: list[dict[str, Any]] = []  # weights at the end of each round, and what it measured
    current, offset = None, 0
    method.to(context.device)
    for number, stage in enumerate(rounds):
        if current is None or restart == "weights":
            current = make(method)
        path = context.workspace / f"checkpoint-round-{number}-end.pt"
        if distributed.first_of(path.exists()):
            end = _read_end(path, context.identity)
            method.load_state_dict(end["method"])
            current.load_state_dict(end["optimizer"])
        else:
            end = _train_round(
                number, stage, offset, method, current, ends, label=label, data=data, split=split, settings=settings,
                context=context, seed=seed, network=network, restart=restart, long_side=long_side,
                cache_maps=cache_maps, judge=judge, last=number == len(rounds) - 1,
            )  # fmt: skip
            if context.rank == 0:
                write_whole(path, lambda partial, end=end: torch.save(end, partial))
                shutil.rmtree(context.workspace / f"pseudo-labels-{number}", ignore_errors=True)
                shutil.rmtree(context.workspace / f"maps-{number}", ignore_errors=True)
            distributed.barrier()
        ends.append(end)
        offset += stage.steps
    return _joined([Outcome(**end["outcome"], weights=end["method"]) for end in ends])


class _Later:
    """A stream from a later step on."""

    def __init__(self, stream: Stream, offset: int) -> None:
        self.stream, self.offset = stream, offset * stream.parts

    def __getitem__(self, index: int) -> Any:
        return self.stream[index + self.offset]


def _train_round(
    number: int, stage: Round, offset: int, method: nn.Module, optimizer: torch.optim.Optimizer, ends: list[dict],
    *, label: str, data: Data, split: Split, settings: SegmentationSettings, context: Context, seed: int,
    network: nn.Module, restart: str, long_side: int | None, cache_maps: bool, judge: bool, last: bool,
) -> dict[str, Any]:  # fmt: skip
    """Label if the round needs it, train, and give what is kept of the round."""

    def stream(dataset: Any, indices: Sequence[int], place: int) -> _Later:
        made = Stream(dataset, indices, stage.batch_size, stage.augment, seed=3 * seed + place, **context.place)
        return _Later(made, offset)

    streams, found = {"labelled": stream(data.train, split.labelled, 0)}, {}
    if stage.labelling is not None:
        teacher = ends[-1 if stage.labelling.teacher is None else stage.labelling.teacher]["method"]
        crop = (settings.height, settings.width)
        if context.world_size > 1 and cache_maps:
            predict_share(
                number, teacher, method, data=data, split=split, crop=crop, context=context, long_side=long_side
            )
            distributed.barrier()
        if context.rank == 0:
            found = make_labels(
                number, stage.labelling, teacher, method, data=data, split=split, crop=crop, context=context,
                seed=seed, label=label, long_side=long_side, cache_maps=cache_maps, judge=judge,
                workers=max(1, settings.workers),
            )  # fmt: skip
        distributed.barrier()
        folder = label_folder(number, stage.labelling, teacher, data, split, context, seed)
        streams["pseudo"] = stream(PseudoLabelled(data.train, folder), split.unlabelled, 1)
    outcome = segmentation.train_and_evaluate(
        method,
        Joined(**streams),
        label=f"{label}, round {number}",
        data=data,
        split=split,
        settings=settings,
        context=context,
        seed=seed + 7919 * number,
        steps=stage.steps,
        images_a_step=stage.batch_size * len(streams),
        network=network,
        stage=f"round-{number}",
        optimizer=optimizer,
        schedule=round_schedule(number) if restart == "resume" else poly(),
    )
    metrics = dict(outcome.metrics)
    if not last:  # an earlier round's own choice of a checkpoint is nobody's result
        metrics = {f"{key}/after-round-{number}": v for key, v in metrics.items() if not key.endswith("/best-on-val")}
    kept = {key: value for key, value in asdict(replace(outcome, weights={})).items() if key != "weights"}
    return {
        "identity": context.identity,
        "method": outcome.weights,
        "optimizer": optimizer.state_dict(),
        "outcome": kept | {"metrics": metrics | found},
    }


def _read_end(path: Path, identity: str) -> dict[str, Any]:
    """What was kept of a finished round."""
    try:
        end = torch.load(path, map_location="cpu", weights_only=True)
        found = end["identity"]
    except Exception as error:  # torch.load has no exception of its own
        raise ValueError(f"{path}: not a readable end of a round ({type(error).__name__}); delete it") from error
    if found != identity:
        raise ValueError(f"{path}: the round of another cell (identity {found!r}, expected {identity!r}); move it away")
    return end


def _joined(outcomes: Sequence[Outcome]) -> Outcome:
    """One outcome of all rounds: the last one's, with what adds up added up."""
    metrics: dict[str, Any] = {}
    series: dict[str, list[tuple[int, float]]] = {}
    offset = 0
    for outcome in outcomes:
        metrics |= {
            key: value | {"step": value["step"] + offset} if key.endswith("/best-on-val") else value
            for key, value in outcome.metrics.items()
        }
        for name, points in outcome.series.items():
            series.setdefault(name, []).extend((step + offset, value) for step, value in points)
        offset += outcome.steps
    return replace(
        outcomes[-1],
        metrics=metrics,
        series=series,
        steps=offset,
        train_seconds=sum(outcome.train_seconds for outcome in outcomes),
        images_seen=sum(outcome.images_seen for outcome in outcomes),
    )
