"""Tables of all records: results that can be filtered and sorted, means over seeds, and what was run where."""

from __future__ import annotations

import csv
import io
import platform
import statistics
from collections import defaultdict
from html import escape

from labelkit.contrasts import BEST_ON_VAL
from labelkit.papers import Paper
from labelkit.provenance import code_digest
from labelkit.publish.markdown import list_table, markup
from labelkit.publish.provenance import duration, facts


def rows(records: list[dict]) -> list[dict[str, str | int | float]]:
    """One row for each record, protocol and checkpoint, with every metric that is a single number.

    Args:
        records: committed records.
    """
    found = []
    for record in records:
        for protocol, metrics in record["metrics"].items():
            row = {key: record[key] for key in ("paper", "run", "data", "arm", "seed", "steps")}
            row["protocol"] = protocol.removesuffix(BEST_ON_VAL)
            row["checkpoint"] = "best on val" if protocol.endswith(BEST_ON_VAL) else "last"
            row.update({k: v for k, v in metrics.items() if isinstance(v, int | float) and not isinstance(v, bool)})
            found.append(row)
    return found


def as_csv(records: list[dict]) -> str:
    """The rows as CSV, for readers who want to compute with them."""
    table = rows(records)
    names = list(dict.fromkeys(name for row in table for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return out.getvalue()


def results(papers: list[Paper], records: list[dict]) -> str:
    """The body of the results page: for each paper the means over seeds, then every record.

    Args:
        papers: sheets in the order wanted.
        records: committed records.
    """
    parts = []
    for paper in papers:
        table = rows([record for record in records if record["paper"] == paper.paper])
        parts.append(f"## {markup(paper.short)}")
        if not table:
            parts.append("Not yet run: there are no records of this paper.")
            continue
        parts += ["### Means over seeds", _html(_means(table), paper.short, "means over seeds")]
        parts += ["### Every record", _html(table, paper.short, "every record", folded=True)]
    return "\n\n".join(parts) + "\n"


def execution(papers: list[Paper], records: list[dict], chapters: set[str]) -> str:
    """The body of the execution page: for each paper and run the duration, device, commit and versions.

    Beside the commit stands whether the code that the records depend on has changed since they were made.

    Args:
        papers: sheets in the order wanted.
        records: committed records.
        chapters: papers whose chapter is in the book; only those are linked.
    """
    if not papers:
        return "No paper has been registered yet.\n"
    out = [("chapter", "run", "computing time", "device", "code", "versions", "run on")]
    for paper in papers:
        name = f"[{markup(paper.short)}](../notebooks/{paper.paper}.ipynb)"
        if paper.paper not in chapters:
            name = markup(paper.short)
        runs: dict[str, list[dict]] = defaultdict(list)
        for record in records:
            if record["paper"] == paper.paper:
                runs[record["run"]].append(record)
        if not runs:
            out.append((name, "not yet run", *["–"] * 5))
        for run, of_run in sorted(runs.items()):
            known = {fact: markup(", ".join(values)) for fact, values in facts(of_run)}
            known["Code"] += code_remark(paper.paper, of_run)
            origin = [known[fact] for fact in ("Device", "Code", "Versions", "Run on")]
            seconds = [record["measured"]["seconds"] for record in of_run]
            time = f"{duration(sum(seconds))} for {len(of_run)} records, the longest {duration(max(seconds))}"
            out.append((name, markup(run), time, *origin))
    return list_table(out, "execution", widths="11 11 18 18 14 16 12")


def code_remark(paper: str, records: list[dict]) -> str:
    """Whether the code that made these records is the code of today, as a clause for a table; empty if it is.

    The digest of the code goes through Python's own parser, so only records of this Python version can be compared.

    Args:
        paper: name of the paper, of the experiment in the library.
        records: records of one of its runs.
    """
    here, others = _minor(platform.python_version()), set()
    for record in records:
        made = _minor(record["versions"].get("python") or "unknown")
        if made != here:
            others.add(made)
        elif record["code"].get("digest") != _digest_today(paper, record["data"]):
            return "; the code has changed since"
    listed = ", ".join(sorted(others))
    return f"; not compared with the code of today, because it was made under Python {listed}" if others else ""


def _digest_today(paper: str, data: str) -> str | None:
    """Digest of the code that a cell on this data set would run today; None if it could not be run any more."""
    from labelkit.experiments.data import find

    try:
        return code_digest(paper, find(data).module)
    except (FileNotFoundError, ValueError):
        return None


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _means(table: list[dict]) -> list[dict]:
    """Mean and standard deviation over seeds of each metric, for equal run, data, arm, protocol and checkpoint."""
    groups: dict[tuple, list[dict]] = defaultdict(list)
    for row in table:
        groups[tuple(row[key] for key in ("run", "data", "arm", "protocol", "checkpoint", "steps"))].append(row)
    found = []
    for (run, data, arm, protocol, checkpoint, steps), members in groups.items():
        row = {"run": run, "data": data, "arm": arm, "protocol": protocol, "checkpoint": checkpoint}
        row |= {"steps": steps, "seeds": len(members)}
        for name in _metrics(members):
            values = [member[name] for member in members if name in member]
            spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
            row[name] = f"{statistics.fmean(values):.3f}{spread}"
        found.append(row)
    return found


def _metrics(table: list[dict]) -> list[str]:
    fixed = ("paper", "run", "data", "arm", "seed", "seeds", "steps", "protocol", "checkpoint")
    return [name for name in dict.fromkeys(name for row in table for name in row) if name not in fixed]


def _html(table: list[dict], short: str, what: str, folded: bool = False) -> str:
    """A table that the page's script filters and sorts; without the script it is a plain table."""
    metrics = _metrics(table)
    before, after = ("run", "data", "arm", "seed", "seeds", "checkpoint"), ("steps", "protocol")
    names = [*(name for name in before if name in table[0]), *metrics, *after]
    head = "".join(f'<th scope="col">{escape(name.replace("_", " "))}</th>' for name in names)
    body = []
    for row in table:
        cells = []
        for name in names:
            cell = row.get(name, "")
            text = f"{cell:.4f}" if isinstance(cell, float) else str(cell)
            css = ' class="number"' if name in metrics or isinstance(cell, int | float) else ""
            cells.append(f"<td{css}>{escape(text)}</td>")
        body.append(f"<tr>{''.join(cells)}</tr>")
    html = (
        f'<div class="records"><table class="records" aria-label="{escape(short)}: {what}">'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )
    return f"<details><summary>{len(table)} rows</summary>{html}</details>" if folded else html
