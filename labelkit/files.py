"""Files written whole or not at all. Needs the standard library alone, so that the book can use it without torch."""

import os
import platform
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def write_whole(path: str | os.PathLike, write: Callable[[Path], None]) -> None:
    """Write a file whole or not at all: into ``<name>.<machine>-<process>.partial``, flushed to disk, then renamed.

    Raises:
        OSError: the folder cannot be written or the disk is full; names the file, and the target keeps its old content.
    """
    path = Path(path)
    partial = path.with_name(f"{path.name}.{platform.node()}-{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(partial)
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    except (OSError, RuntimeError) as error:  # torch.save reports a full disk as a RuntimeError
        with suppress(OSError):  # where the folder is a file there is nothing to remove
            partial.unlink()
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise OSError(f"{path}: could not be written ({reason}); nothing was changed") from error


def write_plainly(path: str | os.PathLike, data: bytes) -> None:
    """Write one of many files that count only once a record lists them: not flushed, and no half of it is left.

    Raises:
        OSError: the folder cannot be written or the disk is full; names the file.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        with suppress(OSError):
            path.unlink()
        raise OSError(f"{path}: could not be written ({error.strerror})") from error
