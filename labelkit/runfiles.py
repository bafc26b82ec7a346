"""Run files: which papers have an experiment, and the values of a run, read and validated."""

import difflib
import importlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from labelkit.experiments.settings import RunSettings
from labelkit.validated import cause, read_yaml


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
    values = read_yaml(path)
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
        raise ValueError(f"{source}: {_first_problem(error, module.Settings)}") from None
    unknown = [arm for arm in settings.arms if arm not in module.ARMS]
    if unknown:
        raise ValueError(f"{source}: arms names {unknown[0]!r}; {_near(unknown[0], module.ARMS)}")
    for key in ("arms", "seeds", "data"):
        listed = getattr(settings, key)
        if len(set(listed)) < len(listed):
            raise ValueError(f"{source}: {key} names an entry twice: {listed}")
    return settings


def _first_problem(error: ValidationError, model: type[RunSettings]) -> str:
    problem = cause(error)
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"unknown key {key!r}; {_near(key, model.model_fields)}"
    if problem["type"] == "missing":
        return f"key {key!r} is missing"
    hint = (
        " (YAML reads 1e-3 as text: write 1.0e-3)"
        if isinstance(problem["input"], str) and "number" in problem["msg"]
        else ""
    )
    return f"key {key!r} is {problem['input']!r}; {problem['msg'][0].lower()}{problem['msg'][1:]}{hint}"


def _near(name: str, known: Iterable[str]) -> str:
    """What was expected in place of a name: the nearest known one, and all of them."""
    close = difflib.get_close_matches(name, list(known), 1)
    return (f"did you mean {close[0]!r}? " if close else "") + f"expected some of {', '.join(known)}"
