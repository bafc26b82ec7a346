"""S4L: its arms differ in what unlabelled images are used for; network, split, augmentation and steps are the same."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from labelkit import distributed
from labelkit.experiments import classification
from labelkit.experiments.classification import fingerprint, prepare
from labelkit.experiments.s4l_settings import SCHEDULES, Settings
from labelkit.experiments.s4l_training import Cell, joined, pseudo_labels, split_of
from labelkit.experiments.settings import Context, Outcome
from labelkit.files import write_whole
from labelkit.losses.rotation import TURNS
from labelkit.methods.s4l import RotationPretraining, S4LExemplar, S4LRotation, Supervised
from labelkit.methods.s4l_smoothness import MOAM, VirtualAdversarial
from labelkit.provenance import digest

__all__ = ["ARMS", "Arm", "Settings", "build", "fingerprint", "prepare", "run"]


@dataclass(frozen=True)
class Arm:
    """What an arm does.

    ``weight``: of the rotation loss; None: the run file's. ``weight_decay``, ``decay_at``: None: the run file's.
    ``long``: supervised steps as many as teacher and student of the pseudo labels together. ``teacher``: the arm whose
    predictions are the pseudo labels, or, for MOAM's third step, whose weights are fine-tuned.
    """

    method: str
    fraction: str = "1/10"
    acts_on: str = "both"
    weight: float | None = None
    grouping: str = "correct"
    weight_decay: float | None = None
    decay_at: tuple[float, ...] | None = None
    long: bool = False
    teacher: str = ""


def _arms() -> dict[str, Arm]:
    arms = {}
    methods = ("supervised", "supervised-rotations", "rotation", "exemplar", "vat", "vat-entmin")
    for fraction in ("1/100", "1/10"):
        for method in methods:
            arms[f"{method}-{fraction}"] = Arm(method, fraction)
        arms[f"pseudo-label-{fraction}"] = Arm("pseudo-label", fraction, teacher=f"supervised-{fraction}")
        arms[f"supervised-long-{fraction}"] = Arm("supervised", fraction, long=True)
    rotation = arms["rotation-1/10"]
    arms["rotation-none"] = replace(rotation, weight=0.0)
    arms["rotation-labelled"] = replace(rotation, acts_on="labelled")
    arms["rotation-unlabelled"] = replace(rotation, acts_on="unlabelled")
    arms["pretrain-rotation"] = Arm("pretrain-rotation")
    arms["pretrain-rotation-1/100"] = Arm("pretrain-rotation", "1/100")
    arms["exemplar-swapped"] = replace(arms["exemplar-1/10"], grouping="swapped")
    for step, teacher in ((1, ""), (2, "moam-1"), (3, "moam-2")):
        arms[f"moam-{step}"] = Arm(f"moam-{step}", teacher=teacher)
    for decay in (1e-4, 1e-3, 1e-2):
        for name, decay_at in SCHEDULES.items():
            arms[f"supervised-wd-{decay:g}-{name}"] = Arm("supervised", weight_decay=decay, decay_at=decay_at)
    return arms


ARMS = _arms()


def build(arm: str, classes: int, settings: Settings, seed: int) -> nn.Module:
    """The method of an arm with freshly drawn weights (``pretrain-rotation``: of its first half).

    One seed gives every arm the same body; the student of pseudo labels is a supervised network.
    """
    chosen = ARMS[arm]
    extra = {"exemplar": {"embeddings": settings.embedding}, "vat": {}, "vat-entmin": {}}
    rotating = {"rotations": TURNS}
    turned = chosen.method in ("rotation", "pretrain-rotation", "moam-1")
    torch.manual_seed(seed)
    network = _network({"classes": classes} | (rotating if turned else extra.get(chosen.method, {})), settings)
    if chosen.method == "rotation":
        weight = settings.rotation_weight if chosen.weight is None else chosen.weight
        return S4LRotation(network, weight, chosen.acts_on)
    if chosen.method == "pretrain-rotation":
        network.heads["classes"].requires_grad_(False)
        return RotationPretraining(network)
    if chosen.method == "exemplar":
        return S4LExemplar(network, settings.exemplar_weight, chosen.grouping)
    power = {"xi": settings.vat_xi, "floor": settings.vat_floor}
    if chosen.method in ("vat", "vat-entmin"):
        entropy = settings.entropy_weight if chosen.method == "vat-entmin" else 0.0
        return VirtualAdversarial(network, settings.vat_radius, settings.vat_weight, entropy, **power)
    if chosen.method == "moam-1":
        return MOAM(network, settings.moam_radius, average_halflife=settings.moam_average, **power)
    return Supervised(network, rotations=chosen.method == "supervised-rotations")


def _network(heads: dict[str, int], settings: Settings) -> nn.Module:
    if settings.network == "lesson":
        from labelkit.models.lesson_classifier import LessonClassifier

        return LessonClassifier(heads, settings.network_width)
    from labelkit.models.resnet_v2 import ResNet50V2

    return ResNet50V2(heads, width_factor=4 if settings.network.endswith("x4") else 1)


def run(arm: str, data: str, seed: int, settings: Settings, context: Context) -> Outcome:
    """Train and test one cell. All arms of a seed share split, labelled batches and the weights of the body."""
    chosen = ARMS[arm]
    parts = classification.load_data(data, settings, context)
    split = split_of(parts, chosen.fraction, seed, settings)
    cell = Cell(f"{data} {arm} seed {seed}", parts, split, seed, settings, context)
    if chosen.teacher:
        outcome = _taught(arm, data, cell)
    elif chosen.method == "pretrain-rotation":
        outcome = _pretrained(arm, cell)
    else:
        method = build(arm, len(parts.classes), settings, seed)
        outcome = cell.train(
            method,
            settings.steps + (settings.retrain_steps or settings.steps if chosen.long else 0),
            unlabelled=not isinstance(method, Supervised),
            copies=chosen.method == "exemplar",
            rate=settings.moam_rate if chosen.method == "moam-1" else 1.0,
            decay=chosen.weight_decay,
            decay_at=chosen.decay_at,
        )
    if context.rank == 0 and any(ARMS[other].teacher == arm for other in settings.arms):
        write_whole(_kept(arm, data, cell), lambda path: torch.save(vars(outcome), path))
    return outcome


def _pretrained(arm: str, cell: Cell) -> Outcome:
    """Half of the steps on the rotations of unlabelled images, the other half on the labelled ones."""
    settings = cell.settings
    method = build(arm, len(cell.data.classes), settings, cell.seed)
    half = max(1, settings.steps // 2)
    first = cell.train(method, half, stage="pretraining", labelled=False)
    method.network.heads["classes"].requires_grad_(True)
    method.network.heads["rotations"].requires_grad_(False)
    tuned = Supervised(method.network, rotations=True)
    return joined(first, cell.train(tuned, settings.steps - half, unlabelled=False), "pretraining")


def _taught(arm: str, data: str, cell: Cell) -> Outcome:
    """A student from scratch on its teacher's labels for all images; for MOAM's third step, the student fine-tuned."""
    chosen, settings, classes = ARMS[arm], cell.settings, len(cell.data.classes)
    before = _finished(chosen.teacher, data, cell)
    teacher = build(chosen.teacher, classes, settings, cell.seed)
    teacher.load_state_dict(before.weights)
    if chosen.method == "moam-3":
        steps = settings.finetune_steps or max(1, settings.steps // 2)
        return joined(before, cell.train(teacher, steps, unlabelled=False, rate=settings.finetune_rate), "student")
    device, rotations = cell.context.device, chosen.method == "moam-2"
    labels, right = pseudo_labels(teacher.to(device), cell.data, cell.split, settings, device, rotations)
    last = cell.train(
        build("supervised-1/10", classes, settings, cell.seed),
        settings.retrain_steps or settings.steps,
        unlabelled=False,
        pseudo=labels,
        decay=settings.retrain_weight_decay,
        decay_at=settings.retrain_decay_at,
    )
    outcome = joined(before, last, "teacher")
    outcome.series["pseudo_accuracy"] = [(before.steps, right)]
    return outcome


def _finished(arm: str, data: str, cell: Cell) -> Outcome:
    """Outcome of another arm with this seed: as this run has left it in its shared folder, else trained here."""
    path = _kept(arm, data, cell)
    if distributed.first_of(path.exists()):
        return Outcome(**torch.load(path, map_location="cpu", weights_only=True))
    inner = cell.context.workspace / arm.replace("/", "_")
    inner.mkdir(parents=True, exist_ok=True)
    context = replace(cell.context, workspace=inner, identity=f"{cell.context.identity}/{arm}")
    return run(arm, data, cell.seed, cell.settings, context)


def _kept(arm: str, data: str, cell: Cell) -> Path:
    shapes = cell.settings.model_dump(exclude={"run", "arms", "data", "seeds", "jobs", "results", "about"})
    known = [shapes, arm, fingerprint(data, cell.settings, cell.context), cell.seed]
    return cell.context.shared / f"teacher-{digest(known)}.pt"
