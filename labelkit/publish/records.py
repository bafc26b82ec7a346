"""From the record files of a run, one a cell, to the one tidy JSON-lines file that is committed.

Reading committed records is `labelkit.verdicts.load_records`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from labelkit.publish.files import write_if_different

if TYPE_CHECKING:
    from labelkit.experiments.settings import RunSettings

IDENTITY = ("data", "arm", "seed")
REQUIRED = ("schema", "paper", "run", "budget", "arm", "data", "seed", "metrics", "steps", "code", "versions", "device")


def consolidate(folder: Path, target: Path, expected: Iterable[tuple[str, str, int]] | None = None) -> int:
    """Collects the record files of one run into one JSON-lines file, sorted by data, arm and seed.

    Args:
        folder: holds one ``*.json`` file a record; folders below it are not read.
        target: JSON-lines file to write, whole or not at all.
        expected: (data, arm, seed) of every record that the run must have left; None accepts any set.

    Returns:
        Number of records written.

    Raises:
        FileNotFoundError: the folder is missing or holds no record.
        ValueError: a record is not valid, is there twice, is missing, is not part of the run, or belongs to
            another paper or run than the first.
    """
    paths = sorted(folder.glob("*.json")) if folder.is_dir() else []
    if not paths:
        raise FileNotFoundError(f"There is no record in {folder}: the run has not finished a single cell.")
    found: dict[tuple[str, str, int], tuple[Path, dict]] = {}
    for path in paths:
        record = _read(path)
        identity = tuple(record[key] for key in IDENTITY)
        if identity in found:
            raise ValueError(f"{path} and {found[identity][0]} are records of the same cell {_name(identity)}.")
        found[identity] = (path, record)
    first_path, first = next(iter(found.values()))
    for path, record in found.values():
        if (record["paper"], record["run"]) != (first["paper"], first["run"]):
            raise ValueError(
                f"{path} belongs to {record['paper']}/{record['run']}, but {first_path} to "
                f"{first['paper']}/{first['run']}: a folder holds the records of one run."
            )
    if expected is not None:
        wanted = set(expected)
        missing, foreign = sorted(wanted - set(found)), sorted(set(found) - wanted)
        if missing:
            raise ValueError(f"{folder} lacks {len(missing)} of {len(wanted)} records, first {_name(missing[0])}.")
        if foreign:
            raise ValueError(f"{found[foreign[0]][0]} is not part of the run (any more): remove it.")
    lines = [json.dumps(found[key][1], sort_keys=True, ensure_ascii=False) for key in sorted(found)]
    write_if_different(target, "\n".join(lines) + "\n")
    return len(lines)


def collect(settings: RunSettings, root: Path) -> int:
    """Collects the records of all cells of a run into ``data/results/<paper>/<run>.jsonl`` below ``root``.

    Returns:
        Number of records written.

    Raises:
        FileNotFoundError, ValueError: as :func:`consolidate`.
    """
    from labelkit import runs

    expected = [(data, arm, seed) for data in settings.data for arm in settings.arms for seed in settings.seeds]
    target = root / "data" / "results" / settings.paper / f"{settings.run}.jsonl"
    return consolidate(root / runs.folder(settings), target, expected)


def _read(path: Path) -> dict:
    try:
        return _check(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not a whole record: it is not text.") from None


def _check(text: str, where: str) -> dict:
    try:
        record = json.loads(text)
    except json.JSONDecodeError:
        raise ValueError(f"{where} is not a whole record: it is not valid JSON.") from None
    missing = [key for key in REQUIRED if key not in record] if isinstance(record, dict) else list(REQUIRED)
    if missing:
        raise ValueError(f"{where} is not a whole record: it lacks {', '.join(missing)}.")
    return record


def _name(identity: tuple) -> str:
    return "{} / {} / seed {}".format(*identity)
