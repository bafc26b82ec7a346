"""The run-file keys of AuxSegNet, and its arms."""

from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, model_validator

from labelkit.experiments.auxsegnet_optimizer import NEW_LAYERS
from labelkit.experiments.tagging import TagSettings


class Settings(TagSettings):
    """Run-file keys of the AuxSegNet chapter; a stage has ``segmentation_steps`` steps."""

    paper: Literal["auxsegnet"]
    network: Literal["lesson", "resnet38"] = "lesson"
    trunk_weights: str = Field(default="", description="file with weights of ResNet-38 under the authors' names")
    head_width: int = Field(default=128, ge=1, description="channels of the dense heads")
    dilations: list[int] = Field(default=[6, 12, 18], min_length=3, max_length=3)
    head_dropout: float = Field(default=0.5, ge=0, lt=1, description="in front of the tag classifier")
    optimizer: Literal["paper", "code"] = Field(default="paper", description="momentum 0.9, or what the code runs")
    new_layers_rate: float = Field(default=NEW_LAYERS, gt=0, description="rate of the heads over that of the trunk")
    crf: bool = Field(default=True, description="smooth the next stage's saliency")
    crf_scale: float = Field(default=1.0, gt=0, description="divides the widths of the CRFs' kernels")
    crf_exact: bool | None = Field(default=None, description="every pair of pixels; None: in small images")
    test_scales: list[float] = Field(default=[], description="sizes of the test with post-processing; empty: no test")
    test_crf: bool = Field(default=False, description="dense CRF in the test with post-processing")

    @model_validator(mode="after")
    def _weights_that_exist(self) -> Self:
        if self.pretraining not in (("none", "objects") if self.network == "lesson" else ("none",)):
            raise ValueError(f"pretraining is {self.pretraining!r}, which the network {self.network!r} does not have")
        return self


@dataclass(frozen=True)
class Arm:
    """What an arm trains with.

    Attributes:
        classification, saliency: whether these tasks help.
        affinity: see :class:`labelkit.models.auxsegnet.AuxSegHead`.
        both: whether the refined saliency is constrained, too.
        stages: trainings after the first.
        relabel: make new labels for each stage; else go on with the first ones.
        detector: level of the saliency maps.
    """

    classification: bool = True
    saliency: bool = True
    affinity: str = "none"
    both: bool = False
    stages: int = 0
    relabel: bool = True
    detector: int = 2


ALL_ARMS = {
    "seg": Arm(classification=False, saliency=False),
    "seg-cls": Arm(saliency=False),
    "seg-sal": Arm(classification=False),
    "multi-task": Arm(),
    "seg-affinity": Arm(affinity="segmentation"),
    "cross-task-seg-loss": Arm(affinity="cross-task"),
    "cross-task": Arm(affinity="cross-task", both=True),
    "stages": Arm(affinity="cross-task", both=True, stages=3),
    "stages-4": Arm(affinity="cross-task", both=True, stages=4),
    "same-labels": Arm(affinity="cross-task", both=True, stages=1, relabel=False),
    "seg-detector-1": Arm(classification=False, saliency=False, detector=1),
    "seg-detector-3": Arm(classification=False, saliency=False, detector=3),
    "cross-task-detector-1": Arm(affinity="cross-task", both=True, detector=1),
    "cross-task-detector-3": Arm(affinity="cross-task", both=True, detector=3),
}
