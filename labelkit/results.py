"""Records of one run, looked up by data set and arm: what tables and figures of a chapter ask for."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from labelkit.contrasts import BEST_ON_VAL, value


class Results:
    """Look-up over records.

    Args:
        records: of one run, each cell once.
        checkpoint: ``"last"`` weights, or ``"best-on-val"``.

    Attributes:
        data: names of the data sets, in the order of the records.
        records: as given.
    """

    def __init__(self, records: Sequence[Mapping[str, Any]], checkpoint: str = "last"):
        self.records, self.checkpoint = list(records), checkpoint
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

    def protocol(self, data: str) -> str:
        """Name of the protocol of the numbers on a data set, the checkpoint included."""
        keys = [k for r in self.records if r["data"] == data for k in r["metrics"] if not k.endswith(BEST_ON_VAL)]
        return keys[0] + (BEST_ON_VAL if self.checkpoint == "best-on-val" else "")

    def scores(self, data: str, arm: str, metric: str = "miou") -> dict[int, float]:
        """Seed to a metric: ``miou``, ``accuracy``, ``miou_rarest_third``, ``iou:<class>``, ``series:<name>:last``."""
        protocol = self.protocol(data)
        return {seed: value(self.record(data, arm, seed), metric, protocol) for seed in self.seeds(data, arm)}

    def mean(self, data: str, arm: str, metric: str = "miou") -> float:
        """Mean of a metric over seeds."""
        return float(np.mean(list(self.scores(data, arm, metric).values())))

    def curve(self, data: str, arms: Mapping[float, str], metric: str = "miou") -> tuple[list[float], np.ndarray]:
        """Values along x: the x whose arm was run, and an array (seeds, x) over the seeds that all of them have."""
        run = {x: arm for x, arm in arms.items() if self.has(data, arm)}
        if not run:
            return [], np.zeros((0, 0))
        seeds = self.seeds(data, *run.values())
        columns = [self.scores(data, arm, metric) for arm in run.values()]
        return list(run), np.array([[column[seed] for column in columns] for seed in seeds])

    def series(self, data: str, arm: str, name: str) -> tuple[list[int], np.ndarray]:
        """Steps and an array (seeds, steps) of a series of training."""
        runs = [self.record(data, arm, seed)["series"][name] for seed in self.seeds(data, arm)]
        return [step for step, _ in runs[0]], np.array([[v for _, v in run] for run in runs], dtype=float)

    def class_iou(self, data: str, arm: str, seeds: Sequence[int]) -> np.ndarray:
        """IoU of each seed and class, (seeds, C); nan where a class occurs nowhere."""
        protocol = self.protocol(data)
        rows = [self.record(data, arm, seed)["metrics"][protocol]["iou"].values() for seed in seeds]
        return np.array([[np.nan if v is None else v for v in row] for row in rows], dtype=float)

    def table(self, data: str, arms: Sequence[str] | None = None) -> Any:
        """A pandas table of arms: mIoU of last and best-on-val weights, rarest third, cost; mean ± sd over seeds."""
        import pandas

        rows = []
        other = Results(self.records, "best-on-val")
        for arm in arms or self.arms(data):
            if not self.has(data, arm):
                continue
            cells = [self.record(data, arm, seed) for seed in self.seeds(data, arm)]
            rows.append(
                {
                    "arm": arm,
                    "mIoU, last": _spread(self.scores(data, arm)),
                    "mIoU, best on val": _spread(other.scores(data, arm)),
                    "mIoU, rarest third": _spread(self.scores(data, arm, "miou_rarest_third")),
                    "steps": cells[0]["steps"],
                    "training s": f"{np.mean([c['measured']['train_seconds'] for c in cells]):.0f}",
                    "seeds": len(cells),
                }
            )
        return pandas.DataFrame(rows).set_index("arm")


def _spread(scores: Mapping[int, float]) -> str:
    values = 100 * np.array(list(scores.values()))
    return f"{values.mean():.1f} ± {values.std(ddof=1):.1f}" if len(values) > 1 else f"{values.mean():.1f}"
