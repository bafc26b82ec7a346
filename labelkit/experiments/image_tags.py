"""One recipe for the methods that learn masks from image tags: what differs between arms is the method alone.

Trunk, first weights, images, saliency maps, and the optimiser steps until there are labels are the same; so are the
segmentation network that learns from the labels at the end, its batches, optimiser and steps. What a method brings
along (random selection, a graph, two more tasks) is added to that, and so is its own way to make labels. Group-WSSS and
AuxSegNet start from a tag classifier; its steps are the first half of theirs.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from labelkit.experiments import auxsegnet, ficklenet, group_wsss, segmentation, tagging
from labelkit.experiments.auxsegnet_cell import crf_of
from labelkit.experiments.ficklenet_stages import generator_of, seeds_of
from labelkit.experiments.group_wsss_maps import composed
from labelkit.experiments.settings import Context, Outcome
from labelkit.experiments.tagging import TagData, TagSettings, fingerprint, prepare
from labelkit.methods.supervised import TagClassifier
from labelkit.models.lesson_tags import LessonTagger
from labelkit.papers import Contrast
from labelkit.pseudo_labels.activation_maps import class_activation_maps, normalise, resize_maps
from labelkit.pseudo_labels.saliency_fusion import fuse

__all__ = ["ARMS", "COMPARISONS", "SPEAKS", "STAGES", "Settings", "fingerprint", "prepare", "run"]

ARMS = {
    "supervised": "all masks: what there is to reach",
    "cam": "plain activation maps, joined with saliency",
    "cam-composed": "plain activation maps, and the label rule of Group-WSSS: is it the maps, or is it the rule?",
    "ficklenet": "the union of many maps, each from another random part of the features",
    "group_wsss": "maps of images that talk to others of the same tags",
    "auxsegnet": "maps spread by an affinity that segmentation and saliency have learnt",
}
"""Arm to what it makes labels from."""

STAGES = {"train/maps": "miou_best", "train/pseudo-labels": "miou", "test/whole-image": "miou"}
"""Protocol to the number by which a stage is told: maps at their best threshold, labels, segmentation."""

SPEAKS = 0.1
"""Data say nothing about methods, whatever the order, unless all masks lift the test mIoU this far above that of a
network which calls everything background. Written down before methods were run on real data."""

COMPARISONS = {
    protocol: [
        Contrast(
            name=f"{arm} over plain activation maps, {protocol}",
            weights={arm: 1, "cam": -1},
            metric=metric,
            protocol=protocol,
        )
        for arm in ("cam-composed", "ficklenet", "group_wsss", "auxsegnet")
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

    @model_validator(mode="after")
    def _weights_that_exist(self) -> Self:
        if self.pretraining not in ("none", "objects"):
            raise ValueError(
                f"pretraining is {self.pretraining!r}; expected none or objects, which lesson networks have"
            )
        return self


def run(arm: str, data: str, seed: int, settings: Settings, context: Context) -> Outcome:
    """Train and judge one cell: classifier, maps, labels, and the segmentation network that learns from them."""
    parts = tagging.load_data(data, settings, context)
    place = {"data": parts, "settings": settings, "context": context, "seed": seed}
    if arm == "supervised":
        return tagging.train_segmentation(None, label=f"{data} {arm} seed {seed}", **place)
    make = {
        "cam": _cam,
        "cam-composed": partial(_cam, rule=composed),
        "ficklenet": _ficklenet,
        "group_wsss": _group,
        "auxsegnet": _auxsegnet,
    }[arm]
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


def _joined(maps: Tensor, batch: dict[str, Any]) -> Tensor:
    return fuse(maps, batch["saliency"], batch["tags"])


def _cam(
    data: str,
    parts: TagData,
    seed: int,
    settings: Settings,
    context: Context,
    rule: Callable[[Tensor, dict[str, Any]], Tensor] = _joined,
) -> Made:
    torch.manual_seed(seed)
    network = LessonTagger(len(parts.foreground))
    parts.start(network.trunk)
    outcome = tagging.train_tagger(
        TagClassifier(network),
        segmentation.stream_of(parts, range(len(parts.train)), 0, seed, settings, context),
        label=f"{data} cam seed {seed}",
        data=parts,
        settings=settings,
        context=context,
        seed=seed,
        images_a_step=settings.batch_size,
        network=network,
    )

    def maps_of(images: Tensor, tags: Tensor) -> Tensor:
        raw = class_activation_maps(network.trunk(images), network.classifier.weight)
        return resize_maps(normalise(raw, tags), images.shape[-2:])

    maps = {f"{parts.train.name}/train/maps": tagging.judge_maps(maps_of, parts, context)}
    labels = tagging.label_all(lambda batch: rule(maps_of(batch["image"], batch["tags"]), batch), parts, context)
    return replace(outcome, metrics=outcome.metrics | maps), labels


def _ficklenet(data: str, parts: TagData, seed: int, settings: Settings, context: Context) -> Made:
    here = _settings(ficklenet.Settings, settings, paper="ficklenet")
    label = f"{data} ficklenet seed {seed}"
    outcome, method = ficklenet.classify("fickle-0.9", label, parts, seed, here, context)
    generator = generator_of(seed, context)
    return outcome, tagging.label_all(lambda batch: seeds_of(method, True, batch, generator, here), parts, context)


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
    done = auxsegnet.train("cross-task", data, seed, here, context)
    method, smooth, end = done.method, crf_of(here), done.ends[-1]

    def maps_of(images: Tensor, tags: Tensor) -> Tensor:
        spread = method.relabel(images, tags, torch.zeros_like(images[:, :1])).maps
        return normalise(spread, tags)

    def label_of(batch: dict[str, Any]) -> Tensor:
        return method.relabel(batch["image"], batch["tags"], batch["saliency"], smooth).labels

    maps = {f"{parts.train.name}/train/maps": tagging.judge_maps(maps_of, parts, context)}
    metrics = {key: value for key, value in done.tagged.metrics.items() if not key.endswith("/best-on-val")} | maps
    outcome = replace(end, metrics=metrics, train_seconds=done.tagged.train_seconds + end.train_seconds)
    return outcome, tagging.label_all(label_of, parts, context)


def _settings(kind: type[TagSettings], settings: Settings, **own: Any) -> Any:
    """The same recipe as run-file keys of a paper; which arms there are is no concern of it."""
    shared = {key: value for key, value in settings.model_dump().items() if key in kind.model_fields}
    return kind(**shared | {"arms": ["any"]} | own)
