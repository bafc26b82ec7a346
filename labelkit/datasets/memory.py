"""Data sets as they lie in memory: held once decoded or rendered, or handed on as bytes."""

from collections.abc import Callable
from typing import Any

import torch


class InMemory:
    """Keeps the samples of another data set; each is made once, when it is first asked for.

    Args:
        dataset: its samples have ``image`` in whole 255ths, which is kept as bytes, as is a ``mask``; whatever else a
            sample holds is kept as it is.
    """

    def __init__(self, dataset: Any):
        self.dataset = dataset
        self._held: dict[int, dict[str, Any]] = {}

    def __getattr__(self, name: str) -> Any:
        if name == "dataset":  # while being unpickled
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict[str, Any]:
        if index not in self._held:
            held = dict(self.dataset[index])
            held["image"] = held["image"].mul(255).round().to(torch.uint8)
            if "mask" in held:
                held["mask"] = held["mask"].to(torch.uint8)
            self._held[index] = held
        sample = dict(self._held[index])
        sample["image"] = sample["image"].to(torch.float32).div_(255)
        if "mask" in sample:
            sample["mask"] = sample["mask"].to(torch.int64)
        return sample


class AsBytes:
    """Samples of files with ``image`` and ``mask`` as bytes, for an augmentation that cuts first and converts then.

    Args:
        dataset: gives such samples by ``bytes(index)``, as `PairedFiles` does.
    """

    def __init__(self, dataset: Any):
        self.dataset = dataset

    def __getattr__(self, name: str) -> Any:
        if name == "dataset":  # while being unpickled
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.dataset.bytes(index)


def as_bytes(dataset: Any) -> Any:
    """The data set as bytes if it is made of files, otherwise as it is."""
    return AsBytes(dataset) if isinstance(getattr(type(dataset), "bytes", None), Callable) else dataset
