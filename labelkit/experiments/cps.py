"""CPS: its arms differ in what an unlabelled image is used for; network, split, batches and steps are the same."""

from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import torch
from torch import nn

from labelkit.datasets.streams import Joined
from labelkit.experiments import segmentation
from labelkit.experiments.segmentation import Data, SegmentationSettings, fingerprint, prepare
from labelkit.experiments.settings import Context, Outcome
from labelkit.losses.cross_entropy import cross_entropy, ohem_cross_entropy
from labelkit.losses.cross_pseudo import agreement
from labelkit.methods.cps import CPS, CutMixCPS, SelfPseudo
from labelkit.metrics.protocols import batches
from labelkit.models.initialise import initialise_head

__all__ = ["ARMS", "Arm", "Settings", "build", "fingerprint", "prepare", "run"]

COMPUTE = 4  # a CPS step passes two networks over twice the images of a supervised step


class Settings(SegmentationSettings):
    """Run-file keys of the CPS chapter."""

    paper: Literal["cps"]
    network: Literal["lesson", "deeplabv3plus-resnet50", "deeplabv3plus-resnet101"] = "lesson"
    cps_weight: float = 1.5
    cutmix_weight: float = 1.0
    ohem: bool = False
    teacher_mode: Literal["train", "eval"] = "train"


@dataclass(frozen=True)
class Arm:
    """What an arm does with unlabelled images.

    ``weight`` None: the run file's. ``compute``: supervised steps in place of one. ``scratch``: random weights in the
    backbone, whatever the run file says.
    """

    method: str
    fraction: str
    weight: float | None = None
    acts_on: str = "both"
    target: str = "hard"
    same_heads: bool = False
    compute: int = 1
    scratch: bool = False


def _arms() -> dict[str, Arm]:
    arms = {}
    for fraction in ("1/16", "1/8", "1/4", "1/2"):
        for method in ("supervised", "self", "cps", "cutmix"):
            arms[f"{method}-{fraction}"] = Arm(method, fraction)
    cps = arms["cps-1/8"]
    arms["cps-labelled-1/8"] = replace(cps, acts_on="labelled")
    arms["cps-unlabelled-1/8"] = replace(cps, acts_on="unlabelled")
    arms["soft-1/8"] = replace(cps, target="soft")
    arms["twins-1/8"] = replace(cps, same_heads=True)
    for weight in (0, 0.1, 0.5, 1, 1.5, 3, 6, 10):
        arms[f"lambda-{weight}"] = replace(cps, weight=float(weight))
    for fraction in ("1/16", "1/8"):
        arms[f"supervised-compute-{fraction}"] = Arm("supervised", fraction, compute=COMPUTE)
    for count in (92, 183, 366, 732):  # as many labels as the authors' lists of few finely labelled images of VOC
        for method in ("supervised", "cutmix"):
            arms[f"{method}-{count}"] = Arm(method, f"{count}/10582")
    arms["scratch-supervised-1/8"] = replace(arms["supervised-1/8"], scratch=True)
    arms["scratch-cps-1/8"] = replace(cps, scratch=True)
    return arms


ARMS = _arms()


def build(
    arm: str,
    classes: int,
    settings: Settings,
    seed: int,
    backbone: dict[str, Any] | None = None,
    shares: int = 1,
) -> nn.Module:
    """The method of an arm with freshly drawn weights; ``backbone`` weights, if given, replace those of the backbones.

    OHEM's least number of pixels is that of the joined batch; each of the ``shares`` in which it comes keeps a part.
    One seed gives every arm the same network a. Network b has the backbone of a and a head of its own, except in
    "twins".
    """
    chosen = ARMS[arm]
    torch.manual_seed(seed)
    network_a = initialise_head(_network(classes, settings), 2 * seed)
    if backbone is not None and not chosen.scratch:
        network_a.backbone.load_state_dict(backbone)
    loss = cross_entropy
    if settings.ohem:
        loss = partial(ohem_cross_entropy, threshold=0.7, min_kept=_ohem_kept(settings) // shares)
    if chosen.method in ("supervised", "self"):
        weight = 0.0 if chosen.method == "supervised" else settings.cps_weight
        return SelfPseudo(network_a, weight, supervised_loss=loss)
    network_b = deepcopy(network_a)
    if not chosen.same_heads:
        initialise_head(network_b, 2 * seed + 1)
    if chosen.method == "cutmix":
        return CutMixCPS(network_a, network_b, settings.cutmix_weight, settings.teacher_mode, supervised_loss=loss)
    weight = settings.cps_weight if chosen.weight is None else chosen.weight
    return CPS(network_a, network_b, weight, chosen.acts_on, chosen.target, supervised_loss=loss)


def _network(classes: int, settings: Settings) -> nn.Module:
    if settings.network == "lesson":
        from labelkit.models.lesson import LessonNet

        return LessonNet(classes)
    from labelkit.models.deeplab import DeepLabV3Plus

    depth = int(settings.network.removeprefix("deeplabv3plus-resnet"))
    return DeepLabV3Plus(classes, depth, pretrained=settings.pretraining == "imagenet")


def _ohem_kept(settings: Settings) -> int:
    """Pixels of a batch that OHEM keeps at least: the authors' 50,000 an image of 800 x 800, as a share of the crop."""
    return round(settings.batch_size * settings.height * settings.width * 50_000 / 800**2)


def run(arm: str, data: str, seed: int, settings: Settings, context: Context) -> Outcome:
    """Train and test one cell. All arms of a seed share split, labelled batches and the weights of network a."""
    chosen = ARMS[arm]
    parts = segmentation.load_data(data, settings, context)
    backbone = segmentation.backbone_weights(settings, context)
    method = build(arm, len(parts.classes), settings, seed, backbone, context.shares)
    split = segmentation.split_of(parts, chosen.fraction, seed)
    stream = partial(segmentation.stream_of, parts, seed=seed, settings=settings, context=context)
    streams = {"labelled": stream(split.labelled, 0)}
    if chosen.method != "supervised":
        streams["unlabelled"] = stream(split.unlabelled, 1)
    if chosen.method == "cutmix":
        streams["unlabelled_2"] = stream(split.unlabelled, 2)
    return segmentation.train_and_evaluate(
        method,
        Joined(**streams),
        label=f"{data} {arm} seed {seed}",
        data=parts,
        split=split,
        settings=settings,
        context=context,
        seed=seed,
        steps=settings.steps * chosen.compute,
        images_a_step=settings.batch_size * len(streams),
        observe=lambda: observe(method, parts, spread(split.unlabelled, 32), context.device),
        network=method.network_a,
        evaluate_every=settings.evaluate_every * chosen.compute,  # as many looks at the validation part as other arms
    )


def spread(indices: tuple[int, ...], count: int) -> tuple[int, ...]:
    """About ``count`` of the indices at equal distances: neighbours in a filmed sequence are nearly one picture."""
    return indices[:: max(1, len(indices) // count)][:count]


def observe(method: nn.Module, data: Data, indices: tuple[int, ...], device: str) -> dict[str, float]:
    """What the networks think of some unlabelled images, whose truth training never sees.

    Returns:
        ``pseudo_accuracy``: share of pixels that network a labels rightly; ``agreement`` of a and b, if there is a b.
    """
    right = counted = agreed = pixels = 0.0
    for images, masks in batches(data.train, indices, 32, device):
        logits = method.network_a(images)
        valid = masks != data.train.ignore_index
        right += float((logits.argmax(1) == masks)[valid].sum())
        counted += float(valid.sum())
        if hasattr(method, "network_b"):
            agreed += float(agreement(logits, method.network_b(images))) * masks.numel()
            pixels += masks.numel()
    return {"pseudo_accuracy": right / counted} | ({"agreement": agreed / pixels} if pixels else {})
