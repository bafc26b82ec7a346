"""AuxSegNet: its arms differ in the tasks that help, in the affinity that ties them, and in how often labels improve.

Every arm of a seed starts from one tag classifier and, but for the arms with another detector, from the same labels.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from labelkit.experiments import auxsegnet_stages as stages
from labelkit.experiments import segmentation, tagging
from labelkit.experiments.auxsegnet_judge import judge_propagation, postprocessed
from labelkit.experiments.auxsegnet_optimizer import NEW_LAYERS, sgd
from labelkit.experiments.data import find
from labelkit.experiments.labelling import digest_of
from labelkit.experiments.saliency import saliency_network
from labelkit.experiments.settings import Context, Outcome
from labelkit.experiments.tagging import TagData, TagSettings, fingerprint
from labelkit.methods.auxsegnet import AuxSegNet, Weights, saliency_crf, spread_maps
from labelkit.methods.supervised import TagClassifier
from labelkit.metrics.protocols import summary, whole_image
from labelkit.models.auxsegnet import AuxSegHead, AuxSegNetwork, TagNetwork
from labelkit.pseudo_labels.saliency_fusion import fuse

__all__ = ["ARMS", "Arm", "Settings", "build", "fingerprint", "load_data", "prepare", "run"]

DETECTORS = {1: 4.0, 3: 0.125}
"""Levels of saliency beside the usual 2: steps of the detector for real data over the run file's ``saliency_steps``."""
NOT_SHARED = {"arms", "data", "seeds", "jobs", "results", "about", "workers", "checkpoint_every"}


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


ARMS = {
    "seg": Arm(classification=False, saliency=False),
    "seg-cls": Arm(saliency=False),
    "seg-sal": Arm(classification=False),
    "multi-task": Arm(),
    "seg-affinity": Arm(affinity="segmentation"),
    "cross-task-seg-loss": Arm(affinity="cross-task"),
    "cross-task": Arm(affinity="cross-task", both=True),
    "stages": Arm(affinity="cross-task", both=True, stages=3),
    "same-labels": Arm(affinity="cross-task", both=True, stages=1, relabel=False),
    "seg-detector-1": Arm(classification=False, saliency=False, detector=1),
    "seg-detector-3": Arm(classification=False, saliency=False, detector=3),
    "cross-task-detector-1": Arm(affinity="cross-task", both=True, detector=1),
    "cross-task-detector-3": Arm(affinity="cross-task", both=True, detector=3),
}


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


def build_trunk(settings: Settings) -> nn.Module:
    """The trunk of the run file; the lesson's trains its normalisation (our choice), ResNet-38 keeps it fixed."""
    if settings.network == "lesson":
        from labelkit.models.lesson_tags import LessonTrunk

        return LessonTrunk()
    from labelkit.models.auxsegnet_convert import load_official_trunk
    from labelkit.models.resnet38 import ResNet38

    trunk = ResNet38()
    if settings.trunk_weights:
        path = Path(settings.trunk_weights)
        if not path.is_file():
            raise FileNotFoundError(f"{path} does not exist; trunk_weights must name a file with weights of ResNet-38")
        load_official_trunk(trunk, torch.load(path, map_location="cpu", weights_only=True))
    return trunk


def build(arm: str, tags: int, settings: Settings, seed: int, start: dict[str, Tensor] | None = None) -> AuxSegNet:
    """The method of an arm; one seed gives every arm the same first weights of what they share.

    Args:
        arm: a key of ``ARMS``.
        tags: number of foreground classes.
        settings: of the run.
        seed: of the weights of the heads.
        start: state dict of a :class:`labelkit.models.auxsegnet.TagNetwork` whose trunk and classifier to start from.
    """
    chosen, trunk = ARMS[arm], build_trunk(settings)
    options = {"width": settings.head_width, "dilations": settings.dilations, "dropout": settings.head_dropout}
    torch.manual_seed(seed)
    state = AuxSegHead(trunk.channels, tags, **options).state_dict()  # all parts are drawn, whichever the arm has
    head = AuxSegHead(
        trunk.channels,
        tags,
        affinity=chosen.affinity,
        classification=chosen.classification,
        saliency=chosen.saliency,
        **options,
    )
    state |= {name: value for name, value in (start or {}).items() if name.startswith("classifier.")}
    head.load_state_dict({name: state[name] for name in head.state_dict()})
    if start is not None:
        trunk.load_state_dict({k.removeprefix("trunk."): v for k, v in start.items() if k.startswith("trunk.")})
    return AuxSegNet(AuxSegNetwork(trunk, head), Weights(refined_saliency=float(chosen.both)))


def run(arm: str, data: str, seed: int, settings: Settings, context: Context) -> Outcome:
    """Train and test one cell."""
    chosen = ARMS[arm]
    parts = load_data(data, settings, context, chosen.detector)
    kept = settings.model_dump(exclude=NOT_SHARED)
    which = stages.digest([kept, parts.fingerprint, chosen.detector, seed])
    label = f"{data} {arm} seed {seed}"

    first = _tag_network(parts, settings, seed)
    tagged = stages.once(
        # The classifier never sees a saliency map, so it is the same for every detector.
        context.shared / f"auxsegnet-tags-{data}-{seed}-{stages.digest([kept, seed])}.pt",
        lambda: _train_tags(first, parts, label, settings, context, seed),
        context,
    )
    first.network.load_state_dict({k.removeprefix("network."): v for k, v in tagged.weights.items()})
    first.to(context.device).eval()
    labels = _first_labels(first.network, parts, settings, context, seed, which, chosen.detector)
    method = build(arm, len(parts.foreground), settings, seed, first.network.state_dict())

    ends, found = [], [stages.judge(stages.StageData(parts.train, labels), parts.classes)]
    for stage in range(chosen.stages + 1):
        path = context.workspace / f"checkpoint-stage-{stage}-end.pt"
        if stage == 0 and chosen.affinity == "cross-task" and chosen.both:  # several arms begin with this training
            path = context.shared / f"auxsegnet-stage-0-{data}-{chosen.detector}-{seed}-{which}.pt"
        ends.append(
            stages.once(
                path,
                partial(_train_stage, stage, method, labels, parts, label, settings, context, seed),
                context,
            )
        )
        method.load_state_dict(ends[-1].weights)
        method.to(context.device).eval()
        if stage < chosen.stages and chosen.relabel:
            labels = _next_labels(stage + 1, method, parts, settings, context, seed)
            found.append(stages.judge(stages.StageData(parts.train, labels), parts.classes))
    return _outcome(chosen, ends, found, tagged, method, parts, settings, context, seed)


def _tag_network(parts: TagData, settings: Settings, seed: int) -> TagClassifier:
    torch.manual_seed(seed)
    return TagClassifier(TagNetwork(build_trunk(settings), len(parts.foreground), settings.head_dropout))


def _train_tags(
    method: TagClassifier, parts: TagData, label: str, settings: Settings, context: Context, seed: int
) -> Outcome:
    """Train the tag classifier and judge its maps."""
    outcome = tagging.train_tagger(
        method,
        segmentation.stream_of(parts, range(len(parts.train)), 0, seed, settings, context),
        label=f"{label}, tags",
        data=parts,
        settings=settings,
        context=context,
        seed=seed,
        images_a_step=settings.batch_size,
        network=method.network,
    )
    if settings.native_size:  # images of many sizes are not judged together
        return outcome
    maps = tagging.judge_maps(
        lambda images, tags: spread_maps(method.network.maps(images), None, images.shape[-2:]), parts, context
    )
    return replace(outcome, metrics=outcome.metrics | {f"{parts.train.name}/train/maps": maps})


def _first_labels(
    network: TagNetwork, parts: TagData, settings: Settings, context: Context, seed: int, which: str, detector: int
) -> stages.StageLabels:
    """Labels of stage 0: the classifier's maps and the detector's saliency, fused."""
    source = {"data": parts.fingerprint, "detector": detector, "seed": seed}
    source["weights"] = digest_of(network.state_dict())
    folder = context.shared / f"auxsegnet-labels-{which}"
    labels = stages.stage_labels(folder, 0, source, False, getattr(parts.train, "palette", None))

    def label_of(batch: dict[str, Any]) -> tuple[Tensor, None]:
        maps = spread_maps(network.maps(batch["image"]), None, batch["image"].shape[-2:])
        return fuse(maps, batch["saliency"], batch["tags"]), None

    stages.fill(labels, parts.train, label_of, len(parts.classes), context, _at_a_time(settings))
    return labels


def _next_labels(
    stage: int, method: AuxSegNet, parts: TagData, settings: Settings, context: Context, seed: int
) -> stages.StageLabels:
    """Labels of a later stage: maps spread by the affinity, saliency updated, fused."""
    source = {"data": parts.fingerprint, "seed": seed, "weights": digest_of(method.state_dict())}
    folder = context.workspace / f"labels-{stage}"
    labels = stages.stage_labels(folder, stage, source, True, getattr(parts.train, "palette", None))

    def label_of(batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
        made = method.relabel(batch["image"], batch["tags"], batch["saliency"], crf_of(settings))
        return made.labels, made.saliency

    stages.fill(labels, parts.train, label_of, len(parts.classes), context, _at_a_time(settings))
    return labels


def crf_of(settings: Settings) -> Any:
    """The run file's smoothing of saliency, or None."""
    if not settings.crf:
        return None
    return lambda images, saliency: saliency_crf(images, saliency, settings.crf_scale, settings.crf_exact)


def _at_a_time(settings: Settings) -> int:
    return 1 if settings.native_size else tagging.BATCH


def _train_stage(
    stage: int,
    method: AuxSegNet,
    labels: stages.StageLabels,
    parts: TagData,
    label: str,
    settings: Settings,
    context: Context,
    seed: int,
) -> Outcome:
    """Train on a stage's labels, from the weights that the method has."""
    update = {
        "batch_size": settings.segmentation_batch_size,
        "learning_rate": settings.segmentation_learning_rate,
    }
    here = settings.model_copy(update=update)
    staged = replace(parts, train=stages.StageData(parts.train, labels))
    return segmentation.train_and_evaluate(
        method,
        segmentation.stream_of(staged, range(len(staged.train)), 1, seed + 7919 * stage, here, context),
        label=f"{label}, stage {stage}",
        data=parts,
        split=None,
        settings=here,
        context=context,
        seed=seed + 7919 * stage,
        steps=settings.segmentation_steps,
        images_a_step=here.batch_size,
        network=method.network,
        stage=f"stage-{stage}",
        optimizer=sgd(method, here.learning_rate, settings.optimizer, settings.new_layers_rate, settings.weight_decay),
    )


def _outcome(
    chosen: Arm,
    ends: list[Outcome],
    found: list[dict[str, Any]],
    tagged: Outcome,
    method: AuxSegNet,
    parts: TagData,
    settings: Settings,
    context: Context,
    seed: int,
) -> Outcome:
    """The record of all stages: tags, maps, labels of each stage, and the segmentation with and without refinement."""
    name, test = parts.train.name, f"{parts.test.name}/test"
    protocol = next(key for key in ends[-1].metrics if key.startswith(test) and not key.endswith("/best-on-val"))
    quality = found[0] | stages.by_stage(found, ("miou", "precision", "recall", "coverage", "saliency_iou"))
    metrics = {
        **{key: value for key, value in tagged.metrics.items() if not key.endswith("/best-on-val")},
        f"{name}/train/pseudo-labels": found[0],
        **ends[-1].metrics,
    }
    if chosen.stages:
        metrics[f"{name}/train/pseudo-labels-by-stage"] = quality
        metrics[f"{test}/by-stage"] = stages.by_stage([end.metrics[protocol] for end in ends], ["miou"])
    with torch.no_grad():
        if chosen.affinity != "none":
            plain = whole_image(method.predict_unrefined, parts.test, device=context.device)
            values = summary(plain, parts.classes, parts.rarest)
            metrics[f"{test}/whole-image-unrefined"] = values
            metrics[f"{test}/refinement"] = {"miou_gain": metrics[protocol]["miou"] - values["miou"]}
        if chosen.affinity == "cross-task" and chosen.both and not chosen.stages and not settings.native_size:
            metrics[f"{name}/train/propagation"] = judge_propagation(method, parts, crf_of(settings), context, seed)
        if settings.test_scales:
            confusion = postprocessed(method, parts.test, settings, context)
            metrics[f"{test}/whole-image-postprocessed"] = summary(confusion, parts.classes, parts.rarest)
    return replace(stages.joined(ends), metrics=metrics)
