"""One execution of one chapter: key, papermill as a process, and what happens to its result."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelkit.publish import notebooks, parameters, records
from labelkit.publish.files import write_if_different

RUNNING: list[subprocess.Popen] = []
"""The papermill processes of this program that have not ended."""


@dataclass(frozen=True)
class Chapter:
    """One notebook with the run file that sets its parameters.

    Attributes:
        paper: name of the paper, of the notebook and of the folder of run files; for a comparison, a notebook without
            a sheet, the name of its notebook.
        budget: ``"smoke"`` or ``"lesson"``; also the run file's name.
        root: root of the repository; the notebook runs in it.
        values: the parameters; empty for a comparison without a run file.
    """

    paper: str
    budget: str
    root: Path
    values: dict[str, Any]

    @property
    def notebook(self) -> Path:
        return self.root / "notebooks" / f"{self.paper}.ipynb"

    @property
    def sheet(self) -> Path:
        """Claims and published numbers. A comparison has none."""
        return self.root / "data" / "papers" / f"{self.paper}.yaml"

    @property
    def executed(self) -> Path:
        """Where a successful execution lies inside ``build/``, with its ``.json`` of key and seconds beside it."""
        return self.root / "build" / "chapters" / self.budget / f"{self.paper}.ipynb"

    @property
    def working(self) -> Path:
        """Folder of an execution in progress. It is there if, and only if, the execution has not come to its end."""
        return self.root / "build" / "running" / f"{self.paper}-{self.budget}"

    @property
    def failed(self) -> Path:
        return self.root / "build" / "failed" / f"{self.paper}-{self.budget}"


@dataclass(frozen=True)
class Outcome:
    """One line of the table: ``executed``, ``unchanged`` or ``failed``, seconds, and what to read on."""

    chapter: Chapter
    outcome: str
    seconds: float
    note: str = ""


def key(chapter: Chapter) -> str:
    """Digest of all that an execution depends on: cells, parameters, library, sheet, packages, Python, data folder.

    The prose and the stored outputs of the notebook do not enter. A comparison depends on every sheet and record.
    """
    digest = hashlib.sha256()

    def add(*parts: str | bytes) -> None:
        for part in parts:
            data = part.encode("utf-8") if isinstance(part, str) else part
            digest.update(len(data).to_bytes(8, "big") + data)

    for cell in notebooks.code_cells(notebooks.read(chapter.notebook)):
        add(notebooks.source(cell), *notebooks.tags(cell))
    add(json.dumps(chapter.values, sort_keys=True, default=str))
    add(platform.python_version(), os.environ.get("LABELKIT_DATA", ""))
    library = chapter.root / "labelkit"
    files = [path for path in library.rglob("*.py") if library / "publish" not in path.parents]
    files.append(chapter.root / "requirements.lock")
    results = chapter.root / "data" / "results"
    if chapter.sheet.is_file():
        files += [chapter.sheet, results / chapter.paper / "benchmarks.json"]
    else:
        files += [*chapter.sheet.parent.glob("*.yaml"), *results.glob("*/*.json*")]
    for path in sorted(files):
        if path.is_file():
            add(str(path.relative_to(chapter.root)), path.read_bytes())
    return digest.hexdigest()[:16]


def execute(chapter: Chapter, threads: int | None = None, echo: bool = False, force: bool = False) -> Outcome:
    """Executes one chapter and publishes it if it succeeded.

    Args:
        chapter: what to execute.
        threads: number of CPU threads of the kernel; None leaves the default.
        echo: also print the log while it is written.
        force: execute even if a smoke execution with the same key is there.

    Returns:
        What became of it. Failures are outcomes, not exceptions.
    """
    digest = key(chapter)
    stamp = chapter.executed.with_suffix(".json")
    if chapter.budget == "smoke" and not force and stamp.is_file() and chapter.executed.is_file():
        try:
            if json.loads(stamp.read_text(encoding="utf-8"))["key"] == digest:
                return Outcome(chapter, "unchanged", 0.0)
        except (ValueError, KeyError):
            pass  # a stamp that cannot be read counts as none
    shutil.rmtree(chapter.working, ignore_errors=True)
    shutil.rmtree(chapter.failed, ignore_errors=True)
    chapter.working.mkdir(parents=True)
    (chapter.working / "parameters.json").write_text(json.dumps(chapter.values), encoding="utf-8")
    output, log = chapter.working / "notebook.ipynb", chapter.working / "log.txt"
    start = time.monotonic()
    code = _papermill(chapter, output, log, threads, echo)
    seconds = time.monotonic() - start
    try:
        if code != 0:
            raise RuntimeError(_last_words(log))
        note = _publish(chapter, output)
    except (RuntimeError, ValueError, OSError) as error:
        chapter.failed.parent.mkdir(parents=True, exist_ok=True)
        os.replace(chapter.working, chapter.failed)
        where = chapter.failed.relative_to(chapter.root)
        return Outcome(chapter, "failed", seconds, f"{error} (log: {where}/log.txt)")
    chapter.executed.parent.mkdir(parents=True, exist_ok=True)
    os.replace(output, chapter.executed)
    write_if_different(stamp, json.dumps({"key": digest, "seconds": round(seconds, 1)}) + "\n")
    shutil.rmtree(chapter.working)
    return Outcome(chapter, "executed", seconds, note)


def _papermill(chapter: Chapter, output: Path, log: Path, threads: int | None, echo: bool) -> int:
    """Runs papermill as a process and writes all it says into the log; returns its exit status."""
    command = [sys.executable, "-m", "papermill", str(chapter.notebook), str(output), "--kernel", "python3"]
    command += ["--cwd", str(chapter.root), "--log-output", "--no-progress-bar", "--request-save-on-cell-execute"]
    command += ["-f", str(chapter.working / "parameters.json")]
    environment = dict(os.environ, OPEN3D_DISABLE_WEB_VISUALIZER="true", PYTHONUNBUFFERED="1")
    # The debugger inside the kernel warns about frozen modules on every start; nobody debugs here.
    environment["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    if threads is not None:
        environment["OMP_NUM_THREADS"] = str(threads)
    with open(log, "w", encoding="utf-8") as file:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=environment
        )
        RUNNING.append(process)
        for line in process.stdout:
            file.write(line)
            file.flush()
            if echo:
                print(f"{chapter.paper} | {line}", end="", flush=True)
        code = process.wait()
        RUNNING.remove(process)
    return code


def _last_words(log: Path) -> str:
    """The last line of a log that says something: usually the exception."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it ended without a word"


def _publish(chapter: Chapter, output: Path) -> str:
    """Checks an execution and, for a lesson, replaces the committed notebook and records.

    Placeholders in its text do not stop it: what follows from the results is written when they are there. The book
    does not show it until then.
    """
    notebook = notebooks.read(output)
    problem = notebooks.execution_problem(notebook, draft=True)
    if problem:
        raise ValueError(problem)
    if chapter.budget == "smoke":
        return ""
    notes = []
    if "paper" in chapter.values:
        notes.append(f"{_collect(chapter)} records")
    same = not chapter.values or parameters.equal_defaults(chapter.values, chapter.notebook)
    clean = notebooks.without_volatile(notebook, drop_injected=same)
    write_if_different(chapter.notebook, notebooks.write(clean))
    unwritten = notebooks.placeholders(clean)
    return ", ".join(notes + ([f"still to be written: {' '.join(unwritten)}"] if unwritten else []))


def _collect(chapter: Chapter) -> int:
    """The records of a lesson, from the run's folder into ``data/results``; returns how many there are."""
    from labelkit import runs

    settings = runs.parse(chapter.values, source=f"data/runs/{chapter.paper}/{chapter.budget}.yaml")
    return records.collect(settings, chapter.root)
