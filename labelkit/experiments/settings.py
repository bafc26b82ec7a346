"""What every experiment is given and gives back, whatever it predicts: settings, context, outcome."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class RunSettings(BaseModel):
    """The keys that every run file has. A paper adds its own in a subclass; any other key is an error that names it.

    Values are taken as they are: a number written as ``1e-3`` is a string in YAML and is refused (write ``1.0e-3``).
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    paper: str
    run: str = Field(min_length=1, pattern=r"^[A-Za-z0-9_.-]+$")
    budget: Literal["smoke", "lesson", "full"]
    data: list[str] = Field(min_length=1)
    arms: list[str] = Field(min_length=1)
    seeds: list[int] = Field(min_length=1)
    steps: int = Field(ge=1, description="optimiser steps of an arm")
    batch_size: int = Field(ge=1, description="images of a joined batch, over all processes and parts")
    accumulate: int = Field(
        default=1, ge=1, description="parts in which a process takes its share of a joined batch, one after another"
    )
    learning_rate: float = Field(gt=0)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    jobs: int = Field(default=1, ge=1, description="cells trained at the same time, each in a process of its own")
    threads: int = Field(default=1, ge=1, description="CPU threads of a process")
    results: str = Field(default="", description="folder of the records; empty: build/records/<paper>/<run>")
    about: dict[str, Any] = Field(default_factory=dict, description="expected numbers, hardware, hours, what differs")


class TrainingSettings(RunSettings):
    """Run-file keys of every experiment that trains on images."""

    height: int = Field(ge=8, description="of the training crop in pixels; also the size at which images are delivered")
    width: int = Field(ge=8, description="of the training crop in pixels")
    images: int = Field(default=256, ge=8, description="training images of a world, labelled and unlabelled")
    test_images: int = Field(default=128, ge=4, description="test images of a world; half as many for validation")
    weight_decay: float = Field(default=1.0e-4, ge=0)
    evaluate_every: int = Field(default=0, ge=0, description="steps between validations; 0: only at the end")
    checkpoint_every: int = Field(default=0, ge=0)
    channels_last: bool = False
    compile: bool = False
    workers: int = Field(default=0, ge=0, description="processes that prepare batches")


@dataclass(frozen=True)
class Context:
    """Where and how a cell runs; made by ``labelkit.runs``, the only place that knows devices and folders.

    Attributes:
        device: "cpu" or "cuda" or "cuda:<n>".
        workspace: folder of this cell alone, for checkpoints; exists.
        shared: folder of the run, for what several cells use; exists when cells run.
        identity: digest of the cell, for checkpoints.
        data_root: folder that holds the user's data sets, or None.
        rank, world_size: of this process.
        parts: in which a process takes its share of a joined batch.
        on_step: told (label, steps done, steps in all).
        rehearse: stands in for every training of the cell, in a dry run.
    """

    device: str
    workspace: Path
    shared: Path
    identity: str = ""
    data_root: Path | None = None
    rank: int = 0
    world_size: int = 1
    parts: int = 1
    on_step: Callable[[str, int, int], None] | None = None
    rehearse: Callable[..., Any] | None = None

    def loop(self, settings: Any, stage: str = "") -> dict[str, Any]:
        """What any training takes from the run file and from where it runs: keywords of
        :func:`labelkit.training.train`.

        Args:
            settings: of the run.
            stage: name of this training in a cell that has several; each has a checkpoint of its own.
        """
        return {
            "precision": settings.precision,
            "device": self.device,
            "channels_last": settings.channels_last,
            "compile": settings.compile,
            "workers": settings.workers,
            "accumulate": self.parts,
            "checkpoint": self.workspace / f"checkpoint{stage and f'-{stage}'}.pt",
            "checkpoint_every": settings.checkpoint_every,
            "identity": f"{self.identity}{stage and f'/{stage}'}",
            "rehearse": self.rehearse,
        }

    @property
    def place(self) -> dict[str, int]:
        """This process among all, as a :class:`labelkit.datasets.streams.Stream` takes it."""
        return {"rank": self.rank, "world_size": self.world_size, "parts": self.parts}

    @property
    def shares(self) -> int:
        """In how many shares a joined batch is taken, over processes and parts. A least number of pixels of the joined
        batch is divided by it."""
        return self.world_size * self.parts


@dataclass
class Outcome:
    """What a cell measured; becomes the record.

    Attributes:
        metrics: protocol name -> metric name -> number (or a dict of numbers by class).
        series: name -> [(step, value), ...].
        steps: optimiser steps of the main training.
        dataset: name, fingerprint, counts.
        split: name, seed, hash; empty where nothing is split.
        parameters: parameters of the network that predicts.
        train_seconds: time in training steps.
        images_seen: images that training steps consumed, labelled and unlabelled.
        weights: state dict of the method after the last step, kept beside the record for figures.
    """

    metrics: dict[str, dict[str, Any]]
    series: dict[str, list[tuple[int, float]]]
    steps: int
    dataset: dict[str, Any]
    split: dict[str, Any]
    parameters: int
    train_seconds: float
    images_seen: int
    weights: dict[str, Any] = field(default_factory=dict)
