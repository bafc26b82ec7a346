"""One comparison of arms over paired seeds: may it be made, how large is the effect, how sure is it.

For each seed the weighted sum of a metric over arms; then the mean over seeds with its 95 % t-interval. Pairing removes
what the arms of a seed share (data split, initial weights, order of batches), so that small effects show. Records are
compared only within one budget, on the same data, under one protocol, after equal steps (unless the contrast says that
steps may differ), and never if a run failed to give a number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from labelkit.papers import Contrast

MINIMUM_SEEDS = 5
BEST_ON_VAL = "/best-on-val"
"""Ending of the metric keys that belong to the checkpoint chosen on the validation images."""


class IncomparableRecords(ValueError):
    """The records of a contrast must not be compared: another protocol, other data, other steps, or a failed run."""


@dataclass(frozen=True)
class Effect:
    """One effect with its spread.

    Attributes:
        name: name of the contrast or measurement.
        status: verdict on this effect alone.
        mean, low, high: effect and 95 % interval as fractions (0.01 is one mIoU point), or a ratio if `unit` is
            ``"times"``. `low` and `high` are nan where there is no interval.
        n: number of seeds.
        per_seed: effect of each seed.
        unit: ``"points"`` (a difference of fractions) or ``"times"`` (a measured ratio).
        bar: what the effect is compared with: 0 for points, the ratio asked for otherwise.
    """

    name: str
    status: str
    mean: float
    low: float
    high: float
    n: int
    per_seed: Mapping[int, float] = field(default_factory=dict)
    unit: str = "points"
    bar: float = 0.0

    @classmethod
    def absent(cls, name: str, status: str, unit: str = "points", bar: float = 0.0) -> Effect:
        """An effect for which there are no numbers yet."""
        return cls(name, status, math.nan, math.nan, math.nan, 0, {}, unit, bar)

    def text(self) -> str:
        """The effect as a page writes it, e.g. ``+1.3 [+0.4, +2.2]`` points or ``12.1 times``."""
        if math.isnan(self.mean):
            return "–"
        if self.unit == "times":
            return f"{self.mean:.1f} times (asked: at least {self.bar:g})"
        if math.isnan(self.low):
            return _points(self.mean)
        return f"{_points(self.mean)} [{_points(self.low)}, {_points(self.high)}]"


def t_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float, float]:
    """Mean and two-sided Student t-interval of independent values.

    Returns:
        (mean, low, high). The interval is (nan, nan) for one value, and has no width if all values are equal.
    """
    n = len(values)
    mean = math.fsum(values) / n
    if n < 2:
        return mean, math.nan, math.nan
    variance = math.fsum((value - mean) ** 2 for value in values) / (n - 1)
    if max(values) == min(values) or variance == 0.0:
        return values[0], values[0], values[0]
    from scipy.stats import t

    half = float(t.ppf((1 + confidence) / 2, n - 1)) * math.sqrt(variance / n)
    return mean, mean - half, mean + half


def judge_contrast(
    contrast: Contrast, judged: Sequence[Mapping], protocol: str | None, checkpoint: str
) -> tuple[Effect, str, str]:
    """Judges one contrast.

    Args:
        contrast: what is compared.
        judged: records of one paper and one data set; each of the contrast's arms has some.
        protocol: metric key to compare; by default the only one that all records used share.
        checkpoint: ``"last"`` or ``"best-on-val"``.

    Returns:
        The effect, a reason (empty if there is nothing to explain) and the metric key used (empty for a series).

    Raises:
        IncomparableRecords: the records must not be compared.
    """
    cells: dict[tuple[str, int], Mapping] = {}
    for record in judged:
        if record["arm"] in contrast.weights:
            cell = record["arm"], record["seed"]
            if cell in cells:
                raise IncomparableRecords(
                    f"{contrast.name}: arm {cell[0]}, seed {cell[1]} is in two runs, {cells[cell]['run']} and "
                    f"{record['run']}; name the run to judge."
                )
            cells[cell] = record
    used = list(cells.values())
    _same_setting(contrast, used)
    _same_splits(contrast, used)
    key = "" if contrast.metric.startswith("series:") else _protocol(contrast, used, protocol, checkpoint)

    every_seed = sorted({seed for _, seed in cells})
    seeds = [seed for seed in every_seed if all((arm, seed) in cells for arm in contrast.weights)]
    per_seed = {
        seed: math.fsum(w * value(cells[arm, seed], contrast.metric, key) for arm, w in contrast.weights.items())
        for seed in seeds
    }
    missing = [f"{arm} seed {seed}" for arm in contrast.weights for seed in every_seed if (arm, seed) not in cells]
    reasons = [f"left out, because an arm lacks the seed: {', '.join(missing)}"] if missing else []
    mean, low, high = t_interval(list(per_seed.values())) if seeds else (math.nan, math.nan, math.nan)
    above, below = low > 0, high < 0
    holds, fails = (above, below) if contrast.direction == "greater" else (below, above)
    if len(seeds) < MINIMUM_SEEDS:
        status = "not judged"
        reasons.insert(0, f"{len(seeds)} paired seeds, at least {MINIMUM_SEEDS} are needed")
    else:
        status = "supported" if holds else "contradicted" if fails else "inconclusive"
    if len(seeds) >= MINIMUM_SEEDS and low == high:
        reasons.append("the effect is the same in every seed")
    reason = f"{contrast.name}: {', '.join(reasons)}" if reasons else ""
    return Effect(contrast.name, status, mean, low, high, len(seeds), per_seed), reason, key


def _same_setting(contrast: Contrast, used: Sequence[Mapping]) -> None:
    """Budget, data and (unless the contrast says otherwise) steps must be equal."""
    for what, values in {
        "budgets": {r["budget"] for r in used},
        "data fingerprints": {r["dataset"].get("fingerprint") for r in used},
        "numbers of steps": {r["steps"] for r in used} if contrast.steps == "equal" else set(),
    }.items():
        if len(values) > 1:
            raise IncomparableRecords(
                f"{contrast.name}: the arms have different {what} ({', '.join(sorted(map(str, values)))})."
            )
        if values == {None}:
            raise IncomparableRecords(f"{contrast.name}: the records carry no {what}, so they cannot be compared.")


def _protocol(contrast: Contrast, used: Sequence[Mapping], protocol: str | None, checkpoint: str) -> str:
    """The one metric key under which these records may be compared."""
    suffix = BEST_ON_VAL if checkpoint == "best-on-val" else ""
    keys = [{key for key in record["metrics"] if not key.endswith(BEST_ON_VAL)} for record in used]
    if protocol is None:
        shared = sorted(set.intersection(*keys))
        if len(shared) != 1:
            found = ", ".join(sorted(set.union(*keys))) or "none"
            what = "share no protocol" if not shared else "share several protocols, so one must be named"
            raise IncomparableRecords(f"{contrast.name}: the records {what} (found: {found}).")
        protocol = shared[0]
    wanted = protocol.removesuffix(BEST_ON_VAL) + suffix
    without = sorted({record["arm"] for record in used if wanted not in record["metrics"]})
    if without:
        raise IncomparableRecords(f"{contrast.name}: no result under {wanted} for {', '.join(without)}.")
    return wanted


def _same_splits(contrast: Contrast, used: Sequence[Mapping]) -> None:
    """Arms of one seed that name the same split must have drawn the same images."""
    drawn: dict[tuple, str] = {}
    for record in used:
        split = record.get("split") or {}
        if "hash" in split:
            place = split.get("name"), record["seed"]
            if drawn.setdefault(place, split["hash"]) != split["hash"]:
                raise IncomparableRecords(
                    f"{contrast.name}: split {place[0]} of seed {place[1]} holds different images in different arms."
                )


def value(record: Mapping, metric: str, key: str) -> float:
    """One number of a record, as a fraction; a missing or non-finite one is refused by name."""
    if metric.startswith("series:"):
        _, name, kind = metric.split(":")
        points = [value for _, value in record.get("series", {}).get(name) or []]
        if len(points) < (2 if kind == "gain" else 1) or None in (points[0], points[-1]):
            value = None
        else:
            value = points[-1] - points[0] if kind == "gain" else points[-1]
    elif metric.startswith("iou:"):
        value = record["metrics"][key].get("iou", {}).get(metric.removeprefix("iou:"))
    else:
        value = record["metrics"][key].get(metric)
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise IncomparableRecords(f"{metric} of arm {record['arm']}, seed {record['seed']} is {value}, not a number.")
    return float(value)


def _points(value: float) -> str:
    """A fraction in points with its sign; a true minus, and no negative zero."""
    text = f"{100 * value:+.1f}"
    return "0.0" if float(text) == 0 else text.replace("-", "−")
