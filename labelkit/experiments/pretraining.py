"""Backbone weights for lessons: what ImageNet is to the papers, the simulated streets are here.

The papers start from a backbone trained on ImageNet, the same for every arm. A lesson cannot download one, and
starting from random weights is another experiment (CPS has arms for it). So the lesson backbone is trained
once to segment scenes of the ``sim`` domain, whose labels are free; the head is thrown away; every arm and every seed
starts from it.
"""

from pathlib import Path
from typing import Any

import torch

from labelkit.datasets.augment import RandomScaleCropFlip
from labelkit.datasets.memory import InMemory
from labelkit.datasets.streams import Stream
from labelkit.files import write_whole
from labelkit.methods.supervised import Supervised
from labelkit.models.lesson import LessonNet
from labelkit.training import train

SCENES = 512
BATCH = 8
RATE = 0.05
SEED = 1000


def sim_backbone(folder: Path, steps: int, height: int, width: int, device: str) -> dict[str, Any]:
    """State dict of a :class:`LessonEncoder` trained on the ``sim`` streets; made once a folder, then read.

    Args:
        folder: where the weights lie, as ``backbone-sim-<height>x<width>-<steps>.pt``.
        steps: optimiser steps of batch 8, learning rate 0.05, poly schedule.
        height, width: size of the scenes in pixels.
        device: where to train.
    """
    path = folder / f"backbone-sim-{height}x{width}-{steps}.pt"
    if not path.exists():
        from labelkit.worlds.streets import Streets

        scenes = InMemory(
            Streets(split="train", length=SCENES, height=height, width=width, domain="sim", seed=SEED, keep_mib=0)
        )
        torch.manual_seed(SEED)
        method = Supervised(LessonNet(len(scenes.classes)))
        augment = RandomScaleCropFlip(height, width, scales=(0.75, 1.5), continuous=True)
        stream = Stream(scenes, range(SCENES), BATCH, augment, seed=SEED)
        optimizer = torch.optim.SGD(method.parameters(), lr=RATE, momentum=0.9, weight_decay=1e-4)
        train(method, stream, steps=steps, optimizer=optimizer, device=device)
        state = {name: value.cpu() for name, value in method.network.backbone.state_dict().items()}
        write_whole(path, lambda partial: torch.save(state, partial))
    return torch.load(path, map_location="cpu", weights_only=True)
