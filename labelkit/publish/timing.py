"""Times of two ways to do one thing, taken in turn in a single process, and their ratio; for ``benchmarks/``."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

Action = Callable[[], object]


def seconds(action: Action, device: str = "cpu") -> float:
    """Wall time of one call.

    Args:
        action: what is timed.
        device: ``"cpu"``, ``"cuda"`` or ``"cuda:<n>"``; on CUDA the clock starts when all earlier work is done and
            stops when the work of the call is.

    Returns:
        Seconds.
    """
    synchronise = _synchronise(device)
    synchronise()
    start = time.perf_counter()
    action()
    synchronise()
    return time.perf_counter() - start


def compare(
    sides: dict[str, tuple[str, Action]], rounds: int, device: str = "cpu", title: str = "", warm_up: int = 3
) -> dict[str, float]:
    """Times two sides in rounds and prints a line for each and their ratio.

    In every round each side is called once; which of them comes first changes from round to round, so that neither
    always finds the caches of the other.

    Args:
        sides: key to (words for the printed line, what to call). Two of them; the ratio is the first over the second.
        rounds: number of rounds that count.
        device: ``"cpu"``, ``"cuda"`` or ``"cuda:<n>"``.
        title: line printed before the others; empty for none.
        warm_up: calls of each side before the rounds, not counted.

    Returns:
        ``<key>_seconds`` of both sides, medians over the rounds, and ``ratio``, the median over the rounds of the
        ratio within a round.

    Raises:
        ValueError: not two sides, or no rounds.
    """
    if len(sides) != 2 or rounds < 1:
        raise ValueError(f"compare: {len(sides)} sides and {rounds} rounds; expected two sides and at least one round.")
    for _ in range(warm_up):
        for _, action in sides.values():
            seconds(action, device)
    times: dict[str, list[float]] = {key: [] for key in sides}
    for index in range(rounds):
        for key in reversed(sides) if index % 2 else sides:
            times[key].append(seconds(sides[key][1], device))
    figures = {f"{key}_seconds": statistics.median(times[key]) for key in sides}
    figures["ratio"] = statistics.median(one / other for one, other in zip(*times.values()))
    if title:
        print(title)
    for key, (words, _) in sides.items():
        print(f"{words:<24} {1e3 * figures[f'{key}_seconds']:>9.1f} ms")
    print(f"{'ratio':<24} {figures['ratio']:>9.3f}")
    return figures


def _synchronise(device: str) -> Action:
    if not device.startswith("cuda"):
        return lambda: None
    import torch

    return lambda: torch.cuda.synchronize(device)
