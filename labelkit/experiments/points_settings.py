"""Run-file keys of the chapter on 3D points."""

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from labelkit.experiments.settings import RunSettings


class Settings(RunSettings):
    """Run-file keys of the points chapter. ``batch_size`` counts clouds, two a pair; ``steps`` both stages together."""

    channels_last: ClassVar[bool] = False

    paper: Literal["points"]
    optimizer: Literal["sgd", "adam"] = "sgd"
    momentum: float = Field(default=0.9, ge=0, lt=1, description="of SGD")
    norm_momentum: float = Field(default=0.02, gt=0, le=1, description="of batch normalisation: the newest batch's")
    weight_decay: float = Field(default=1.0e-3, ge=0)
    clip_norm: float = Field(default=100.0, gt=0, description="largest norm of the gradient")
    decay_every: int = Field(default=0, ge=0, description="steps in which the rate falls to a tenth; 0: poly")
    clouds: int = Field(default=60, ge=4, description="training clouds of a world")
    test_clouds: int = Field(default=20, ge=2, description="test clouds of a world; half as many for validation")
    points: int = Field(default=3000, ge=64, description="points of a cloud of a world")
    voxel: float = Field(default=0.2, gt=0, description="side of the finest grid in metres")
    real_voxel: float | None = Field(default=None, gt=0, description="the same for real data; as for worlds if null")
    neighbours: int = Field(default=20, ge=4, description="largest number of neighbours of a convolution")
    sampling: Literal["whole", "spheres"] = Field(default="whole", description="what a training sample is of a cloud")
    sphere_radius: float = Field(default=2.0, gt=0, description="of the spheres, in metres")
    votes: int = Field(default=1, ge=1, description="times that every point is seen by the spheres of an evaluation")
    blocks: int = Field(default=1, ge=1, description="convolutions of a level, strided ones not counted")
    width: int = Field(default=32, ge=8, description="channels of the finest level")
    levels: int = Field(default=3, ge=2, description="resolutions of the network")
    coarse_level: int | None = Field(default=None, ge=1, description="level of the modules; the coarsest if null")
    deformable_from: int | None = Field(default=None, ge=0, description="first deformable level; null: rigid")
    weight: float = Field(default=1.0, ge=0, description="of the squared differences L_CR and L_SR")
    ramp: float = Field(default=0.1, ge=0, le=1, description="share of a stage in which that weight rises from 0")
    compare: Literal["probabilities", "logits"] = "probabilities"
    entries: Literal["mean", "sum"] = Field(default="mean", description="over classes, in the squared difference")
    turn: bool = Field(default=True, description="turn about the vertical and mirror at random")
    colour_drop: float = Field(default=0.0, ge=0, le=1, description="how often a cloud loses its colours")
    scale: float = Field(default=0.0, ge=0, lt=1, description="largest random change of each axis; spheres only")
    noise: float = Field(default=0.0, ge=0, description="standard deviation of noise on points in metres; spheres only")
    evaluate_every: int = Field(default=0, ge=0, description="steps between validations; 0: at the end of each stage")
    checkpoint_every: int = Field(default=0, ge=0)
    compile: bool = False
    workers: int = Field(default=0, ge=0, description="processes that prepare batches")

    @model_validator(mode="after")
    def _pairs_stages_and_levels(self) -> Self:
        if self.batch_size % 2:
            raise ValueError(f"batch_size is {self.batch_size}; expected an even number: clouds come in pairs")
        if self.steps % 2:
            raise ValueError(f"steps is {self.steps}; expected an even number: there are two stages of equal length")
        if self.coarse_level is not None and self.coarse_level >= self.levels:
            raise ValueError(f"coarse_level is {self.coarse_level}; expected one of the levels below {self.levels}")
        if self.sampling == "whole" and (self.scale or self.noise):
            raise ValueError("scale and noise act only with sampling: spheres")
        return self

    @property
    def stage_steps(self) -> int:
        """Steps of a stage."""
        return self.steps // 2
