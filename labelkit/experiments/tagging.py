"""What the image-tag papers share: data with tags and saliency, training a tag classifier, judging its maps and labels.

A cell has up to three stages. A network learns which classes an image shows; its class activation maps on the training
images become pseudo labels; a segmentation network learns from these and is tested. Masks of training images are used
to judge maps and labels, never to make them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from labelkit import distributed
from labelkit.datasets.relabelled import Relabelled
from labelkit.datasets.saliency_maps import SaliencyMaps, folder_of
from labelkit.experiments import segmentation
from labelkit.experiments.cells import Measured, train_cell
from labelkit.experiments.data import find
from labelkit.experiments.object_pretraining import Weights, backbone_weights, trunk_weights
from labelkit.experiments.saliency import WithSaliency, saliency_network
from labelkit.experiments.segmentation import Data, SegmentationSettings
from labelkit.experiments.settings import Context, Outcome
from labelkit.methods.supervised import Supervised
from labelkit.metrics.tags import predict_tags, tag_metrics
from labelkit.models.initialise import initialise_head
from labelkit.models.lesson import LessonNet
from labelkit.pseudo_labels.map_quality import LabelQuality, MapQuality
from labelkit.training import Schedule

BATCH = 32
"""Training images that are mapped or labelled at a time."""


class TagSettings(SegmentationSettings):
    """Run-file keys of every image-tag paper. ``steps``, ``batch_size`` and ``learning_rate`` are the classifier's."""

    saliency_steps: int = Field(
        default=400, ge=1, description="steps of the small saliency network, for data that bring no saliency maps"
    )
    segmentation_steps: int = Field(default=300, ge=1, description="optimiser steps of the last stage")
    segmentation_batch_size: int = Field(default=12, ge=1)
    segmentation_learning_rate: float = Field(default=0.05, gt=0)
    pretraining: Literal["none", "objects", "sim", "imagenet"] = Field(
        default="none", description="objects: lesson networks on real data start from weights learnt on objects-20"
    )


@dataclass(frozen=True)
class TagData(Data):
    """Three parts whose samples have ``tags`` (C,) and ``saliency`` (1, H, W); label 0 is background.

    Attributes:
        trunk, backbone: state dicts from which lesson networks of tags and of masks start; None: random weights.
    """

    trunk: Weights | None = field(default=None, compare=False)
    backbone: Weights | None = field(default=None, compare=False)

    def start(self, trunk: nn.Module) -> None:
        """Give a trunk of tags the weights that it starts from on these data, where there are any; in place."""
        if self.trunk is not None:
            trunk.load_state_dict(self.trunk)

    @property
    def foreground(self) -> tuple[str, ...]:
        """Names of the C classes that a tag can name; tag c is label c + 1."""
        return self.classes[1:]


def load_data(name: str, settings: TagSettings, context: Context) -> TagData:
    """The data set of a run file's name, with saliency maps; kept in memory for the next cell.

    Raises:
        ValueError: the name is unknown, the version has no reader for it, its images have no tags, or LABELKIT_DATA is
            not set.
    """
    data = segmentation.load_data(name, settings, context)
    if find(name).drawn:
        return TagData(data.train, data.val, data.test, data.rarest)
    size = settings.height, settings.width
    found = _with_saliency(
        name, *size, settings.saliency_steps, context.shared, context.data_root, context.device, data
    )
    if settings.pretraining != "objects":
        return found
    where = context.shared, settings.pretrain_steps, *size, context.device
    return replace(found, trunk=trunk_weights(*where), backbone=backbone_weights(*where))


@lru_cache(maxsize=4)
def _with_saliency(
    name: str, height: int, width: int, steps: int, shared: Path, root: Path | None, device: str, data: Data
) -> TagData:
    if "tags" not in data.train[0]:
        raise ValueError(f"data {name!r} has no image tags; the image-tag papers need them")
    if folder := folder_of(root, name):
        return TagData(
            SaliencyMaps(data.train, folder),
            *(SaliencyMaps(part, folder, needed=False) for part in (data.val, data.test)),
            data.rarest,
        )
    network = saliency_network(shared, steps, height, width, root, device)
    return TagData(*(WithSaliency(part, network) for part in (data.train, data.val, data.test)), data.rarest)


def prepare(settings: TagSettings, context: Context) -> None:
    """Train the networks that all cells on real data read: of saliency, if it is not there as files, and those that
    they start from."""
    real = [name for name in settings.data if not find(name).drawn]
    if real:
        size = settings.height, settings.width
        if not all(folder_of(context.data_root, name) for name in real):
            saliency_network(context.shared, settings.saliency_steps, *size, context.data_root, context.device)
        if settings.pretraining == "objects":
            where = context.shared, settings.pretrain_steps, *size, context.device
            trunk_weights(*where), backbone_weights(*where)


def fingerprint(name: str, settings: TagSettings, context: Context) -> str:
    """Of the three parts together, and of saliency maps from files; others follow from the settings."""
    found = segmentation.fingerprint(name, settings, context)
    if find(name).drawn or not (folder := folder_of(context.data_root, name)):
        return found
    return f"{found}-{SaliencyMaps(segmentation.load_data(name, settings, context).train, folder).maps_fingerprint}"


def train_tagger(
    method: nn.Module,
    batches: Any,
    *,
    label: str,
    data: TagData,
    settings: TagSettings,
    context: Context,
    seed: int,
    images_a_step: int,
    network: nn.Module,
    steps: int | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    schedule: Schedule | None = None,
    observe: Callable[[], Mapping[str, float]] | None = None,
    stage: str = "tags",
    evaluate_every: int | None = None,
) -> Outcome:
    """Train a network that tells which classes an image shows, and test how well it does.

    Args:
        method: with ``training_step`` and ``predict`` (images (B, 3, H, W) to tag logits (B, C)). It ends with the
            weights of the last step, in evaluation mode: maps are read from these.
        batches: ``batches[step]``.
        label, settings, context, seed, images_a_step, network, schedule, stage, evaluate_every:
            see :func:`labelkit.experiments.cells.train_cell`.
        data: the validation part chooses nothing but the weights of the protocol ``.../best-on-val``.
        steps: the run file's if None.
        optimizer: SGD as the run file says if None.
        observe: extra values at each validation, for series.

    Returns:
        The outcome, with :func:`labelkit.metrics.tags.tag_metrics` under ``<data>/test/tags``.
    """

    def measure(part: Any) -> dict[str, Any]:
        return tag_metrics(*predict_tags(method.predict, part, device=context.device), data.foreground)

    def validate() -> dict[str, float]:
        return {"val_map": measure(data.val)["map"], **(observe() if observe else {})}

    def test() -> Measured:
        return {f"{data.test.name}/test/tags": measure(data.test)}

    return train_cell(
        method,
        batches,
        label=label,
        settings=settings,
        context=context,
        seed=seed,
        steps=settings.steps if steps is None else steps,
        optimizer=optimizer or segmentation.sgd(method, settings),
        images_a_step=images_a_step,
        network=network,
        data=data,
        split=None,
        validate=validate,
        keep_best="val_map",
        test=test,
        stage=stage,
        schedule=schedule,
        evaluate_every=evaluate_every,
    )


@torch.no_grad()
def judge_maps(maps_of: Callable[[Tensor, Tensor], Tensor], data: TagData, context: Context) -> dict[str, Any]:
    """Hold class activation maps of all training images, unaugmented, against their masks.

    Where processes work together each maps its share; all must call this.

    Args:
        maps_of: images (B, 3, H, W) and tags (B, C) to maps (B, C, H, W), see
            :func:`labelkit.pseudo_labels.activation_maps.normalise`. Gradients are off when it is called; a method
            that needs them turns them on.
        data: whose training part is mapped.
        context: of the cell.

    Returns:
        What :class:`labelkit.pseudo_labels.map_quality.MapQuality` gives. Put it under ``<data>/train/maps``.
    """
    quality = MapQuality(len(data.foreground))
    for batch in in_batches(data.train, context.device, own=distributed.shard(len(data.train), BATCH)):
        maps = maps_of(batch["image"], batch["tags"])
        quality.update(maps.cpu(), batch["tags"].cpu(), batch["mask"].cpu(), parts_of(batch))
    return quality.merge().summary()


@torch.no_grad()
def label_all(label_of: Callable[[dict[str, Any]], Tensor], data: TagData, context: Context) -> Tensor:
    """Pseudo labels of all training images, unaugmented.

    Args:
        label_of: a batch (``image``, ``tags``, ``saliency``, ``name`` where there is one; never ``mask`` or ``parts``)
            to labels (B, H, W), 255 where it has none.
        data: whose training part is labelled.
        context: of the cell.

    Returns:
        (n, H, W) uint8, on the CPU.
    """
    labels = []
    for batch in in_batches(data.train, context.device):
        seen = {key: value for key, value in batch.items() if key not in ("mask", "parts")}
        labels.append(label_of(seen).to(torch.uint8).cpu())
    return torch.cat(labels)


def judge_labels(labels: Tensor, data: TagData) -> dict[str, Any]:
    """Hold pseudo labels (n, H, W) of the training images against their masks.

    Returns:
        What :class:`labelkit.pseudo_labels.map_quality.LabelQuality` gives; for ``<data>/train/pseudo-labels``.
    """
    quality = LabelQuality(len(data.classes))
    for index, label in enumerate(labels):
        quality.update(label[None].long(), data.train[index]["mask"][None])
    return quality.summary()


def train_segmentation(
    labels: Tensor | None,
    *,
    label: str,
    data: TagData,
    settings: TagSettings,
    context: Context,
    seed: int,
    stage: str = "segmentation",
    method: nn.Module | None = None,
) -> Outcome:
    """Train a segmentation network on pseudo labels and test it: the last stage of every image-tag paper.

    Args:
        labels: (n, H, W) uint8 of the training images, 255 ignored; None trains on the true masks (full supervision).
        label, settings, context, seed, stage: see :func:`labelkit.experiments.cells.train_cell`. One seed gives every
            arm the same first weights and batches of images.
        data: the three parts.
        method: with ``training_step`` on ``image`` and ``mask``, and ``predict``; a plain lesson network if None.

    Returns:
        The outcome; the mIoU of the test part under ``<data>/test/<protocol>``.
    """
    if method is None:
        torch.manual_seed(seed)
        network = initialise_head(LessonNet(len(data.classes)), 2 * seed)
        if data.backbone is not None:
            network.backbone.load_state_dict(data.backbone)
        method = Supervised(network)
    here = settings.model_copy(
        update={"batch_size": settings.segmentation_batch_size, "learning_rate": settings.segmentation_learning_rate}
    )
    train = data.train if labels is None else Relabelled(data.train, labels)
    stream = segmentation.stream_of(replace(data, train=train), range(len(train)), 2, seed, here, context)
    return segmentation.train_and_evaluate(
        method,
        stream,
        label=label,
        data=data,
        split=None,
        settings=here,
        context=context,
        seed=seed,
        steps=settings.segmentation_steps,
        images_a_step=here.batch_size,
        network=getattr(method, "network", method),
        stage=stage,
    )


def in_batches(dataset: Any, device: str, size: int = BATCH, own: range | None = None) -> Any:
    """The samples of a data set in order, or those of a range, collated; tensors lie on the device."""
    from labelkit.datasets.streams import stack

    own = range(len(dataset)) if own is None else own
    for start in own[::size]:
        batch = stack([dataset[index] for index in range(start, min(start + size, own.stop))])
        yield {key: value.to(device) if isinstance(value, Tensor) else value for key, value in batch.items()}


def parts_of(batch: Mapping[str, Any]) -> Tensor | None:
    """Which pixels are a discriminative part and which a body, (B, H, W) on the CPU, where the data know it."""
    return batch["parts"].cpu() if "parts" in batch else None
