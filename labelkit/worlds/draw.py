"""Random numbers that are the same on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class Draw:
    """A stream of uniform numbers, keyed by integers.

    Only `Generator.random` of PCG64 is used: 53 random bits times a power of two, which is exact.

    Args:
        key: non-negative integers that name the stream.
    """

    def __init__(self, *key: int) -> None:
        self._generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))
        self._pool: list[float] = []

    def unit(self) -> float:
        """A number in [0, 1)."""
        if not self._pool:
            self._pool = self._generator.random(256).tolist()
        return self._pool.pop()

    def between(self, low: float, high: float) -> float:
        """A number in [low, high)."""
        return low + (high - low) * self.unit()

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self.unit() < probability

    def below(self, count: int) -> int:
        """An integer in 0..count-1."""
        return int(self.unit() * count)

    def pick(self, options: Sequence[T]) -> T:
        """One of the options, all equally likely."""
        return options[int(self.unit() * len(options))]
