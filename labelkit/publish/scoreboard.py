"""The scoreboard of the start page, as Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from labelkit.papers import Claim, Paper, Published
from labelkit.publish.markdown import list_table, markup
from labelkit.verdicts import Verdict, judge_paper

LESSON = "lesson"
"""Name of the run that is judged where a paper has several runs of lesson size."""


@dataclass(frozen=True)
class Line:
    """One claim of the scoreboard.

    Attributes:
        paper: the paper's sheet.
        claim: the claim.
        world: verdicts on embedded worlds, one a data set.
        real: verdicts on real data, one a data set.
        bare: the verdict where it rests on no data set (a test or a benchmark), else None.
        run: name of the run if it is one at the paper's scale; empty for the lesson.
        full: the same claim at the paper's scale: one line for each such run that says something about it.
    """

    paper: Paper
    claim: Claim
    world: tuple[Verdict, ...] = ()
    real: tuple[Verdict, ...] = ()
    bare: Verdict | None = None
    run: str = ""
    full: tuple[Line, ...] = ()

    @property
    def status(self) -> str:
        """The one word that all data sets agree on, or each with the name of its data set."""
        if self.bare is not None:
            return self.bare.status
        judged = [*self.world, *self.real]
        words = {verdict.status for verdict in judged}
        if not words:
            return "not yet run"
        if len(words) == 1:
            return words.pop()
        return "; ".join(f"{verdict.data}: {verdict.status}" for verdict in judged)


def is_world(data: str, package: Path) -> bool:
    """Whether a data set of a record is one of the embedded worlds: then it has a file or folder of its name.

    Args:
        data: name as in the records, such as ``"streets"`` or ``"streets-real"``.
        package: folder of the library.
    """
    name = data.split("-")[0]
    return (package / "worlds" / f"{name}.py").is_file() or (package / "worlds" / name).is_dir()


def lines(papers: list[Paper], records: list[dict], root: Path) -> list[Line]:
    """One line for each claim of each paper, judged on the lesson records; runs at the paper's scale hang below it.

    Where a paper has several runs of lesson size, the one called ``lesson`` is judged.

    Args:
        papers: sheets in the order wanted.
        records: committed records of any paper and run.
        root: root of the repository.
    """
    found = []
    for paper in papers:
        own = [record for record in records if record["paper"] == paper.paper]
        lesson = [record for record in own if record["budget"] == "lesson"]
        if any(record["run"] == LESSON for record in lesson):
            lesson = [record for record in lesson if record["run"] == LESSON]
        full: dict[str, list[dict]] = {}
        for record in own:
            if record["budget"] == "full":
                full.setdefault(record["run"], []).append(record)
        judged = judge_paper(paper, lesson, root=root)
        at_scale = {run: judge_paper(paper, of_run, root=root) for run, of_run in sorted(full.items())}
        # Claims that rest on no data set are judged once, whether there are records or not.
        bare = judge_paper(paper, [], data=[""], root=root)[""]
        for position, claim in enumerate(paper.claims):
            if claim.kind != "paired":
                found.append(Line(paper, claim, bare=bare[position]))
                continue
            big = [
                Line(paper, claim, *_sides(verdicts, position, root, known_only=True), run=run)
                for run, verdicts in at_scale.items()
            ]
            big = tuple(line for line in big if line.world or line.real)
            found.append(Line(paper, claim, *_sides(judged, position, root), full=big))
    return found


def _sides(
    judged: dict[str, list[Verdict]], position: int, root: Path, known_only: bool = False
) -> tuple[tuple[Verdict, ...], tuple[Verdict, ...]]:
    """The verdicts on one claim on embedded worlds and on real data; on request only those that rest on a number."""
    sides: tuple[list[Verdict], list[Verdict]] = [], []
    for name, verdicts in judged.items():
        verdict = verdicts[position]
        if not known_only or verdict.status == "refused" or any(effect.n for effect in verdict.effects):
            sides[not is_world(name, root / "labelkit")].append(verdict)
    return tuple(sides[0]), tuple(sides[1])


def picture(board: list[Line]) -> tuple[bytes, str] | None:
    """The forest plot of the lesson's effects: all that are differences in points and have an interval.

    Effects of other units and those at the paper's scale stand in the table alone.

    Args:
        board: from `lines`.

    Returns:
        PNG and alternative text, or None while there is nothing to draw.
    """
    from labelkit.figures import forest
    from labelkit.figures.style import png

    groups: dict[str, dict[str, list[Verdict]]] = {}
    for line in board:
        for where, verdicts in (("world", line.world), ("real data", line.real)):
            for verdict in verdicts:
                by_data = groups.setdefault(line.paper.short, {})
                by_data.setdefault(f"{verdict.data}\n({where})", []).append(verdict)
    drawn = [
        effect
        for line in board
        for verdict in (*line.world, *line.real)
        for effect in verdict.effects
        if effect.fits_forest
    ]
    if not drawn:
        return None
    words = [effect.status for effect in drawn]
    counts = ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))
    alt = (
        f"Forest plot of {len(drawn)} paired effects with 95 % intervals: {counts}. The table below gives the numbers."
    )
    return png(forest(groups)), alt


def badge(status: str) -> str:
    """A verdict as a coloured word; where data sets disagree, one for each with its name."""
    from labelkit.figures import badge as coloured

    parts = []
    for part in status.split("; "):
        data, _, word = part.rpartition(": ")
        parts.append(f"{markup(data)} {coloured(word)}".strip())
    return "<br>".join(parts)


def scoreboard(board: list[Line], chapters: set[str]) -> str:
    """The table of the start page.

    Args:
        board: from `lines`.
        chapters: papers whose chapter is in the book; only those are linked.
    """
    if not board:
        return "No paper has been registered yet.\n"
    rows = [("claim", "on the embedded world", "on real data", "the paper's number", "verdict")]
    for line in board:
        name = f"[{markup(line.paper.short)}](../notebooks/{line.paper.paper}.ipynb)"
        if line.paper.paper not in chapters:
            name = markup(line.paper.short)
        text = f"**{name} {markup(line.claim.id)}** {markup(line.claim.text)}"
        if line.bare is not None:
            rows.append((text, _bare(line.bare), "–", _published(line), badge(line.status)))
            continue
        rows += _rows(line, text, _published(line))
        for big in line.full:
            rows += _rows(big, f"**{markup(line.claim.id)}** at the paper's scale, run `{big.run}`", "")
    return list_table(rows, "scoreboard", widths="27 19 19 17 18")


def _rows(line: Line, text: str, number: str) -> list[tuple[str, str, str, str, str]]:
    """The rows of one line: the claim with its verdict and, where it has several contrasts, one row for each."""
    names = [contrast.name for contrast in line.claim.contrasts]
    effects = [(_effects(line.world, name), _effects(line.real, name)) for name in names]
    if len(names) == 1:
        return [(text, *effects[0], number, badge(line.status))]
    parts = [(f"[{markup(name)}]{{.contrast}}", *effect, "", "") for name, effect in zip(names, effects)]
    return [(text, "", "", number, badge(line.status)), *parts]


def value(row: Published) -> str:
    """A published number with its metric, in the digits in which it was published."""
    return f"{markup(row.metric)} {row.number} {markup(row.unit)}".strip()


def _effects(verdicts: tuple[Verdict, ...], contrast: str) -> str:
    """The effect of one contrast on each data set; the data set is named where there are several."""
    out = []
    for verdict in verdicts:
        effect = next((effect for effect in verdict.effects if effect.name == contrast), None)
        if effect is not None and effect.n:
            what = f"[{markup(effect.text(name_points=True))}]{{.effect}} <small>{effect.n} seeds</small>"
        elif verdict.status == "refused":
            # The reason begins with the name of the contrast at fault; the others of the claim have none.
            what = f"refused: {markup(verdict.reason)}" if verdict.reason.startswith(contrast) else "–"
        else:
            what = effect.status if effect else verdict.status
        out.append(f"{markup(verdict.data)}: {what}" if len(verdicts) > 1 else what)
    return "<br>".join(out) or "–"


def _bare(verdict: Verdict) -> str:
    if not verdict.effects:
        return markup(verdict.reason)
    return "<br>".join(f"{markup(effect.name)}: [{markup(effect.text())}]{{.effect}}" for effect in verdict.effects)


def _published(line: Line) -> str:
    """Published numbers that the sheet ties to this claim."""
    rows = [row for row in line.paper.published if line.claim.id in row.claims]
    if not rows and line.paper.published:
        return f"[published tables](tables/{line.paper.paper}.md)"
    return "<br>".join(f"{markup(row.label)}: {value(row)} <small>({row.status_words})</small>" for row in rows)
