"""A data set held in memory, decoded or rendered once."""

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
