"""What readers of files share: finding a data set's folder and layout, the name with its size, the check of a split."""

from collections.abc import Callable, Sequence
from pathlib import Path

from labelkit.datasets.tagged import SPLITS


def locate(
    root: str | Path,
    subfolders: Sequence[str],
    layout_of: Callable[[Path], str | None],
    who: str,
    expected: str,
    named: int | None = None,
) -> tuple[Path, str]:
    """Find a data set in a folder and recognise its layout.

    Args:
        root: the data set's folder or one that holds it.
        subfolders: two or more folders below `root`, looked into in this order after `root` itself.
        layout_of: gives the layout of a folder, or None if it is not the data set.
        who: the data set, for the error.
        expected: the files of its layouts, for the error.
        named: how many of the subfolders the error names; all by default.

    Returns:
        The data set's folder, and its layout.

    Raises:
        FileNotFoundError: it is not there; the sentence says what was looked for.
    """
    root = Path(root)
    for folder in (root, *(root / name for name in subfolders)):
        if layout := layout_of(folder):
            return folder, layout
    *others, last = subfolders[:named]
    where = f"there or in its folder {', '.join(others)} or {last}"
    raise FileNotFoundError(f"no {who} in {root}: {expected} were expected {where}")


def sized(name: str, height: int | None, width: int | None) -> str:
    """A data set's name with its size, such as ``camvid-240x180``: width first, as is the custom.

    Args:
        name: without a size.
        height, width: delivered size in pixels; without both, the name stays as it is.
    """
    return f"{name}-{width}x{height}" if height and width else name


def check_split(split: str, who: str) -> None:
    """Refuse a split other than "train", "val" and "test".

    Args:
        split: what was asked for.
        who: the data set, for the error.

    Raises:
        ValueError: there is no such split.
    """
    if split not in SPLITS:
        raise ValueError(f"{who} has no split {split!r}: train, val or test was expected")
