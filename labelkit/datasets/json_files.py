"""JSON files that lie beside the data: splits and lists of classes."""

import json
from pathlib import Path
from typing import Any


def read_json(path: Path) -> Any:
    """Read one JSON file.

    Args:
        path: the file, in UTF-8, with or without a byte order mark.

    Returns:
        Its content.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not valid JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not valid JSON ({error})") from None
