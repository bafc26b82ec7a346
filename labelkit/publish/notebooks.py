"""What makes a notebook a chapter: exactly one parameters cell, executed to the end, nothing volatile inside."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

VOLATILE_CELL_KEYS = ("papermill", "execution", "ExecuteTime")
PLACEHOLDER = re.compile(r"@@[A-Z][A-Z0-9_]*@@")
"""Where a sentence or a number is still to be written, as in ``@@DISCUSSION@@``."""


def read(path: Path) -> dict:
    """Reads a notebook of format 4 as the plain JSON object that it is.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a notebook of format 4.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no notebook {path}.")
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise ValueError(f"{path} is not a notebook: it is not valid JSON.") from None
    if not isinstance(notebook, dict) or notebook.get("nbformat") != 4 or not isinstance(notebook.get("cells"), list):
        raise ValueError(f"{path} is not a notebook of format 4.")
    if not all(isinstance(cell, dict) and isinstance(cell.get("cell_type"), str) for cell in notebook["cells"]):
        raise ValueError(f"{path} is not a notebook of format 4: a cell has no type.")
    return notebook


def write(notebook: dict) -> str:
    """The notebook as text, in Jupyter's own layout (one space of indent, keys sorted, a final newline)."""
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def source(cell: dict) -> str:
    """Source of a cell as one string; the format allows a list of lines."""
    text = cell.get("source", "")
    return text if isinstance(text, str) else "".join(text)


def tags(cell: dict) -> list[str]:
    """Tags of a cell."""
    return cell.get("metadata", {}).get("tags", [])


def code_cells(notebook: dict) -> list[dict]:
    """The code cells that are not empty, without the cell in which papermill injected its values."""
    return [
        cell
        for cell in notebook["cells"]
        if cell["cell_type"] == "code" and source(cell).strip() and "injected-parameters" not in tags(cell)
    ]


def structure_problem(notebook: dict, required: bool = True) -> str | None:
    """A clause on what keeps papermill from setting parameters, or None.

    Without a cell tagged ``parameters`` papermill puts its values at the top, where the notebook overwrites them.

    Args:
        notebook: content of a notebook.
        required: there must be such a cell; a comparison without a run file may do without.
    """
    count = sum("parameters" in tags(cell) for cell in notebook["cells"] if cell["cell_type"] == "code")
    if count > 1 or (required and count == 0):
        return f"it has {count} code cells tagged `parameters`, not exactly one"
    return None


def placeholders(notebook: dict) -> list[str]:
    """What is still to be written, such as ``@@DISCUSSION@@``: each once, in the order of the cells."""
    return list(dict.fromkeys(name for cell in notebook["cells"] for name in PLACEHOLDER.findall(source(cell))))


def execution_problem(notebook: dict, draft: bool = False) -> str | None:
    """A clause on why this notebook cannot be shown as executed, or None.

    The book build itself passes over an error output without a word, so this is where it is caught.

    Args:
        notebook: content of a notebook.
        draft: placeholders may stand in the text, as they must until the results are known.
    """
    for number, cell in enumerate(notebook["cells"], start=1):
        for output in cell.get("outputs", []):
            if output.get("output_type") == "error":
                return f"cell {number} ended in {output.get('ename', 'an error')}: {output.get('evalue', '')}".strip()
    cells = code_cells(notebook)
    if not cells:
        return "it has no code cells"
    missing = sum(cell.get("execution_count") is None for cell in cells)
    if missing == len(cells):
        return "it was never executed"
    if missing:
        return f"{missing} of its {len(cells)} code cells were not executed"
    if not any(cell.get("outputs") for cell in cells):
        return "it has no outputs"
    unwritten = [] if draft else placeholders(notebook)
    if unwritten:
        return f"it is not written to the end: {', '.join(unwritten)}"
    return None


def without_volatile(notebook: dict, drop_injected: bool = True) -> dict:
    """A copy without what differs between two identical runs.

    Removed are papermill's metadata, execution times, the version of the kernel's language, and random cell ids
    (replaced by the cell's position).

    Args:
        notebook: executed notebook.
        drop_injected: also remove the cell that papermill injected; right if its values equal the written ones.
    """
    notebook = copy.deepcopy(notebook)
    if drop_injected:
        notebook["cells"] = [cell for cell in notebook["cells"] if "injected-parameters" not in tags(cell)]
    metadata = notebook.get("metadata", {})
    metadata.pop("papermill", None)
    metadata.pop("widgets", None)
    if "language_info" in metadata:
        metadata["language_info"] = {"name": metadata["language_info"].get("name", "python")}
    count = 0
    for number, cell in enumerate(notebook["cells"]):
        cell["id"] = f"cell-{number:03d}"
        for key in VOLATILE_CELL_KEYS:
            cell["metadata"].pop(key, None)
        if cell["cell_type"] != "code":
            continue
        if cell.get("execution_count") is not None:
            count += 1
            cell["execution_count"] = count
        for output in cell.get("outputs", []):
            if output.get("output_type") == "execute_result":
                output["execution_count"] = cell["execution_count"]
    return notebook
