"""One comparison of arms over paired seeds: may it be made, how large is the effect, how sure is it.

For each seed the weighted sum of a metric over arms; then the mean over seeds with its 95 % t-interval, which is held
against a bar: 0, unless the contrast says otherwise. Pairing removes what the arms of a seed share (data split, initial
weights, order of batches), so that small effects show. Records are compared only within one budget, on the same data,
under one protocol, after equal steps (unless the contrast says that steps may differ), and never if a run failed to
give a number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labelkit.papers import Contrast

MINIMUM_SEEDS = 5
BEST_ON_VAL = "/best-on-val"
"""Ending of the protocol keys that belong to the checkpoint chosen on the validation images."""


class IncomparableRecords(ValueError):
    """The records of a contrast must not be compared: another protocol, other data, other steps, or a failed run."""


@dataclass(frozen=True)
class Effect:
    """One effect with its spread.

    Attributes:
        name: name of the contrast or measurement.
        status: verdict on this effect alone.
        mean, low, high: effect and 95 % interval in the metric's own scale (of a fraction, 0.01 is one point). `low`
            and `high` are nan where there is no interval.
        n: number of seeds.
        per_seed: effect of each seed.
        unit: ``"points"`` (of a fraction, shown times 100), ``"fraction"`` (shown as it is), ``"times"`` (a measured
            ratio), or another unit in words.
        bar: what the effect is compared with, in the scale of `mean`.
        asked: what the claim asks for, in words, e.g. ``"at least 5"``; empty for a difference above or below 0.
        difference: whether the effect is a difference, written with its sign, or a level.
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
    asked: str = ""
    difference: bool = True

    @classmethod
    def absent(cls, name: str, status: str, unit: str = "points", bar: float = 0.0) -> Effect:
        """An effect for which there are no numbers yet."""
        return cls(name, status, math.nan, math.nan, math.nan, 0, {}, unit, bar)

    @property
    def fits_forest(self) -> bool:
        """Whether the effect can share an axis with others: a difference in points that has an interval."""
        return self.unit == "points" and self.difference and not math.isnan(self.low)

    def text(self, name_points: bool = False) -> str:
        """The effect as a page writes it, e.g. ``+1.3 [+0.4, +2.2]`` or ``12.1 times (asked: at least 10)``.

        Args:
            name_points: also write the word "points". Without it points go unnamed, because the heading of a table
                says so once; every other unit is always named.
        """
        if math.isnan(self.mean):
            return "–"
        signed = self.difference and self.unit != "times"
        words = number(self.mean, self.unit, signed)
        if not math.isnan(self.low):
            words += f" [{number(self.low, self.unit, signed)}, {number(self.high, self.unit, signed)}]"
        if self.unit == "fraction":
            words += " (as a fraction)"
        elif self.unit != "points" or name_points:
            words += f" {self.unit}"
        return f"{words} (asked: {self.asked})" if self.asked else words


def scale_of(unit: str) -> float:
    """The factor by which pages show a value: 100 for points of a fraction, 1 for every other unit."""
    return 100.0 if unit == "points" else 1.0


def number(value: float, unit: str = "points", signed: bool = False) -> str:
    """A value as pages write it: points and ratios to one decimal, other units to three digits; a true minus sign.

    Args:
        value: in the metric's own scale.
        unit: see `Effect`.
        signed: write a plus before what is above 0, and no sign before what is rounded to 0.
    """
    shown = value * scale_of(unit)
    decimals = 1 if unit == "points" or (unit == "times" and abs(shown) >= 1) else None
    if decimals is None and shown:
        decimals = 2 - math.floor(math.log10(abs(shown)))
    decimals = max(decimals or 0, 0)
    if float(f"{shown:.{decimals}f}") == 0:
        return "0.0" if decimals else "0"
    return f"{shown:{'+' if signed else ''}.{decimals}f}".replace("-", "−")


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
        protocol: protocol to compare, for a contrast that names none; by default the only one that all records used
            share.
        checkpoint: ``"last"`` or ``"best-on-val"``.

    Returns:
        The effect, a reason (empty if there is nothing to explain) and the protocol key used (empty for a series).

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
    every_seed = sorted({seed for _, seed in cells})
    seeds = [seed for seed in every_seed if all((arm, seed) in cells for arm in contrast.weights)]
    try:
        series = contrast.metric.startswith("series:")
        key = "" if series else protocol_key(used, contrast.protocol or protocol, checkpoint)
        per_seed = {
            seed: math.fsum(w * value(cells[arm, seed], contrast.metric, key) for arm, w in contrast.weights.items())
            for seed in seeds
        }
    except IncomparableRecords as refusal:
        raise IncomparableRecords(f"{contrast.name}: {refusal}") from None
    missing = [f"{arm} seed {seed}" for arm in contrast.weights for seed in every_seed if (arm, seed) not in cells]
    reasons = [f"left out, because an arm lacks the seed: {', '.join(missing)}"] if missing else []
    mean, low, high = t_interval(list(per_seed.values())) if seeds else (math.nan, math.nan, math.nan)
    above, below = low > contrast.bar, high < contrast.bar
    holds, fails = (above, below) if contrast.direction == "greater" else (below, above)
    if len(seeds) < MINIMUM_SEEDS:
        status = "not judged"
        reasons.insert(0, f"{len(seeds)} paired seeds, at least {MINIMUM_SEEDS} are needed")
    else:
        status = "supported" if holds else "contradicted" if fails else "inconclusive"
    if len(seeds) >= MINIMUM_SEEDS and low == high:
        reasons.append("the effect is the same in every seed")
    reason = f"{contrast.name}: {', '.join(reasons)}" if reasons else ""
    asked = ""
    if contrast.bar or not contrast.is_difference:
        side = "above" if contrast.direction == "greater" else "below"
        bar = f"{contrast.bar * scale_of(contrast.unit):{'+' if contrast.is_difference and contrast.bar else ''}g}"
        asked = f"{side} {bar}".replace("-", "−")
    effect = Effect(
        contrast.name, status, mean, low, high, len(seeds), per_seed, contrast.unit, contrast.bar, asked,
        contrast.is_difference,
    )  # fmt: skip
    return effect, reason, key


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


def protocol_key(records: Sequence[Mapping], protocol: str | None = None, checkpoint: str = "last") -> str:
    """The one key of ``metrics`` under which these records may be compared.

    Args:
        records: of one data set.
        protocol: the key, or what it says after the name of the data (``test/whole-image``); by default the only one
            that all records share.
        checkpoint: ``"last"``, or ``"best-on-val"`` for the key of that checkpoint.

    Raises:
        IncomparableRecords: the records share none, or several and none is named, or some lack the one that is named.
    """
    keys = [{key for key in record["metrics"] if not key.endswith(BEST_ON_VAL)} for record in records]
    found = ", ".join(sorted(set().union(*keys))) or "none"
    if protocol is None:
        shared = sorted(set.intersection(*keys)) if keys else []
        if len(shared) != 1:
            what = "share several protocols, so one must be named" if shared else "share no protocol"
            raise IncomparableRecords(f"the records {what} (found: {found}).")
        wanted = shared[0]
    else:
        ending = protocol.removesuffix(BEST_ON_VAL)
        fitting = sorted(key for key in set().union(*keys) if ending in (key, key.partition("/")[2]))
        if len(fitting) > 1:
            raise IncomparableRecords(f"several protocols end in {ending} ({', '.join(fitting)}).")
        wanted = fitting[0] if fitting else ending
    wanted += BEST_ON_VAL if checkpoint == "best-on-val" else ""
    without = sorted({record["arm"] for record in records if wanted not in record["metrics"]})
    if without or not records:
        raise IncomparableRecords(f"no result under {wanted} for {', '.join(without) or 'any arm'} (found: {found}).")
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


def look_up(record: Mapping, metric: str, key: str) -> Any:
    """What a record holds under a metric's name: a number, a group of them, or None if it is not there.

    Args:
        record: the record.
        metric: see `labelkit.papers.Contrast`, without ``series:``.
        key: protocol key.
    """
    found = record["metrics"].get(key)
    for name in metric.split(":"):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def value(record: Mapping, metric: str, key: str = "") -> float:
    """One number of a record, in the metric's own scale; a missing or non-finite one is refused by name.

    Args:
        record: the record.
        metric: see `labelkit.papers.Contrast`.
        key: protocol key; not used for a series.
    """
    if metric.startswith("series:"):
        _, name, kind = metric.split(":")
        points = [value for _, value in record.get("series", {}).get(name) or []]
        if len(points) < (2 if kind == "gain" else 1) or None in (points[0], points[-1]):
            found = None
        else:
            found = points[-1] - points[0] if kind == "gain" else points[-1]
    else:
        found = look_up(record, metric, key)
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        if isinstance(found, Mapping):
            what = f"a group ({', '.join(map(str, found))})"
        else:
            what = "absent" if found is None else repr(found)
        raise IncomparableRecords(f"{metric} of arm {record['arm']}, seed {record['seed']} is {what}, not a number.")
    return float(found)
