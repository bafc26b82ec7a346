"""Dense Supervision Propagation: its arms differ in the modules of two stages, and in the share of labelled points."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from labelkit.datasets.gridded import Gridded, WholeClouds
from labelkit.datasets.point_pairs import PairStream, known_classes
from labelkit.datasets.sphere_clouds import SphereClouds
from labelkit.experiments.points_data import PointData, fingerprint, load_data, masks_of
from labelkit.experiments.points_measures import attention_quality, confusion_of, gradient_coverage, numbers
from labelkit.experiments.points_settings import Settings
from labelkit.experiments.points_training import MODULES, Stage, Trained, two_stages
from labelkit.experiments.settings import Context, Outcome
from labelkit.methods.points import DensePropagation
from labelkit.models.kpconv_network import KPFCNN

__all__ = ["ARMS", "Arm", "Settings", "build_network", "fingerprint", "prepare", "run", "stream_of"]

MEASURED_STEPS = 6
"""Batches on which the gradient is looked at after training."""
WATCHED_PAIRS = 4
"""Pairs of validation clouds on which attention is looked at."""


@dataclass(frozen=True)
class Arm:
    """What an arm trains with.

    Attributes:
        stages: the first and the second half of the steps.
        ratio: share of labelled points in each training cloud.
        partner: how pairs are drawn; see :class:`labelkit.datasets.point_pairs.PairStream`.
    """

    stages: tuple[Stage, Stage]
    ratio: str
    partner: str = "common"


def _arms() -> dict[str, Arm]:
    plain, csfr, isfr, joint = (Stage(kind) for kind in MODULES)
    arms = {"baseline-1": Arm((plain, plain), "1")}
    orders = {
        "baseline": (plain, plain),
        "csfr": (csfr, csfr),
        "isfr": (isfr, isfr),
        "csfr-isfr": (csfr, isfr),
        "isfr-csfr": (isfr, csfr),
        "joint": (joint, joint),
    }
    for ratio in ("1/10", "1/100", "1/1000"):
        arms |= {f"{name}-{ratio}": Arm(stages, ratio) for name, stages in orders.items()}
    both = arms["csfr-isfr-1/100"]

    def changed(**options: Any) -> Arm:
        return replace(both, stages=tuple(replace(stage, **options) for stage in both.stages))

    arms["random-pairs-1/100"] = replace(both, partner="random")
    arms["swapped-pairs-1/100"] = replace(both, partner="swapped")
    # The plain network takes no heed of pairs, but the clouds of a batch and their turns depend on how they are drawn.
    arms["baseline-random-1/100"] = replace(arms["baseline-1/100"], partner="random")
    arms["baseline-swapped-1/100"] = replace(arms["baseline-1/100"], partner="swapped")
    arms["detached-1/100"] = changed(detach="mixture")
    arms["teacher-1/100"] = changed(detach="plain")
    arms["no-skips-1/100"] = changed(skips="none")
    arms["logits-1/100"] = changed(compare="logits")
    arms["sum-1/100"] = changed(entries="sum")
    arms["no-skips-sum-1/100"] = changed(skips="none", entries="sum")
    return arms


ARMS = _arms()


def prepare(settings: Settings, context: Context) -> None:
    """Real clouds are put on their grids before the first cell. First stages are kept as cells make them."""
    for data in settings.data:
        load_data(data, settings, context).store(max(1, settings.workers))


def build_network(data: PointData, settings: Settings, seed: int) -> nn.Module:
    """The network for a data set with freshly drawn weights; one seed gives every arm the same."""
    torch.manual_seed(seed)
    return KPFCNN(
        len(data.classes),
        voxel=data.train.voxel,
        width=settings.width,
        levels=settings.levels,
        blocks=settings.blocks,
        coarse_level=settings.coarse_level,
        deformable_from=settings.deformable_from,
        momentum=settings.norm_momentum,
    )


def stream_of(arm: Arm, data: PointData, masks: list, seed: int, settings: Settings, context: Context) -> PairStream:
    """Batches of pairs of training clouds; only labelled points tell which clouds have a class in common."""
    load = samples_of(data.train, masks, settings)
    known = known_classes(load.labels, load.marks, len(data.classes), data.train.ignore_index)
    return PairStream(known, settings.batch_size // 2, load, seed, arm.partner, **context.place)


def samples_of(part: Gridded, masks: list, settings: Settings) -> WholeClouds | SphereClouds:
    """Training samples of a part: its clouds, or spheres of them."""
    if settings.sampling == "whole":
        return WholeClouds(part, masks, settings.turn, settings.colour_drop)
    changes = (settings.turn, settings.colour_drop, settings.scale, settings.noise)
    return SphereClouds(part, masks, settings.sphere_radius, *changes)


def run(arm: str, data: str, seed: int, settings: Settings, context: Context) -> Outcome:
    """Train and test one cell. All arms of a seed and a ratio share the labelled points and the first weights."""
    chosen, parts = ARMS[arm], load_data(data, settings, context)
    masks, split = masks_of(parts, chosen.ratio, seed, context.shared / f"labels-{data}")
    batches = stream_of(chosen, parts, masks, seed, settings, context)
    network = build_network(parts, settings, seed)

    watched = samples_of(parts.val, [label != parts.val.ignore_index for label in parts.val.labels], settings)
    pairs = range(0, min(2 * WATCHED_PAIRS, len(watched) - 1), 2)

    def attention(method: DensePropagation) -> dict[str, float]:
        if method.cross is None:
            return {}
        return attention_quality(method, (watched([i, i + 1]) for i in pairs), len(parts.classes), context.device)

    def validate(method: DensePropagation) -> dict[str, float]:
        return {"val_miou": _judged(method, parts.val, parts, settings, context)["miou"]} | attention(method)

    trained = two_stages(
        chosen.stages,
        network,
        batches,
        key=[data, parts.fingerprint, seed, split, chosen.partner],
        label=f"{data} {arm} seed {seed}",
        settings=settings,
        context=context,
        seed=seed,
        validate=validate,
        before=attention,
    )
    looked_at = (batches.load(batches.indices(step)) for step in range(MEASURED_STEPS))
    gradient = gradient_coverage(trained.method, looked_at, context.device)
    metrics = {f"{parts.train.name}/train/gradient": gradient} | _test(trained, parts, settings, context)
    return Outcome(
        metrics=metrics,
        series=trained.series,
        steps=settings.steps,
        dataset=parts.summary(),
        split=split,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        train_seconds=trained.seconds,
        images_seen=settings.batch_size * settings.steps,
        weights={name: value.detach().cpu().clone() for name, value in trained.method.state_dict().items()},
    )


def _test(trained: Trained, parts: PointData, settings: Settings, context: Context) -> dict[str, Any]:
    """The last weights and those that were best on the validation part."""
    method, protocol = trained.method.eval(), f"{parts.test.name}/test/{_protocol(settings)}"
    found = {protocol: _judged(method, parts.test, parts, settings, context)}
    last = {name: value.clone() for name, value in method.state_dict().items()}
    method.load_state_dict(last | trained.best)
    best = _judged(method, parts.test, parts, settings, context) | {"step": trained.best_step}
    method.load_state_dict(last)
    return found | {f"{protocol}/best-on-val": best}


def _judged(
    method: DensePropagation, part: Gridded, parts: PointData, settings: Settings, context: Context
) -> dict[str, Any]:
    spheres = (settings.sphere_radius, settings.votes) if settings.sampling == "spheres" else ()
    return numbers(confusion_of(method, part, context.device, *spheres), parts.classes, parts.rarest)


def _protocol(settings: Settings) -> str:
    return "original-points" if settings.sampling == "whole" else f"original-points-{settings.votes}-votes"
