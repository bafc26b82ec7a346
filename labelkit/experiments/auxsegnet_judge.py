"""What a trained AuxSegNet is worth: all that a record holds, maps spread by other matrices, post-processing."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from labelkit.experiments import auxsegnet_cell as cell
from labelkit.experiments import auxsegnet_stages as stages
from labelkit.experiments.auxsegnet_settings import Arm, Settings
from labelkit.experiments.settings import Context, Outcome
from labelkit.experiments.tagging import TagData, in_batches, parts_of
from labelkit.methods.auxsegnet import (
    PROPAGATIONS,
    AuxSegNet,
    SaliencyCRF,
    propagator,
    segmentation_crf,
    spread_maps,
    updated_saliency,
)
from labelkit.metrics.confusion import ConfusionMatrix
from labelkit.metrics.protocols import summary, whole_image
from labelkit.pseudo_labels.activation_maps import resize_maps
from labelkit.pseudo_labels.map_quality import LabelQuality, MapQuality
from labelkit.pseudo_labels.saliency_fusion import fuse


@torch.no_grad()
def judge_propagation(
    method: AuxSegNet, data: TagData, crf: SaliencyCRF | None, context: Context, seed: int
) -> dict[str, Any]:
    """Spread the activation maps of all training images by the learned affinity and by each control.

    All share the network, its maps and its updated saliency; only the matrix differs.

    Args:
        method: trained, in evaluation mode.
        data: whose training part is labelled.
        crf: for the saliency, see :meth:`labelkit.methods.auxsegnet.AuxSegNet.relabel`.
        context: of the cell.
        seed: of the random matrices.

    Returns:
        Groups by propagation: ``miou``, ``precision``, ``recall`` of the labels and ``maps_miou_best`` of the maps at
        their best threshold; and ``gain`` and ``maps_gain``: the learned one's (best) miou minus each control's.
    """
    labels = {kind: LabelQuality(len(data.classes)) for kind in PROPAGATIONS}
    maps = {kind: MapQuality(len(data.foreground)) for kind in PROPAGATIONS}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for batch in in_batches(data.train, context.device):
            images, tags, truth = batch["image"], batch["tags"], batch["mask"]
            outputs, raw = method.network.with_maps(images)
            saliency = updated_saliency(outputs.refined_saliency, batch["saliency"], images, crf)
            for kind in PROPAGATIONS:
                spread = spread_maps(raw, propagator(outputs.affinity, kind), images.shape[-2:])
                labels[kind].update(fuse(spread, saliency, tags), truth)
                maps[kind].update(spread, tags, truth, parts_of(batch))
    of_labels = {kind: quality.summary() for kind, quality in labels.items()}
    best = {kind: quality.summary()["miou_best"] for kind, quality in maps.items()}
    found: dict[str, Any] = {
        name: {kind: values[name] for kind, values in of_labels.items()} for name in ("miou", "precision", "recall")
    }
    found["maps_miou_best"] = best
    controls = [kind for kind in PROPAGATIONS if kind != "learned"]
    found["gain"] = {kind: found["miou"]["learned"] - found["miou"][kind] for kind in controls}
    found["maps_gain"] = {kind: best["learned"] - best[kind] for kind in controls}
    return found


@torch.no_grad()
def postprocessed(method: AuxSegNet, dataset: Any, settings: Settings, context: Context) -> ConfusionMatrix:
    """Test with several sizes of each image, probabilities averaged, and a dense CRF if the run file asks for it.

    The paper reports its headline so; which sizes it takes was not found, the run file names ours.
    """

    def predict(images: Tensor) -> Tensor:
        total = torch.zeros(())
        for scale in settings.test_scales:
            size = [max(8, round(side * scale)) for side in images.shape[-2:]]
            logits = method.predict(resize_maps(images, tuple(size)))
            total = total + resize_maps(logits, images.shape[-2:]).softmax(1).cpu()
        probabilities = (total / len(settings.test_scales)).to(images.device)
        if not settings.test_crf:
            return probabilities
        return segmentation_crf(images, probabilities, settings.crf_scale)

    return whole_image(predict, dataset, device=context.device)


def judge_all(
    chosen: Arm,
    ends: list[Outcome],
    found: list[dict[str, Any]],
    tagged: Outcome,
    method: AuxSegNet,
    parts: TagData,
    settings: Settings,
    context: Context,
    seed: int,
) -> Outcome:
    """What a cell found: tags, maps, labels of each stage, and the segmentation with and without refinement.

    ``ends`` and ``found`` are the outcomes of the stages and the quality of the labels that they learnt from.
    """
    name, test = parts.train.name, f"{parts.test.name}/test"
    protocol = next(key for key in ends[-1].metrics if key.startswith(test) and not key.endswith("/best-on-val"))
    quality = found[0] | stages.by_stage(found, ("miou", "precision", "recall", "coverage", "saliency_iou"))
    metrics = {
        **{key: value for key, value in tagged.metrics.items() if not key.endswith("/best-on-val")},
        f"{name}/train/pseudo-labels": found[0],
        **ends[-1].metrics,
    }
    if chosen.stages:
        metrics[f"{name}/train/pseudo-labels-by-stage"] = quality
        metrics[f"{test}/by-stage"] = stages.by_stage([end.metrics[protocol] for end in ends], ["miou"])
    with torch.no_grad():
        if chosen.affinity != "none":
            plain = whole_image(method.predict_unrefined, parts.test, device=context.device)
            values = summary(plain, parts.classes, parts.rarest)
            metrics[f"{test}/whole-image-unrefined"] = values
            metrics[f"{test}/refinement"] = {"miou_gain": metrics[protocol]["miou"] - values["miou"]}
        if chosen.affinity == "cross-task" and chosen.both and not chosen.stages and not settings.native_size:
            smooth = cell.crf_of(settings)
            metrics[f"{name}/train/propagation"] = judge_propagation(method, parts, smooth, context, seed)
        if settings.test_scales:
            confusion = postprocessed(method, parts.test, settings, context)
            metrics[f"{test}/whole-image-postprocessed"] = summary(confusion, parts.classes, parts.rarest)
    whole = stages.joined(ends)
    return replace(whole, metrics=metrics, train_seconds=tagged.train_seconds + whole.train_seconds)
