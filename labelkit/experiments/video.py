"""Video domain adaptation: what is adapted to the target (nothing, frames, sequences), and what trains itself then.

All arms of a seed start from the same weights and take equally many steps. Where there is a second phase it takes the
last of them. Masks of the target measure; they teach the upper bound alone, and choose nothing: the best step is that
of the source's validation frames.
"""

from dataclasses import replace
from typing import Any

import torch
from torch import nn

from labelkit.datasets.streams import Joined, Stream
from labelkit.experiments import video_data, video_labels
from labelkit.experiments.cells import train_cell
from labelkit.experiments.pretraining import sim_backbone
from labelkit.experiments.settings import Context, Outcome
from labelkit.experiments.video_data import Clips, VideoData, Windows, fingerprint
from labelkit.experiments.video_evaluation import evaluate, frame_miou, scores_of
from labelkit.experiments.video_settings import ALL_ARMS, Arm, Settings
from labelkit.files import write_whole
from labelkit.methods.video_adversarial import VideoAdversarial
from labelkit.methods.video_self_training import VideoSelfTraining, label_clip
from labelkit.models.domain_discriminator import DomainDiscriminator
from labelkit.optimizers import SideBySide
from labelkit.provenance import code_digest, digest
from labelkit.training import train

__all__ = ["ARMS", "Arm", "Settings", "build", "fingerprint", "prepare", "run"]

ARMS = ALL_ARMS
NOT_IN_PHASE_ONE = {
    "arms", "data", "seeds", "jobs", "threads", "results", "about", "run", "refinement", "quantile", "cap",
    "self_training_rate", "test_images", "evaluate_every", "checkpoint_every", "workers",
}  # fmt: skip


def prepare(settings: Settings, context: Context) -> None:
    """Make what all cells share: the backbone's weights, and the clips of every data set with their flow."""
    _backbone(settings, context)
    for name in settings.data:
        video_data.load(name, settings, context)


def _backbone(settings: Settings, context: Context) -> dict[str, Any] | None:
    if settings.pretraining != "sim":
        return None
    return sim_backbone(context.shared, settings.pretrain_steps, settings.height, settings.width, context.device)


def network(classes: int, settings: Settings, context: Context | None, seed: int) -> nn.Module:
    """The segmentation network, its weights drawn or the backbone's; one seed gives every arm the same."""
    torch.manual_seed(seed)
    if settings.network == "deeplab-v2":
        from labelkit.models.deeplab_v2 import DeepLabV2

        return DeepLabV2(classes, rates=(6, 12, 18, 24), pretrained=settings.pretraining == "imagenet")
    from labelkit.models.lesson import LessonNet

    made = LessonNet(classes)
    weights = _backbone(settings, context) if context else None
    if weights is not None:
        made.backbone.load_state_dict(weights)
    return made


def build(arm: str, classes: int, settings: Settings, context: Context | None, seed: int) -> VideoAdversarial:
    """The first phase of an arm.

    Args:
        arm: its name.
        classes: C.
        settings: of the run.
        context: where the backbone's weights lie; None draws all weights.
        seed: of the weights.
    """
    chosen = ARMS[arm]
    segmenter = network(classes, settings, context, seed)
    torch.manual_seed(seed + 1)  # the discriminators of two arms start alike, whichever of them there are
    image = DomainDiscriminator(classes, settings.discriminator_width)
    sequence = DomainDiscriminator(settings.window * classes, settings.discriminator_width)
    return VideoAdversarial(
        segmenter,
        image if chosen.image else None,
        sequence if chosen.sequence else None,
        image_weight=settings.image_weight,
        sequence_weight=settings.sequence_weight,
        tube_weight=settings.tube_weight if chosen.tube else 0.0,
        shown=settings.shown,
        target_statistics=chosen.statistics,
    )


def optimizer(method: nn.Module, settings: Settings, rate: float) -> torch.optim.Optimizer:
    """SGD for the segmentation network, Adam for each discriminator, stepping together.

    Args:
        method: with ``network``, and discriminators or none.
        settings: of the run.
        rate: learning rate of the network; of its classifier ``classifier_rate`` times as much.
    """
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in method.network.named_parameters():
        if parameter.requires_grad:
            groups.setdefault(("classifier" in name, parameter.dim() > 1), []).append(parameter)
    both: list[torch.optim.Optimizer] = [
        torch.optim.SGD(
            [
                {
                    "params": parameters,
                    "lr": rate * (settings.classifier_rate if head else 1.0),
                    "weight_decay": settings.weight_decay if decayed else 0.0,
                }
                for (head, decayed), parameters in groups.items()
            ],
            lr=rate,
            momentum=0.9,
        )
    ]
    judges = [getattr(method, f"{name}_discriminator", None) for name in ("image", "sequence")]
    for judge in filter(None, judges):
        both.append(torch.optim.Adam(judge.parameters(), lr=settings.discriminator_rate, betas=(0.9, 0.99)))
    return SideBySide(both) if len(both) > 1 else both[0]


def batches(arm: Arm, data: VideoData, settings: Settings, seed: int, context: Context) -> Joined:
    """Batches of the first phase: ``source`` with labels, ``target`` with frames alone."""
    labelled = data.source_train if arm.labels == "source" else data.target_train
    streams = {"source": _stream(labelled, settings, 3 * seed, context, ("frames", "masks"))}
    if arm.image or arm.sequence or arm.statistics:
        streams["target"] = _stream(data.target_train, settings, 3 * seed + 1, context, ("frames",))
    return Joined(**streams)


def _stream(clips: Any, settings: Settings, seed: int, context: Context, keys: tuple[str, ...]) -> Stream:
    cut = Windows(settings.window)

    def augment(sample, rng):
        return cut({key: sample[key] for key in keys}, rng)

    return Stream(clips, range(len(clips)), settings.batch_size, augment, seed=seed, **context.place)


def run(arm: str, data: str, seed: int, settings: Settings, context: Context) -> Outcome:
    """Train and test one cell."""
    chosen, clips = ARMS[arm], video_data.load(data, settings, context)
    if chosen.second_phase:
        return _second_phase(arm, data, clips, seed, settings, context)
    method = build(arm, len(clips.classes), settings, context, seed)
    return _train_and_test(
        method, batches(chosen, clips, settings, seed, context), clips, settings, context, seed,
        label=f"{data} {arm} seed {seed}", steps=settings.steps, rate=settings.learning_rate, extra={},
        domains=2 if chosen.image or chosen.sequence or chosen.statistics else 1,
    )  # fmt: skip


def _train_and_test(
    method: nn.Module, stream: Any, data: VideoData, settings: Settings, context: Context, seed: int, *,
    label: str, steps: int, rate: float, extra: dict[str, Any], domains: int, stage: str = "",
) -> Outcome:  # fmt: skip
    def test() -> dict[str, dict[str, Any]]:
        return {f"{data.target_test.name}/test/clips": evaluate(method.predict, data, context.device) | extra}

    return train_cell(
        method,
        stream,
        label=label,
        settings=settings,
        context=context,
        seed=seed,
        steps=steps,
        optimizer=optimizer(method, settings, rate),
        images_a_step=settings.batch_size * settings.window * domains,
        network=method.network,
        data=data,
        split=None,
        validate=lambda: {"val_miou": frame_miou(method.predict, data.source_val, context.device)},
        keep_best="val_miou",
        test=test,
        stage=stage,
    )


def _second_phase(arm: str, name: str, data: VideoData, seed: int, settings: Settings, context: Context) -> Outcome:
    chosen = ARMS[arm]
    weights, seconds = phase_one(name, data, seed, settings, context)
    segmenter = network(len(data.classes), settings, None, seed).to(context.device)
    segmenter.load_state_dict(weights)
    segmenter.eval()
    with torch.no_grad():
        before = evaluate(segmenter, data, context.device)
    extra: dict[str, Any] = {"phase_one": {key: before[key] for key in ("miou", "vpq", "vpq_by_k", "flips")}}
    if arm == "vat-vst":  # the labels are the same in every arm of a second phase: measured once
        extra["labels"] = video_labels.measure(
            segmenter, data.target_train, context.device, settings.quantile, settings.cap, seed
        )
    labelled = Labelled(segmenter, data.target_train, chosen, settings, context.device)
    keys = ("frames", "masks") + (("probabilities", "thresholds", "back", "forth") if chosen.refined else ())
    method = VideoSelfTraining(segmenter, settings.refinement if chosen.refined else 0.0)
    outcome = _train_and_test(
        method, _stream(labelled, settings, 3 * seed + 2, context, keys), data, settings, context, seed,
        label=f"{name} {arm} seed {seed}", steps=settings.self_training_steps,
        rate=settings.self_training_rate or settings.learning_rate, extra=extra, domains=1, stage="second",
    )  # fmt: skip
    for values in outcome.metrics.values():
        values["gained"] = {key: values[key] - before[key] for key in ("miou", "vpq")}
    return replace(outcome, steps=settings.steps, train_seconds=outcome.train_seconds + seconds)


def phase_one(
    name: str, data: VideoData, seed: int, settings: Settings, context: Context
) -> tuple[dict[str, Any], float]:
    """Weights of the network after the first phase and the seconds it took; trained once for all arms of a seed.

    It takes the steps that the second phase leaves, so that both together take as many as any other arm.
    """
    steps = settings.steps - settings.self_training_steps
    identity = digest(
        [settings.model_dump(exclude=NOT_IN_PHASE_ONE), data.fingerprint, seed, steps, code_digest("video")]
    )
    path = context.shared / f"phase-one-{name}-s{seed}-{identity}.pt"
    if not path.exists():
        method = build("vat", len(data.classes), settings, context, seed)
        torch.manual_seed(seed + 1_000_003 * context.rank)
        history = train(
            method,
            batches(ARMS["vat"], data, settings, seed, context),
            steps=steps,
            optimizer=optimizer(method, settings, settings.learning_rate),
            **context.loop(settings, "first"),
            on_step=(lambda step, total: context.on_step(f"{name} first phase seed {seed}", step, total))
            if context.on_step
            else None,
        )
        state = {key: value.detach().cpu() for key, value in method.network.state_dict().items()}
        if context.rank == 0:
            write_whole(path, lambda partial: torch.save({"weights": state, "seconds": history.seconds}, partial))
        return state, history.seconds
    stored = torch.load(path, map_location="cpu", weights_only=True)
    return stored["weights"], stored["seconds"]


class Labelled:
    """The target's training clips with pseudo labels in place of masks; no truth is left in a sample.

    Args:
        predict: the first phase's network, in evaluation mode.
        clips: with flow.
        arm: how it labels.
        settings: of the run.
        device: where to predict.
    """

    def __init__(self, predict: nn.Module, clips: Clips, arm: Arm, settings: Settings, device: str) -> None:
        self.clips, self.labels = clips, []
        for index in range(len(clips)):
            clip = clips[index]
            made = label_clip(
                lambda frames: scores_of(predict, frames.to(device)).cpu(), clip["frames"], clip["back"], clip["forth"],
                pooled=arm.second_phase == "pooled", quantile=settings.quantile, cap=settings.cap,
            )  # fmt: skip
            kept = {"masks": made.labels.to(torch.uint8)}
            if arm.refined:
                kept |= {"probabilities": made.probabilities.half(), "thresholds": made.thresholds}
            self.labels.append(kept)

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> dict[str, Any]:
        sample = self.clips[index] | self.labels[index]
        sample["masks"] = sample["masks"].long()
        return sample
