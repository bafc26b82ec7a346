"""Records in, verdicts out.

A claim is judged on one data set from records paired by seed (`labelkit.contrasts`). A claim with several contrasts
needs all of them: no correction for their number is made, and none is needed for "supported", which gets harder with
each contrast; "contradicted" gets easier with each.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelkit.contrasts import MINIMUM_SEEDS, Effect, IncomparableRecords, judge_contrast, t_interval
from labelkit.papers import ROOT, Claim, Measurement, Paper

__all__ = [
    "MINIMUM_SEEDS",
    "STATUSES",
    "Effect",
    "IncomparableRecords",
    "Verdict",
    "judge",
    "judge_paper",
    "load_records",
    "t_interval",
]

JUDGED_BUDGETS = ("lesson", "full")
STATUSES = ("supported", "contradicted", "inconclusive", "exact", "not yet run", "not judged", "refused")
"""Every verdict there is; `refused` is given by `judge_paper` where `judge` raises `IncomparableRecords`."""

_NEEDED = {"schema", "paper", "run", "budget", "arm", "data", "seed", "metrics", "series", "steps", "dataset"}


@dataclass(frozen=True)
class Verdict:
    """What the records say about one claim on one data set.

    Attributes:
        status: one of `STATUSES`.
        effects: one for each contrast or measurement that could be computed.
        reason: one sentence that says why, for the reader.
        claim: the claim's id.
        data: the data set's name as in the records; empty where the verdict does not rest on records.
        protocol: protocol keys that were compared, with commas; empty if none.
    """

    status: str
    effects: tuple[Effect, ...] = ()
    reason: str = ""
    claim: str = ""
    data: str = ""
    protocol: str = ""


def load_records(paths: str | Path | Iterable[str | Path]) -> list[dict]:
    """Reads records from JSON-lines files, or from all of a folder.

    Args:
        paths: a ``.jsonl`` file, a folder that holds some, or several of either.

    Raises:
        FileNotFoundError: a path does not exist.
        ValueError: a line is not a record (the file and line are named), or two records describe the same run.
    """
    paths = [paths] if isinstance(paths, str | Path) else list(paths)
    records = []
    for path in map(Path, paths):
        if not path.exists():
            raise FileNotFoundError(f"{path} does not exist; expected a file of records (.jsonl) or a folder of them.")
        for file in sorted(path.glob("*.jsonl")) if path.is_dir() else [path]:
            records += _read(file)
    _refuse_duplicates(records)
    return records


def judge(
    claim: Claim,
    records: Sequence[Mapping[str, Any]],
    data: str,
    *,
    protocol: str | None = None,
    checkpoint: str = "last",
    run: str | None = None,
    root: str | Path = ROOT,
) -> Verdict:
    """Judges one claim on one data set.

    Args:
        claim: the registered claim.
        records: records of one paper; only budgets ``lesson`` and ``full`` are judged.
        data: name of the data set, as in the records' ``data``.
        protocol: protocol to compare, for contrasts that name none: a key of the records' metrics, or what it says
            after the name of the data; by default the only one that all records of a contrast share.
        checkpoint: ``"last"``, or ``"best-on-val"`` for the checkpoint chosen on the validation images.
        run: name of the run to use, where records of several runs lie together.
        root: folder to which a claim's ``test`` and ``source`` are relative.

    Raises:
        IncomparableRecords: the records of a contrast must not be compared.
        ValueError: two records describe the same run, or `checkpoint` is unknown.
    """
    if checkpoint not in ("last", "best-on-val"):
        raise ValueError(f"checkpoint is {checkpoint!r}; expected 'last' or 'best-on-val'.")
    if claim.kind == "exact":
        return _judge_exact(claim, Path(root))
    if claim.kind == "measured":
        return _judge_measured(claim, Path(root))
    _refuse_duplicates(records)
    if not claim.concerns(data):
        effects = tuple(Effect.absent(each.name, "not judged", each.unit, each.bar) for each in claim.contrasts)
        return Verdict("not judged", effects, f"meant for {' and '.join(claim.data)} alone", claim.id, data)
    here = [r for r in records if r["data"] == data and (run is None or r["run"] == run)]
    judged = [r for r in here if r["budget"] in JUDGED_BUDGETS]
    effects, reasons, protocols = [], [], set()
    for contrast in claim.contrasts:
        missing = [arm for arm in contrast.weights if not any(r["arm"] == arm for r in judged)]
        if missing and all(any(r["arm"] == arm for r in here) for arm in missing):
            effects.append(Effect.absent(contrast.name, "not judged", contrast.unit, contrast.bar))
            reasons.append(f"{contrast.name}: only smoke runs of {', '.join(missing)}, and those are never judged")
        elif missing:
            effects.append(Effect.absent(contrast.name, "not yet run", contrast.unit, contrast.bar))
            reasons.append(f"{contrast.name}: no records of {', '.join(missing)} on {data}")
        else:
            effect, reason, key = judge_contrast(contrast, judged, protocol, checkpoint)
            effects.append(effect)
            reasons.append(reason)
            protocols.add(key)
    status = _together(effect.status for effect in effects)
    return Verdict(
        status, tuple(effects), "; ".join(filter(None, reasons)), claim.id, data, ", ".join(sorted(protocols - {""}))
    )


def judge_paper(
    paper: Paper, records: Sequence[Mapping[str, Any]], data: Sequence[str] | None = None, **options: Any
) -> dict[str, list[Verdict]]:
    """Judges every claim of a paper on every data set; a refusal becomes a verdict with its reason.

    Args:
        paper: the paper's sheet.
        records: records of any papers; those of this paper are used.
        data: data sets in the order wanted; by default those in the records, in the order met.
        **options: passed on to `judge`.
    """
    own = [record for record in records if record["paper"] == paper.paper]
    names = list(dict.fromkeys(record["data"] for record in own)) if data is None else list(data)
    verdicts: dict[str, list[Verdict]] = {}
    for name in names:
        verdicts[name] = []
        for claim in paper.claims:
            try:
                verdict = judge(claim, own, name, **options)
            except IncomparableRecords as refusal:
                verdict = Verdict("refused", (), str(refusal), claim.id, name)
            verdicts[name].append(verdict)
    return verdicts


def _judge_exact(claim: Claim, root: Path) -> Verdict:
    file, _, name = claim.test.partition("::")
    path = root / file
    if not path.is_file() or (name and f"def {name.split('::')[-1]}(" not in path.read_text(encoding="utf-8")):
        return Verdict("not yet run", (), f"the test {claim.test} is not there yet", claim.id)
    return Verdict("exact", (), f"proven by {claim.test}", claim.id)


def _judge_measured(claim: Claim, root: Path) -> Verdict:
    path = root / claim.source
    try:
        content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError:
        raise ValueError(f"{path}: not valid JSON; expected the figures of a benchmark.") from None
    effects = tuple(_measured(measurement, content, path) for measurement in claim.measurements)
    absent = [m.value for m, e in zip(claim.measurements, effects) if e.status == "not yet run"]
    reason = f"{claim.source} does not hold {', '.join(absent)}" if absent else f"measured once, in {claim.source}"
    return Verdict(_together(effect.status for effect in effects), effects, reason, claim.id)


def _measured(measurement: Measurement, content: Any, path: Path) -> Effect:
    value = content
    for key in measurement.value.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    if value is None:
        return Effect.absent(measurement.name, "not yet run", measurement.unit, measurement.bar)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{path}: {measurement.value} is {value!r}; expected a number.")
    holds = value <= measurement.bar if measurement.at_least is None else value >= measurement.bar
    return Effect(
        measurement.name, "supported" if holds else "contradicted", float(value), math.nan, math.nan, 1, {},
        measurement.unit, measurement.bar, measurement.asked, difference=False,
    )  # fmt: skip


def _together(statuses: Iterable[str]) -> str:
    """A claim holds only if every part does; it falls with any part; else it is as open as its least known part."""
    statuses = set(statuses)
    for status in ("contradicted", "not yet run", "not judged", "inconclusive"):
        if status in statuses:
            return status
    return "supported"


def _read(file: Path) -> list[dict]:
    records = []
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"{file}: not a text file in UTF-8; expected one JSON object a line.") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError:
            raise ValueError(f"{file}, line {number}: not valid JSON; expected one record a line.") from None
        absent = sorted(_NEEDED - record.keys()) if isinstance(record, dict) else sorted(_NEEDED)
        if absent:
            raise ValueError(f"{file}, line {number}: not a record, it lacks {', '.join(absent)}.")
        if record["schema"] != 1:
            raise ValueError(f"{file}, line {number}: schema {record['schema']!r}; this version reads schema 1.")
        records.append(record)
    return records


def _refuse_duplicates(records: Iterable[Mapping[str, Any]]) -> None:
    seen = set()
    for record in records:
        cell = record["paper"], record["run"], record["data"], record["arm"], record["seed"]
        if cell in seen:
            raise ValueError(
                "Two records describe the same run: paper {}, run {}, data {}, arm {}, seed {}.".format(*cell)
            )
        seen.add(cell)
