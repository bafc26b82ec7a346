"""Files written whole or not at all, and only when their bytes differ.

A file that keeps its bytes keeps its time stamp, so that the book build sees what really changed.
"""

from __future__ import annotations

from pathlib import Path

from labelkit.files import write_whole


def write_if_different(path: Path, content: bytes | str) -> bool:
    """Writes ``content`` to ``path`` by way of a temporary file, unless the file holds it already.

    Args:
        path: target; missing folders are made.
        content: text (stored as UTF-8) or bytes.

    Returns:
        True if the file was written, False if it was left alone.

    Raises:
        OSError: the folder cannot be written; the target is then untouched and no temporary file remains.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    if path.is_file() and path.read_bytes() == data:
        return False
    write_whole(path, lambda partial: partial.write_bytes(data))
    return True


def remove_others(folder: Path, keep: set[Path]) -> list[Path]:
    """Removes every file under ``folder`` that is not in ``keep``, then the folders left empty.

    Args:
        folder: folder to clear up; need not exist.
        keep: full paths of the files to keep.

    Returns:
        The removed files, sorted.
    """
    removed = sorted(path for path in folder.rglob("*") if path.is_file() and path not in keep)
    for path in removed:
        path.unlink()
    for path in sorted((p for p in folder.rglob("*") if p.is_dir()), reverse=True):
        if not any(path.iterdir()):
            path.rmdir()
    return removed
