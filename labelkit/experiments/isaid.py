"""iSAID: its arms differ in how a scene is cut, in how Mask R-CNN is set, and in which parts of PANet are on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from labelkit.datasets.aerial_batches import batch_of, turned
from labelkit.datasets.streams import Stream
from labelkit.experiments import isaid_scoring as scoring
from labelkit.experiments.cells import Measured, train_cell
from labelkit.experiments.isaid_data import crowded_patches, load_data
from labelkit.experiments.isaid_settings import Settings
from labelkit.experiments.isaid_start import drawn_detector, load_own, plain_options, start_weights
from labelkit.experiments.settings import Context, Outcome
from labelkit.methods.isaid import AerialInstances
from labelkit.models.aerial_detector import Aggregation, Options, start_from
from labelkit.training import Schedule

__all__ = ["ARMS", "Arm", "Settings", "build", "fingerprint", "prepare", "run"]


NO_PARTS, ALL_PARTS = Aggregation(), Aggregation(bottom_up=True, adaptive=True, fusion=True)


@dataclass(frozen=True)
class Arm:
    """What an arm trains with.

    Attributes:
        shrunk: whole scenes at a fraction of their size in place of patches.
        small_anchors, more_detections, multi_scale: the three things that tuning to aerial images changes.
        parts: of PANet.
        own_start: starts from a network with the same parts that learnt the same other scenes for as many steps; all
            other arms start from the plain one.
        extras: scenes are also cut at several overlaps and merged, and crowded scenes are scored.
    """

    shrunk: bool = False
    small_anchors: bool = False
    more_detections: bool = False
    multi_scale: bool = False
    parts: Aggregation = NO_PARTS
    own_start: bool = False
    extras: bool = False

    @property
    def start(self) -> Aggregation:
        """Parts of the network whose weights the arm starts from."""
        return self.parts if self.own_start else NO_PARTS


PLUS = Arm(small_anchors=True, more_detections=True, multi_scale=True)
ARMS = {
    "mask-rcnn": Arm(),
    "mask-rcnn-shrunk": Arm(shrunk=True),
    "anchors": Arm(small_anchors=True),
    "multi-scale": Arm(multi_scale=True),
    "mask-rcnn-plus": replace(PLUS, extras=True),
    "plus-bottom-up": replace(PLUS, parts=Aggregation(bottom_up=True)),
    "plus-adaptive": replace(PLUS, parts=Aggregation(adaptive=True)),
    "plus-fusion": replace(PLUS, parts=Aggregation(fusion=True)),
    "plus-fusion-signed": replace(PLUS, parts=Aggregation(fusion=True, fusion_relu=False)),
    "panet": Arm(parts=ALL_PARTS),
    "panet-plus": replace(PLUS, parts=ALL_PARTS),
    "panet-plus-own-start": replace(PLUS, parts=ALL_PARTS, own_start=True),
}


def options_of(arm: Arm, settings: Settings) -> Options:
    """How torchvision's detector is set in an arm."""
    options = plain_options(settings)
    # All detections that any protocol asks for are made; protocols take the first of them.
    options = replace(options, detections=max(settings.detections, options.detections))
    return replace(options, anchors=tuple(settings.anchors)) if arm.small_anchors else options


def build(
    arm: str, classes: int, settings: Settings, seed: int, start: dict[str, Any] | None = None
) -> AerialInstances:
    """The method of an arm. What it shares with the plain detector is drawn as there, or taken from the start."""
    chosen = ARMS[arm]
    pretrained = settings.pretraining == "imagenet"
    detector = drawn_detector(classes, settings, options_of(chosen, settings), chosen.parts, seed, pretrained)
    if start is not None and chosen.own_start:
        load_own(detector, start)
    elif start is not None:
        start_from(detector, start)
    return AerialInstances(detector, settings.scales if chosen.multi_scale else (1.0,))


def optimizer(method: nn.Module, settings: Settings, learning_rate: float) -> torch.optim.Optimizer:
    """SGD with momentum 0.9, or AdamW; weight decay on convolution and matrix weights alone."""
    decayed, free = [], []
    for parameter in method.parameters():
        if parameter.requires_grad:
            (decayed if parameter.dim() > 1 else free).append(parameter)
    groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": free, "weight_decay": 0.0}]
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=learning_rate)
    return torch.optim.SGD(groups, lr=learning_rate, momentum=0.9)


def warmed_up(steps: int, drops: list[float]) -> Schedule:
    """A rate that rises in a straight line, then falls to a tenth after some shares of the steps, or by poly."""

    def factor(step: int, total: int) -> float:
        rise = min(1.0, (step + 1) / (steps + 1))
        if drops:
            return rise * 0.1 ** sum(step >= share * total for share in drops)
        return rise * (1 - step / total) ** 0.9

    return factor


def prepare(settings: Settings, context: Context) -> None:
    """Make the weights that cells start from, once for each kind of network that the run's arms start from.

    Raises:
        ValueError: an arm asks for a start of its own in a run that makes no starts.
    """
    for arm in settings.arms:
        _start(arm, settings, context)


def _start(arm: str, settings: Settings, context: Context) -> dict[str, Any] | None:
    if ARMS[arm].own_start and settings.pretraining != "scenes":
        raise ValueError(
            f"arm {arm} has a start of its own, but pretraining is {settings.pretraining!r}; expected 'scenes'"
        )
    schedule = warmed_up(settings.warm_up, settings.drops)
    return start_weights(
        ARMS[arm].start, settings, context, lambda method, rate: optimizer(method, settings, rate), schedule
    )


def fingerprint(data: str, settings: Settings, context: Context) -> str:
    """Of the three parts together."""
    return load_data(data, settings, context).fingerprint


def run(arm: str, data: str, seed: int, settings: Settings, context: Context) -> Outcome:
    """Train and test one cell. All arms of a seed see the same patches in the same order, but for the shrunk one."""
    chosen = ARMS[arm]
    parts = load_data(data, settings, context)
    classes = parts.classes[1:]
    method = build(arm, len(parts.classes), settings, seed, _start(arm, settings, context))
    samples = parts.shrunk("train", settings.shrink) if chosen.shrunk else parts.train
    usable = range(len(samples))  # patches without an object are left out already; a scene can lose all by shrinking
    if chosen.shrunk:
        usable = [index for index in usable if len(samples[index]["labels"])]
    stream = Stream(samples, usable, settings.batch_size, turned, seed=3 * seed, collate=batch_of, **context.place)
    limit = settings.detections if chosen.more_detections else Options().detections
    known: dict[str, Measured] = {}

    def validate() -> dict[str, float]:
        held = parts.shrunk("val", settings.shrink) if chosen.shrunk else parts.val
        step = max(1, len(held) // settings.val_patches)
        some = range(0, len(held), step)[: settings.val_patches]
        found = scoring.detect(method, (held[index]["image"] for index in some), context.device)
        found = [scoring.first(each, limit) for each in found]
        scores = scoring.scene_scores(classes, (held[index] for index in some), found)
        return {"val_ap": scores["ap"] or 0.0, "val_ap50": scores["ap50"] or 0.0}

    def test() -> Measured:
        # The weights that were best on the validation part are mostly the last ones: these are tested once.
        digest = hashlib.sha256(b"".join(value.cpu().numpy().tobytes() for value in method.state_dict().values()))
        if digest.hexdigest() not in known:
            known[digest.hexdigest()] = measured()
        return {protocol: dict(values) for protocol, values in known[digest.hexdigest()].items()}

    def measured() -> Measured:
        scenes = (parts.scenes["test"][number] for number in range(len(parts.scenes["test"])))
        if chosen.shrunk:
            found = scoring.shrunk(method, parts, settings, context.device)
            return {
                f"{data}/test/scenes": scoring.scene_scores(classes, scenes, [scoring.first(f, limit) for f in found])
            }
        found = scoring.detect(method, (parts.test[i]["image"] for i in range(len(parts.test))), context.device)
        whole = scoring.merge_scenes(parts, parts.test, [scoring.first(each, limit) for each in found], settings)
        results = {
            f"{data}/test/patches": scoring.patch_scores(classes, parts.test, found, limit),
            f"{data}/test/scenes": scoring.scene_scores(classes, scenes, whole),
        }
        if chosen.extras and settings.overlaps:
            recall = scoring.border_recall(method, parts, settings, context.device, {settings.overlap: whole})
            results[f"{data}/test/merged"] = {"recall": recall} | scoring.border_gains(recall)
        if chosen.extras and settings.dense_images:
            dense = crowded_patches(settings)
            found = scoring.detect(method, (dense[i]["image"] for i in range(len(dense))), context.device)
            results[f"{data}/test/dense"] = scoring.patch_scores(classes, dense, found, limit)
        return results

    return train_cell(
        method,
        stream,
        label=f"{data} {arm} seed {seed}",
        settings=settings,
        context=context,
        seed=seed,
        steps=settings.steps,
        optimizer=optimizer(method, settings, settings.learning_rate),
        images_a_step=settings.batch_size,
        network=method.detector,
        data=parts,
        split=None,
        validate=validate,
        keep_best="val_ap",
        test=test,
        schedule=warmed_up(settings.warm_up, settings.drops),
    )
