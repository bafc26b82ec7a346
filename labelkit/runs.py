"""Run file in, record out: the only place that knows seeds, devices, folders and provenance.

A run is a grid of cells (arm x data x seed). A cell that finished leaves one JSON record, written whole or not at
all, and is never computed again while its key (parameters, code, data) stays the same; a crash costs the cells in
flight and nothing else.
"""

import importlib
import json
import os
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from labelkit import provenance
from labelkit.experiments.settings import Context, Outcome, RunSettings
from labelkit.progress import Progress

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = 1


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


def papers() -> list[str]:
    """Papers that have an experiment, by the files in ``labelkit/experiments``."""
    folder = Path(__file__).parent / "experiments"
    found = (path.stem for path in folder.glob("*.py") if "\nARMS" in path.read_text())
    return sorted(found)


def experiment(paper: str) -> Any:
    """The module ``labelkit.experiments.<paper>``.

    Raises:
        ValueError: no such paper; lists those there are.
    """
    if paper not in papers():
        raise ValueError(f"paper {paper!r} has no experiment; there are: {', '.join(papers())}")
    return importlib.import_module(f"labelkit.experiments.{paper}")


def load(path: str | os.PathLike, overrides: Mapping[str, Any] | None = None) -> RunSettings:
    """Read and validate a run file.

    Args:
        path: YAML file with flat keys.
        overrides: keys that replace those of the file.

    Raises:
        FileNotFoundError, ValueError: one sentence that names the file, the key and what was expected.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such run file")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path}: expected keys and values, found {type(values).__name__}")
    return parse({**values, **(overrides or {})}, source=str(path))


def parse(values: Mapping[str, Any], source: str = "parameters") -> RunSettings:
    """Validate the values of a run file, or a chapter's parameters.

    Raises:
        ValueError: names ``source``, the key, the value and what was expected.
    """
    if not isinstance(values.get("paper"), str):
        raise ValueError(f"{source}: key 'paper' is missing or not a name; there are: {', '.join(papers())}")
    module = experiment(values["paper"])
    try:
        settings = module.Settings(**values)
    except ValidationError as error:
        raise ValueError(f"{source}: {_first_problem(error, module.Settings)}") from error
    unknown = [arm for arm in settings.arms if arm not in module.ARMS]
    if unknown:
        raise ValueError(f"{source}: arms names {unknown[0]!r}; expected some of {', '.join(module.ARMS)}")
    for key in ("arms", "seeds", "data"):
        listed = getattr(settings, key)
        if len(set(listed)) < len(listed):
            raise ValueError(f"{source}: {key} names an entry twice: {listed}")
    return settings


def _first_problem(error: ValidationError, model: type[RunSettings]) -> str:
    problem = error.errors()[0]
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"unknown key {key!r}; expected some of {', '.join(model.model_fields)}"
    if problem["type"] == "missing":
        return f"key {key!r} is missing"
    hint = (
        " (YAML reads 1e-3 as text: write 1.0e-3)"
        if isinstance(problem["input"], str) and "number" in problem["msg"]
        else ""
    )
    return f"key {key!r} is {problem['input']!r}; {problem['msg'][0].lower()}{problem['msg'][1:]}{hint}"


def folder(settings: RunSettings) -> Path:
    """Where the records of a run lie."""
    return Path(settings.results) if settings.results else ROOT / "build" / "records" / settings.paper / settings.run


def cells(settings: RunSettings) -> list[Cell]:
    """All cells of a run, with the keys under which their records are kept. Reads the data sets' fingerprints."""
    module, here = experiment(settings.paper), context(settings)
    code = provenance.code_digest(settings.paper)
    shared = settings.model_dump(exclude={"arms", "data", "seeds", "jobs", "results", "about"}) | {
        "device": here.device
    }
    found = []
    for data in settings.data:
        fingerprint = module.fingerprint(data, settings, here)
        for arm in settings.arms:
            for seed in settings.seeds:
                key = provenance.digest([shared, code, fingerprint, arm, data, seed])
                found.append(Cell(arm, data, seed, key))
    return found


def context(settings: RunSettings) -> Context:
    """Where a run of these settings would happen: device, folders, the user's data. For chapters that look at data."""
    return _context(settings, folder(settings))


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
                raise ValueError(f"{path}: no weights; run the cell first")
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
    import torch

    target = folder(settings)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"{target}: the results folder cannot be made ({error.strerror})") from error
    if not os.access(target, os.W_OK):
        raise OSError(f"{target}: the results folder cannot be written; give another with the key 'results'")
    todo = [cell for cell in cells(settings) if not record_path(settings, cell).exists()]
    label = f"{settings.paper} {settings.run}"
    if todo:
        (target / "shared").mkdir(exist_ok=True)
        torch.set_num_threads(settings.threads)
        experiment(settings.paper).prepare(settings, context(settings))
    with Progress(max(len(todo), 1), label, "cell") if show_progress and todo else _Silent() as progress:
        parallel = settings.jobs > 1 and len(todo) > 1 and "RANK" not in os.environ
        failed = _in_processes(settings, todo, progress) if parallel else _one_by_one(settings, todo, progress)
    if failed:
        cell, reason = failed[0]
        raise RunFailed(
            f"{len(failed)} of {len(todo)} cells failed, first {cell.name}: {reason}; log: {_log(settings, cell)}"
        )
    return records(settings)


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
        progress.update(done + 1, cell.name)
    return failed


def _in_processes(settings: RunSettings, todo: list[Cell], progress: Any) -> list[tuple[Cell, str]]:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from concurrent.futures.process import BrokenProcessPool

    failed = []
    spawn = multiprocessing.get_context("spawn")  # fork is not safe once torch has started threads
    with ProcessPoolExecutor(min(settings.jobs, len(todo)), mp_context=spawn) as pool:
        waiting = {pool.submit(_run_cell, settings, cell): cell for cell in todo}
        for done, future in enumerate(as_completed(waiting)):
            cell = waiting[future]
            try:
                problem = future.result()
            except BrokenProcessPool:
                problem = "its process was killed; start the run again to continue"
            failed += [(cell, problem)] if problem else []
            progress.update(done + 1, cell.name)
    return failed


def _workspace(settings: RunSettings, cell: Cell) -> Path:
    return folder(settings) / "cells" / f"{cell.name}--{cell.key}"


def _log(settings: RunSettings, cell: Cell) -> Path:
    return _workspace(settings, cell) / "error.log"


def _run_cell(settings: RunSettings, cell: Cell, on_step: Any = None) -> str | None:
    """Compute one cell and write its record. Returns None, or what went wrong in one sentence, with the log written."""
    import torch

    from labelkit.training import write_whole

    workspace = _workspace(settings, cell)
    try:
        workspace.mkdir(parents=True, exist_ok=True)
        torch.set_num_threads(settings.threads)
        here = replace(_context(settings, workspace, distributed=True), identity=cell.key, on_step=on_step)
        provenance.reset_peak_memory(here.device)
        started, clock = datetime.now(UTC), time.perf_counter()
        outcome = experiment(settings.paper).run(cell.arm, cell.data, cell.seed, settings, here)
        if here.rank == 0:
            record = _record(settings, cell, here, outcome, started, time.perf_counter() - clock)
            write_whole(workspace / "weights.pt", lambda path: torch.save(outcome.weights, path))
            text = json.dumps(record, indent=1, allow_nan=False, default=float)
            write_whole(record_path(settings, cell), lambda path: path.write_text(text, encoding="utf-8"))
            (workspace / "checkpoint.pt").unlink(missing_ok=True)
            _log(settings, cell).unlink(missing_ok=True)
            _supersede(settings, cell)
    except Exception as error:
        reason = str(error).split("\n")[0] or type(error).__name__
        try:
            _log(settings, cell).write_text(traceback.format_exc(), encoding="utf-8")
        except OSError:
            reason += " (and the log could not be written)"
        return reason
    return None


def _supersede(settings: RunSettings, cell: Cell) -> None:
    """Move records of the same cell that were made by other code, data or parameters aside; nothing is deleted."""
    for old in folder(settings).glob(f"{cell.name}--*.json"):
        if old != record_path(settings, cell):
            aside = folder(settings) / "superseded"
            aside.mkdir(exist_ok=True)
            old.replace(aside / old.name)


def _context(settings: RunSettings, workspace: Path, distributed: bool = False) -> Context:
    import torch

    kind = settings.device
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError("device is 'cuda', but torch sees no GPU; use 'auto' or 'cpu'")
    if kind == "auto":
        kind = "cuda" if torch.cuda.is_available() else "cpu"
    rank, world_size = 0, 1
    if distributed and "RANK" in os.environ:  # started by torchrun
        rank, world_size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        if kind == "cuda":
            kind = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
            torch.cuda.set_device(kind)
        if not torch.distributed.is_initialized():
            torch.distributed.init_process_group("nccl" if kind.startswith("cuda") else "gloo")
    root = os.environ.get("LABELKIT_DATA")
    shared = folder(settings) / "shared"
    return Context(kind, workspace, shared, data_root=Path(root) if root else None, rank=rank, world_size=world_size)


def _record(
    settings: RunSettings, cell: Cell, context: Context, outcome: Outcome, started: datetime, seconds: float
) -> dict:
    parameters = settings.model_dump(exclude={"arms", "data", "seeds", "jobs", "results", "about"})
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
        "code": provenance.code(settings.paper),
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
