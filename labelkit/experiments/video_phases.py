"""From the first phase of the video chapter to the second: the network that labels, and the clips that it labelled."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from labelkit import distributed
from labelkit.experiments.settings import Context
from labelkit.experiments.video_batches import batches
from labelkit.experiments.video_clips import Clips
from labelkit.experiments.video_data import VideoData
from labelkit.experiments.video_evaluation import scores_of
from labelkit.experiments.video_networks import build, optimizer
from labelkit.experiments.video_settings import ALL_ARMS, Arm, Settings
from labelkit.experiments.video_storage import stored
from labelkit.files import write_whole
from labelkit.methods.video_self_training import label_clip
from labelkit.provenance import code_digest, digest
from labelkit.training import train

NOT_IN_PHASE_ONE = {
    "arms", "data", "seeds", "jobs", "threads", "results", "about", "run", "refinement", "quantile", "cap",
    "self_training_rate", "test_images", "evaluate_every", "checkpoint_every", "workers", "memory",
}  # fmt: skip


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
    if not distributed.first_of(path.exists()):
        method = build("vat", len(data.classes), settings, context, seed)
        torch.manual_seed(seed + 1_000_003 * context.rank)
        history = train(
            method,
            batches(ALL_ARMS["vat"], data, settings, seed, context),
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
    kept = stored(path)
    return kept["weights"], kept["seconds"]


class Labelled:
    """The target's training clips with pseudo labels in place of masks; no truth is left in a sample.

    Labels stay in memory if all of them fit into the run's ``memory``, else in one file a clip.

    Args:
        predict: the first phase's network, in evaluation mode.
        clips: with flow.
        arm: how it labels.
        settings: of the run.
        device: where to predict.
        folder: for the files.
    """

    def __init__(
        self, predict: nn.Module, clips: Clips, arm: Arm, settings: Settings, device: str, folder: Path
    ) -> None:
        self.clips, self.folder = clips, folder
        self.held: list[dict[str, Any]] | None = []
        for index in range(len(clips)):
            clip = clips[index]
            made = label_clip(
                lambda frames: scores_of(predict, frames.to(device)).cpu(), clip["frames"], clip["back"], clip["forth"],
                pooled=arm.second_phase == "pooled", quantile=settings.quantile, cap=settings.cap,
            )  # fmt: skip
            kept = {"masks": made.labels.to(torch.uint8)}
            if arm.refined:
                kept |= {"probabilities": made.probabilities.half(), "thresholds": made.thresholds}
            if len(clips) * sum(value.nbytes for value in kept.values()) > settings.memory << 20:
                self.held = None
            if self.held is None:
                write_whole(self._path(index), lambda partial, kept=kept: torch.save(kept, partial))
            else:
                self.held.append(kept)

    def _path(self, index: int) -> Path:
        return self.folder / f"{index:06d}.pt"

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> dict[str, Any]:
        labels = stored(self._path(index)) if self.held is None else self.held[index]
        sample = self.clips[index] | labels
        sample["masks"] = sample["masks"].long()
        return sample
