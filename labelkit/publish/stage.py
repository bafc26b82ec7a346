"""The staging tree: everything that the book is made of, at the paths at which the repository holds it.

``build/stage`` holds ``_config.yml``, ``_toc.yml``, ``book/``, the executed chapters under ``notebooks/`` and the pages
generated from records, sheets and docstrings. Building there keeps the book builder away from everything else, and
the links to launch a chapter or to see its source stay right.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from labelkit.papers import Paper, load_papers
from labelkit.publish import api, notebooks, scoreboard, tables
from labelkit.publish.files import remove_others, write_if_different
from labelkit.publish.markdown import markup
from labelkit.verdicts import load_records

REPOSITORY = "https://github.com/labelkit/labelkit"
"""Address under which the repository is published; links to source lines begin with it."""

GENERATED = Path("book") / "_generated"


@dataclass(frozen=True)
class Staged:
    """What changed in the staging tree.

    Attributes:
        folder: the tree.
        written: files that are new or have other bytes than before.
        removed: files that are no longer part of the book.
        chapters: papers whose chapter is part of the book.
    """

    folder: Path
    written: list[Path]
    removed: list[Path]
    chapters: list[str]


def stage(root: Path, folder: Path | None = None) -> Staged:
    """Brings the staging tree up to date; files whose bytes do not change keep their time stamps.

    Args:
        root: root of the repository.
        folder: the staging tree; ``build/stage`` by default.

    Raises:
        ValueError: a chapter is not fit to be shown (all reasons are given), or a sheet or record is not valid.
    """
    folder = folder or root / "build" / "stage"
    contents = _committed(root) | _generated(root)
    written = [folder / path for path, data in sorted(contents.items()) if write_if_different(folder / path, data)]
    removed = remove_others(folder, {folder / path for path in contents})
    return Staged(folder, written, removed, [path.stem for path in chapters(root)])


def chapters(root: Path) -> list[Path]:
    """The notebooks of the repository, in alphabetical order."""
    return sorted((root / "notebooks").glob("*.ipynb"))


def refused(root: Path) -> dict[str, str]:
    """Chapters that must not be shown, each with the reason."""
    found = {}
    for path in chapters(root):
        try:
            notebook = notebooks.read(path)
        except ValueError as error:
            found[path.stem] = str(error)
            continue
        problem = notebooks.structure_problem(notebook) or notebooks.execution_problem(notebook)
        if problem is None and not (root / "data" / "papers" / f"{path.stem}.yaml").is_file():
            problem = f"there is no sheet data/papers/{path.stem}.yaml"
        if problem:
            found[path.stem] = problem
    return found


def table_of_contents(text: str, shown: list[str]) -> str:
    """The committed table of contents, with the pattern for chapters written out in their order.

    Args:
        text: content of ``_toc.yml``.
        shown: papers in the order of their chapters; without any, the part of the chapters is left out.
    """
    import yaml

    toc = yaml.safe_load(text)
    for part in toc["parts"]:
        if part["chapters"] == [{"glob": "notebooks/*"}]:
            part["chapters"] = [{"file": f"notebooks/{paper}"} for paper in shown]
    toc["parts"] = [part for part in toc["parts"] if part["chapters"]]
    return yaml.safe_dump(toc, sort_keys=False)


def _sheets(root: Path) -> list[Paper]:
    """The papers' sheets by year: the order of the book."""
    return sorted(load_papers(root / "data" / "papers").values(), key=lambda paper: (paper.year, paper.paper))


def _committed(root: Path) -> dict[Path, bytes | str]:
    problems = refused(root)
    if problems:
        listed = "; ".join(f"notebooks/{paper}.ipynb: {problem}" for paper, problem in problems.items())
        raise ValueError(f"The book cannot show every chapter: {listed}.")
    found: dict[Path, bytes | str] = {Path("_config.yml"): (root / "_config.yml").read_bytes()}
    toc = (root / "_toc.yml").read_text(encoding="utf-8")
    there = {path.stem for path in chapters(root)}
    found[Path("_toc.yml")] = table_of_contents(toc, [p.paper for p in _sheets(root) if p.paper in there])
    for path in sorted((root / "book").rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            found[path.relative_to(root)] = path.read_bytes()
    for path in chapters(root):
        found[path.relative_to(root)] = path.read_bytes()
    return found


def _generated(root: Path) -> dict[Path, bytes | str]:
    papers = _sheets(root)
    records = load_records(sorted((root / "data" / "results").glob("*/*.jsonl")))
    shown = {path.stem for path in chapters(root)}
    board = scoreboard.lines(papers, records, root)
    reference = api.modules(root)
    found: dict[Path, bytes | str] = {
        GENERATED / "scoreboard.md": scoreboard.scoreboard(board, shown),
        GENERATED / "chapters.md": _cards(papers, board, shown),
        GENERATED / "published.md": scoreboard.published(papers),
        GENERATED / "results.md": tables.results(papers, records),
        GENERATED / "execution.md": tables.execution(papers, records, shown),
        GENERATED / "api.md": api.index(reference),
        Path("book") / "_static" / "records.csv": tables.as_csv(records),
    }
    drawn = scoreboard.picture(board)
    if drawn is not None:
        found[GENERATED / "scoreboard.png"] = drawn[0]
        figure = (
            f":::{{figure}} _generated/scoreboard.png\n:alt: {drawn[1]}\n\n"
            "Effects of all claims, paired by seed, with 95 % intervals, in mIoU points.\n:::\n\n"
        )
        found[GENERATED / "scoreboard.md"] = figure + found[GENERATED / "scoreboard.md"]
    for name, text in api.pages(reference, f"{REPOSITORY}/blob/main").items():
        found[Path("book") / "api" / f"{name}.md"] = text
    return found


def _cards(papers: list[Paper], board: list[scoreboard.Line], shown: set[str]) -> str:
    """One card a paper: title, citation, and how its claims stand."""
    if not papers:
        return "No paper has been registered yet.\n"
    parts = ["::::::{grid} 1 1 2 2", ":gutter: 3", ""]
    for paper in papers:
        statuses = [line.status for line in board if line.paper.paper == paper.paper]
        words = ["mixed" if ";" in status else status for status in statuses]
        counts = ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))
        link = [f":link: /notebooks/{paper.paper}", ":link-type: doc"] if paper.paper in shown else []
        state = counts if paper.paper in shown else f"{counts}; the chapter is not executed yet"
        parts += [
            f":::::{{grid-item-card}} {paper.short}",
            *link,
            "",
            f"{markup(paper.title)} ({markup(paper.venue)})",
            "",
            "::::{card-footer}",
            f"{len(words)} claims: {state}",
            "::::",
            ":::::",
        ]
    return "\n".join([*parts, "::::::", ""])
