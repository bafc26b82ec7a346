"""Video domain adaptation: what is adapted to the target (nothing, frames, sequences), and what trains itself then.

All arms of a seed start from the same weights and take equally many steps. Where there is a second phase it takes the
last of them. Masks of the target measure; they teach the upper bound alone, and choose nothing: the best step is that
of the source's validation frames.
"""

import shutil
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from labelkit.experiments import video_data, video_labels
from labelkit.experiments.cells import train_cell
from labelkit.experiments.settings import Context, Outcome
from labelkit.experiments.video_batches import batches, stream
from labelkit.experiments.video_data import VideoData, fingerprint
from labelkit.experiments.video_evaluation import evaluate, frame_miou
from labelkit.experiments.video_networks import backbone, build, network, optimizer
from labelkit.experiments.video_phases import Labelled, phase_one
from labelkit.experiments.video_settings import ALL_ARMS, Arm, Settings
from labelkit.methods.video_self_training import VideoSelfTraining

__all__ = ["ARMS", "Arm", "Settings", "batches", "build", "fingerprint", "network", "optimizer", "prepare", "run"]

ARMS = ALL_ARMS


def prepare(settings: Settings, context: Context) -> None:
    """Make what all cells share: the backbone's weights, and the clips of every data set with their flow."""
    backbone(settings, context)
    for name in settings.data:
        video_data.prepare(name, settings, context)


def run(arm: str, data: str, seed: int, settings: Settings, context: Context) -> Outcome:
    """Train and test one cell."""
    chosen, clips = ARMS[arm], video_data.load(data, settings, context)
    if chosen.second_phase:
        return _second_phase(arm, data, clips, seed, settings, context)
    method = build(arm, len(clips.classes), settings, context, seed)
    return _train_and_test(
        method, batches(chosen, clips, settings, seed, context), clips, settings, context, seed,
        label=f"{data} {arm} seed {seed}", steps=settings.steps, rate=settings.learning_rate, extra={},
        domains=2 if chosen.image or chosen.sequence or chosen.statistics else 1,
    )  # fmt: skip


def _train_and_test(
    method: nn.Module, batched: Any, data: VideoData, settings: Settings, context: Context, seed: int, *,
    label: str, steps: int, rate: float, extra: dict[str, Any], domains: int, stage: str = "",
) -> Outcome:  # fmt: skip
    def test() -> dict[str, dict[str, Any]]:
        return {f"{data.target_test.name}/test/clips": evaluate(method.predict, data, context.device) | extra}

    return train_cell(
        method,
        batched,
        label=label,
        settings=settings,
        context=context,
        seed=seed,
        steps=steps,
        optimizer=optimizer(method, settings, rate),
        images_a_step=settings.batch_size * settings.window * domains,
        network=method.network,
        data=data,
        split=None,
        validate=lambda: {"val_miou": frame_miou(method.predict, data.source_val, context.device)},
        keep_best="val_miou",
        test=test,
        stage=stage,
    )


def _second_phase(arm: str, name: str, data: VideoData, seed: int, settings: Settings, context: Context) -> Outcome:
    chosen = ARMS[arm]
    weights, seconds = phase_one(name, data, seed, settings, context)
    segmenter = network(len(data.classes), settings, None, seed).to(context.device)
    segmenter.load_state_dict(weights)
    segmenter.eval()
    with torch.no_grad():
        before = evaluate(segmenter, data, context.device)
    extra: dict[str, Any] = {"phase_one": {key: before[key] for key in ("miou", "vpq", "vpq_by_k", "flips")}}
    if arm == "vat-vst":  # the labels are the same in every arm of a second phase: measured once
        extra["labels"] = video_labels.measure(
            segmenter, data.target_train, context.device, settings.quantile, settings.cap, seed
        )
    folder = context.workspace / f"labels-{context.rank}"
    labelled = Labelled(segmenter, data.target_train, chosen, settings, context.device, folder)
    keys = ("frames", "masks") + (("probabilities", "thresholds", "back", "forth") if chosen.refined else ())
    method = VideoSelfTraining(segmenter, settings.refinement if chosen.refined else 0.0)
    outcome = _train_and_test(
        method, stream(labelled, settings, 3 * seed + 2, context, keys), data, settings, context, seed,
        label=f"{name} {arm} seed {seed}", steps=settings.self_training_steps,
        rate=settings.self_training_rate or settings.learning_rate, extra=extra, domains=1, stage="second",
    )  # fmt: skip
    shutil.rmtree(folder, ignore_errors=True)
    for values in outcome.metrics.values():
        values["gained"] = {key: values[key] - before[key] for key in ("miou", "vpq")}
    return replace(outcome, steps=settings.steps, train_seconds=outcome.train_seconds + seconds)
