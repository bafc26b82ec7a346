"""Run file in, record out: the only place that knows seeds, devices, folders and provenance.

A run is a grid of cells (arm x data x seed). A cell that finished leaves one JSON record, written whole or not at
all, and is never computed again while its key (parameters, code, data) stays the same; a crash costs the cells in
flight and nothing else.
"""

import json
import math
import os
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labelkit import distributed, provenance, workers
from labelkit.datasets.streams import check_shares
from labelkit.experiments.data import find
from labelkit.experiments.settings import Context, Outcome, RunSettings
from labelkit.files import write_whole
from labelkit.progress import Progress
from labelkit.runfiles import experiment, load, papers, parse

__all__ = [
    "cells",
    "context",
    "execute",
    "experiment",
    "folder",
    "load",
    "papers",
    "parse",
    "record_path",
    "records",
    "weights",
]

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = 1
NOT_IN_KEY = {"arms", "data", "seeds", "jobs", "results", "about"}
"""Keys of a run file that do not shape the number of a single cell."""
PROCESSES = "processes.json"
"""In the folder of an unfinished cell: the numbers of processes that have worked on it."""


class RunFailed(RuntimeError):
    """Some cells failed; the others have their records."""


@dataclass(frozen=True)
class Cell:
    """One arm on one data set with one seed."""

    arm: str
    data: str
    seed: int
    key: str

    @property
    def name(self) -> str:
        return f"{self.data}--{self.arm.replace('/', '_')}--s{self.seed}"


def folder(settings: RunSettings) -> Path:
    """Where the records of a run lie."""
    return Path(settings.results) if settings.results else ROOT / "build" / "records" / settings.paper / settings.run


def cells(settings: RunSettings) -> list[Cell]:
    """All cells of a run, with the keys under which their records are kept. Reads the data sets' fingerprints."""
    module, here = experiment(settings.paper), context(settings)
    # The number of processes is told in the record and does not choose it: a run may go on with fewer, and what many
    # processes made is read by one. Neither does the number of a GPU.
    shared = settings.model_dump(exclude=NOT_IN_KEY) | {"device": here.device.split(":")[0]}
    found = []
    for data in settings.data:
        code = provenance.code_digest(settings.paper, find(data).module)
        fingerprint = module.fingerprint(data, settings, here)
        for arm in settings.arms:
            for seed in settings.seeds:
                key = provenance.digest([shared, code, fingerprint, arm, data, seed])
                found.append(Cell(arm, data, seed, key))
    return found


def context(settings: RunSettings) -> Context:
    """Where a run of these settings happens: device, folders, the user's data, this process among others.

    Raises:
        ValueError: a GPU is asked for and there is none, or the batch cannot be shared out evenly.
    """
    import torch

    kind = settings.device
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError("device is 'cuda', but torch sees no GPU; use 'auto' or 'cpu'")
    if kind == "auto":
        kind = "cuda" if torch.cuda.is_available() else "cpu"
    # What cells share depends on the code that made it; the data of a cell do not enter.
    shared = folder(settings) / "shared" / f"{provenance.code_digest(settings.paper)[:8]}-{kind}"
    rank, world_size = distributed.announced()
    if kind == "cuda" and distributed.launched():
        kind = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    root, parts = os.environ.get("LABELKIT_DATA"), settings.accumulate
    check_shares(f"batch_size {settings.batch_size}", settings.batch_size, world_size, parts)
    return Context(kind, folder(settings), shared, "", Path(root) if root else None, rank, world_size, parts)


def record_path(settings: RunSettings, cell: Cell) -> Path:
    """The file that holds the record of a finished cell."""
    return folder(settings) / f"{cell.name}--{cell.key}.json"


def records(settings: RunSettings) -> list[dict[str, Any]]:
    """The records of a finished run, in the order data, arm, seed of the run file.

    Raises:
        ValueError: a cell has no record yet, or a record is not readable; names the file.
    """
    return [_read(record_path(settings, cell)) for cell in cells(settings)]


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path}: this cell has no record yet; run it first") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: not a readable record (line {error.lineno}); delete it and run again") from error


def weights(settings: RunSettings, arm: str, data: str, seed: int) -> dict[str, Any]:
    """State dict of the method that a finished cell trained.

    Raises:
        ValueError: the run has no such cell, or its weights are not there.
    """
    import torch

    for cell in cells(settings):
        if (cell.arm, cell.data, cell.seed) == (arm, data, seed):
            path = _workspace(settings, cell) / "weights.pt"
            if not path.is_file():
                raise ValueError(f"{path}: no weights of this cell; delete its record and run it again")
            return torch.load(path, map_location="cpu", weights_only=True)
    raise ValueError(f"run {settings.run!r} has no cell with arm {arm!r}, data {data!r}, seed {seed}")


def execute(settings: RunSettings, show_progress: bool = True) -> list[dict[str, Any]]:
    """Run every cell that has no record yet and return the records of all.

    Args:
        settings: from :func:`load` or :func:`parse`.
        show_progress: show cells done, rate and time left.

    Returns:
        The records in the order of the run file.

    Raises:
        RunFailed: some cells failed; names the first and its log. The records of all others are kept.
    """
    target, here = folder(settings), context(settings)
    _make_writable(target)
    with distributed.joined(here.device):
        todo = _todo(settings)
        if todo:
            _prepare(settings)
        label = f"{settings.paper} {settings.run}"
        shown = show_progress and todo and here.rank == 0
        with Progress(max(len(todo), 1), label, "cell") if shown else _Silent() as progress:
            parallel = settings.jobs > 1 and len(todo) > 1 and not distributed.launched()
            failed = (_in_processes if parallel else _one_by_one)(settings, todo, progress)
        if failed:
            cell, reason = failed[0]
            raise RunFailed(
                f"{len(failed)} of {len(todo)} cells failed, first {cell.name}: {reason}; log: {_log(settings, cell)}"
            )
        return records(settings)


def _todo(settings: RunSettings) -> list[Cell]:
    """The cells without a record, as the first process sees them.

    Raises:
        RunFailed: processes would run other cells, since they read other code or data.
    """
    found = cells(settings)
    known = distributed.all_of([cell.key for cell in found])
    if any(keys != known[0] for keys in known):
        raise RunFailed(
            f"{folder(settings)}: the processes read different code or data; expected the same on all nodes"
        )
    done = distributed.first_of([record_path(settings, cell).exists() for cell in found])
    return [cell for cell, there in zip(found, done) if not there]


def _make_writable(target: Path) -> None:
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"{target}: the results folder cannot be made ({error.strerror})") from error
    if not os.access(target, os.W_OK):
        raise OSError(f"{target}: the results folder cannot be written; give another with the key 'results'")


def _prepare(settings: RunSettings) -> None:
    """Make what cells share, in the first process alone; the others wait until it is there."""
    import torch

    here = context(settings)
    if here.rank == 0:
        here.shared.mkdir(parents=True, exist_ok=True)
        torch.set_num_threads(settings.threads)
        with distributed.alone():
            experiment(settings.paper).prepare(settings, replace(here, world_size=1))
    distributed.barrier()


class _Silent:
    def update(self, done: int, note: str = "") -> None: ...

    def __enter__(self) -> "_Silent":
        return self

    def __exit__(self, *_: object) -> None: ...


def _one_by_one(settings: RunSettings, todo: list[Cell], progress: Any) -> list[tuple[Cell, str]]:
    failed = []
    for done, cell in enumerate(todo):

        def on_step(label: str, step: int, steps: int, done: int = done) -> None:
            progress.update(done, f"{label}, step {step} of {steps}")

        problem = _run_cell(settings, cell, on_step)
        failed += [(cell, problem)] if problem else []
        if problem and distributed.launched():  # the others wait for this process; its end is what ends them
            raise RunFailed(f"{cell.name}: {problem}; log: {_log(settings, cell)}")
        distributed.barrier()  # the record is there before anybody begins the next cell
        progress.update(done + 1, cell.name)
    return failed


def _in_processes(settings: RunSettings, todo: list[Cell], progress: Any) -> list[tuple[Cell, str]]:
    failed = []
    tasks = [(settings, cell) for cell in todo]
    for done, (index, problem) in enumerate(workers.run_all(_run_cell, tasks, settings.jobs)):
        failed += [(todo[index], problem)] if problem else []
        progress.update(done + 1, todo[index].name)
    return failed


def _workspace(settings: RunSettings, cell: Cell) -> Path:
    return folder(settings) / "cells" / f"{cell.name}--{cell.key}"


def _log(settings: RunSettings, cell: Cell) -> Path:
    """Where this process says what went wrong; the others have logs of their own, with the failures that follow."""
    rank = distributed.announced()[0]
    return _workspace(settings, cell) / (f"error-{rank}.log" if rank else "error.log")


def _run_cell(settings: RunSettings, cell: Cell, on_step: Any = None) -> str | None:
    """Compute one cell and write its record. Returns None, or what went wrong in one sentence, with the log written."""
    import torch

    workspace = _workspace(settings, cell)
    try:
        workspace.mkdir(parents=True, exist_ok=True)
        torch.set_num_threads(settings.threads)
        here = replace(context(settings), workspace=workspace, identity=cell.key, on_step=on_step)
        provenance.reset_peak_memory(here.device)
        processes = _processes_so_far(workspace, here) if here.rank == 0 else []
        started, clock = datetime.now(UTC), time.perf_counter()
        outcome = experiment(settings.paper).run(cell.arm, cell.data, cell.seed, settings, here)
        if here.rank == 0:
            record = _record(settings, cell, here, outcome, started, time.perf_counter() - clock)
            if len(processes) > 1:  # the cell was begun by another number of them
                record["device"]["processes_before"] = processes[:-1]
            write_whole(workspace / "weights.pt", lambda path: torch.save(outcome.weights, path))
            text = json.dumps(_finite(record), indent=1, allow_nan=False, default=float)
            write_whole(record_path(settings, cell), lambda path: path.write_text(text, encoding="utf-8"))
            for left in (*workspace.glob("checkpoint*.pt"), *workspace.glob("error*.log"), workspace / PROCESSES):
                left.unlink(missing_ok=True)
            _supersede(settings, cell)
    except Exception as error:
        reason = str(error).split("\n")[0] or type(error).__name__
        try:
            _log(settings, cell).write_text(traceback.format_exc(), encoding="utf-8")
        except OSError:
            reason += " (and the log could not be written)"
        return reason
    return None


def _processes_so_far(workspace: Path, here: Context) -> list[int]:
    """With how many processes a cell was trained so far, the present number last; kept until it has its record."""
    file, known = workspace / PROCESSES, []
    if file.exists() and any(workspace.glob("checkpoint*.pt")):
        known = json.loads(file.read_text(encoding="utf-8"))
    if known[-1:] != [here.world_size]:
        known.append(here.world_size)
        write_whole(file, lambda path: path.write_text(json.dumps(known), encoding="utf-8"))
    return known


def _supersede(settings: RunSettings, cell: Cell) -> None:
    """Move records of the same cell that were made by other code, data or parameters aside; nothing is deleted."""
    for old in folder(settings).glob(f"{cell.name}--*.json"):
        if old != record_path(settings, cell):
            aside = folder(settings) / "superseded"
            aside.mkdir(exist_ok=True)
            old.replace(aside / old.name)


def _finite(value: Any, where: str = "record") -> Any:
    """A copy in which numbers that do not exist (nan) are null.

    Raises:
        ValueError: a number is infinite; names the entry.
    """
    if isinstance(value, Mapping):
        return {key: _finite(entry, f"{where}.{key}") for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry, f"{where}[{index}]") for index, entry in enumerate(value)]
    if isinstance(value, float) and math.isinf(value):
        raise ValueError(f"{where} is infinite; expected a number")
    return None if isinstance(value, float) and math.isnan(value) else value


def _record(
    settings: RunSettings, cell: Cell, context: Context, outcome: Outcome, started: datetime, seconds: float
) -> dict:
    parameters = settings.model_dump(exclude=NOT_IN_KEY)
    return {
        "schema": SCHEMA,
        "paper": settings.paper,
        "run": settings.run,
        "budget": settings.budget,
        "arm": cell.arm,
        "data": cell.data,
        "seed": cell.seed,
        "key": cell.key,
        "metrics": outcome.metrics,
        "series": outcome.series,
        "steps": outcome.steps,
        "dataset": outcome.dataset,
        "split": outcome.split,
        "parameters": parameters,
        "network": {"parameters": outcome.parameters},
        "code": provenance.code(settings.paper, find(cell.data).module),
        "versions": provenance.versions(),
        "device": provenance.device(context.device, settings.threads, context.world_size),
        "measured": {
            "started": started.isoformat(timespec="seconds"),
            "seconds": round(seconds, 3),
            "train_seconds": round(outcome.train_seconds, 3),
            "images_per_second": round(outcome.images_seen / max(outcome.train_seconds, 1e-9), 2),
            "peak_memory_mib": provenance.peak_memory(context.device),
        },
    }
