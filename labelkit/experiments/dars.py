"""DARS: its arms differ in which predictions become labels; network, split, labelled batches and steps are the same."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import nn

from labelkit.datasets.augment import RandomScaleCropFlip
from labelkit.datasets.rotate_blur import Compose, RandomBlur, RandomRotation
from labelkit.datasets.splits import Split
from labelkit.datasets.streams import Augment
from labelkit.experiments import segmentation
from labelkit.experiments.labelling import Labelling
from labelkit.experiments.rounds import Round, train_rounds
from labelkit.experiments.segmentation import Data, SegmentationSettings, fingerprint, prepare
from labelkit.experiments.settings import Context, Outcome
from labelkit.methods.dars import DARS
from labelkit.models.initialise import initialise_head
from labelkit.pseudo_labels.selection import class_prior

__all__ = ["ARMS", "Arm", "Settings", "build", "fingerprint", "plan", "prepare", "prior_of", "run"]


class Settings(SegmentationSettings):
    """Run-file keys of the DARS chapter."""

    paper: Literal["dars"]
    network: Literal["lesson", "pspnet-resnet50", "deeplabv2-resnet101"] = "lesson"
    aux_weight: float = Field(
        default=0.0, ge=0, description="of the auxiliary head's loss; the lesson network has none"
    )
    pseudo_weight: float = Field(default=1.0, ge=0, description="of the loss on pseudo labels")
    ratios: list[float] = Field(default=[0.2, 0.5], min_length=1, description="labelling ratio before each later round")
    last_scales: list[float] = Field(default=[], description="resize factors in the last round; empty: as before")
    round_steps: list[int] = Field(default=[], description="steps of each round; empty: equal shares of steps")
    first_batch_size: int = Field(default=0, ge=0, description="labelled images a step in round 0; 0: batch_size")
    restart: Literal["resume", "weights"] = "resume"
    prior_images: int = Field(default=2, ge=1, description="labelled images behind the prior of dars-prior-few")
    rotation: float = Field(default=0.0, ge=0, le=1, description="probability of a rotation by up to 10 degrees")
    blur: float = Field(default=0.0, ge=0, le=1, description="probability of a 5 x 5 Gaussian blur")
    head_rate: float = Field(default=1.0, gt=0, description="learning rate of new layers over that of the backbone")
    label_long_side: int = Field(default=0, ge=0, description="long side at which images are labelled; 0: their own")
    cache_maps: bool = Field(default=True, description="keep confidences on disk between the passes of a labelling")

    @model_validator(mode="after")
    def _fits_together(self) -> "Settings":
        if not all(0 < ratio <= 1 for ratio in self.ratios):
            raise ValueError(f"ratios is {self.ratios}; expected numbers above 0 and at most 1")
        if self.round_steps and (len(self.round_steps) != len(self.ratios) + 1 or sum(self.round_steps) != self.steps):
            raise ValueError(
                f"round_steps is {self.round_steps}; expected {len(self.ratios) + 1} numbers with the sum {self.steps}"
            )
        if self.steps <= len(self.ratios):
            raise ValueError(f"steps is {self.steps}; expected at least one for each of {len(self.ratios) + 1} rounds")
        return self


@dataclass(frozen=True)
class Arm:
    """How an arm chooses its pseudo labels.

    Attributes:
        fraction: of the images that have labels.
        scheme: "single", "cbst", "alignment", or "" for none: all rounds train on labels alone.
        random_sampling: see :class:`labelkit.experiments.labelling.Labelling`.
        constant: one ratio in all rounds, the mean of the run file's, so that as many labels are made over all.
        same_scale: no wider resize factors in the last round.
        one_round: later rounds use the predictions of round 0; the network never learns from labels that it made after
            it had learnt from its own.
        prior: shares that alignment aims at: of all "labelled" images, of a "few" of them, or "uniform".
    """

    fraction: str
    scheme: str = "alignment"
    random_sampling: bool = True
    constant: bool = False
    same_scale: bool = False
    one_round: bool = False
    prior: Literal["labelled", "few", "uniform"] = "labelled"


def _arms() -> dict[str, Arm]:
    arms = {}
    for fraction in ("1/16", "1/8", "1/4", "1/2"):
        arms[f"supervised-{fraction}"] = Arm(fraction, scheme="")
        arms[f"dars-{fraction}"] = Arm(fraction)
    dars = arms["dars-1/8"]
    for method, scheme in (("supervised", ""), ("dars", "alignment")):
        arms[f"{method}-1464"] = Arm("1464/10582", scheme)  # as many labels as VOC 2012 has without the added ones
    arms["single-1/8"] = replace(dars, scheme="single", random_sampling=False)
    arms["cbst-1/8"] = replace(dars, scheme="cbst", random_sampling=False)
    arms["da-1/8"] = replace(dars, random_sampling=False)
    arms["dars-one-round-1/8"] = replace(dars, one_round=True)
    arms["dars-constant-1/8"] = replace(dars, constant=True)
    arms["dars-same-scale-1/8"] = replace(dars, same_scale=True)
    arms["dars-prior-uniform-1/8"] = replace(dars, prior="uniform")
    arms["dars-prior-few-1/8"] = replace(dars, prior="few")
    return arms


ARMS = _arms()


def build(classes: int, settings: Settings, seed: int, backbone: dict[str, Any] | None = None) -> DARS:
    """The method with freshly drawn weights, the same for every arm of a seed; ``backbone`` weights, if given, replace
    those of the backbone."""
    torch.manual_seed(seed)
    network = _network(classes, settings)
    if settings.network == "lesson":  # as in the other lessons; full-scale networks draw as their authors do
        initialise_head(network, 2 * seed)
    if backbone is not None:
        network.backbone.load_state_dict(backbone)
    return DARS(network, settings.aux_weight, settings.pseudo_weight)


def _network(classes: int, settings: Settings) -> nn.Module:
    imagenet = settings.pretraining == "imagenet"
    if settings.network == "lesson":
        from labelkit.models.lesson import LessonNet

        return LessonNet(classes)
    if settings.network == "pspnet-resnet50":
        from labelkit.models.pspnet import PSPNet

        return PSPNet(classes, pretrained=imagenet)
    from labelkit.models.deeplab_v2 import DeepLabV2

    return DeepLabV2(classes, pretrained=imagenet)


def plan(arm: Arm, settings: Settings, data: Data, split: Split, seed: int) -> list[Round]:
    """The rounds of an arm: steps, augmentation, and how the labels of each are chosen."""
    count = len(settings.ratios) + 1
    steps = settings.round_steps or [
        settings.steps * (k + 1) // count - settings.steps * k // count for k in range(count)
    ]
    ratios = [sum(settings.ratios) / len(settings.ratios)] * (count - 1) if arm.constant else settings.ratios
    prior = tuple(prior_of(arm.prior, data, split, settings.prior_images, seed).tolist())
    rounds = []
    for number in range(count):
        widen = number == count - 1 and settings.last_scales and not arm.same_scale
        labelling = None
        if number and arm.scheme:
            labelling = Labelling(
                ratios[number - 1],
                arm.scheme,
                arm.random_sampling,
                prior,
                teacher=0 if arm.one_round else None,
                survey=arm == Arm(arm.fraction),
            )
        batch = settings.first_batch_size or settings.batch_size if number == 0 else settings.batch_size
        augment = augmentation(settings, settings.last_scales if widen else settings.scales)
        rounds.append(Round(steps[number], augment, batch, labelling))
    return rounds


def prior_of(kind: str, data: Data, split: Split, few: int, seed: int) -> np.ndarray:
    """Class shares (C,) that alignment aims at.

    Args:
        kind: of all "labelled" images, of a "few" of them, or "uniform".
        data, split: the labelled images.
        few: their number for "few", drawn by the seed.
        seed: of that draw.
    """
    classes = len(data.classes)
    if kind == "uniform":
        return np.full(classes, 1 / classes)
    indices = split.labelled
    if kind == "few":
        indices = np.random.default_rng([seed, 5]).choice(indices, min(few, len(indices)), replace=False).tolist()
    return class_prior((data.train[index]["mask"] for index in indices), classes, data.classes)


def augmentation(settings: Settings, scales: list[float]) -> Augment:
    """Rotation, blur, resize, crop and flip as the run file says, with the resize factors of a round."""
    resize = RandomScaleCropFlip(
        settings.height, settings.width, scales, settings.continuous_scales, brightness=settings.brightness
    )
    if settings.rotation == settings.blur == 0:
        return resize
    return Compose(RandomRotation(settings.rotation), RandomBlur(settings.blur), resize)


def optimizer(method: DARS, settings: Settings) -> torch.optim.SGD:
    """SGD with momentum 0.9. The lesson network's is that of the other papers; at full scale weight decay acts on every
    weight, and new layers learn faster than the backbone, as in the authors' code."""
    if settings.network == "lesson":
        return segmentation.sgd(method, settings)
    backbone = [parameter for parameter in method.network.backbone.parameters() if parameter.requires_grad]
    known = {id(parameter) for parameter in method.network.backbone.parameters()}
    new = [parameter for parameter in method.parameters() if id(parameter) not in known]
    rate = settings.learning_rate
    groups = [{"params": backbone, "lr": rate}, {"params": new, "lr": rate * settings.head_rate}]
    return torch.optim.SGD(groups, lr=rate, momentum=0.9, weight_decay=settings.weight_decay)


def run(arm: str, data: str, seed: int, settings: Settings, context: Context) -> Outcome:
    """Train and test one cell. All arms of a seed share split, labelled batches, initial weights, and so round 0."""
    chosen = ARMS[arm]
    parts = segmentation.load_data(data, settings, context)
    method = build(len(parts.classes), settings, seed, segmentation.backbone_weights(settings, context))
    split = segmentation.split_of(parts, chosen.fraction, seed)
    return train_rounds(
        method,
        plan(chosen, settings, parts, split, seed),
        label=f"{data} {arm} seed {seed}",
        data=parts,
        split=split,
        settings=settings,
        context=context,
        seed=seed,
        network=method.network,
        optimizer=lambda trained: optimizer(trained, settings),
        restart=settings.restart,
        long_side=settings.label_long_side or None,
        cache_maps=settings.cache_maps,
    )
