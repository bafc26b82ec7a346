"""Reads a YAML file into a pydantic model; whatever is wrong becomes one sentence that names the file and the place."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)


def read_validated(path: str | Path, model: type[Model]) -> Model:
    """Reads a YAML file and validates it.

    Args:
        path: the file; its top level is a mapping.
        model: what the content must be.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not YAML, repeats a key, has an unknown or missing key, or a value of a wrong type.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; expected a YAML file.")
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected a mapping of keys, not {_kind(content)}.")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise ValueError(f"{path}: {_first_error(error, content)}.") from None


def read_yaml(path: Path) -> Any:
    """The content of a YAML file. A key given twice is an error: the plain loader silently keeps the last one."""
    import yaml

    class UniqueKeys(yaml.SafeLoader):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
            seen = []
            for key_node, _ in node.value:
                key = self.construct_object(key_node, deep=True)
                if key in seen:
                    raise yaml.MarkedYAMLError(problem=f"key {key!r} is given twice", problem_mark=key_node.start_mark)
                seen.append(key)
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=UniqueKeys)
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not a text file in UTF-8.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = " ".join(str(getattr(error, "problem", None) or "it cannot be parsed").split())
        raise ValueError(f"{path}: not valid YAML{place}: {problem}.") from None


def cause(error: ValidationError) -> dict[str, Any]:
    """The finding to tell first: an unknown key, because a mistyped key also makes the right one go missing."""
    findings = error.errors()
    return next((found for found in findings if found["type"] == "extra_forbidden"), findings[0])


def _first_error(error: ValidationError, content: dict) -> str:
    """The first of pydantic's findings as a clause: where, what, and how many more there are."""
    findings = error.errors()
    first = cause(error)
    path, here, item_id = "", content, None
    for part in first["loc"]:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{part}" if path else str(part)
        try:
            here = here[part]
        except (KeyError, IndexError, TypeError):
            here = None
        if isinstance(here, dict) and "id" in here:
            item_id = here["id"]
    where = (path or "the whole") + (f" (id {item_id})" if item_id else "")
    if first["type"] == "extra_forbidden":
        what = "unknown key"
    elif first["type"] == "missing":
        what = "this key is missing"
    elif first["type"] == "value_error":
        what = str(first["ctx"]["error"])
    else:
        message = first["msg"][0].lower() + first["msg"][1:]
        what = f"{message}, not {_kind(here)}"
    more = len(findings) - 1
    return f"{where}: {what}" + (f" (and {more} more)" if more else "")


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return f"{value!r}"
