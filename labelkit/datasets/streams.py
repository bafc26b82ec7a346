"""Batches as a pure function of the step.

``stream[step]`` draws its images and its augmentation from random generators seeded by (seed, step, place in the
batch). No state is carried from step to step, so a resumed run, a run with loader processes and each process of a
distributed run see exactly the batches that one uninterrupted process sees.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

Augment = Callable[[dict[str, Any], np.random.Generator], dict[str, Any]]


class Stream:
    """An endless stream of shuffled, augmented batches over some samples of a dataset.

    Epochs run over a fresh permutation of ``indices`` each, one after the other across batch borders, so that
    after k whole epochs every sample has been seen k times.

    Args:
        dataset: gives samples (dicts) by index.
        indices: the samples to draw from, e.g. the labelled part of a split.
        batch_size: samples in a joined batch, over all processes.
        augment: ``augment(sample, generator) -> sample``; None leaves samples as they are.
        seed: chooses order and augmentation; streams with different seeds are independent.
        rank, world_size: this process and their number; a process gets its share of the joined batch.
        collate: joins the samples of a batch; the default stacks tensors by key.

    Raises:
        ValueError: no indices, or a batch that cannot be shared out evenly.
    """

    def __init__(
        self,
        dataset: Any,
        indices: Sequence[int],
        batch_size: int,
        augment: Augment | None = None,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        collate: Callable[[list[dict[str, Any]]], Any] | None = None,
    ):
        if len(indices) == 0:
            raise ValueError("a stream needs at least one sample; indices is empty")
        if batch_size < 1 or batch_size % world_size:
            raise ValueError(f"batch_size {batch_size} cannot be shared out evenly over {world_size} process(es)")
        self.dataset, self.indices, self.batch_size = dataset, np.asarray(indices, dtype=np.int64), batch_size
        self.augment, self.seed, self.collate = augment, seed, collate or stack
        self.rank, self.world_size = rank, world_size

    def __getitem__(self, step: int) -> Any:
        """The batch of a step, 0 <= step."""
        share = self.batch_size // self.world_size
        places = range(self.rank * share, (self.rank + 1) * share)
        return self.collate([self._sample(step, place) for place in places])

    def _sample(self, step: int, place: int) -> dict[str, Any]:
        epoch, offset = divmod(step * self.batch_size + place, len(self.indices))
        sample = self.dataset[int(self.indices[_order(self.seed, epoch, len(self.indices))[offset]])]
        if self.augment is None:
            return sample
        return self.augment(sample, np.random.default_rng([self.seed, 2, step, place]))


@lru_cache(maxsize=64)
def _order(seed: int, epoch: int, length: int) -> np.ndarray:
    return np.random.default_rng([seed, 1, epoch]).permutation(length)


class Joined:
    """Several streams side by side: ``Joined(labelled=a, unlabelled=b)[step]`` is ``{"labelled": a[step], ...}``."""

    def __init__(self, **streams: Any):
        self.streams: Mapping[str, Any] = streams

    def __getitem__(self, step: int) -> dict[str, Any]:
        return {name: stream[step] for name, stream in self.streams.items()}


def stack(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """Collate samples: tensors of one shape are stacked along a new first axis, everything else is gathered in a
    list."""
    batch = {}
    for key in samples[0]:
        values = [sample[key] for sample in samples]
        same = all(isinstance(v, Tensor) and v.shape == values[0].shape for v in values)
        batch[key] = torch.stack(values) if same else values
    return batch
