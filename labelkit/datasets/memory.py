"""A data set held in memory, decoded or rendered once."""

from typing import Any

import torch


class InMemory:
    """Keeps images and masks of another data set as bytes; each sample is made once, when it is first asked for.

    Args:
        dataset: its samples have ``image`` in whole 255ths and ``mask``; other keys are left out.
    """

    def __init__(self, dataset: Any):
        self.dataset = dataset
        self._held: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def __getattr__(self, name: str) -> Any:
        if name == "dataset":  # while being unpickled
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        if index not in self._held:
            sample = self.dataset[index]
            self._held[index] = (sample["image"].mul(255).round().to(torch.uint8), sample["mask"].to(torch.uint8))
        image, mask = self._held[index]
        return {"image": image.to(torch.float32).div_(255), "mask": mask.to(torch.int64)}
