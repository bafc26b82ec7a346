"""Records of one run, looked up by data set and arm: what tables and figures of a chapter ask for."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from labelkit.contrasts import BEST_ON_VAL, IncomparableRecords, look_up, number, protocol_key, value

TITLES = {"miou": "mIoU", "miou_rarest_third": "mIoU, rarest third"}
"""Metrics that a table shows by default where records have them, in points."""


class Results:
    """Look-up over records.

    Args:
        records: of one run, each cell once.
        checkpoint: ``"last"`` weights, or ``"best-on-val"``.
        protocol: which protocol to look into: a key of the records' metrics, or what it says after the name of the
            data, e.g. ``"test/whole-image"``. Needed only where records hold several; every method that reads metrics
            takes another one by the same argument.

    Attributes:
        data: names of the data sets, in the order of the records.
        records: as given.
    """

    def __init__(
        self, records: Sequence[Mapping[str, Any]], checkpoint: str = "last", protocol: str | None = None
    ) -> None:
        if checkpoint not in ("last", "best-on-val"):
            raise ValueError(f"checkpoint is {checkpoint!r}; expected 'last' or 'best-on-val'.")
        self.records, self.checkpoint, self._named = list(records), checkpoint, protocol
        self.data = list(dict.fromkeys(record["data"] for record in self.records))
        self._cells = {(r["data"], r["arm"], r["seed"]): r for r in self.records}

    def has(self, data: str, *arms: str) -> bool:
        """Whether every one of these arms was run on the data set."""
        found = {arm for name, arm, _ in self._cells if name == data}
        return found.issuperset(arms)

    def arms(self, data: str) -> list[str]:
        """Arms that were run on the data set, in the order of the records."""
        return list(dict.fromkeys(record["arm"] for record in self.records if record["data"] == data))

    def seeds(self, data: str, *arms: str) -> list[int]:
        """Seeds that all of these arms have, sorted."""
        wanted = arms or tuple(self.arms(data))
        per_arm = [{seed for name, found, seed in self._cells if (name, found) == (data, arm)} for arm in wanted]
        return sorted(set.intersection(*per_arm)) if per_arm else []

    def record(self, data: str, arm: str, seed: int) -> Mapping[str, Any]:
        """One record.

        Raises:
            KeyError: no such cell.
        """
        return self._cells[data, arm, seed]

    def protocol(self, data: str, protocol: str | None = None) -> str:
        """Key of the protocol of the numbers on a data set, the checkpoint included.

        Raises:
            IncomparableRecords: the records share no protocol, share several and none is named, or lack the named one.
        """
        return self._key(data, self.arms(data), protocol, self.checkpoint)

    def scores(self, data: str, arm: str, metric: str = "miou", protocol: str | None = None) -> dict[int, float]:
        """Seed to a metric, in the metric's own scale.

        Args:
            data, arm: of the records.
            metric: as in the contrasts of a claim: ``miou``, ``iou:<class>``, ``series:<name>:last`` and so on.
            protocol: instead of the one given to the constructor.

        Raises:
            IncomparableRecords: a number is absent, or it is not clear which protocol is meant.
        """
        seeds = self.seeds(data, arm)
        key = "" if metric.startswith("series:") or not seeds else self._key(data, [arm], protocol, self.checkpoint)
        return {seed: value(self.record(data, arm, seed), metric, key) for seed in seeds}

    def mean(self, data: str, arm: str, metric: str = "miou", protocol: str | None = None) -> float:
        """Mean of a metric over seeds."""
        return float(np.mean(list(self.scores(data, arm, metric, protocol).values())))

    def curve(
        self, data: str, arms: Mapping[float, str], metric: str = "miou", protocol: str | None = None
    ) -> tuple[list[float], np.ndarray]:
        """Values along x: the x whose arm was run, and an array (seeds, x) over the seeds that all of them have."""
        run = {x: arm for x, arm in arms.items() if self.has(data, arm)}
        if not run:
            return [], np.zeros((0, 0))
        seeds = self.seeds(data, *run.values())
        columns = [self.scores(data, arm, metric, protocol) for arm in run.values()]
        return list(run), np.array([[column[seed] for column in columns] for seed in seeds])

    def series(self, data: str, arm: str, name: str) -> tuple[list[int], np.ndarray]:
        """Steps and an array (seeds, steps) of a series of training."""
        runs = [self.record(data, arm, seed)["series"][name] for seed in self.seeds(data, arm)]
        return [step for step, _ in runs[0]], np.array([[v for _, v in run] for run in runs], dtype=float)

    def classes(self, data: str, metric: str = "iou", protocol: str | None = None) -> list[str]:
        """Names within a group of numbers such as ``iou``, in the order of `by_class`; empty if no record has it."""
        for record in self.records:
            if record["data"] == data:
                group = look_up(record, metric, self._key(data, [record["arm"]], protocol, self.checkpoint))
                if isinstance(group, Mapping):
                    return list(group)
        return []

    def by_class(
        self, data: str, arm: str, seeds: Sequence[int], metric: str = "iou", protocol: str | None = None
    ) -> np.ndarray:
        """A metric of each seed and class, (seeds, C) in the order of `classes`; nan where a class occurs nowhere.

        Args:
            data, arm, seeds: of the records.
            metric: name of a group with one number a class, e.g. ``iou``, ``ap:50``.
            protocol: instead of the one given to the constructor.

        Raises:
            IncomparableRecords: a record lacks the group or one of its classes.
        """
        names, key = self.classes(data, metric, protocol), self._key(data, [arm], protocol, self.checkpoint)
        rows = []
        for seed in seeds:
            group = look_up(self.record(data, arm, seed), metric, key)
            if not isinstance(group, Mapping) or set(group) != set(names):
                there = f"names {', '.join(group)}" if isinstance(group, Mapping) else "is no group of classes"
                wanted = ", ".join(names) or "one number a class"
                raise IncomparableRecords(f"{metric} of arm {arm}, seed {seed} {there}; expected {wanted}.")
            rows.append([np.nan if group[name] is None else group[name] for name in names])
        return np.array(rows, dtype=float).reshape(len(seeds), len(names))

    def class_iou(self, data: str, arm: str, seeds: Sequence[int], protocol: str | None = None) -> np.ndarray:
        """IoU of each seed and class, (seeds, C); nan where a class occurs nowhere."""
        return self.by_class(data, arm, seeds, "iou", protocol)

    def table(
        self,
        data: str,
        arms: Sequence[str] | None = None,
        metrics: Sequence[str] | Mapping[str, str] | None = None,
        protocol: str | None = None,
    ) -> Any:
        """A pandas table of arms: metrics as mean ± standard deviation over seeds, and what a cell cost.

        The first metric is given for the last weights and, where records have them, for those that were best on the
        validation images; the others for the checkpoint of this object. A number that no record has is a dash.

        Args:
            data: name of the data set.
            arms: rows; by default all arms. Those that were not run are left out.
            metrics: names, or name to unit (``points`` shows a fraction times 100). By default mIoU and mIoU of the
                rarest third in points; where records have neither, every plain number of the protocol as it is stored.
            protocol: instead of the one given to the constructor.
        """
        import pandas

        shown = [arm for arm in arms or self.arms(data) if self.has(data, arm)]
        if metrics is None:
            metrics = self._plain_numbers(data, shown, protocol)
        known = dict.fromkeys(TITLES, "points")
        units = dict(metrics) if isinstance(metrics, Mapping) else {name: known.get(name, "") for name in metrics}
        rows = []
        for arm in shown:
            row: dict[str, Any] = {"arm": arm}
            for index, (metric, unit) in enumerate(units.items()):
                title = TITLES.get(metric) or (f"{metric} ({unit})" if unit else metric)
                series = metric.startswith("series:")
                if index or series:
                    row[title] = self._cell(data, arm, metric, unit, protocol, self.checkpoint)
                else:
                    row[f"{title}, last"] = self._cell(data, arm, metric, unit, protocol, "last")
                    row[f"{title}, best on val"] = self._cell(data, arm, metric, unit, protocol, "best-on-val")
            records = [self.record(data, arm, seed) for seed in self.seeds(data, arm)]
            seconds = [r.get("measured", {}).get("train_seconds") for r in records]
            row["steps"] = records[0]["steps"]
            row["training s"] = "–" if None in seconds else f"{np.mean(seconds):.0f}"
            row["seeds"] = len(records)
            rows.append(row)
        frame = pandas.DataFrame(rows, columns=None if rows else ["arm"]).set_index("arm")
        best = [name for name in frame.columns if name.endswith(", best on val")]
        return frame.drop(columns=[name for name in best if (frame[name] == "–").all()])

    def _key(self, data: str, arms: Sequence[str], protocol: str | None, checkpoint: str) -> str:
        records = [record for record in self.records if record["data"] == data and record["arm"] in arms]
        return protocol_key(records, protocol or self._named, checkpoint)

    def _plain_numbers(self, data: str, arms: Sequence[str], protocol: str | None) -> list[str]:
        """The metrics of `TITLES` that any record has; else all that are plain numbers, in the order of the records."""
        found: dict[str, None] = {}
        for arm in arms:
            key = self._key(data, [arm], protocol, "last")
            for seed in self.seeds(data, arm):
                for name, content in self.record(data, arm, seed)["metrics"][key].items():
                    if isinstance(content, int | float) and not isinstance(content, bool):
                        found[name] = None
        return [name for name in TITLES if name in found] or list(found)

    def _cell(self, data: str, arm: str, metric: str, unit: str, protocol: str | None, checkpoint: str) -> str:
        """Mean and standard deviation over the seeds that have the number; how many they are, if not all."""
        values, seeds, key = [], self.seeds(data, arm), ""
        if not metric.startswith("series:"):
            key = self._key(data, [arm], protocol, "last") + (BEST_ON_VAL if checkpoint == "best-on-val" else "")
        for seed in seeds:
            with contextlib.suppress(IncomparableRecords):
                values.append(value(self.record(data, arm, seed), metric, key))
        if not values:
            return "–"
        text = number(float(np.mean(values)), unit)
        if len(values) > 1:
            text += f" ± {number(float(np.std(values, ddof=1)), unit)}"
        return text if len(values) == len(seeds) else f"{text} ({len(values)} of {len(seeds)} seeds)"
