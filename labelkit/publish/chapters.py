"""Executes chapters with papermill: ``python -m labelkit.publish.chapters --budget smoke``.

Smoke executions stay in ``build/`` and are skipped while nothing they depend on has changed. A lesson execution
replaces the committed notebook and records, and only if it succeeded. A chapter that fails is kept under
``build/failed/`` with its log; the others go on. Each chapter is a process of its own with a kernel of its own, two at
a time, and one at a time where there is a GPU.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from labelkit.papers import ROOT
from labelkit.publish import parameters
from labelkit.publish.execution import RUNNING, Chapter, Outcome, execute
from labelkit.publish.provenance import duration

BUDGETS = ("smoke", "lesson")


def find(root: Path, budget: str, papers: list[str] | None = None) -> list[Chapter]:
    """The chapters to execute, each with its parameters checked against the notebook.

    Args:
        root: root of the repository.
        budget: ``"smoke"`` or ``"lesson"``.
        papers: names; None means every notebook in ``notebooks/``.

    A notebook without a sheet is a comparison; it needs no run file.

    Raises:
        FileNotFoundError: a notebook or a chapter's run file is missing.
        ValueError: the notebook has not exactly one parameters cell, or a parameter is unknown or of a wrong type, or
            the run file is that of another notebook or budget.
    """
    there = sorted(path.stem for path in (root / "notebooks").glob("*.ipynb"))
    chapters = []
    for paper in there if papers is None else papers:
        if paper not in there:
            raise FileNotFoundError(f"There is no notebook notebooks/{paper}.ipynb; there are: {', '.join(there)}.")
        run_file = root / "data" / "runs" / paper / f"{budget}.yaml"
        chapter = Chapter(paper, budget, root, {})
        if run_file.is_file() or chapter.sheet.is_file():
            values = parameters.read(run_file)
            parameters.check(values, chapter.notebook, run_file)
            for name, expected in (("paper", paper), ("budget", budget)):
                if values.get(name, expected) != expected:
                    raise ValueError(f"{run_file}: `{name}` is {values[name]!r}; in this file it must be {expected!r}.")
            chapter = replace(chapter, values=values)
        chapters.append(chapter)
    return chapters


def execute_all(chapters: list[Chapter], force: bool = False) -> list[Outcome]:
    """Executes chapters side by side: two at a time with one thread each, or one at a time on a GPU."""
    shared_gpu = Path("/dev/nvidia0").exists() and any(c.values.get("device") != "cpu" for c in chapters)
    workers = 1 if shared_gpu else min(2, len(chapters))
    threads = 1 if workers > 1 else None
    echo = len(chapters) == 1 and chapters[0].budget == "lesson"
    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        return list(pool.map(lambda chapter: execute(chapter, threads, echo, force), chapters))


def table(outcomes: list[Outcome]) -> str:
    """The outcomes as lines of text."""
    lines = [f"{'chapter':<12} {'budget':<8} {'outcome':<10} {'time':>12}"]
    for o in outcomes:
        took = duration(o.seconds) if o.outcome != "unchanged" else "-"
        lines.append(f"{o.chapter.paper:<12} {o.chapter.budget:<8} {o.outcome:<10} {took:>12}  {o.note}".rstrip())
    return "\n".join(lines)


def interrupted(root: Path) -> dict[str, list[str]]:
    """Papers whose execution did not come to its end or failed, by budget."""
    found: dict[str, list[str]] = {}
    for state in ("running", "failed"):
        for path in sorted((root / "build" / state).glob("*-*")):
            paper, _, budget = path.name.rpartition("-")
            if budget in BUDGETS and paper not in found.setdefault(budget, []):
                found[budget].append(paper)
    return {budget: papers for budget, papers in found.items() if papers}


def _stop(signum: int, _frame: Any) -> None:
    """Ends the kernels' parents before this process; their kernels notice and end themselves."""
    for process in list(RUNNING):
        process.terminate()
    # Folders in build/running stay: they tell `make resume` what was interrupted.
    os._exit(128 + signum)


def main(arguments: list[str] | None = None) -> int:
    """Command line. Returns 0, or 1 if a chapter failed, or 2 if the input is wrong."""
    parser = argparse.ArgumentParser(prog="python -m labelkit.publish.chapters", description=__doc__.splitlines()[0])
    parser.add_argument("--budget", choices=BUDGETS, default="smoke")
    parser.add_argument("--paper", nargs="+", help="names of chapters; all of them if not given")
    parser.add_argument("--force", action="store_true", help="execute even if nothing changed")
    parser.add_argument("--resume", action="store_true", help="only chapters that were interrupted or failed")
    options = parser.parse_args(arguments)
    try:
        if options.resume:
            todo = interrupted(ROOT)
            chapters = [chapter for budget, papers in todo.items() for chapter in find(ROOT, budget, papers)]
        else:
            chapters = find(ROOT, options.budget, options.paper)
    except (ValueError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    if not chapters:
        print("No chapter was interrupted." if options.resume else "There is no chapter in notebooks/ yet.")
        return 0
    signal.signal(signal.SIGINT, _stop)
    signal.signal(signal.SIGTERM, _stop)
    outcomes = execute_all(chapters, options.force)
    print(table(outcomes))
    return 1 if any(outcome.outcome == "failed" for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
