"""Arrays that are made once from a large cloud and read from a file ever after."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

Arrays = Mapping[str, np.ndarray]


def kept(path: Path | None, names: tuple[str, ...], make: Callable[[], Arrays]) -> dict[str, np.ndarray]:
    """Arrays of a file; where it is not there yet they are made and the file is written, whole or not at all.

    Processes that ask at the same time make the same file, each for itself.

    Args:
        path: of the file, ``.npz``; None makes them and keeps nothing.
        names: of the arrays that it must hold, all of one length.
        make: gives them.

    Raises:
        ValueError: the file cannot be read or holds something else; names it.
        OSError: it cannot be written.
    """
    if path is None:
        return dict(make())
    if not path.is_file():
        _write(path, make())
    return _read(path, names)


def _write(path: Path, arrays: Arrays) -> None:
    from labelkit.files import write_whole

    def write(partial: Path) -> None:
        with open(partial, "wb") as file:  # savez would add an ending to a name
            np.savez(file, **arrays)

    write_whole(path, write)


def _read(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in names}
        if len({len(values) for values in found.values()}) != 1:
            raise ValueError("arrays of several lengths")
    except Exception as error:  # np.load has no exception of its own
        wanted = ", ".join(names)
        raise ValueError(f"{path}: not a readable file with {wanted} ({type(error).__name__}); delete it") from error
    return found
