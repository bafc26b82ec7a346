"""Files written whole or not at all. Needs the standard library alone, so that the book can use it without torch."""

import os
from collections.abc import Callable
from pathlib import Path


def write_whole(path: str | os.PathLike, write: Callable[[Path], None]) -> None:
    """Write a file whole or not at all: into ``<name>.<process>.partial``, flushed to disk, then renamed over the
    target.

    Raises:
        OSError: the folder cannot be written or the disk is full; names the file, and the target keeps its old content.
    """
    path = Path(path)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(partial)
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    except (OSError, RuntimeError) as error:  # torch.save reports a full disk as a RuntimeError
        partial.unlink(missing_ok=True)
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise OSError(f"{path}: could not be written ({reason}); nothing was changed") from error
