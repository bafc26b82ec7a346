"""A rehearsal of a run: every arm goes through its cell on blank data, and each training tells what a step costs.

The experiment's own ``run`` is called: network, split, streams, augmentation, method, optimiser, the making of labels
and the test are the real ones. The data are blank (`labelkit.datasets.blank`), and in place of each training one step
is looked at. Three ways to look at it:

- "measured", on a GPU, and "computed", on the CPU for run files of the budgets smoke and lesson: steps are computed in
  the training loop, and timed.
- "counted": the step passes tensors without content, at the run's full size.
- "sketched", for steps that look at numbers (a threshold, non-maximum suppression): all is computed on a part of the
  batch, but convolutions and matrix products, which give noise; what depends on the batch is scaled up.

No record is written and nothing is fetched: networks start from random weights.
"""

import contextlib
import random
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field, is_dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from labelkit.experiments.data import find
from labelkit.experiments.settings import Context, RunSettings
from labelkit.rehearsal_sketch import OutOfTime, Sketch
from labelkit.rehearsal_step import Cost
from labelkit.rehearsal_training import Enough, StandIn, Training
from labelkit.runfiles import experiment

NO_MATTER = {
    "run", "arms", "data", "seeds", "steps", "round_steps", "learning_rate", "weight_decay", "decay_at", "about",
    "jobs", "results", "workers", "evaluate_every", "checkpoint_every", "fraction", "ratio",
}  # fmt: skip
"""Keys of run files and of arms that change no step."""
PATIENCE = 180.0
"""Seconds of this process for what happens between two trainings of an arm, and after the last."""
INSTEAD = {"trunk_weights": "", "labelled_list": "", "labelled_per_class": 1, "flow": "auto", "checkpoint_every": 0}
"""Values of keys that would fetch or read something, or that ask for more data than blank ones have."""
AT_MOST = {
    "images": 64, "test_images": 4, "clouds": 8, "test_clouds": 2, "dense_images": 1, "pretrain_steps": 1,
    "pretrain_images": 1,
}  # fmt: skip
"""Largest numbers of drawn samples, and of steps of a pretraining on drawn scenes."""


@dataclass
class Arm:
    """One arm on one data set.

    Attributes:
        arm, data: names.
        trainings: in order.
        problem: why it failed, in one sentence; empty if it passed.
        note: what was left out, in one sentence.
        trace: of the error.
        seconds: that its rehearsal took.
    """

    arm: str
    data: str
    trainings: list[Training] = field(default_factory=list)
    problem: str = ""
    note: str = ""
    trace: str = ""
    seconds: float = 0.0

    def hours(self, tflops: float) -> float | None:
        """Of one seed."""
        return None if self.problem else sum(each.hours(tflops) for each in self.trainings)


@dataclass
class Known:
    """What rehearsals have found so far, so that equal things are looked at once.

    Attributes:
        steps: by what decides the cost of a step, how it was looked at, scaled up by how much, and its cost.
        arms: by what decides the trainings of an arm but for their steps, its trainings.
    """

    steps: dict[Any, tuple[str, int, Cost]] = field(default_factory=dict)
    arms: dict[str, list[Training]] = field(default_factory=dict)


def rehearse(settings: RunSettings, patience: float = PATIENCE, known: Known | None = None) -> Iterator[Arm]:
    """Rehearse a run, arm by arm, with its first seed.

    Args:
        settings: of the run.
        patience: seconds for what happens between two trainings and after the last; then an arm is left.
        known: of earlier rehearsals; it grows. An arm that differs from one of them in the fraction of labels and the
            number of steps alone goes through its cell as far as its last training.

    Yields:
        Each arm on each data set, when it is done.
    """
    device = torch.device("cuda" if settings.device != "cpu" and torch.cuda.is_available() else "cpu")
    known = known or Known()
    for data in settings.data:
        for arm in settings.arms:
            yield _arm(settings, arm, data, device, patience, known)


def _arm(settings: RunSettings, arm: str, data: str, device: torch.device, patience: float, known: Known) -> Arm:
    result, started = Arm(arm, data), time.monotonic()
    sketch = Sketch(on=device.type == "cpu" and settings.budget == "full")
    same = f"{_alike_arm(settings, arm, data)} {device.type}"
    stand_in = StandIn(result.trainings, sketch, device, patience, known.steps, known.arms.get(same))
    with _as_it_was(), TemporaryDirectory() as folder:
        torch.set_num_threads(settings.threads)
        try:
            here = adapted(settings)
            module, name = experiment(settings.paper), data if find(data).drawn else f"blank-{data}"
            context = Context(
                device.type, Path(folder), Path(folder), "rehearsal", Path(folder), parts=settings.accumulate,
                rehearse=stand_in,
            )  # fmt: skip
            _saliency(here, context)
            with sketch:
                module.run(arm, name, settings.seeds[0], here, context)
        except Enough:
            pass
        except OutOfTime:
            result.note = (
                f"left {patience:g} seconds after training {len(result.trainings)}; what follows was not tried"
            )
        except Exception as error:
            result.problem = " ".join(str(error).split()) or type(error).__name__
            result.problem = f"{type(error).__name__}: {result.problem}"[:400]
            result.trace = traceback.format_exc()
        if not result.trainings and not result.problem:
            result.problem = "the cell ended without a training"
    if not result.problem and not result.note:
        known.arms[same] = result.trainings
    result.seconds = time.monotonic() - started
    return result


def _alike_arm(settings: RunSettings, arm: str, data: str) -> str:
    """What decides the trainings of an arm, but for their steps."""
    chosen = experiment(settings.paper).ARMS[arm]
    if is_dataclass(chosen):
        chosen = {key: value for key, value in vars(chosen).items() if key not in NO_MATTER}
    return repr((settings.model_dump(exclude=NO_MATTER), chosen, data))


def adapted(settings: RunSettings) -> RunSettings:
    """The settings with what a rehearsal cannot do left out, and with few drawn samples."""
    keys = type(settings).model_fields
    update = {key: value for key, value in INSTEAD.items() if key in keys}
    if getattr(settings, "pretraining", "none") == "imagenet":
        update["pretraining"] = "none"
    update |= {key: min(most, getattr(settings, key)) for key, most in AT_MOST.items() if key in keys}
    return settings.model_copy(update=update)


def _saliency(settings: RunSettings, context: Context) -> None:
    """A saliency detector with random weights, where image-tag runs look for the one that they trained before."""
    steps = getattr(settings, "saliency_steps", None)
    if steps is None:
        return
    from labelkit.models.lesson import LessonNet

    path = context.shared / f"saliency-{settings.height}x{settings.width}-{steps}.pt"
    torch.save(LessonNet(2).state_dict(), path)


@contextlib.contextmanager
def _as_it_was() -> Iterator[None]:
    """Within the block random numbers and threads may be used at will; afterwards all is as before."""
    threads, here, there = torch.get_num_threads(), random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            random.setstate(here)
            np.random.set_state(there)
