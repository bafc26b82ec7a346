"""Pairs of clouds that share a class, as far as their labelled points tell.

Dense Supervision Propagation moves features between two clouds that have a class in common. Which classes a cloud has
may be learnt from its labelled points alone: a draw that looked at dense labels would use what is not given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from labelkit.datasets.streams import check_shares, places_of

PARTNERS = ("common", "random", "swapped")


def known_classes(labels: Sequence[Any], labelled: Sequence[Any], classes: int, ignore_index: int = 255) -> np.ndarray:
    """Which classes the labelled points of each cloud show.

    Args:
        labels: of n clouds, (N,) integers each.
        labelled: of the same clouds, (N,) bool each.
        classes: C.
        ignore_index: a label that is none.

    Returns:
        (n, C) bool.

    Raises:
        ValueError: the two do not go together, or a label is outside the list.
    """
    known = np.zeros((len(labels), classes), bool)
    for place, (label, mask) in enumerate(zip(labels, labelled, strict=True)):
        label, mask = np.asarray(label), np.asarray(mask, bool)
        if label.shape != mask.shape:
            raise ValueError(f"cloud {place} has {label.size} labels and {mask.size} marks; expected as many of each")
        seen = np.unique(label[mask])
        seen = seen[seen != ignore_index]
        if seen.size and not 0 <= seen[0] <= seen[-1] < classes:
            raise ValueError(f"cloud {place} holds label {int(seen[-1])}; expected 0..{classes - 1} or {ignore_index}")
        known[place, seen] = True
    return known


class PairStream:
    """An endless stream of batches of pairs; the batch of a step depends on the seed and the step alone.

    First members run through all clouds in an order that is drawn anew each time. A partner is drawn so: one of the
    first member's known classes that another cloud has as well, each equally likely, and then one of the clouds
    that have it. So rare classes bring clouds together as often as floors do. Without such a class, and always with
    ``partner="random"``, any other cloud. ``partner="swapped"`` draws as "common" and then passes each partner on to
    the next first member of the batch: the same clouds, in other pairs.

    Which pairs there are is the same for any number of processes and parts. How ``load`` turns and colours them is not:
    a process draws for the clouds of a part together.

    Args:
        known: (n, C) bool, from `known_classes`.
        pairs: pairs in a joined batch, over all processes and parts.
        load: gives the batch of some clouds, ``load(indices, generator)``; the clouds of a pair lie side by side.
        seed: of all draws.
        partner: "common", "random" or "swapped".
        rank, world_size, parts: this process, their number, and the parts of its share; ``stream[index]`` counts parts,
            as that of a :class:`labelkit.datasets.streams.Stream` does.

    Raises:
        ValueError: fewer than two clouds, pairs that cannot be shared out evenly, or an unknown way to draw partners.
    """

    def __init__(
        self,
        known: np.ndarray,
        pairs: int,
        load: Callable[[list[int], np.random.Generator], Any],
        seed: int = 0,
        partner: str = "common",
        rank: int = 0,
        world_size: int = 1,
        parts: int = 1,
    ) -> None:
        if len(known) < 2:
            raise ValueError(f"{len(known)} cloud(s) were given; a pair needs at least two")
        check_shares(f"{pairs} pairs", pairs, world_size, parts)
        if partner not in PARTNERS:
            raise ValueError(f"partner is {partner!r}; expected one of {', '.join(PARTNERS)}")
        if partner == "swapped" and pairs // (world_size * parts) < 2:
            raise ValueError(f"{pairs} pair(s) in a batch; swapped partners need at least two pairs a process and part")
        self.known, self.pairs, self.load, self.seed = np.asarray(known, bool), pairs, load, seed
        self.partner, self.rank, self.world_size, self.parts = partner, rank, world_size, parts

    def __getitem__(self, index: int) -> Any:
        """The batch of a step, or of a part of a step, 0 <= index."""
        step, part = divmod(index, self.parts)
        generator = np.random.default_rng([self.seed, 3, step, self.rank * self.parts + part])
        return self.load(self.indices(index), generator)

    def indices(self, index: int) -> list[int]:
        """The clouds of a step, or of a part of it, for this process: first, partner, first, partner, ..."""
        step, places = places_of(index, self.pairs, self.rank, self.world_size, self.parts)
        firsts, partners = [], []
        for place in places:
            epoch, offset = divmod(step * self.pairs + place, len(self.known))
            firsts.append(int(_order(self.seed, epoch, len(self.known))[offset]))
            partners.append(self._partner(firsts[-1], np.random.default_rng([self.seed, 2, step, place])))
        if self.partner == "swapped":
            partners = [*partners[1:], partners[0]]
        return [cloud for pair in zip(firsts, partners) for cloud in pair]

    def _partner(self, first: int, generator: np.random.Generator) -> int:
        others = self.known.copy()
        others[first] = False
        shared = np.flatnonzero(self.known[first] & others.any(0))
        # Both draws happen whatever the way, so that arms differ in nothing but the partner.
        lots = generator.random(2)
        if self.partner != "random" and shared.size:
            candidates = np.flatnonzero(others[:, shared[int(lots[0] * len(shared))]])
        else:
            candidates = np.delete(np.arange(len(self.known)), first)
        return int(candidates[int(lots[1] * len(candidates))])


@lru_cache(maxsize=64)
def _order(seed: int, epoch: int, length: int) -> np.ndarray:
    return np.random.default_rng([seed, 1, epoch]).permutation(length)
