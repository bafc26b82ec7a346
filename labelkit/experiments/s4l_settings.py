"""The run-file keys of S4L."""

from typing import Literal

from pydantic import Field

from labelkit.experiments.classification import ClassificationSettings

SCHEDULES = {"late": (0.7, 0.8, 0.9), "thirds": (1 / 3, 2 / 3, 8 / 9), "constant": ()}
"""Shares of training after which the rate falls tenfold: S4L's at 10 %, the usual one on ImageNet, never."""


class Settings(ClassificationSettings):
    """Run-file keys of the S4L chapter; the defaults are for the lesson network and images of 32 x 32 pixels."""

    paper: Literal["s4l"]
    images: int = Field(default=2000, ge=8, description="training images of a world, labelled and unlabelled")
    test_images: int = Field(default=250, ge=4, description="test images of a world; half as many for validation")
    network: Literal["lesson", "resnet50v2", "resnet50v2x4"] = "lesson"
    network_width: int = Field(default=16, ge=1, description="channels of the lesson network at stride 2")
    labelled_per_class: int = Field(default=0, ge=0, description="labelled images of a class; 0: the arm's fraction")
    labelled_list: str = Field(default="", description="file that names the labelled images, in place of a draw")
    warmup: float = Field(default=0.025, ge=0, lt=1, description="share of training in which the rate rises from 0")
    decay_at: list[float] = Field(default=list(SCHEDULES["late"]), description="shares after which the rate falls 10x")
    crop_area: list[float] = Field(default=[0.7, 1.0], description="smallest and largest share of the image's area")
    colour_noise: bool = Field(default=False, description="HSV noise in every arm; exemplar arms always have it")
    rotation_weight: float = Field(default=1.0, ge=0)
    exemplar_weight: float = Field(default=1.0, ge=0)
    copies: int = Field(default=4, ge=2, description="of an image, for exemplar training")
    embedding: int = Field(default=64, ge=2, description="outputs of the exemplar head")
    vat_radius: float = Field(default=5.7, gt=0, description="length of the perturbation; images are in -1..1")
    vat_weight: float = Field(default=0.5, ge=0)
    vat_xi: float = Field(default=1.0e-2, gt=0, description="step of the power iteration; the authors' is 1e-6")
    vat_floor: float = Field(default=0.0, ge=0, description="least norm to divide by; the authors' is 1e-6")
    entropy_weight: float = Field(default=1.0, ge=0)
    moam_radius: float = Field(default=4.6, gt=0, description="as vat_radius, in MOAM's first step")
    moam_rate: float = Field(default=1.0, gt=0, description="factor of the learning rate in MOAM's first step")
    moam_average: float = Field(default=0.0, ge=0, description="half-life in steps of the averaged weights; 0: none")
    retrain_steps: int = Field(default=0, ge=0, description="steps on pseudo labels; 0: as many as the teacher's")
    retrain_weight_decay: float = Field(default=1.0e-4, ge=0, description="of the training on pseudo labels")
    retrain_decay_at: list[float] = Field(default=list(SCHEDULES["late"]), description="as decay_at, on pseudo labels")
    finetune_steps: int = Field(default=0, ge=0, description="steps of MOAM's third step, on the labels; 0: half")
    finetune_rate: float = Field(default=0.1, gt=0, description="factor of the learning rate in MOAM's third step")
