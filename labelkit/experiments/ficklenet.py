"""FickleNet: its arms differ in which random part of a window the classifier sees while it trains.

One training serves all ways to infer: a record holds the maps of the deterministic pass and of unions of random passes.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn

from labelkit.experiments import ficklenet_stages as stages
from labelkit.experiments import segmentation, tagging
from labelkit.experiments.settings import Context, Outcome
from labelkit.experiments.tagging import TagData, TagSettings, fingerprint, prepare
from labelkit.methods.ficklenet import FickleNet
from labelkit.models.stochastic_selection import StochasticSelection

__all__ = ["ARMS", "Arm", "Settings", "build", "classify", "fingerprint", "prepare", "run"]


class Settings(TagSettings):
    """Run-file keys of the FickleNet chapter."""

    paper: Literal["ficklenet"]
    network: Literal["lesson", "vgg16"] = Field(default="lesson", description="trunk of the classifier")
    kernel_size: int = Field(default=9, ge=1, description="of the last layer, in positions; odd")
    counts: list[int] = Field(default=[200], min_length=1, description="numbers of random maps to unite; rising")
    theta: float = Field(default=0.35, ge=0, lt=1, description="threshold on maps for seeds")
    inference_rate: float = Field(
        default=0.9, ge=0, lt=1, description="drop rate at inference of the network trained without drops"
    )
    elementwise: bool = Field(default=True, description="each position weighed by its own gradient; else by their mean")
    optimizer: Literal["sgd", "adam"] = Field(default="sgd", description="of the classifier")
    halve_every: int = Field(default=0, ge=0, description="steps between halvings of its rate; 0: poly")
    segmentation_network: Literal["lesson", "deeplab-vgg16", "deeplabv2-resnet101"] = "lesson"
    segmentation_drop_every: int = Field(
        default=0, ge=0, description="steps between drops of the segmentation's rate to 0.33 of it; 0: poly"
    )
    saliency_background: float = Field(default=0.06, ge=0, le=1, description="background seeds have saliency up to it")
    seed_stride: int = Field(default=4, ge=1, description="pixels between the positions of seeds, CRF and losses")
    grow_foreground: float = Field(default=0.85, gt=0, lt=1, description="a class must be this sure to grow")
    grow_background: float = Field(default=0.99, gt=0, lt=1, description="the background must be this sure to grow")
    crf_iterations: int = Field(default=10, ge=0)
    crf_log_unary: bool = Field(default=False, description="-log p as the CRF's unary in training; authors: -p")
    retrain_steps: int = Field(
        default=0, ge=0, description="steps of a last plain training on the predictions; 0: none"
    )
    retrain_batch_size: int = Field(default=10, ge=1)
    retrain_learning_rate: float = Field(default=1.0e-3, gt=0)
    strong_fraction: str = Field(default="1/8", description="share of images with masks in the semi-supervised arm")
    strong_weight: float = Field(default=2.0, ge=0, description="of the full cross-entropy on these")

    @field_validator("kernel_size")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError(f"kernel_size is {value}; expected an odd number: an even kernel has no centre")
        return value

    @field_validator("counts")
    @classmethod
    def _rising(cls, value: list[int]) -> list[int]:
        if value[0] < 1 or value != sorted(set(value)):
            raise ValueError(f"counts is {value}; expected rising numbers from 1")
        return value

    @model_validator(mode="after")
    def _weights_that_exist(self) -> Self:
        if self.pretraining not in ("none", "objects" if self.network == "lesson" else "imagenet"):
            raise ValueError(f"pretraining is {self.pretraining!r}, which the network {self.network!r} does not have")
        return self


@dataclass(frozen=True)
class Arm:
    """What the classifier trains with.

    Attributes:
        rate: at which positions are dropped in training.
        rescale, keep_centre, masks: see :class:`labelkit.models.stochastic_selection.StochasticSelection`.
        segment: go on to the segmentation stage, with seeds that grow and with fixed ones.
        strong: some images of the segmentation stage have masks; seeds grow.
        supervised: no classifier; a segmentation network trained on all masks, the upper bound.
    """

    rate: float = 0.0
    rescale: bool = True
    keep_centre: bool = True
    masks: str = "window"
    segment: bool = False
    strong: bool = False
    supervised: bool = False


ARMS = {
    "supervised": Arm(supervised=True),
    "deterministic": Arm(segment=True),
    "fickle-0.3": Arm(0.3),
    "fickle-0.5": Arm(0.5),
    "fickle-0.7": Arm(0.7),
    "fickle-0.9": Arm(0.9, segment=True),
    "unscaled-0.7": Arm(0.7, rescale=False),
    "unscaled-0.9": Arm(0.9, rescale=False),
    "no-centre-0.9": Arm(0.9, keep_centre=False),
    "one-mask-0.9": Arm(0.9, masks="pass"),
    "dropout2d-0.5": Arm(0.5, masks="channel"),
    "dropout2d-0.9": Arm(0.9, masks="channel"),
    "semi-supervised": Arm(0.9, segment=True, strong=True),
}


def build(arm: str, tags: int, settings: Settings, seed: int) -> FickleNet:
    """The classifier of an arm; one seed gives every arm the same first weights."""
    chosen = ARMS[arm]
    torch.manual_seed(seed)
    trunk = _trunk(settings)
    options = {"rescale": chosen.rescale, "keep_centre": chosen.keep_centre, "masks": chosen.masks}
    return FickleNet(trunk, StochasticSelection(trunk.channels, tags, settings.kernel_size, chosen.rate, **options))


def _trunk(settings: Settings) -> nn.Module:
    if settings.network == "lesson":
        from labelkit.models.lesson_tags import LessonTrunk

        return LessonTrunk()
    from labelkit.models.vgg import VGG16Trunk

    return VGG16Trunk(pretrained=settings.pretraining == "imagenet")


def optimizer(method: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    """SGD as in the other chapters of image tags, or Adam as the paper (from memory)."""
    if settings.optimizer == "sgd":
        return segmentation.sgd(method, settings)
    return torch.optim.Adam(method.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)


def run(arm: str, data: str, seed: int, settings: Settings, context: Context) -> Outcome:
    """Train and judge one cell. All arms of a seed share images, batches and first weights."""
    chosen, parts = ARMS[arm], tagging.load_data(data, settings, context)
    label = f"{data} {arm} seed {seed}"
    if chosen.supervised:
        return _supervised(label, parts, seed, settings, context)
    outcome, method = classify(arm, label, parts, seed, settings, context)
    if not chosen.segment:
        return outcome
    return stages.segment(outcome, method, chosen.strong, label, parts, seed, settings, context)


def classify(
    arm: str, label: str, parts: TagData, seed: int, settings: Settings, context: Context
) -> tuple[Outcome, FickleNet]:
    """Train the classifier of a cell and judge its maps."""
    method = build(arm, len(parts.foreground), settings, seed)
    parts.start(method.trunk)
    outcome = tagging.train_tagger(
        method,
        segmentation.stream_of(parts, range(len(parts.train)), 0, seed, settings, context),
        label=label,
        data=parts,
        settings=settings,
        context=context,
        seed=seed,
        images_a_step=settings.batch_size,
        network=method,
        optimizer=optimizer(method, settings),
        schedule=stages.stepped(0.5, settings.halve_every),
    )
    maps = {f"{parts.train.name}/train/maps": stages.judge(method, ARMS[arm].rate, parts, seed, settings, context)}
    return replace(outcome, metrics=outcome.metrics | maps), method


def _supervised(label: str, parts: TagData, seed: int, settings: Settings, context: Context) -> Outcome:
    """The network that is given the masks, for as many steps as the classifiers train; judged as a map of 0 and 1."""
    here = settings.model_copy(update={"segmentation_steps": settings.steps})
    method = stages.segmentation_method(len(parts.classes), seed, here, backbone=parts.backbone)
    outcome = tagging.train_segmentation(
        None, label=label, data=parts, settings=here, context=context, seed=seed, method=method
    )

    def masks(images: Tensor, tags: Tensor) -> Tensor:
        label = method.predict(images).argmax(1)
        return (label[:, None] == torch.arange(1, len(parts.classes), device=label.device)[:, None, None]).float()

    found: dict[str, Any] = stages.with_gap(tagging.judge_maps(masks, parts, context))
    return replace(outcome, metrics=outcome.metrics | {f"{parts.train.name}/train/maps": found})
