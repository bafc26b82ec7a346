"""One recipe for the methods that learn masks from image tags: what differs between arms is the method alone.

Trunk, first weights, images, saliency maps, and the optimiser steps until there are labels are the same; so are the
segmentation network that learns from the labels at the end, its batches, optimiser and steps. What a method brings
along (random selection, a graph, two more tasks) is added to that, and so is its own way to make labels. Group-WSSS and
AuxSegNet start from a tag classifier; its steps are the first half of theirs.
"""

from dataclasses import replace
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from labelkit.experiments import auxsegnet, ficklenet, group_wsss, segmentation, tagging
from labelkit.experiments.ficklenet_stages import generator_of, judge, seeds_of
from labelkit.experiments.settings import Context, Outcome
from labelkit.experiments.tagging import TagData, TagSettings, fingerprint, prepare
from labelkit.methods.supervised import TagClassifier
from labelkit.models.lesson_tags import LessonTagger
from labelkit.papers import Contrast
from labelkit.pseudo_labels.activation_maps import class_activation_maps, normalise, resize_maps
from labelkit.pseudo_labels.saliency_fusion import fuse

__all__ = ["ARMS", "COMPARISONS", "STAGES", "Settings", "fingerprint", "prepare", "run"]

ARMS = {
    "supervised": "all masks: what there is to reach",
    "cam": "plain activation maps, joined with saliency",
    "ficklenet": "the union of many maps, each from another random part of the features",
    "group_wsss": "maps of images that talk to others of the same tags",
    "auxsegnet": "maps spread by an affinity that segmentation and saliency have learnt",
}
"""Arm to what it makes labels from."""

STAGES = {"train/maps": "miou_best", "train/pseudo-labels": "miou", "test/whole-image": "miou"}
"""Protocol to the number by which a stage is told: maps at their best threshold, labels, segmentation."""

COMPARISONS = {
    protocol: [
        Contrast(
            name=f"{arm} over plain activation maps, {protocol}",
            weights={arm: 1, "cam": -1},
            metric=metric,
            protocol=protocol,
        )
        for arm in ("ficklenet", "group_wsss", "auxsegnet")
    ]
    for protocol, metric in STAGES.items()
}
"""What is compared, written down before anything was run: each method with plain maps, stage by stage."""


class Settings(TagSettings):
    """Run-file keys of the comparison: those of the family, and the sizes of what the methods add.

    ``steps`` are those until there are labels: of one classifier, or half of them of a classifier and half of what
    starts from it.
    """

    paper: Literal["image_tags"]
    kernel_size: int = Field(default=5, ge=1, description="of FickleNet's last layer, in positions; odd")
    counts: list[int] = Field(default=[20], min_length=1, description="FickleNet: numbers of maps to unite; rising")
    head_width: int = Field(default=32, ge=1, description="channels of AuxSegNet's dense heads")
    dilations: list[int] = Field(default=[1, 2, 4], min_length=3, max_length=3, description="of AuxSegNet's heads")
    dense_learning_rate: float = Field(default=0.002, gt=0, description="of AuxSegNet's second half; its heads 10x")
    crf_scale: float = Field(default=5.0, gt=0, description="divides the widths of the kernels of AuxSegNet's CRF")


def run(arm: str, data: str, seed: int, settings: Settings, context: Context) -> Outcome:
    """Train and judge one cell: classifier, maps, labels, and the segmentation network that learns from them."""
    parts = tagging.load_data(data, settings, context)
    place = {"data": parts, "settings": settings, "context": context, "seed": seed}
    if arm == "supervised":
        return tagging.train_segmentation(None, label=f"{data} {arm} seed {seed}", **place)
    make = {"cam": _cam, "ficklenet": _ficklenet, "group_wsss": _group, "auxsegnet": _auxsegnet}[arm]
    outcome, labels = make(data, parts, seed, settings, context)
    last = tagging.train_segmentation(labels, label=f"{data} {arm} segmentation seed {seed}", **place)
    kept = {key: value for key, value in outcome.metrics.items() if key.endswith(("/test/tags", "/train/maps"))}
    made = {f"{parts.train.name}/train/pseudo-labels": tagging.judge_labels(labels, parts)}
    return replace(
        last,
        metrics=kept | made | last.metrics,
        series={f"tags_{key}": values for key, values in outcome.series.items()} | last.series,
        steps=settings.steps + last.steps,
        train_seconds=outcome.train_seconds + last.train_seconds,
        images_seen=settings.steps * settings.batch_size + last.images_seen,
    )


Made = tuple[Outcome, Tensor]
"""What a method measured, and its labels of the training images (n, H, W)."""


def _tagger(
    method: nn.Module, name: str, parts: TagData, seed: int, settings: TagSettings, context: Context
) -> Outcome:
    """Train a classifier on single images."""
    return tagging.train_tagger(
        method,
        segmentation.stream_of(parts, range(len(parts.train)), 0, seed, settings, context),
        label=name,
        data=parts,
        settings=settings,
        context=context,
        seed=seed,
        images_a_step=settings.batch_size,
        network=method,
    )


def _cam(data: str, parts: TagData, seed: int, settings: Settings, context: Context) -> Made:
    torch.manual_seed(seed)
    network = LessonTagger(len(parts.foreground))
    outcome = _tagger(TagClassifier(network), f"{data} cam seed {seed}", parts, seed, settings, context)

    def maps_of(images: Tensor, tags: Tensor) -> Tensor:
        raw = class_activation_maps(network.trunk(images), network.classifier.weight)
        return resize_maps(normalise(raw, tags), images.shape[-2:])

    maps = {f"{parts.train.name}/train/maps": tagging.judge_maps(maps_of, parts, context)}
    labels = tagging.label_all(
        lambda batch: fuse(maps_of(batch["image"], batch["tags"]), batch["saliency"], batch["tags"]), parts, context
    )
    return replace(outcome, metrics=outcome.metrics | maps), labels


def _ficklenet(data: str, parts: TagData, seed: int, settings: Settings, context: Context) -> Made:
    here = _settings(ficklenet.Settings, settings, paper="ficklenet")
    method = ficklenet.build("fickle-0.9", len(parts.foreground), here, seed)
    outcome = _tagger(method, f"{data} ficklenet seed {seed}", parts, seed, here, context)
    maps = {f"{parts.train.name}/train/maps": judge(method, method.head.rate, parts, seed, here, context)}
    generator = generator_of(seed, context)
    labels = tagging.label_all(lambda batch: seeds_of(method, True, batch, generator, here), parts, context)
    return replace(outcome, metrics=outcome.metrics | maps), labels


def _group(data: str, parts: TagData, seed: int, settings: Settings, context: Context) -> Made:
    here = _settings(
        group_wsss.Settings, settings, paper="group_wsss", steps=settings.steps - settings.steps // 2,
        warm_steps=settings.steps // 2, initial_std=None,
    )  # fmt: skip
    return group_wsss.classify("group", data, seed, here, context)


def _auxsegnet(data: str, parts: TagData, seed: int, settings: Settings, context: Context) -> Made:
    here = _settings(
        auxsegnet.Settings, settings, paper="auxsegnet", steps=settings.steps - settings.steps // 2,
        segmentation_steps=settings.steps // 2, segmentation_learning_rate=settings.dense_learning_rate,
        crf_exact=False, head_dropout=0.0,
    )  # fmt: skip
    outcome = auxsegnet.run("cross-task", data, seed, here, context)
    method = auxsegnet.build("cross-task", len(parts.foreground), here, seed)
    method.load_state_dict(outcome.weights)
    method.to(context.device).eval()
    smooth = auxsegnet.crf_of(here)

    def maps_of(images: Tensor, tags: Tensor) -> Tensor:
        spread = method.relabel(images, tags, torch.zeros_like(images[:, :1])).maps
        return normalise(spread, tags)

    def label_of(batch: dict[str, Any]) -> Tensor:
        return method.relabel(batch["image"], batch["tags"], batch["saliency"], smooth).labels

    maps = {f"{parts.train.name}/train/maps": tagging.judge_maps(maps_of, parts, context)}
    return replace(outcome, metrics=outcome.metrics | maps), tagging.label_all(label_of, parts, context)


def _settings(kind: type[TagSettings], settings: Settings, **own: Any) -> Any:
    """The same recipe as run-file keys of a paper; which arms there are is no concern of it."""
    shared = {key: value for key, value in settings.model_dump().items() if key in kind.model_fields}
    return kind(**shared | {"arms": ["any"]} | own)
