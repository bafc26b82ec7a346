"""Runs the benchmarks and stores what claims read: ``python -m labelkit.publish.benchmarks [--store]``.

A benchmark is a program in ``benchmarks/`` that prints its figures and writes them with ``--json PATH``, with their
origin beside them. All of them go to ``build/benchmarks/<name>.json``. A claim of the kind ``measured`` reads a file
under ``data/results``; with ``--store`` that file is written anew from the benchmarks whose names begin with that of
the paper, as ``ocr_attention`` does for ``ocr``. Where a paper has several, each writes its figures as a part with a
name, so that they stand side by side in one file.
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


def write(
    path: str | Path,
    figures: dict[str, Any],
    device: str,
    threads: int,
    packages: Iterable[str] = (),
    part: str | None = None,
) -> None:
    """Writes the figures of one benchmark with their origin under the key ``provenance``, whole or not at all.

    Args:
        path: JSON file; missing folders are made.
        figures: what was measured, and with which settings.
        device: ``"cpu"`` or ``"cuda"`` or ``"cuda:<n>"``.
        threads: CPU threads that the benchmark used.
        packages: other packages that it measured.
        part: key under which the figures and their origin stand, where several benchmarks share a file; the other
            parts of a file that is there stay. None: the file holds these figures alone.

    Raises:
        ValueError: ``path`` is there and holds no parts.
    """
    versions = provenance.versions() | {name: importlib.metadata.version(name) for name in packages}
    origin = {
        "code": _code(),
        "versions": versions,
        "device": provenance.device(device, threads, 1),
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    content = figures | {"provenance": origin}
    if part is not None:
        content = _parts(Path(path)) | {part: content}
    write_if_different(Path(path), _text(content))


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1, default=str, allow_nan=False) + "\n"


def _parts(path: Path) -> dict[str, Any]:
    """Parts of a file that several benchmarks share; none where it is not there yet."""
    try:
        content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError:
        content = None
    if not isinstance(content, dict) or not all(isinstance(p, dict) and "provenance" in p for p in content.values()):
        raise ValueError(f"{path}: expected named parts, each with its provenance; nothing was changed.")
    return content


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
        ValueError: a value that claims read is in no benchmark of that paper, or in several, or two benchmarks of one
            file use the same key.
    """
    wanted: dict[tuple[str, str], list[str]] = {}
    for paper in load_papers(root / "data" / "papers").values():
        for claim in paper.claims:
            if claim.kind == "measured":
                values = wanted.setdefault((paper.paper, claim.source), [])
                values += [measurement.value for measurement in claim.measurements]
    contents = {}
    for (paper, source), values in wanted.items():
        contents[root / source] = _merged(root, paper, source, list(dict.fromkeys(values)))
    for path, content in contents.items():
        write_if_different(path, _text(content))
    return list(contents)


def _merged(root: Path, paper: str, source: str, values: list[str]) -> dict[str, Any]:
    """The benchmarks of a paper that hold the values which its claims read from a file, merged by key."""
    files = sorted((root / "build" / "benchmarks").glob(f"{paper}_*.json"))
    given = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in files}
    merged: dict[str, Any] = {}
    taken: set[str] = set()
    for value in values:
        names = [name for name, content in given.items() if _has(content, value)]
        if len(names) != 1:
            raise ValueError(
                f"data/papers/{paper}.yaml: claims read {value} from {source}; expected exactly one "
                f"build/benchmarks/{paper}_*.json with it, found {len(names)}."
            )
        content = given[names[0]]
        if names[0] not in taken and merged.keys() & content.keys():
            raise ValueError(
                f"{source}: two benchmarks have the key {min(merged.keys() & content.keys())!r}; "
                f"expected {names[0]} to hold a part with a name of its own."
            )
        taken.add(names[0])
        merged |= content
    return merged


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
