"""The page of published tables of each paper: every number, how sure it is, and what our full-scale run says beside it.

A page never puts two numbers side by side that were measured under different protocols: then it says why not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from labelkit.papers import STATUS_SYMBOLS, STATUS_WORDS, Paper, Published, Remark
from labelkit.publish.full_scale import Measured, Run, measured
from labelkit.publish.markdown import list_table, markup

MARKS = "†‡§¶‖#"
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass
class _Notes:
    """Notes below a table: each text once, under the mark that its cells carry."""

    marks: Sequence[str] | None = None
    texts: list[str] = field(default_factory=list)

    def mark(self, text: str) -> str:
        """The mark of a text, new or known."""
        if text not in self.texts:
            self.texts.append(text)
        place = self.texts.index(text)
        if self.marks is None:
            return str(place + 1)
        return self.marks[place % len(self.marks)] * (1 + place // len(self.marks))

    def line(self, title: str) -> str:
        """All notes as one Markdown paragraph; a single one needs no mark."""
        if self.marks == LETTERS and len(self.texts) == 1:
            return f"**{title}.** {markup(self.texts[0])}."
        return f"**{title}.** " + "; ".join(f"<sup>{self.mark(text)}</sup> {markup(text)}" for text in self.texts) + "."


def page(
    paper: Paper, runs: Mapping[str, Run], records: Sequence[Mapping], costs: Mapping[str, str], chapter: bool
) -> str:
    """The page of one paper.

    Args:
        paper: its sheet.
        runs: its full-scale run files by name.
        records: committed records of any paper and run.
        costs: what a run costs, in words, by its name; see `labelkit.publish.full_scale.costs`.
        chapter: whether its chapter is in the book, and may be linked.
    """
    name = f"[{markup(paper.short)}](../../notebooks/{paper.paper}.ipynb)" if chapter else markup(paper.short)
    parts = [f"# {markup(paper.short)}", f"{markup(paper.title)} {{cite}}`{paper.bibtex_key}`. Chapter: {name}."]
    parts.append(_summary(paper, runs, records))
    parts.append(legend())
    for title in dict.fromkeys(row.table for row in paper.published):
        rows = [row for row in paper.published if row.table == title]
        parts += [f"## {markup(title)}", *_table(rows, runs, records)]
    if paper.disputes:
        parts += ["## What others found otherwise", _disputes(paper)]
    if paper.protocol_notes:
        parts += ["## How the numbers were measured", _remarks(paper.protocol_notes)]
    parts += ["## Our runs at the paper's scale", *_runs(paper, runs, records, costs)]
    return "\n\n".join(parts) + "\n"


def index(papers: Sequence[Paper], runs: Mapping[str, Mapping[str, Run]], records: Sequence[Mapping]) -> str:
    """The table of all pages.

    Args:
        papers: sheets in the order wanted.
        runs: full-scale run files by paper and name.
        records: committed records of any paper and run.
    """
    if not papers:
        return "No paper has been registered yet.\n"
    rows = [("paper", "numbers", *STATUS_WORDS.values(), "run files", "of these with records")]
    for paper in papers:
        words = Counter(row.status for row in paper.published)
        counts = [str(words[status]) for status in STATUS_WORDS]
        files = runs[paper.paper]
        name = f"[{markup(paper.short)}](tables/{paper.paper}.md)"
        done = str(len(_with_records(paper, files, records)))
        rows.append((name, str(len(paper.published)), *counts, str(len(files)), done))
    return list_table(rows, "paper-index") + "\n"


def legend() -> str:
    """What the marks in the cells mean."""
    words = "; ".join(f"{_badge(status)} {text}" for status, text in STATUS_WORDS.items())
    return (
        f"{words}. Below each number of the paper stands ours, or that the run for it was not made yet: mean and "
        "standard deviation over seeds, weights after the last step."
    )


def _with_records(paper: Paper, runs: Iterable[str], records: Sequence[Mapping]) -> list[str]:
    there = {r["run"] for r in records if r["paper"] == paper.paper and r["budget"] == "full"}
    return [name for name in runs if name in there]


def _summary(paper: Paper, runs: Mapping[str, Run], records: Sequence[Mapping]) -> str:
    done = _with_records(paper, runs, records)
    has = "none has records yet" if not done else f"{len(done)} of them {'has' if len(done) == 1 else 'have'} records"
    files = f"{len(runs)} run files are ready" if len(runs) != 1 else "One run file is ready"
    count = len(paper.published)
    return f"{count} published number{'s' if count != 1 else ''}. {files}; {has}."


def _table(rows: list[Published], runs: Mapping[str, Run], records: Sequence[Mapping]) -> list[str]:
    """One table as the paper has it, rows by columns, and the notes that its cells refer to."""
    unit, common = Counter(row.unit for row in rows).most_common(1)[0]
    unit = unit if 2 * common > len(rows) else ""
    sources, protocols, reasons = _Notes(), _Notes(LETTERS), _Notes(MARKS)
    several = len({row.protocol for row in rows}) > 1
    cells: dict[tuple[str, str], str] = {}
    for row in rows:
        notes = sources.mark(row.source) + (f",{protocols.mark(row.protocol)}" if several else "")
        protocols.mark(row.protocol)
        shown = row.number + ("" if row.unit == unit or not row.unit else f" {markup(row.unit)}")
        text = f"[{shown}]{{.published-{row.status}}} {_badge(row.status)}<sup>{notes}</sup>"
        ours = _ours(row, runs, records, reasons)
        cells[row.place[1:]] = text + (f"<br>{ours}" if ours else "")
    down = list(dict.fromkeys(name for name, _ in cells))
    # The row with most cells has its columns in the paper's order; one that begins with a gap may not come first.
    fullest = max(down, key=lambda name: sum(row == name for row, _ in cells))
    across = list(dict.fromkeys([column for row, column in cells if row == fullest] + [column for _, column in cells]))
    head = ("", *(markup(column) for column in across))
    body = [(markup(name), *(cells.get((name, column), "–") for column in across)) for name in down]
    metrics = list(dict.fromkeys(row.metric for row in rows if row.unit == unit))
    parts = []
    if unit and len(metrics) == 1:
        parts.append(f"Numbers are {markup(metrics[0])}, in {markup(unit)}.")
    parts += [list_table([head, *body], "paper-table"), protocols.line("Protocol"), sources.line("Sources")]
    return [*parts, reasons.line("Without a number of ours")] if reasons.texts else parts


def _ours(row: Published, runs: Mapping[str, Run], records: Sequence[Mapping], reasons: _Notes) -> str:
    """What stands below a number of the paper; nothing below those of others for which there is no run."""
    if row.run is None:
        return f"<small>no run<sup>{reasons.mark(row.unlike)}</sup></small>" if row.unlike else ""
    run = runs.get(row.run)
    if run is None:
        return "<small>no run file</small>"
    link = f'<a href="#{run.anchor}" title="{escape(run.command, quote=True)}">'
    if row.unlike is not None:
        return f"<small>{link}not comparable</a><sup>{reasons.mark(row.unlike)}</sup></small>"
    found = measured(row, run, records)
    if found is None:
        return f"<small>{link}not yet run</a></small>"
    if found.refused:
        return f"<small>{link}refused</a><sup>{reasons.mark(found.refused.rstrip('.'))}</sup></small>"
    return f"{link}ours</a> [{_text(found, max(1, row.digits))}]{{.effect}} <small>{_seeds(found)}</small>"


def _text(found: Measured, digits: int) -> str:
    spread = "" if found.spread is None else f" ± {amount(found.spread, digits)}"
    return amount(found.mean, digits) + spread


def _seeds(found: Measured) -> str:
    return "1 seed" if found.seeds == 1 else f"{found.seeds} seeds"


def amount(value: float, digits: int) -> str:
    """A number with so many decimals, thousands marked, and a true minus sign."""
    return f"{value:,.{digits}f}".replace("-", "−")


def _badge(status: str) -> str:
    """The mark of a status, with its words for those who do not see it or do not know it."""
    words = escape(STATUS_WORDS[status], quote=True)
    seen = f'class="status-mark {status}" title="{words}"'
    return f'<span {seen} role="img" aria-label="{words}">{STATUS_SYMBOLS[status]}</span>'


def _disputes(paper: Paper) -> str:
    return "\n".join(
        f"- **{markup(each.about)}.** {markup(each.text)} Otherwise there: {markup(each.differs)}. "
        f"<small>{_badge(each.status)} {markup(each.source)}.</small>"
        for each in paper.disputes
    )


def _remarks(remarks: Sequence[Remark]) -> str:
    return "\n".join(
        f"- {markup(each.text)} <small>{_badge(each.status)} {markup(each.source)}.</small>" for each in remarks
    )


def _runs(paper: Paper, runs: Mapping[str, Run], records: Sequence[Mapping], costs: Mapping[str, str]) -> list[str]:
    """What to type for each run, what it needs, and what all of them do otherwise than the paper."""
    if not runs:
        return ["There is none: no setting of the paper can be expressed yet."]
    done = set(_with_records(paper, runs, records))
    rows = [("run", "arms", "length", "hardware and cost", "records")]
    for name, run in runs.items():
        named = f'<span id="{run.anchor}">{markup(run.title)}</span><br>`{run.command}`'
        seeds = "1 seed" if len(run.seeds) == 1 else f"{len(run.seeds)} seeds"
        length = f"{run.steps:,} steps, {seeds}, on {markup(', '.join(run.data))}"
        hours = "" if run.gpu_hours is None else f"{run.gpu_hours:,.0f} GPU hours, measured"
        cost = "; ".join(filter(None, (markup(run.hardware), hours, markup(costs.get(name, "")))))
        rows.append(
            (named, markup(", ".join(run.arms)), length, cost or "–", "there are" if name in done else "not yet run")
        )
    differs: dict[str, list[str]] = {}
    for name, run in runs.items():
        for text in run.differs:
            differs.setdefault(text, []).append(name)
    lines = [
        f"- {markup(text)}" + ("" if len(names) == len(runs) else f" <small>({_listed(names)})</small>")
        for text, names in differs.items()
    ]
    parts = [list_table(rows, "paper-runs", widths="34 18 18 20 10")]
    return [*parts, "### What they do otherwise than the paper", "\n".join(lines)] if lines else parts


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
