"""The full-scale runs of a paper: what their files promise, what a rehearsal computed, and what our records say."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from labelkit.contrasts import IncomparableRecords, protocol_key, value
from labelkit.papers import Published
from labelkit.validated import read_yaml

SHOWN_AS = {"%": 100.0, "points": 100.0}
"""Factor by which pages show a fraction of a record, by the unit of the published number beside it."""


@dataclass(frozen=True)
class Run:
    """A full-scale run file, as a page shows it.

    Attributes:
        paper, name: of the file, ``data/runs/<paper>/<name>.yaml``.
        title: what it is, from the comment that the file begins with.
        data, arms, seeds, steps: as in the file.
        hardware: what it is meant for.
        gpu_hours: of the whole run, if they were measured.
        differs: what it does otherwise than the paper.
        expected: arm and value of each published number that the file names.
    """

    paper: str
    name: str
    title: str
    data: tuple[str, ...]
    arms: tuple[str, ...]
    seeds: tuple[int, ...]
    steps: int
    hardware: str
    gpu_hours: float | None
    differs: tuple[str, ...]
    expected: tuple[tuple[str, float], ...] = ()

    @property
    def command(self) -> str:
        """What to type."""
        return f"labelkit run data/runs/{self.paper}/{self.name}.yaml"

    @property
    def anchor(self) -> str:
        """Name of its place on the page of the paper."""
        return f"run-{self.name.replace('_', '-')}"


def full_runs(paper: str, root: Path) -> dict[str, Run]:
    """The run files of a paper with the budget ``full``, by name.

    Args:
        paper: name of the paper.
        root: root of the repository.

    Raises:
        ValueError: a file is not valid YAML.
    """
    found = {}
    for path in sorted((root / "data" / "runs" / paper).glob("*.yaml")):
        values = read_yaml(path)
        if not isinstance(values, dict) or values.get("budget") != "full":
            continue
        about = values.get("about", {})
        found[path.stem] = Run(
            paper=paper,
            name=path.stem,
            title=_title(path.read_text(encoding="utf-8")) or path.stem,
            data=tuple(values["data"]),
            arms=tuple(values["arms"]),
            seeds=tuple(values["seeds"]),
            steps=values["steps"],
            hardware=about.get("hardware", ""),
            gpu_hours=about.get("gpu_hours"),
            differs=tuple(about.get("differs", ())),
            expected=tuple((each["arm"], float(each["value"])) for each in about.get("expected", ())),
        )
    return found


def _title(text: str) -> str:
    """The comment at the beginning of a file, without what all of them begin with."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# ").strip())
    title = " ".join(lines).rstrip(".")
    return title.partition("at the paper's scale")[2].lstrip(":. ") or title


@dataclass(frozen=True)
class Measured:
    """What our records say about a published number.

    Attributes:
        mean, spread: over seeds, in the unit of the published number; `spread` is the standard deviation, None for one
            seed.
        seeds: number of seeds.
        refused: why records that there are must not be shown; then there is no mean.
    """

    mean: float = 0.0
    spread: float | None = None
    seeds: int = 0
    refused: str = ""


def measured(row: Published, run: Run, records: Sequence[Mapping]) -> Measured | None:
    """Our full-scale numbers for a published one; None if there is no record yet, or none that could hold it.

    Only records of budget ``full`` count, of the run and arm that the sheet names, on the run's data, under the
    protocol that it names, after the last step.

    Args:
        row: the published number.
        run: the run that it names.
        records: committed records.
    """
    own = [
        record
        for record in records
        if (record["paper"], record["run"], record["arm"]) == (run.paper, row.run, row.arm)
        and record["budget"] == "full"
        and record["data"] == run.data[0]
    ]
    if not own or row.record is None:
        return None
    protocol, _, metric = row.record.partition(":")
    try:
        if len({record["dataset"].get("fingerprint") for record in own}) > 1:
            raise IncomparableRecords("the records were made on data with different fingerprints.")
        key = protocol_key(own, protocol)
        found = [SHOWN_AS.get(row.unit, 1.0) * value(record, metric, key) for record in own]
    except IncomparableRecords as refusal:
        return Measured(refused=str(refusal))
    return Measured(statistics.fmean(found), statistics.stdev(found) if len(found) > 1 else None, len(found))


def costs(paper: str, root: Path) -> dict[str, str]:
    """What the runs of a paper cost in GPU hours, over all arms and seeds, by name of the run, as a page writes it.

    The hours are those of ``data/results/<paper>/rehearsals.json``: counted operations over an assumed rate, or the
    measured time of a step, times the steps. Without that file the answer is empty.

    Args:
        paper: name of the paper.
        root: root of the repository.

    Raises:
        ValueError: the file is not what a rehearsal writes.
    """
    path = root / "data" / "results" / paper / "rehearsals.json"
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {
            name: _cost(found, content["tflops"], content["machine"]) for name, found in sorted(content["runs"].items())
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: not what a rehearsal writes ({type(error).__name__}: {error}).") from None


def _cost(found: Mapping, tflops: float, machine: str) -> str:
    failed = [cell["arm"] for cell in found["cells"] if cell["hours"] is None]
    hours = found["seeds"] * sum(cell["hours"] for cell in found["cells"] if cell["hours"] is not None)
    ways = {training["hours_are"] for cell in found["cells"] for training in cell["trainings"]}
    if not ways:
        return "not computed"
    amount = f"{hours:,.0f}" if hours >= 10 else f"{hours:.2g}"
    text = f"{amount} GPU hours, " + (
        f"from the measured time of a step on {machine}"
        if ways == {"measured"}
        else f"computed for {tflops:g} TFLOP/s"
        if ways == {"computed"}
        else f"in part from measured steps on {machine}, in part computed for {tflops:g} TFLOP/s"
    )
    return text + (f"; without {', '.join(failed)}" if failed else "")
