"""Rehearsals of all full-scale run files, kept beside the records: ``python -m labelkit.publish.rehearsals``.

``data/results/<paper>/rehearsals.json`` says for each run and arm what a step costs, and with which code that was
found. It is written after each run file, so that it may be stopped at will. A run file that names an arm again with
another fraction of labels, or another number of steps, does not have that step looked at again.
"""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

SCHEMA = 1
NAME = "rehearsals.json"
ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Entry point; status 1 if an arm fails."""
    typer.run(rehearse_all)


def rehearse_all(
    files: Annotated[list[Path] | None, typer.Argument(help="Run files; all of the budget full if none.")] = None,
    tflops: Annotated[float, typer.Option(min=0.001, help="Rate for hours that are not measured.")] = 100.0,
    patience: Annotated[float, typer.Option(help="Seconds for what happens between two trainings.")] = 180.0,
    results: Annotated[Path, typer.Option(help="Folder that holds one folder a paper.")] = ROOT / "data" / "results",
    again: Annotated[bool, typer.Option(help="Also those that the files hold already.")] = False,
) -> None:
    """Rehearse run files and keep what comes out."""
    from labelkit.rehearsal import Known, rehearse
    from labelkit.rehearsal_report import as_values
    from labelkit.runfiles import load

    known, failed = Known(), 0
    for path in files or sorted((ROOT / "data" / "runs").glob("*/*.yaml")):
        settings = load(path)
        if not files and settings.budget != "full":
            continue
        if not again and settings.run in (read(settings.paper, results) or {"runs": {}})["runs"]:
            continue
        arms = []
        for arm in rehearse(settings, patience, known):
            arms.append(arm)
            failed += bool(arm.problem)
            print(f"{settings.paper} {settings.run} {arm.data} {arm.arm}: {arm.problem or arm.note or 'passes'} "
                  f"({arm.seconds:.0f} s)", flush=True)  # fmt: skip
            if arm.problem:
                print(arm.trace, file=sys.stderr, flush=True)
        kept = {"budget": settings.budget, "seeds": len(settings.seeds), "precision": settings.precision}
        keep(settings.paper, settings.run, kept | {"cells": [as_values(arm, tflops) for arm in arms]}, tflops, results)
    if failed:
        raise typer.Exit(1)


def read(paper: str, results: Path = ROOT / "data" / "results") -> dict[str, Any] | None:
    """What is kept of a paper's rehearsals; None if there were none.

    Raises:
        ValueError: the file is not readable; names it.
    """
    path = results / paper / NAME
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: not readable as JSON (line {error.lineno}); delete it and rehearse again") from None


def keep(paper: str, run: str, values: dict[str, Any], tflops: float, results: Path) -> None:
    """Put a run's rehearsal into the paper's file; runs rehearsed before stay, each with the code that it had."""
    from labelkit import provenance
    from labelkit.files import write_whole

    kept = read(paper, results) or {"schema": SCHEMA, "runs": {}}
    stamp = {
        "code": provenance.code(paper, "labelkit.rehearsal", "labelkit.datasets.blank"),
        "versions": provenance.versions(),
        "machine": machine(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "tflops": tflops,
    }
    kept["runs"] = dict(sorted((kept["runs"] | {run: values | stamp}).items()))
    text = json.dumps(kept | stamp, indent=1) + "\n"
    write_whole(results / paper / NAME, lambda path: path.write_text(text, encoding="utf-8"))


def machine() -> str:
    """Name of the GPU, or of the CPU where there is none."""
    import torch

    from labelkit import provenance

    return provenance.device("cuda" if torch.cuda.is_available() else "cpu", 1, 1)["name"]


def hours(cells: Sequence[dict[str, Any]], tflops: float) -> float:
    """Hours of one seed of all cells at another rate than the one that they were kept with; measured ones stay."""
    total = 0.0
    for each in (training for cell in cells for training in cell["trainings"]):
        seconds = each["flops"] / (tflops * 1e12) if each["step_seconds"] is None else each["step_seconds"]
        total += each["steps"] * seconds / 3600
    return total


if __name__ == "__main__":
    main()
