"""Starting weights of the lessons: what ImageNet is to the paper, other drawn scenes are here.

A lesson has some hundred steps an arm, too few to learn to see. So a plain Mask R-CNN, with small anchors and one size
of patches, learns scenes of another seed once; the arms start from its weights, in every seed. The region proposal
network starts afresh in all arms, because what it predicts is relative to anchors, and arms differ in these.

Parts of PANet that are put onto a plain start begin untrained. For the arm that asks what they are worth in a network
that grew up with them, a network with these parts learns the same scenes in the same order for as many steps.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from labelkit.datasets.aerial_batches import batch_of, turned
from labelkit.datasets.aerial_patches import AerialPatches
from labelkit.datasets.memory import InMemory
from labelkit.datasets.streams import Stream
from labelkit.experiments.isaid_settings import Settings
from labelkit.experiments.settings import Context
from labelkit.files import write_whole
from labelkit.methods.isaid import AerialInstances
from labelkit.models.aerial_detector import Aggregation, Options, aerial_detector, start_from
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


def drawn_detector(
    classes: int, settings: Settings, options: Options, parts: Aggregation, seed: int, pretrained: bool = False
) -> nn.Module:
    """A detector with fresh weights; what it shares with the plain one is drawn as there.

    torch's generator is left in the same state whatever the parts.

    Args:
        classes: with the background.
        settings: of the run.
        options: of the detector.
        parts: of PANet.
        seed: of the weights.
        pretrained: ImageNet weights for the trunk.
    """

    def drawn(chosen: Aggregation) -> nn.Module:
        torch.manual_seed(seed)
        network, norm, head = settings.network, settings.norm, settings.box_head
        return aerial_detector(classes, network, options, chosen, norm=norm, box_head=head, pretrained=pretrained)

    detector = drawn(parts)
    if parts != Aggregation():
        start_from(detector, drawn(Aggregation()).state_dict())
    return detector


def load_own(detector: nn.Module, start: dict[str, Any]) -> None:
    """Load the start of a network with the same parts, in place; the region proposal network keeps its weights.

    Raises:
        ValueError: the start is of another network.
    """
    own = {name for name in detector.state_dict() if not name.startswith("rpn.")}
    if other := sorted(own ^ set(start)):
        raise ValueError(f"the start is of another network: {other[0]} is in one of the two alone")
    detector.load_state_dict(start, strict=False)


def start_weights(
    parts: Aggregation, settings: Settings, context: Context, optimizer: Any, schedule: Any
) -> dict[str, Any] | None:
    """State dict of a detector after its pretraining, without the region proposal network; None for none.

    Made once a folder and kind of network, then read. A dry run, which trains nothing, has none.

    Args:
        parts: of PANet that the detector has.
        settings, context: of the run.
        optimizer: makes one for a method and a learning rate.
        schedule: of the learning rate.
    """
    if settings.pretraining != "scenes" or context.rehearse is not None:
        return None
    chosen = {key: getattr(settings, key) for key in KEYS} | {"parts": parts}
    digest = hashlib.sha256(repr(chosen).encode()).hexdigest()[:12]
    path = context.shared / f"start-{digest}.pt"
    if not path.exists():
        state = _trained(parts, settings, context, optimizer, schedule)
        write_whole(path, lambda partial: torch.save(state, partial))
    return torch.load(path, map_location="cpu", weights_only=True)


def _trained(parts: Aggregation, settings: Settings, context: Context, optimizer: Any, schedule: Any) -> dict[str, Any]:
    from labelkit.worlds.aerial import Aerial

    scenes = InMemory(Aerial("train", settings.pretrain_images, settings.height, settings.width, seed=SEED))
    patches = AerialPatches(scenes, settings.patch, settings.overlap, alive=len(scenes))
    options = replace(plain_options(settings), anchors=tuple(settings.anchors))
    method = AerialInstances(drawn_detector(len(scenes.classes), settings, options, parts, SEED))
    stream = Stream(patches, range(len(patches)), settings.batch_size, turned, seed=SEED, collate=batch_of)
    label = "start" if parts == Aggregation() else "start with parts of PANet"
    train(
        method,
        stream,
        steps=settings.pretrain_steps,
        optimizer=optimizer(method, settings.pretrain_learning_rate),
        schedule=schedule,
        device=context.device,
        on_step=(lambda step, steps: context.on_step(label, step, steps)) if context.on_step else None,
    )
    state = method.detector.state_dict()
    return {name: value.cpu() for name, value in state.items() if not name.startswith("rpn.")}
