"""What a trained AuxSegNet is worth beyond its plain test: maps spread by other matrices, and post-processing."""

from typing import Any

import torch
from torch import Tensor

from labelkit.experiments.settings import Context
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
from labelkit.metrics.protocols import whole_image
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
def postprocessed(method: AuxSegNet, dataset: Any, settings: Any, context: Context) -> ConfusionMatrix:
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
