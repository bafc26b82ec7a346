"""Run-file keys of the iSAID chapter."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from labelkit.experiments.settings import TrainingSettings
from labelkit.models.aerial_detector import Options


class Settings(TrainingSettings):
    """Run-file keys of the iSAID chapter. The defaults are those of a paper-size network on the data set's patches."""

    paper: Literal["isaid"]
    height: int = Field(default=1024, ge=256, description="of a drawn scene in pixels")
    width: int = Field(default=1024, ge=256, description="of a drawn scene in pixels")
    images: int = Field(default=16, ge=1, description="training scenes of a world")
    test_images: int = Field(default=4, ge=1, description="test scenes of a world; half as many for validation")
    patch: int = Field(default=800, ge=32, description="side of a patch in pixels")
    overlap: int = Field(default=200, ge=0, description="pixels that neighbouring patches share")
    network: Literal["lesson", "resnet50", "resnet101", "resnet152"] = "resnet101"
    norm: Literal["group", "none"] = Field(default="group", description="in pyramid and convolutions of the heads")
    box_head: Literal["fc", "convs"] = Field(default="fc", description="two layers, or four convolutions and a layer")
    pretraining: Literal["none", "scenes", "imagenet"] = Field(default="none", description="where weights start")
    pretrain_steps: int = Field(default=0, ge=0, description="steps of the pretraining on other drawn scenes")
    pretrain_images: int = Field(default=16, ge=1, description="scenes of that pretraining")
    pretrain_learning_rate: float = Field(default=1.0e-3, gt=0)
    optimizer: Literal["sgd", "adamw"] = "sgd"
    warm_up: int = Field(default=500, ge=0, description="steps over which the learning rate rises to its value")
    drops: list[float] = Field(default=[], description="shares of the steps after which it falls to a tenth; or poly")
    anchors: list[int] = Field(default=[8, 16, 32, 64, 128], description="of arms with small anchors, by level")
    detections: int = Field(default=1000, ge=1, description="a patch, of arms with more detections than 100")
    scales: list[float] = Field(default=[1.5, 1.25, 1.0, 0.75, 0.5], min_length=1, description="of multi-scale arms")
    score_threshold: float = Field(default=0.05, ge=0, lt=1, description="detections need a higher score")
    proposals: int = Field(default=2000, ge=1, description="of a patch in training and evaluation")
    rpn_samples: int = Field(default=256, ge=2, description="anchors of a patch that the loss sees")
    box_samples: int = Field(default=512, ge=4, description="regions of a patch that the losses see")
    mask_samples: int = Field(default=128, ge=1, description="positive regions of a patch whose masks are trained")
    shrink: int = Field(default=4, ge=2, description="factor by which the arm without tiles shrinks whole scenes")
    overlaps: list[int] = Field(default=[], description="overlaps at which patches are cut and merged for one arm")
    dense_images: int = Field(default=0, ge=0, description="crowded drawn scenes that one arm is also scored on")
    merge_iou: float = Field(default=0.5, gt=0, lt=1, description="of detections merged from patches")
    merge_by: Literal["box", "mask"] = "box"
    val_patches: int = Field(default=12, ge=1, description="patches of the validation scenes that are scored")

    @model_validator(mode="after")
    def _that_fit_together(self) -> Self:
        if self.overlap >= self.patch or any(not 0 <= overlap < self.patch for overlap in self.overlaps):
            raise ValueError(f"overlaps of patches must be from 0 to below the patch, {self.patch}")
        if len(self.anchors) != len(Options().anchors):
            raise ValueError(
                f"anchors are {self.anchors}; expected one side for each of {len(Options().anchors)} levels"
            )
        if self.pretraining == "imagenet" and self.network == "lesson":
            raise ValueError("pretraining is 'imagenet', which the lesson network does not have")
        if (self.pretraining == "scenes") != (self.pretrain_steps > 0):
            raise ValueError("pretrain_steps go with pretraining: scenes, and with nothing else")
        return self
