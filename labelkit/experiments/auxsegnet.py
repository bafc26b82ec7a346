"""AuxSegNet: its arms differ in the tasks that help, in the affinity that ties them, and in how often labels improve.

Every arm of a seed starts from one tag classifier and, but for the arms with another detector, from the same labels.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

from labelkit.experiments import auxsegnet_cell as cell
from labelkit.experiments import auxsegnet_stages as stages
from labelkit.experiments import tagging
from labelkit.experiments.auxsegnet_judge import judge_all
from labelkit.experiments.auxsegnet_networks import build, build_trunk, tag_network
from labelkit.experiments.auxsegnet_settings import ALL_ARMS, Arm, Settings
from labelkit.experiments.data import find
from labelkit.experiments.saliency import saliency_network
from labelkit.experiments.settings import Context, Outcome
from labelkit.experiments.tagging import TagData, fingerprint
from labelkit.methods.auxsegnet import AuxSegNet

__all__ = [
    "ARMS", "Arm", "Settings", "Trained", "build", "build_trunk", "fingerprint", "load_data", "prepare", "run", "train",
]  # fmt: skip

ARMS = ALL_ARMS

DETECTORS = {1: 4.0, 3: 0.125}
"""Levels of saliency beside the usual 2: steps of the detector for real data over the run file's ``saliency_steps``."""
NOT_SHARED = {"arms", "data", "seeds", "jobs", "results", "about", "workers", "checkpoint_every"}


def load_data(name: str, settings: Settings, context: Context, detector: int = 2) -> TagData:
    """Data with saliency maps of one of three levels; 1 is the best.

    A world draws them; for real data the detector is a network trained for more steps, or for fewer.
    """
    if detector == 2:
        return tagging.load_data(name, settings, context)
    if find(name).drawn:
        return tagging.load_data(f"{name}-sal{detector}", settings, context)
    return tagging.load_data(name, settings.model_copy(update=_detector(settings, detector)), context)


def _detector(settings: Settings, level: int) -> dict[str, int]:
    return {"saliency_steps": max(1, round(DETECTORS[level] * settings.saliency_steps))}


def prepare(settings: Settings, context: Context) -> None:
    """Train the saliency networks that cells on real data read."""
    tagging.prepare(settings, context)
    size = settings.height, settings.width
    for level in {ARMS[arm].detector for arm in settings.arms} - {2}:
        if not all(find(name).drawn for name in settings.data):
            steps = _detector(settings, level)["saliency_steps"]
            saliency_network(context.shared, steps, *size, context.data_root, context.device)


@dataclass
class Trained:
    """A cell after its last stage, not yet tested beyond what each training tests.

    Attributes:
        parts: the data, with saliency maps of the arm's level.
        method: with the weights of the last stage, in evaluation mode.
        tagged: outcome of the tag classifier.
        ends: outcomes of the stages.
        labels: quality of the labels that each stage learnt from.
    """

    parts: TagData
    method: AuxSegNet
    tagged: Outcome
    ends: list[Outcome]
    labels: list[dict[str, Any]]


def run(arm: str, data: str, seed: int, settings: Settings, context: Context) -> Outcome:
    """Train and test one cell."""
    done = train(arm, data, seed, settings, context)
    return judge_all(ARMS[arm], done.ends, done.labels, done.tagged, done.method, done.parts, settings, context, seed)


def train(arm: str, data: str, seed: int, settings: Settings, context: Context) -> Trained:
    """Train one cell: the tag classifier, and the stages with their labels."""
    chosen = ARMS[arm]
    parts = load_data(data, settings, context, chosen.detector)
    kept = settings.model_dump(exclude=NOT_SHARED)
    which = stages.digest([kept, parts.fingerprint, chosen.detector, seed])
    label = f"{data} {arm} seed {seed}"

    first = tag_network(parts, settings, seed)
    tagged = stages.once(
        # The classifier never sees a saliency map, so it is the same for every detector.
        context.shared / f"auxsegnet-tags-{data}-{seed}-{stages.digest([kept, seed])}.pt",
        lambda: cell.train_tags(first, parts, label, settings, context, seed),
        context,
    )
    first.network.load_state_dict({k.removeprefix("network."): v for k, v in tagged.weights.items()})
    first.to(context.device).eval()
    labels = cell.first_labels(first.network, parts, settings, context, seed, which, chosen.detector)
    method = build(arm, len(parts.foreground), settings, seed, first.network.state_dict())

    ends, found = [], [stages.judge(stages.StageData(parts.train, labels), parts.classes)]
    for stage in range(chosen.stages + 1):
        path = context.workspace / f"checkpoint-stage-{stage}-end.pt"
        if stage == 0 and chosen.affinity == "cross-task" and chosen.both:  # several arms begin with this training
            path = context.shared / f"auxsegnet-stage-0-{data}-{chosen.detector}-{seed}-{which}.pt"
        ends.append(
            stages.once(
                path,
                partial(cell.train_stage, stage, method, labels, parts, label, settings, context, seed),
                context,
            )
        )
        method.load_state_dict(ends[-1].weights)
        method.to(context.device).eval()
        if stage < chosen.stages and chosen.relabel:
            labels = cell.next_labels(stage + 1, method, parts, settings, context, seed)
            found.append(stages.judge(stages.StageData(parts.train, labels), parts.classes))
    return Trained(parts, method, tagged, ends, found)
