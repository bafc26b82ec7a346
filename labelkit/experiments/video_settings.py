"""Run-file keys of the video chapter, and its arms."""

from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, model_validator

from labelkit.experiments.settings import TrainingSettings


class Settings(TrainingSettings):
    """Run-file keys of the video chapter."""

    paper: Literal["video"]
    images: int = Field(default=64, ge=2, description="training clips of each domain of a world")
    test_images: int = Field(default=32, ge=2, description="test clips of a world's target; half as many of the source")
    batch_size: int = Field(ge=1, description="clips of each domain a step, over all processes")
    weight_decay: float = Field(default=5.0e-4, ge=0)
    network: Literal["lesson", "deeplab-v2"] = "lesson"
    pretraining: Literal["none", "sim", "imagenet"] = Field(
        default="none", description="where the backbone's weights are from"
    )
    pretrain_steps: int = Field(default=0, ge=0, description="steps of the pretraining on the sim world")
    classifier_rate: float = Field(default=1.0, gt=0, description="times the learning rate, of the classifier")
    frames: int = Field(default=6, ge=4, description="labelled frames of a clip")
    gap: int = Field(default=5, ge=1, description="frames of a world's video from one labelled test frame to the next")
    window: int = Field(default=3, ge=1, description="frames of a clip that a step sees, and a sequence discriminator")
    reach: int = Field(default=2, ge=1, description="earlier frames whose predictions are carried to a frame")
    flow: Literal["auto", "exact", "dis", "raft_small", "raft_large"] = Field(
        default="auto", description="auto: exact where a world knows it, else dis"
    )
    memory: int = Field(
        default=2048, ge=0, description="MiB that the clips of a part may take; larger parts are read clip by clip"
    )
    tube_weight: float = Field(default=1.0, ge=0)
    image_weight: float = Field(default=1.0e-3, ge=0, description="of the segmenter's term against the discriminator")
    sequence_weight: float = Field(default=1.0e-3, ge=0)
    shown: Literal["softmax", "self-information"] = Field(default="softmax", description="to the discriminators")
    discriminator_width: int = Field(default=64, ge=1)
    discriminator_rate: float = Field(default=1.0e-4, gt=0, description="learning rate of the discriminators' Adam")
    self_training_steps: int = Field(default=0, ge=0, description="of an arm's steps, those of the second phase")
    self_training_rate: float = Field(default=0.0, ge=0, description="learning rate then; 0: the first phase's")
    refinement: float = Field(default=0.5, ge=0, le=1, description="weight of the student when labels are renewed")
    quantile: float = Field(default=0.5, ge=0, le=1, description="of a class's confidence, its threshold")
    cap: float = Field(default=0.9, gt=0, le=1, description="highest threshold")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.window > self.frames:
            raise ValueError(f"window is {self.window}; expected at most the {self.frames} frames of a clip")
        if self.self_training_steps >= self.steps:
            raise ValueError(
                f"self_training_steps is {self.self_training_steps}; expected fewer than {self.steps} steps"
            )
        for arm in self.arms:
            if arm in ALL_ARMS and ALL_ARMS[arm].second_phase and not self.self_training_steps:
                raise ValueError(f"arm {arm!r} has a second phase; expected self_training_steps of at least 1")
        wanted = ("none", "sim") if self.network == "lesson" else ("none", "imagenet")
        if self.pretraining not in wanted:
            raise ValueError(
                f"pretraining is {self.pretraining!r}; network {self.network!r} has {' and '.join(wanted)}"
            )
        return self


@dataclass(frozen=True)
class Arm:
    """What an arm trains with.

    Attributes:
        labels: domain whose labels it sees, "source" or "target" (the upper bound).
        image, sequence: which discriminators it has.
        tube: overlap loss on the source, over the frames of a "window" or of each "frame" alone; "" for none.
        statistics: target frames pass through the network and teach nothing but its normalisation.
        second_phase: "" or how it is labelled: "pooled" or "single".
        refined: labels are renewed during the second phase.
    """

    labels: str = "source"
    image: bool = False
    sequence: bool = False
    tube: str = ""
    statistics: bool = False
    second_phase: str = ""
    refined: bool = False


FULL = {"image": True, "sequence": True, "tube": "window"}
ALL_ARMS = {
    "source": Arm(),
    "statistics": Arm(statistics=True),
    "image": Arm(image=True),
    "vat": Arm(**FULL),
    "no-tube": Arm(image=True, sequence=True),
    "frame-dice": Arm(image=True, sequence=True, tube="frame"),
    "no-image": Arm(sequence=True, tube="window"),
    "no-sequence": Arm(image=True, tube="window"),
    "no-judges": Arm(statistics=True, tube="window"),
    "vat-vst": Arm(**FULL, second_phase="pooled", refined=True),
    "vat-vst-fixed": Arm(**FULL, second_phase="pooled"),
    "vat-vst-single": Arm(**FULL, second_phase="single"),
    "target": Arm(labels="target"),
}
