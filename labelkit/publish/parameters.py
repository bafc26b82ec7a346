"""The parameters of a run file against the parameters cell of a notebook.

papermill sets whatever it is given: a mistyped name makes a variable that nobody reads, and the exit status is 0. So
names and types are compared before anything runs, and a chapter that papermill runs without us compares them itself.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from labelkit.publish import notebooks
from labelkit.validated import read_yaml

NOT_PARAMETERS = ("about",)
"""Keys of a run file that describe the run and are not given to a notebook."""


def read(run_file: Path) -> dict[str, Any]:
    """Parameters of a run file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not YAML, repeats a key or is not a flat mapping.
    """
    if not run_file.is_file():
        raise FileNotFoundError(f"There is no run file {run_file}.")
    values = read_yaml(run_file)
    if not isinstance(values, dict):
        raise ValueError(f"{run_file}: a run file is a mapping of parameter names to values.")
    return {name: value for name, value in values.items() if name not in NOT_PARAMETERS}


def defaults(notebook_path: Path) -> dict[str, Any]:
    """Names and default values of the parameters cell.

    Args:
        notebook_path: a notebook.

    Returns:
        Values as Python objects; ``...`` for a default that is not a plain literal.

    Raises:
        ValueError: the notebook has not exactly one parameters cell, or the cell is not Python.
    """
    notebook = notebooks.read(notebook_path)
    problem = notebooks.structure_problem(notebook)
    if problem:
        raise ValueError(f"{notebook_path}: {problem}.")
    cell = next(c for c in notebook["cells"] if c["cell_type"] == "code" and "parameters" in notebooks.tags(c))
    try:
        assigned = _assigned(notebooks.source(cell))
    except SyntaxError as error:
        raise ValueError(f"{notebook_path}: line {error.lineno} of the parameters cell is not Python.") from None
    found: dict[str, Any] = {}
    for name, value in assigned.items():
        try:
            found[name] = ast.literal_eval(value)
        except ValueError:
            found[name] = ...
    return found


def _assigned(code: str) -> dict[str, ast.expr]:
    """The names that the top level of a cell gives a value, each with the last expression that it is given."""
    found = {}
    for statement in ast.parse(code).body:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        for target in targets:
            if isinstance(target, ast.Name) and getattr(statement, "value", None) is not None:
                found[target.id] = statement.value
    return found


def given(cells: Iterable[str], known: Iterable[str]) -> list[str]:
    """The parameters of a chapter as seen from inside it: those it knows, then any stray that somebody else set.

    A stray is a name that the parameters cell, or the cell that papermill adds after it, gives a value though the
    chapter does not know it: nearly always a mistyped parameter. The chapter hands all of them to
    `labelkit.runs.parse`, which refuses strays by name.

    Args:
        cells: source of each cell that this session has executed, in order: ``In`` in a notebook.
        known: names of the chapter's parameters.
    """
    known = list(known)
    sources = []
    for code in cells:
        try:
            names = _assigned(code)
        except SyntaxError:
            continue  # a cell that failed to parse has set nothing
        if set(known) <= set(names):
            sources = [names]  # the parameters cell; if it was executed again, only the last time counts
        elif code.lstrip().startswith("# Parameters\n"):
            sources.append(names)  # so papermill begins the cell that it adds
    return list(dict.fromkeys([*known, *(name for names in sources for name in names)]))


def check(values: dict[str, Any], notebook_path: Path, run_file: Path) -> None:
    """Refuses a parameter that the notebook does not have, or whose type differs from the default's.

    Raises:
        ValueError: one sentence that names file, parameter and what was expected.
    """
    known = defaults(notebook_path)
    for name, value in values.items():
        if name not in known:
            raise ValueError(
                f"{run_file}: `{name}` is not a parameter of {notebook_path.name}; it has {', '.join(sorted(known))}."
            )
        default = known[name]
        if default is ... or default is None or value is None or _same_kind(value, default):
            continue
        hint = " (write 1.0e-3, not 1e-3)" if isinstance(default, float) and isinstance(value, str) else ""
        raise ValueError(f"{run_file}: `{name}` is {value!r}, but {notebook_path.name} expects {_kind(default)}{hint}.")


def equal_defaults(values: dict[str, Any], notebook_path: Path) -> bool:
    """Whether a run file sets nothing that the parameters cell does not say already."""
    known = defaults(notebook_path)
    return all(name in known and known[name] == value for name, value in values.items())


def _same_kind(value: Any, default: Any) -> bool:
    if isinstance(value, bool) or isinstance(default, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    if isinstance(default, float):
        return isinstance(value, int | float)
    if isinstance(default, list | tuple):
        return isinstance(value, list | tuple)
    return isinstance(value, type(default))


def _kind(value: Any) -> str:
    names = {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: "text",
        list: "a list",
        tuple: "a list",
    }
    return names.get(type(value), type(value).__name__)
