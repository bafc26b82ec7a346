"""The steps of a cell of AuxSegNet: the tag classifier, its labels, a stage of training, and the next labels."""

from dataclasses import replace
from typing import Any

from torch import Tensor

from labelkit.experiments import auxsegnet_stages as stages
from labelkit.experiments import segmentation, tagging
from labelkit.experiments.auxsegnet_optimizer import sgd
from labelkit.experiments.auxsegnet_settings import Settings
from labelkit.experiments.labelling import digest_of
from labelkit.experiments.settings import Context, Outcome
from labelkit.experiments.tagging import TagData
from labelkit.methods.auxsegnet import AuxSegNet, saliency_crf, spread_maps
from labelkit.methods.supervised import TagClassifier
from labelkit.models.auxsegnet import TagNetwork
from labelkit.pseudo_labels.saliency_fusion import fuse


def train_tags(
    method: TagClassifier, parts: TagData, label: str, settings: Settings, context: Context, seed: int
) -> Outcome:
    """Train the tag classifier and judge its maps."""
    outcome = tagging.train_tagger(
        method,
        segmentation.stream_of(parts, range(len(parts.train)), 0, seed, settings, context),
        label=f"{label}, tags",
        data=parts,
        settings=settings,
        context=context,
        seed=seed,
        images_a_step=settings.batch_size,
        network=method.network,
    )
    if settings.native_size:  # images of many sizes are not judged together
        return outcome
    maps = tagging.judge_maps(
        lambda images, tags: spread_maps(method.network.maps(images), None, images.shape[-2:]), parts, context
    )
    return replace(outcome, metrics=outcome.metrics | {f"{parts.train.name}/train/maps": maps})


def first_labels(
    network: TagNetwork, parts: TagData, settings: Settings, context: Context, seed: int, which: str, detector: int
) -> stages.StageLabels:
    """Labels of stage 0: the classifier's maps and the detector's saliency, fused."""
    source = {"data": parts.fingerprint, "detector": detector, "seed": seed}
    source["weights"] = digest_of(network.state_dict())
    folder = context.shared / f"auxsegnet-labels-{which}"
    labels = stages.stage_labels(folder, 0, source, False, getattr(parts.train, "palette", None))

    def label_of(batch: dict[str, Any]) -> tuple[Tensor, None]:
        maps = spread_maps(network.maps(batch["image"]), None, batch["image"].shape[-2:])
        return fuse(maps, batch["saliency"], batch["tags"]), None

    stages.fill(labels, parts.train, label_of, len(parts.classes), context, _at_a_time(settings))
    return labels


def next_labels(
    stage: int, method: AuxSegNet, parts: TagData, settings: Settings, context: Context, seed: int
) -> stages.StageLabels:
    """Labels of a later stage: maps spread by the affinity, saliency updated, fused."""
    source = {"data": parts.fingerprint, "seed": seed, "weights": digest_of(method.state_dict())}
    folder = context.workspace / f"labels-{stage}"
    labels = stages.stage_labels(folder, stage, source, True, getattr(parts.train, "palette", None))

    def label_of(batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
        made = method.relabel(batch["image"], batch["tags"], batch["saliency"], crf_of(settings))
        return made.labels, made.saliency

    stages.fill(labels, parts.train, label_of, len(parts.classes), context, _at_a_time(settings))
    return labels


def crf_of(settings: Settings) -> Any:
    """The run file's smoothing of saliency, or None."""
    if not settings.crf:
        return None
    return lambda images, saliency: saliency_crf(images, saliency, settings.crf_scale, settings.crf_exact)


def _at_a_time(settings: Settings) -> int:
    return 1 if settings.native_size else tagging.BATCH


def train_stage(
    stage: int,
    method: AuxSegNet,
    labels: stages.StageLabels,
    parts: TagData,
    label: str,
    settings: Settings,
    context: Context,
    seed: int,
) -> Outcome:
    """Train on a stage's labels, from the weights that the method has."""
    update = {
        "batch_size": settings.segmentation_batch_size,
        "learning_rate": settings.segmentation_learning_rate,
    }
    here = settings.model_copy(update=update)
    staged = replace(parts, train=stages.StageData(parts.train, labels))
    return segmentation.train_and_evaluate(
        method,
        segmentation.stream_of(staged, range(len(staged.train)), 1, seed + 7919 * stage, here, context),
        label=f"{label}, stage {stage}",
        data=parts,
        split=None,
        settings=here,
        context=context,
        seed=seed + 7919 * stage,
        steps=settings.segmentation_steps,
        images_a_step=here.batch_size,
        network=method.network,
        stage=f"stage-{stage}",
        optimizer=sgd(method, here.learning_rate, settings.optimizer, settings.new_layers_rate, settings.weight_decay),
    )
