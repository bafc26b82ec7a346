"""The staging tree: everything that the book is made of, at the paths at which the repository holds it.

``build/stage`` holds ``_config.yml``, ``_toc.yml``, ``book/``, the executed chapters under ``notebooks/`` and the pages
generated from records, sheets and docstrings. Building there keeps the book builder away from everything else, and
the links to launch a chapter or to see its source stay right.

A notebook with a sheet in ``data/papers`` is the chapter of that paper. One without is a comparison: a page that reads
what the chapters measured, and makes no claim. A notebook that is not fit to be shown is left out, and named.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from labelkit.figures.points3d import MARK
from labelkit.papers import Paper, load_papers
from labelkit.publish import api, full_scale, notebooks, paper_tables, scoreboard, tables
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
        chapters: papers whose chapter is part of the book, in its order.
        comparisons: the other notebooks that are part of it.
        left_out: notebooks that are not, each with the reason as a clause.
    """

    folder: Path
    written: list[Path]
    removed: list[Path]
    chapters: list[str]
    comparisons: list[str]
    left_out: dict[str, str]


def stage(root: Path, folder: Path | None = None) -> Staged:
    """Brings the staging tree up to date; files whose bytes do not change keep their time stamps.

    Args:
        root: root of the repository.
        folder: the staging tree; ``build/stage`` by default.

    Raises:
        ValueError: a sheet or a record is not valid.
    """
    folder = folder or root / "build" / "stage"
    left_out = refused(root)
    fit = [path.stem for path in every_notebook(root) if path.stem not in left_out]
    papers = _sheets(root)
    chapters = [paper.paper for paper in papers if paper.paper in fit]
    comparisons = [name for name in fit if name not in chapters]
    contents = _committed(root, chapters, comparisons, left_out) | _generated(root, papers, set(chapters))
    written = [folder / path for path, data in sorted(contents.items()) if write_if_different(folder / path, data)]
    removed = remove_others(folder, {folder / path for path in contents})
    return Staged(folder, written, removed, chapters, comparisons, left_out)


def every_notebook(root: Path) -> list[Path]:
    """The notebooks of the repository, in alphabetical order."""
    return sorted((root / "notebooks").glob("*.ipynb"))


def refused(root: Path) -> dict[str, str]:
    """Notebooks that must not be shown, each with the reason as a clause."""
    found = {}
    for path in every_notebook(root):
        sheet, runs = root / "data" / "papers" / f"{path.stem}.yaml", root / "data" / "runs" / path.stem
        try:
            notebook = notebooks.read(path)
        except ValueError as error:
            found[path.stem] = str(error).removeprefix(f"{path} ").rstrip(".")
            continue
        problem = notebooks.structure_problem(notebook, required=sheet.is_file() or runs.is_dir())
        problem = problem or notebooks.execution_problem(notebook)
        if problem:
            found[path.stem] = problem
    return found


def table_of_contents(text: str, chapters: list[str], comparisons: list[str]) -> str:
    """The committed table of contents, with the pattern for notebooks written out.

    Args:
        text: content of ``_toc.yml``.
        chapters: papers in the order of their chapters.
        comparisons: the other notebooks; they become a part of their own after the chapters. A part without a page is
            left out.
    """
    import yaml

    toc, parts = yaml.safe_load(text), []
    for part in toc["parts"]:
        if part["chapters"] == [{"glob": "notebooks/*"}]:
            for caption, names in ((part["caption"], chapters), ("Comparisons", comparisons)):
                parts.append({"caption": caption, "chapters": [{"file": f"notebooks/{name}"} for name in names]})
        else:
            parts.append(part)
    return yaml.safe_dump(toc | {"parts": [part for part in parts if part["chapters"]]}, sort_keys=False)


def without_links(content: bytes, names: Iterable[str]) -> bytes:
    """A page or notebook whose Markdown links to these notebooks are plain text: the book would not build with them.

    Args:
        content: the file.
        names: notebooks that are not in the book.
    """
    for name in names:
        link = rf"(?<!!)\[([^\[\]]*)\]\((?:[\w./-]*/)?{re.escape(name)}\.ipynb(?:#[^)\s]*)?\)"
        content = re.sub(link.encode(), rb"\1", content)
    return content


def _sheets(root: Path) -> list[Paper]:
    """The papers' sheets by year: the order of the book."""
    return sorted(load_papers(root / "data" / "papers").values(), key=lambda paper: (paper.year, paper.paper))


def _committed(
    root: Path, chapters: list[str], comparisons: list[str], left_out: dict[str, str]
) -> dict[Path, bytes | str]:
    found: dict[Path, bytes | str] = {Path("_config.yml"): (root / "_config.yml").read_bytes()}
    toc = (root / "_toc.yml").read_text(encoding="utf-8")
    found[Path("_toc.yml")] = table_of_contents(toc, chapters, comparisons)
    for path in sorted((root / "book").rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            content = path.read_bytes()
            found[path.relative_to(root)] = without_links(content, left_out) if path.suffix == ".md" else content
    for name in [*chapters, *comparisons]:
        path = Path("notebooks") / f"{name}.ipynb"
        found[path] = without_links((root / path).read_bytes(), left_out)
    if any(MARK.encode() in found[Path("notebooks") / f"{name}.ipynb"] for name in [*chapters, *comparisons]):
        found[Path("book") / "_static" / "plotly.min.js"] = _view_script()
    return found


def _view_script() -> bytes:
    """The script that turns a point cloud on a page; pages load it from beside them, so that they work offline."""
    import plotly

    return (Path(plotly.__file__).parent / "package_data" / "plotly.min.js").read_bytes()


def _generated(root: Path, papers: list[Paper], shown: set[str]) -> dict[Path, bytes | str]:
    records = load_records(sorted((root / "data" / "results").glob("*/*.jsonl")))
    board = scoreboard.lines(papers, records, root)
    reference = api.modules(root)
    runs = {paper.paper: full_scale.full_runs(paper.paper, root) for paper in papers}
    found: dict[Path, bytes | str] = {
        GENERATED / "scoreboard.md": scoreboard.scoreboard(board, shown),
        GENERATED / "chapters.md": _cards(papers, board, shown),
        GENERATED / "published.md": paper_tables.index(papers, runs, records),
        GENERATED / "results.md": tables.results(papers, records),
        GENERATED / "execution.md": tables.execution(papers, records, shown),
        GENERATED / "api.md": api.index(reference),
        Path("book") / "_static" / "records.csv": tables.as_csv(records),
    }
    figures = ""
    for paper in papers:  # a figure each: papers differ in their data sets, which are the columns
        drawn = scoreboard.picture([line for line in board if line.paper is paper])
        if drawn is not None:
            found[GENERATED / f"scoreboard-{paper.paper}.png"] = drawn[0]
            figures += (
                f":::{{figure}} _generated/scoreboard-{paper.paper}.png\n:alt: {drawn[1]}\n\n"
                f"{paper.short}: differences in points, paired by seed, with 95 % intervals.\n:::\n\n"
            )
    if figures:
        after = "The table below has all claims, those included that no figure can show.\n\n"
        found[GENERATED / "scoreboard.md"] = figures + after + found[GENERATED / "scoreboard.md"]
    for paper in papers:
        costs = full_scale.costs(paper.paper, root)
        text = paper_tables.page(paper, runs[paper.paper], records, costs, paper.paper in shown)
        found[Path("book") / "tables" / f"{paper.paper}.md"] = text
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
