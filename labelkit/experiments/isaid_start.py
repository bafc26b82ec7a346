"""Starting weights of the lessons: what ImageNet is to the paper, other drawn scenes are here.

A lesson has some hundred steps an arm, too few to learn to see. So a plain Mask R-CNN, with small anchors and one size
of patches, learns scenes of another seed once; every arm and every seed starts from its weights. The region proposal
network starts afresh in all arms, because what it predicts is relative to anchors, and arms differ in these.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from labelkit.datasets.aerial_batches import batch_of, turned
from labelkit.datasets.aerial_patches import AerialPatches
from labelkit.datasets.streams import Stream
from labelkit.experiments.isaid_settings import Settings
from labelkit.experiments.settings import Context
from labelkit.files import write_whole
from labelkit.methods.isaid import AerialInstances
from labelkit.models.aerial_detector import Options, aerial_detector
from labelkit.training import train

SEED = 1005
KEYS = (
    "height", "width", "patch", "overlap", "network", "norm", "box_head", "batch_size", "pretrain_steps",
    "pretrain_images", "pretrain_learning_rate", "optimizer", "weight_decay", "warm_up", "proposals", "rpn_samples",
    "box_samples", "mask_samples", "anchors",
)  # fmt: skip


def plain_options(settings: Settings) -> Options:
    """torchvision's anchors and number of detections; numbers of proposals and samples as the run file says."""
    several = (settings.proposals, settings.proposals)
    return Options(
        score_threshold=settings.score_threshold,
        proposals=several,
        test_proposals=several,
        rpn_samples=settings.rpn_samples,
        box_samples=settings.box_samples,
        mask_samples=settings.mask_samples,
    )


def start_weights(settings: Settings, context: Context, optimizer: Any, schedule: Any) -> dict[str, Any] | None:
    """State dict of the plain detector after its pretraining, without the region proposal network; None for none.

    Made once a folder, then read.

    Args:
        settings, context: of the run.
        optimizer: makes one for a method and a learning rate.
        schedule: of the learning rate.
    """
    if settings.pretraining != "scenes":
        return None
    import hashlib

    chosen = {key: getattr(settings, key) for key in KEYS}
    digest = hashlib.sha256(repr(chosen).encode()).hexdigest()[:12]
    path = context.shared / f"start-{digest}.pt"
    if not path.exists():
        from labelkit.worlds.aerial import Aerial

        scenes = Aerial("train", settings.pretrain_images, settings.height, settings.width, seed=SEED)
        patches = AerialPatches(scenes, settings.patch, settings.overlap)
        torch.manual_seed(SEED)
        classes = len(scenes.classes)
        options = replace(plain_options(settings), anchors=tuple(settings.anchors))
        detector = aerial_detector(classes, settings.network, options, norm=settings.norm, box_head=settings.box_head)
        method = AerialInstances(detector)
        stream = Stream(patches, range(len(patches)), settings.batch_size, turned, seed=SEED, collate=batch_of)
        train(
            method,
            stream,
            steps=settings.pretrain_steps,
            optimizer=optimizer(method, settings.pretrain_learning_rate),
            schedule=schedule,
            device=context.device,
            on_step=(lambda step, steps: context.on_step("start", step, steps)) if context.on_step else None,
        )
        state = {name: value.cpu() for name, value in detector.state_dict().items() if not name.startswith("rpn.")}
        write_whole(path, lambda partial: torch.save(state, partial))
    return torch.load(path, map_location="cpu", weights_only=True)
