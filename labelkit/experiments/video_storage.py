"""Where the clips of the video chapter lie: in memory where a part is small, else one clip at a time is read.

What a clip holds does not depend on which of the two it is.
"""

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from labelkit.experiments.video_clips import Clips, Maker
from labelkit.files import write_whole


def clips_of(maker: Maker, folder: Path, memory: int, device: str) -> Clips:
    """The clips of a part.

    Args:
        maker: of the clips.
        folder: for what is made once.
        memory: MiB that they may take; if they take more, each is read when it is asked for.
        device: where a network estimates flow.
    """
    path = held_path(maker, folder)
    small = (path.stat().st_size if path.exists() else maker.size()) <= memory << 20
    samples = held(maker, folder, device) if small else Read(maker, folder, device)
    return Clips(samples, maker.name, maker.fingerprint, maker.classes, maker.palette)


def held(maker: Maker, folder: Path, device: str) -> list[dict[str, Any]]:
    """All clips of a part in memory, from the file in which an earlier process left them if there is one.

    Args:
        maker: of the clips.
        folder: where the file lies.
        device: where a network estimates flow.
    """
    path = held_path(maker, folder)
    if not path.exists():
        samples = []
        for index in range(len(maker)):
            clip = maker.dataset[index]
            samples.append(maker.pictures(clip) | (maker.flows(clip, device) if maker.with_flow else {}))
        write_whole(path, lambda partial: torch.save(samples, partial))
    return stored(path)


def held_path(maker: Maker, folder: Path) -> Path:
    """The file that :func:`held` leaves and reads."""
    return folder / f"clips-{maker.name}-{maker.part}-{maker.fingerprint}.pt"


class Read(Sequence):
    """The clips of a part, each read from its files when it is asked for; nothing stays in memory.

    Flow takes longer than reading and is asked for again and again: that of each clip is kept in a file.

    Args:
        maker: of the clips.
        folder: for the files of flow, 8 M bytes a pixel.
        device: where a network estimates flow.
    """

    def __init__(self, maker: Maker, folder: Path, device: str) -> None:
        self.maker, self.device = maker, device
        self.folder = folder / f"flow-{maker.name}-{maker.part}-{maker.fingerprint}"

    def __len__(self) -> int:
        return len(self.maker)

    def __getitem__(self, index: int) -> dict[str, Any]:
        clip = self.maker.dataset[index]
        return self.maker.pictures(clip) | (self._flows(index, clip) if self.maker.with_flow else {})

    def prepare(self) -> None:
        """Make the flow of all clips that have none yet, so that no worker process of a training has to."""
        for index in range(len(self) if self.maker.with_flow else 0):
            if not self._path(index).exists():
                self._flows(index, self.maker.dataset[index])

    def _path(self, index: int) -> Path:
        return self.folder / f"{index:06d}.pt"

    def _flows(self, index: int, clip: Mapping[str, Any]) -> dict[str, Tensor]:
        path = self._path(index)
        if path.exists():
            return stored(path)
        made = self.maker.flows(clip, self.device)
        write_whole(path, lambda partial: torch.save(made, partial))
        return made


def stored(path: Path) -> Any:
    """What an earlier process left in a file.

    Raises:
        ValueError: the file is broken.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path} is broken; delete it, and it is made again") from error
