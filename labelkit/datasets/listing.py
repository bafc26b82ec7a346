"""Listing what an owner's folders and text files name, so that nothing is lost in silence.

A link that leads nowhere, two names that differ only in case, a picture without its label, and a list that names a
sample twice are each said in one sentence that names the file.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from labelkit.datasets.images import IMAGE_SUFFIXES
from labelkit.datasets.pairs import Pair

_SUFFIX = rf"(?:{'|'.join(map(re.escape, IMAGE_SUFFIXES))})"


def entries(folder: Path) -> list[Path]:
    """What a folder holds, sorted by name; hidden entries are passed over.

    Args:
        folder: the folder.

    Returns:
        Its files and folders.

    Raises:
        FileNotFoundError: it is not a folder.
        ValueError: a symbolic link leads nowhere, in a circle or back up, or two names differ only in case.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not a folder: a folder of the data set was expected")
    found = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    seen: dict[str, Path] = {}
    for path in found:
        if path.is_symlink():
            _check_link(path)
        if (other := seen.setdefault(path.name.lower(), path)) != path:
            raise ValueError(
                f"{folder} holds {other.name} and {path.name}, which differ only in case: one of them was expected"
            )
    return found


def folders_in(folder: Path) -> list[Path]:
    """The folders in a folder, sorted by name; for errors see `entries`."""
    return [path for path in entries(folder) if path.is_dir()]


def files_in(folder: Path, ending: str = "") -> dict[str, Path]:
    """The image files of a folder by name.

    Args:
        folder: the folder; files with another suffix than that of an image are passed over.
        ending: only names that end so before the suffix, such as "_leftImg8bit".

    Returns:
        Name without ending and suffix, to path, sorted by name.

    Raises:
        FileNotFoundError: it is not a folder.
        ValueError: two files share a name (`a.png` and `a.jpg`); or as for `entries`.
    """
    found: dict[str, Path] = {}
    for path in entries(folder):
        if path.suffix.lower() not in IMAGE_SUFFIXES or not path.stem.endswith(ending):
            continue
        name = path.stem.removesuffix(ending)
        if name in found:
            raise ValueError(f"{folder} holds {found[name].name} and {path.name}: one file a name was expected")
        found[name] = path
    return dict(sorted(found.items()))


def paired(
    images: Mapping[str, Path], masks: Mapping[str, Path], image_folder: Path, mask_folder: Path, ending: str = ""
) -> list[Pair]:
    """Pair pictures and label files by name.

    Args:
        images, masks: name to path, see `files_in`.
        image_folder, mask_folder: where they lie, for the error.
        ending: what the names of the label files end with, for the error.

    Returns:
        One pair a name, in the order of `images`.

    Raises:
        FileNotFoundError: a file has no partner; if one differs from it only in case, the sentence says so.
    """
    for name in sorted(images.keys() ^ masks.keys()):
        lone, there, where = (
            (images[name], masks, mask_folder) if name in images else (masks[name], images, image_folder)
        )
        if like := [other for other in there if other.lower() == name.lower()]:
            raise FileNotFoundError(
                f"{lone} has no partner: {there[like[0]].name} in {where} differs in case, equal names were expected"
            )
        wanted = f"{name}{ending if where == mask_folder else ''}.png (or .jpg)"
        raise FileNotFoundError(f"{lone} has no partner: a file {wanted} was expected in {where}")
    return [Pair(name, path, masks[name]) for name, path in images.items()]


def match_by_stem(images: Path, masks: Path) -> list[Pair]:
    """Pair the files of two folders by their name without suffix, sorted by name; for errors see `paired`."""
    return paired(files_in(images), files_in(masks), images, masks)


def picked(files: Mapping[str, Path], names: Iterable[str], folder: Path, suffix: str, listing: str) -> list[Path]:
    """The files of some names.

    Args:
        files: name to path of what is there, see `listing.files_in`.
        names: the ones that are wanted.
        folder: where they lie, for the error.
        suffix: of the files, for the error.
        listing: what names them, for the error.

    Raises:
        FileNotFoundError: a file is missing; if one differs from it only in case, the sentence says so.
    """
    found = []
    for name in names:
        if name not in files:
            like = [path.name for other, path in files.items() if other.lower() == name.lower()]
            there = f" ({like[0]} differs in case)" if like else ""
            raise FileNotFoundError(f"{folder} has no file {name}{suffix}{there}: {listing} names it")
        found.append(files[name])
    return found


def named_files(folder: Path, names: Iterable[str], listing: str) -> list[Path]:
    """The image files of a folder that a list names, without suffix; for arguments and errors see `picked`."""
    return picked(files_in(folder), names, folder, "", listing)


def read_names(path: Path) -> dict[str, int]:
    """The names in a text file, one a line, in its order, with the number of the line.

    Args:
        path: see `read_lines`.

    Returns:
        Name to line, from 1.

    Raises:
        FileNotFoundError, ValueError: see `read_lines`; or the file names something twice.
    """
    names: dict[str, int] = {}
    for name, number in read_lines(path):
        if name in names:
            raise ValueError(f"list {path} names {name} in lines {names[name]} and {number}: once was expected")
        names[name] = number
    return names


def read_lines(path: Path) -> list[tuple[str, int]]:
    """The lines of a text file that hold anything, without what surrounds them, and their numbers from 1.

    Args:
        path: the file, in UTF-8, with or without a byte order mark, whatever ends its lines.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not text, or holds nothing.
    """
    if not path.is_file():
        raise FileNotFoundError(f"list {path} does not exist: a text file with a name a line was expected")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"list {path} is not UTF-8 text: a name a line was expected") from None
    found = [(line.strip(), number) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if not found:
        raise ValueError(f"list {path} is empty: a name a line was expected")
    return found


def read_file_pairs(path: Path, place: Callable[[str], Path]) -> list[tuple[Path, Path]]:
    """The files that a list names, a picture and its label file a line; spaces in their names are allowed.

    Args:
        path: see `read_lines`.
        place: where a file lies that the list names so.

    Raises:
        FileNotFoundError, ValueError: see `read_lines`; or a line has not two files, or one of them is not there or
            is named twice.
    """
    found: list[tuple[Path, Path]] = []
    seen: dict[Path, int] = {}
    for line, number in read_lines(path):
        if not (match := re.fullmatch(rf"(.+?{_SUFFIX})\s+(.+{_SUFFIX})", line, re.IGNORECASE)):
            raise ValueError(
                f"{path} line {number} holds {len(line.split())} paths: an image and its label were expected"
            )
        files = place(match[1]), place(match[2])
        for file in files:
            if not file.is_file():
                raise FileNotFoundError(f"{file} does not exist{like(file)}: {path.name} line {number} names it")
        if (first := seen.setdefault(files[0], number)) != number:
            raise ValueError(f"list {path} names {files[0].name} in lines {first} and {number}: once was expected")
        found.append(files)
    return found


def like(path: Path) -> str:
    """In brackets the file whose name differs from a missing one in case alone, or nothing."""
    there = path.parent.iterdir() if path.parent.is_dir() else ()
    return next((f" ({each.name} differs in case)" for each in there if each.name.lower() == path.name.lower()), "")


def _check_link(path: Path) -> None:
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):
        raise ValueError(
            f"{path} is a symbolic link that leads nowhere or in a circle: a file or folder was expected behind it"
        ) from None
    if target.is_dir() and path.parent.resolve().is_relative_to(target):
        raise ValueError(f"{path} is a symbolic link to a folder that holds it: a folder elsewhere was expected")
