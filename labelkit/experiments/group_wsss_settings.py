"""The run-file keys of Group-WSSS, and its arms."""

from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, model_validator

from labelkit.experiments.tagging import TagSettings


class Settings(TagSettings):
    """Run-file keys of the Group-WSSS chapter. ``batch_size`` counts images, whatever the size of a group."""

    paper: Literal["group_wsss"]
    network: Literal["lesson", "vgg16"] = "lesson"
    network_width: int = Field(default=16, ge=1, description="channels of the lesson trunk at stride 2")
    head_widths: list[int] = Field(default=[], description="3x3 convolutions before the class maps; released: 3 of 512")
    initial_std: float | None = Field(
        default=0.01, gt=0, description="of new convolutions' first weights; null: PyTorch's"
    )
    single_weight: float = Field(default=0.4, ge=0, description="of the loss before the messages")
    dropout_rate: float = Field(default=0.8, ge=0, le=1, description="chance of the drop mask in graph dropout")
    dropout_threshold: float = Field(default=0.7, ge=0, le=1, description="share of the maximum that is dropped")
    likely: float = Field(default=0.1, ge=0, lt=1, description="least probability of a class whose map counts")
    first_only: bool = Field(default=False, description="accumulate the first image of a group alone, as released")
    released_optimizer: bool = Field(default=False, description="Nesterov; new layers 10x, biases 2x")
    decay_at: list[float] = Field(default=[], description="shares after which the rate falls 10x; empty: poly")
    warm_steps: int = Field(default=0, ge=0, description="steps on single images that every arm of a seed starts from")
    segment: list[str] = Field(default=[], description="arms whose labels train a segmentation network")
    segmentation_network: Literal["lesson", "deeplabv2-resnet101"] = "lesson"

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.scales != [1.0]:
            raise ValueError("scales act on no arm: maps that accumulate over epochs must lie on their image")
        if self.pretraining not in ("none", "objects" if self.network == "lesson" else "imagenet"):
            raise ValueError(f"pretraining is {self.pretraining!r}, which the network {self.network!r} does not have")
        if self.pretraining == "objects" and self.network_width != 16:
            raise ValueError(f"network_width is {self.network_width}; pretraining 'objects' has a trunk of width 16")
        for name in self.arms:
            size = ALL_ARMS[name].group_size if name in ALL_ARMS else 1
            if self.batch_size % size:
                raise ValueError(f"batch_size {self.batch_size} holds no whole number of groups of {size} ({name})")
        if unknown := sorted(set(self.segment) - set(ALL_ARMS)):
            raise ValueError(f"segment names {unknown[0]!r}; expected arms, such as {', '.join(list(ALL_ARMS)[:3])}")
        return self


@dataclass(frozen=True)
class Arm:
    """What an arm trains with.

    Attributes:
        group_size: images of a group; 1 for single images without a graph.
        rounds: of messages; 0 leaves groups, but nobody says anything.
        dropout: "attended" (the paper), "random" places of equal area, or "none".
        partners: see :class:`labelkit.datasets.groups.Partners`.
    """

    group_size: int = 3
    rounds: int = 3
    dropout: str = "attended"
    partners: str = "identical"


ALL_ARMS = {
    "single": Arm(group_size=1, rounds=0),
    "pair": Arm(group_size=2),
    "group": Arm(),
    "group-4": Arm(group_size=4),
    **{f"rounds-{rounds}": Arm(rounds=rounds) for rounds in (0, 1, 2, 4)},
    "no-dropout": Arm(dropout="none"),
    "random-dropout": Arm(dropout="random"),
    "shared-partners": Arm(partners="shared"),
    "random-partners": Arm(partners="random"),
}
