"""Run the conversions that a data set needs; what is there already is compared with its checksums.

A reader that converts offers ``conversions``, from the data root to what is to be made: objects with `folder`,
`sources`, `missing`, `damaged`, `forget` and `run`, such as `converting.Conversion`. Readers make what they miss by
themselves when they are first used; this does it beforehand, and reads again everything that was made.
"""

import importlib
import importlib.util
from pathlib import Path
from typing import Any

from labelkit.datasets.sources import find_entry


def prepare(name: str, root: str | Path) -> list[str]:
    """Make what is missing of a data set's conversions, and make anew what differs from what was made.

    Args:
        name: of the catalogue.
        root: the data root, or the data set's folder.

    Returns:
        A sentence for each folder that was filled, or one that nothing is needed.

    Raises:
        ValueError: the name is unknown, or a source is broken; the others are done.
        FileNotFoundError: the data set or a file of it is not there.
        OSError: a folder cannot be written, or the disk is full; what was made before stays.
    """
    known = find_entry(name)
    module = f"labelkit.datasets.{known.name.replace('-', '_')}"
    reader = importlib.import_module(module) if importlib.util.find_spec(module) else None
    made = reader.conversions(root) if hasattr(reader, "conversions") else []
    if not made:
        return [f"{known.name} needs no conversion: its files are read as they are"]
    return [_carry_out(each) for each in made]


def _carry_out(conversion: Any) -> str:
    damaged = conversion.damaged()
    for name in damaged:
        conversion.forget(name)
    missing, total = len(conversion.missing()), len(conversion.sources)
    conversion.run()
    if wrong := [*conversion.missing(), *conversion.damaged()]:
        raise OSError(
            f"{conversion.folder}: {wrong[0]} is not as it was made: a folder that nothing else writes was expected"
        )
    again = f", of which {len(damaged)} differed from what had been made" if damaged else ""
    return (
        f"{conversion.folder}: {total - missing} of {total} were there, {missing} were made{again}; all were verified"
    )
