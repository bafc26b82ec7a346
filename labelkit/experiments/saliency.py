"""Saliency maps for real photographs: what DSS or DRFI is to the papers, a small network trained on ECSSD is here.

The papers take the maps of a saliency detector that others trained. A lesson cannot download one, so a small network
learns saliency from the training pictures of ECSSD [yan2013hierarchical], once a run, the same for every arm and
every seed. Worlds bring saliency maps of their own.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from labelkit.datasets.augment import RandomScaleCropFlip
from labelkit.datasets.streams import Stream
from labelkit.experiments.data import three_parts
from labelkit.files import write_whole
from labelkit.methods.supervised import Supervised
from labelkit.models.lesson import LessonNet
from labelkit.training import train

BATCH = 16
RATE = 0.05
SEED = 1001


def saliency_network(folder: Path, steps: int, height: int, width: int, root: Path | None, device: str) -> LessonNet:
    """A lesson network with two classes trained on ECSSD; made once a folder, then read.

    Args:
        folder: where the weights lie, as ``saliency-<height>x<width>-<steps>.pt``.
        steps: optimiser steps of batch 16, learning rate 0.05, poly schedule.
        height, width: size of the pictures in pixels.
        root: folder that holds the user's data sets, ECSSD among them.
        device: where to train.

    Raises:
        FileNotFoundError, ValueError: ECSSD is not there.
    """
    network = LessonNet(2)
    path = folder / f"saliency-{height}x{width}-{steps}.pt"
    if not path.exists():
        pictures = three_parts("ecssd", height, width, 0, 0, root).train
        torch.manual_seed(SEED)
        method = Supervised(LessonNet(2))
        augment = RandomScaleCropFlip(height, width, scales=(1.0, 1.5), continuous=True)
        stream = Stream(pictures, range(len(pictures)), BATCH, augment, seed=SEED)
        optimizer = torch.optim.SGD(method.parameters(), lr=RATE, momentum=0.9, weight_decay=1e-4)
        train(method, stream, steps=steps, optimizer=optimizer, device=device)
        state = {name: value.cpu() for name, value in method.network.state_dict().items()}
        write_whole(path, lambda partial: torch.save(state, partial))
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network.eval()


class WithSaliency:
    """A data set whose samples also have a ``saliency`` map (1, H, W), predicted once and kept while there is room.

    Args:
        dataset: samples with ``image`` (3, H, W).
        network: images (B, 3, H, W) to logits (B, 2, H, W) of background and object; in evaluation mode.
        room: bytes that kept maps may take; maps beyond that, as of VOC's 10,582 images at their own size, are
            predicted each time.
    """

    def __init__(self, dataset: Any, network: torch.nn.Module, room: int = 1 << 30) -> None:
        self.dataset, self.network, self._room = dataset, network, room
        self._kept: dict[int, Tensor] = {}

    def __getattr__(self, name: str) -> Any:
        if name == "dataset":  # while being unpickled
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __len__(self) -> int:
        return len(self.dataset)

    @torch.no_grad()
    def __getitem__(self, index: int) -> dict[str, Any]:
        sample = self.dataset[index]
        saliency = self._kept.get(index)
        if saliency is None:
            saliency = self.network(sample["image"][None]).softmax(1)[0, 1:].contiguous()
            if (room := self._room - saliency.nbytes) >= 0:
                self._kept[index], self._room = saliency.clone(), room
        return sample | {"saliency": saliency}
