"""Starting weights for real photographs of the image-tag lessons: what ImageNet is to the papers, objects-20 is here.

The papers start from a network that was trained on ImageNet, the same for every arm. A lesson cannot download one, and
a few hundred photographs teach little to a network that starts from random weights. So two networks learn the drawn
world of 20 classes once: one its tags, the other its masks, which are free. Their heads are thrown away. Every arm and
every seed starts from the same two backbones.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from labelkit.datasets.augment import RandomScaleCropFlip
from labelkit.datasets.memory import InMemory
from labelkit.datasets.streams import Stream
from labelkit.files import write_whole
from labelkit.methods.supervised import Supervised, TagClassifier
from labelkit.models.lesson import LessonNet
from labelkit.models.lesson_tags import LessonTagger
from labelkit.training import train

SCENES = 512
BATCH = 12
RATE = 0.05
SEED = 1002

Weights = dict[str, Any]


def trunk_weights(folder: Path, steps: int, height: int, width: int, device: str) -> Weights:
    """State dict of a :class:`LessonTrunk` that has learnt the tags of objects-20; made once a folder, then read.

    Args:
        folder: where the weights lie, as ``trunk-objects-20-<height>x<width>-<steps>.pt``.
        steps: optimiser steps of batch 12, learning rate 0.05, poly schedule.
        height, width: size of the scenes in pixels.
        device: where to train.
    """

    def made(classes: int) -> tuple[nn.Module, nn.Module]:
        network = LessonTagger(classes - 1)
        return TagClassifier(network), network.trunk

    return _learnt(folder, "trunk", made, steps, height, width, device)


def backbone_weights(folder: Path, steps: int, height: int, width: int, device: str) -> Weights:
    """State dict of a :class:`LessonEncoder` that has learnt the masks of objects-20; see :func:`trunk_weights`."""

    def made(classes: int) -> tuple[nn.Module, nn.Module]:
        network = LessonNet(classes)
        return Supervised(network), network.backbone

    return _learnt(folder, "backbone", made, steps, height, width, device)


def _learnt(
    folder: Path,
    kind: str,
    made: Callable[[int], tuple[nn.Module, nn.Module]],
    steps: int,
    height: int,
    width: int,
    device: str,
) -> Weights:
    path = folder / f"{kind}-objects-20-{height}x{width}-{steps}.pt"
    if not path.exists():
        from labelkit.worlds.objects import Objects

        scenes = InMemory(Objects(split="train", length=SCENES, height=height, width=width, num_classes=20, seed=SEED))
        torch.manual_seed(SEED)
        method, kept = made(len(scenes.classes))
        augment = RandomScaleCropFlip(height, width)
        stream = Stream(scenes, range(SCENES), BATCH, augment, seed=SEED)
        optimizer = torch.optim.SGD(method.parameters(), lr=RATE, momentum=0.9, weight_decay=1e-4)
        train(method, stream, steps=steps, optimizer=optimizer, device=device)
        state = {name: value.cpu() for name, value in kept.state_dict().items()}
        write_whole(path, lambda partial: torch.save(state, partial))
    return torch.load(path, map_location="cpu", weights_only=True)
