"""Runs the benchmarks and stores what claims read: ``python -m labelkit.publish.benchmarks [--store]``.

A benchmark is a program in ``benchmarks/`` that prints its figures and writes them with ``--json PATH``, with their
origin beside them. All of them go to ``build/benchmarks/<name>.json``. A claim of the kind ``measured`` reads a file
under ``data/results``; with ``--store`` that file is written anew from the benchmark whose name begins with that of
the paper, as ``ocr_attention`` does for ``ocr``.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labelkit import provenance
from labelkit.papers import ROOT, load_papers
from labelkit.publish.files import write_if_different


def write(path: str | Path, figures: dict[str, Any], device: str, threads: int, packages: Iterable[str] = ()) -> None:
    """Writes the figures of one benchmark with their origin under the key ``provenance``.

    Args:
        path: JSON file; missing folders are made.
        figures: what was measured, and with which settings.
        device: ``"cpu"`` or ``"cuda"`` or ``"cuda:<n>"``.
        threads: CPU threads that the benchmark used.
        packages: other packages that it measured.
    """
    versions = provenance.versions() | {name: importlib.metadata.version(name) for name in packages}
    origin = {
        "code": _code(),
        "versions": versions,
        "device": provenance.device(device, threads, 1),
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    text = json.dumps(figures | {"provenance": origin}, indent=1, default=str, allow_nan=False)
    write_if_different(Path(path), text + "\n")


def _code() -> dict[str, Any]:
    """Commit of the checkout, and whether the library or the benchmarks differ from it; None where there is no git."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True, timeout=20)
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", "labelkit", "benchmarks")
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(changed)}
    except (OSError, subprocess.SubprocessError):
        return {"commit": None, "dirty": None}


def run_all(root: Path) -> list[str]:
    """Runs every benchmark, one after the other, into ``build/benchmarks``.

    Args:
        root: root of the repository.

    Returns:
        Names of those that failed; the others go on.
    """
    failed = []
    for program in sorted((root / "benchmarks").glob("*.py")):
        target = root / "build" / "benchmarks" / f"{program.stem}.json"
        target.unlink(missing_ok=True)  # figures of an earlier run must not pass for those of this one
        print(f"== benchmarks/{program.name}", flush=True)
        done = subprocess.run([sys.executable, str(program), "--json", str(target)], cwd=root)
        if done.returncode != 0 or not target.is_file():
            failed.append(program.stem)
    return failed


def store(root: Path) -> list[Path]:
    """Copies the figures that claims read from ``build/benchmarks`` to the files that the sheets name.

    Args:
        root: root of the repository.

    Returns:
        The files that claims read, in the order of papers.

    Raises:
        ValueError: no benchmark of that paper gives all the values that its claims read from a file.
    """
    wanted: dict[tuple[str, str], list[str]] = {}
    for paper in load_papers(root / "data" / "papers").values():
        for claim in paper.claims:
            if claim.kind == "measured":
                values = wanted.setdefault((paper.paper, claim.source), [])
                values += [measurement.value for measurement in claim.measurements]
    contents = {}
    for (paper, source), values in wanted.items():
        found = sorted((root / "build" / "benchmarks").glob(f"{paper}_*.json"))
        texts = [path.read_text(encoding="utf-8") for path in found]
        fit = [text for text in texts if all(_has(json.loads(text), value) for value in values)]
        if len(fit) != 1:
            raise ValueError(
                f"data/papers/{paper}.yaml: claims read {', '.join(values)} from {source}; expected exactly one "
                f"build/benchmarks/{paper}_*.json with all of them, found {len(fit)}."
            )
        contents[root / source] = fit[0]
    for path, text in contents.items():
        write_if_different(path, text)
    return list(contents)


def _has(content: Any, dotted: str) -> bool:
    for key in dotted.split("."):
        content = content.get(key) if isinstance(content, dict) else None
    return content is not None


def main(arguments: list[str] | None = None) -> int:
    """Command line. Returns 0, or 1 if a benchmark failed or a claim's value is missing."""
    parser = argparse.ArgumentParser(prog="python -m labelkit.publish.benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--store", action="store_true", help="also write the files that claims read")
    options = parser.parse_args(arguments)
    failed = run_all(ROOT)
    if failed:
        print(f"Failed: {', '.join(failed)}.{' Nothing was stored.' if options.store else ''}", file=sys.stderr)
        return 1
    try:
        stored = store(ROOT) if options.store else []
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    for path in stored:
        print(f"stored {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
