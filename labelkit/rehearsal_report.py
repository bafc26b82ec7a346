"""A rehearsal as a table to read and as values to keep."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from labelkit.experiments.settings import RunSettings
from labelkit.rehearsal import Arm
from labelkit.rehearsal_training import Training

HEAD = ("arm", "training", "steps", "images", "parameters", "TFLOP a step", "memory", "loader s", "step s", "hours")
WAYS = {
    "measured": "steps computed and timed on this GPU",
    "computed": "steps computed and timed on this CPU",
    "counted": "counted at full size without computing; of a mask, all is true",
    "sketched": "counted on a part of the batch without convolutions and matrix products, and scaled up",
}


def table(arms: Sequence[Arm], tflops: float) -> list[str]:
    """Lines of a table with a row for each training, then what the words mean."""
    rows, several = [HEAD], len({arm.data for arm in arms}) > 1
    for arm in arms:
        name = f"{arm.data} {arm.arm}" if several else arm.arm
        rows += [_row(name if number == 0 else "", each, tflops) for number, each in enumerate(arm.trainings)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [_line(row, widths) for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    lines += [f"{arm.data} {arm.arm}: {arm.note}" for arm in arms if arm.note]
    ways = {each.way: None for arm in arms for each in arm.trainings}
    return lines + [f"{way}: {WAYS[way]}" for way in ways] + [_hours_are(ways, tflops)] * bool(ways)


def _row(name: str, training: Training, tflops: float) -> tuple[str, ...]:
    cost = training.cost
    memory = megabytes(cost.memory if cost.peak_memory is None else cost.peak_memory)
    step = "" if cost.step_seconds is None else f"{cost.step_seconds:.3g}"
    return (
        name, f"{training.method} ({training.way})", f"{training.steps:,}", str(training.images),
        f"{training.parameters / 1e6:.1f} M", f"{cost.flops / 1e12:.4g}", memory, f"{training.loader_seconds:.2g}",
        step, f"{training.hours(tflops):.3g}",
    )  # fmt: skip


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    left = [cell.ljust(width) for cell, width in zip(row[:2], widths)]
    return "  ".join(left + [cell.rjust(width) for cell, width in zip(row[2:], widths[2:])])


def _hours_are(ways: Any, tflops: float) -> str:
    if all(way in ("measured", "computed") for way in ways):
        return "hours: measured step time x steps, without loading, validation and making labels"
    return (
        f"hours: computed, not measured: on a device that sustains {tflops:g} TFLOP/s, without loading, validation and "
        "making labels"
    )


def verdict(settings: RunSettings, arms: Sequence[Arm], tflops: float) -> str:
    """One line: that all arms pass and what the run costs, or which does not and why."""
    failed = [arm for arm in arms if arm.problem]
    if failed:
        first = failed[0]
        return f"{len(failed)} of {len(arms)} arms fail, first {first.arm} on {first.data}: {first.problem}"
    trainings = [each for arm in arms for each in arm.trainings]
    seeds = len(settings.seeds)
    total = seeds * sum(each.steps * each.cost.flops for each in trainings)
    hours = seeds * sum(arm.hours(tflops) or 0.0 for arm in arms)
    known = all(each.cost.step_seconds is not None for each in trainings)
    rate = "measured step times" if known else f"{tflops:g} TFLOP/s"
    most = max((each.cost.peak_memory or each.cost.memory for each in trainings), default=0)
    left = sum(bool(arm.note) for arm in arms)
    early = f"; {left} of the arms left early, so this is the least" if left else ""
    return (
        f"passes: {len(arms)} arms x {seeds} seeds, {total / 1e15:.4g} PFLOP in all, {hours:.3g} hours at {rate}; "
        f"memory up to {megabytes(most)} in one process{early}"
    )


def as_values(arm: Arm, tflops: float) -> dict[str, Any]:
    """An arm as plain values, for a file."""
    trainings = []
    for each in arm.trainings:
        cost = asdict(each.cost)
        memory = {key: cost.pop(key) for key in ("weights", "gradients", "optimizer", "batch", "activations")}
        kept = {key: value for key, value in vars(each).items() if key != "cost"}
        are = "computed" if each.cost.step_seconds is None else "measured"
        trainings.append(kept | cost | {"memory": memory, "hours": each.hours(tflops), "hours_are": are})
    named = {"data": arm.data, "arm": arm.arm, "problem": arm.problem or None, "note": arm.note}
    return named | {"hours": arm.hours(tflops), "trainings": trainings}


def megabytes(count: float) -> str:
    """Bytes as text: 1.5 GB, 20 MB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
