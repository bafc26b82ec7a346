"""OCR: its arms differ in the context module between one encoder and one decoder, or in how that module is trained."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import nn

from labelkit.datasets.memory import as_bytes
from labelkit.datasets.streams import Stream
from labelkit.experiments import segmentation
from labelkit.experiments.segmentation import SegmentationSettings, fingerprint, prepare
from labelkit.experiments.settings import Context, Outcome
from labelkit.losses.cross_entropy import cross_entropy, ohem_cross_entropy
from labelkit.methods.ocr import OCR

__all__ = ["ARMS", "Arm", "Settings", "build", "fingerprint", "prepare", "run"]


class Settings(SegmentationSettings):
    """Run-file keys of the OCR chapter."""

    paper: Literal["ocr"]
    network: Literal["lesson", "ocr-resnet101", "ocr-hrnet48"] = "lesson"
    aux_weight: float = 0.4
    ohem: bool = False


@dataclass(frozen=True)
class Arm:
    """One way to put context between encoder and decoder."""

    context: str = "ocr"
    gather: str = "pixel-softmax"
    ideal: bool = False
    supervise_regions: bool = True


ARMS = {
    "conv": Arm(context="conv"),
    "ocr": Arm(),
    "ocr-aux0": Arm(supervise_regions=False),
    "ocr-ideal": Arm(ideal=True),
    "self-attention": Arm(context="self-attention"),
    "gather-class-softmax": Arm(gather="class-softmax"),
    "gather-global": Arm(gather="global"),
}


def build(
    arm: str, classes: int, settings: Settings, seed: int, backbone: dict[str, Any] | None = None, shares: int = 1
) -> OCR:
    """The method of an arm with freshly drawn weights; ``backbone`` weights, if given, replace those of the backbone.

    OHEM's least number of pixels is that of the joined batch; each of the ``shares`` in which it comes keeps a part.
    """
    chosen = ARMS[arm]
    torch.manual_seed(seed)
    network = _network(chosen, classes, settings)
    if backbone is not None:
        network.backbone.load_state_dict(backbone)
    one_head = settings.network != "lesson" and chosen.context == "conv"
    aux_weight = settings.aux_weight if chosen.supervise_regions and not one_head else 0.0
    loss = cross_entropy
    if settings.ohem:
        loss = partial(ohem_cross_entropy, threshold=0.9, min_kept=131072 // shares)
    return OCR(network, aux_weight, ideal=chosen.ideal, main_loss=loss)


def _network(arm: Arm, classes: int, settings: Settings) -> nn.Module:
    if settings.network == "lesson":
        from labelkit.models.lesson_ocr import LessonContextNet

        return LessonContextNet(classes, arm.context, use_ground_truth=arm.ideal, gather=arm.gather)
    imagenet = settings.pretraining == "imagenet"
    if arm == Arm(context="conv") and settings.network == "ocr-hrnet48":
        from labelkit.models.hrnet_plain import PlainHRNet

        return PlainHRNet(classes, pretrained=imagenet)
    if arm.context != "ocr":
        raise ValueError(f"network {settings.network!r} is not built with the context {arm.context!r}")
    from labelkit.models import ocr_networks

    made = {"ocr-resnet101": ocr_networks.ResNetOCR, "ocr-hrnet48": ocr_networks.HRNetOCR}[settings.network]
    return made(classes, pretrained=imagenet, use_ground_truth=arm.ideal, gather=arm.gather)


def run(arm: str, data: str, seed: int, settings: Settings, context: Context) -> Outcome:
    """Train and test one cell: all labels, the same batches for every arm of a seed."""
    parts = segmentation.load_data(data, settings, context)
    backbone = segmentation.backbone_weights(settings, context)
    method = build(arm, len(parts.classes), settings, seed, backbone, context.shares)
    stream = Stream(
        as_bytes(parts.train),
        range(len(parts.train)),
        settings.batch_size,
        segmentation.augmentation(settings, parts.train),
        seed=seed,
        **context.place,
    )
    return segmentation.train_and_evaluate(
        method,
        stream,
        label=f"{data} {arm} seed {seed}",
        data=parts,
        split=None,
        settings=settings,
        context=context,
        seed=seed,
        steps=settings.steps,
        images_a_step=settings.batch_size,
        oracle=ARMS[arm].ideal,
        network=method.network,
    )
