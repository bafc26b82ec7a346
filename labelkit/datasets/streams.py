"""Batches as a pure function of the step.

``stream[step]`` draws its images and its augmentation from random generators seeded by (seed, step, place in the
batch). No state is carried from step to step, so a resumed run, a run with loader processes, each process of a
distributed run and each part of a batch see exactly the samples that one uninterrupted process sees.
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
        batch_size: samples in a joined batch, over all processes and parts.
        augment: ``augment(sample, generator) -> sample``; None leaves samples as they are.
        seed: chooses order and augmentation; streams with different seeds are independent.
        rank, world_size: this process and their number; a process gets its share of the joined batch.
        parts: in how many parts a process takes its share, one after another. ``stream[index]`` then counts parts:
            ``stream[step * parts + part]``.
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
        parts: int = 1,
        collate: Callable[[list[dict[str, Any]]], Any] | None = None,
    ):
        if len(indices) == 0:
            raise ValueError("a stream needs at least one sample; indices is empty")
        check_shares(f"batch_size {batch_size}", batch_size, world_size, parts)
        self.dataset, self.indices, self.batch_size = dataset, np.asarray(indices, dtype=np.int64), batch_size
        self.augment, self.seed, self.collate = augment, seed, collate or stack
        self.rank, self.world_size, self.parts = rank, world_size, parts

    def __getitem__(self, index: int) -> Any:
        """The batch of a step, or of a part of a step, 0 <= index."""
        step, places = places_of(index, self.batch_size, self.rank, self.world_size, self.parts)
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


def check_shares(what: str, count: int, world_size: int, parts: int) -> None:
    """Refuse a batch that cannot be shared out evenly.

    Args:
        what: is shared out, such as "batch_size 3", for the message.
        count: samples, pairs or groups of the joined batch.
        world_size: number of processes.
        parts: of a process's share.

    Raises:
        ValueError: there is nothing to share out, or the shares are not equal.
    """
    if count < 1 or count % (world_size * parts):
        shares = f"{world_size} process(es)" + (f" with {parts} parts each" if parts > 1 else "")
        raise ValueError(f"{what} cannot be shared out evenly over {shares}")


def places_of(index: int, count: int, rank: int, world_size: int, parts: int) -> tuple[int, range]:
    """The step that an index means, and which places of its joined batch are this process's part.

    The joined batch lies in order of processes, and each process's share in order of its parts: as if part ``part`` of
    process ``rank`` were process ``rank * parts + part`` of ``world_size * parts``.

    Args:
        index: step * parts + part.
        count: samples, pairs or groups of a joined batch.
        rank, world_size, parts: see :class:`Stream`.
    """
    step, part = divmod(index, parts)
    share, turn = count // (world_size * parts), rank * parts + part
    return step, range(turn * share, (turn + 1) * share)


class Joined:
    """Several streams side by side: ``Joined(labelled=a, unlabelled=b)[step]`` is ``{"labelled": a[step], ...}``.

    Streams that take a step in parts must all take it in as many.
    """

    def __init__(self, **streams: Any):
        self.streams: Mapping[str, Any] = streams

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {name: stream[index] for name, stream in self.streams.items()}


def stack(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """Collate samples: tensors of one shape are stacked along a new first axis, everything else is gathered in a
    list."""
    batch = {}
    for key in samples[0]:
        values = [sample[key] for sample in samples]
        same = all(isinstance(v, Tensor) and v.shape == values[0].shape for v in values)
        batch[key] = torch.stack(values) if same else values
    return batch
