"""Fetch what may be fetched without a form, with checksums; nothing half-written ever carries its final name."""

import os
import tarfile
import tempfile
import zlib
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from labelkit.datasets.sources import Archive, find_entry
from labelkit.progress import Progress

PARTIAL, REACHED_END = 206, 416  # answers of a server that was asked to go on behind the end of a file
MEGABYTE = 1 << 20
PIECE = 1 << 16  # bytes that an interruption may lose


def fetch(name: str, root: str | Path, progress: bool = False) -> Path:
    """Fetch a data set into the data root. What is already there is left alone.

    Args:
        name: its name in the catalogue.
        root: the data root; it is made if it is missing.
        progress: show a progress bar for the download.

    Returns:
        The data set's folder.

    Raises:
        ValueError: the name is unknown, the data set has to be got by hand (the sentence says what to place where), or
            the downloaded file has another checksum.
        OSError: the folder cannot be written, or the server cannot be reached.
    """
    known = find_entry(name)
    if not known.downloadable:
        raise ValueError(f"{known.name} cannot be fetched automatically: {known.instructions(root)}")
    folder = Path(root) / known.folder
    for archive in known.archives:
        fetch_archive(archive, folder, progress)
    return folder


def fetch_archive(archive: Archive, folder: Path, progress: bool = False) -> Path:
    """Download and unpack one archive.

    The archive is downloaded as ``<name>.part``, compared with its checksum, then renamed; it is unpacked into a
    temporary folder, then moved to its place. A download that was interrupted goes on where it stopped, if the server
    can; a finished one is used again if unpacking was interrupted, and removed once everything is unpacked.

    Args:
        archive: what to fetch.
        folder: the data set's folder.
        progress: show a progress bar.

    Returns:
        The path that the archive unpacks to.

    Raises:
        ValueError: the downloaded file has another checksum, or is not an archive with the expected content.
        FileExistsError: the place is taken by something else, which is left alone.
        OSError: the folder cannot be written, or the server cannot be reached.
    """
    target, top = folder / archive.unpacks_to, Path(archive.unpacks_to).parts[0]
    if target.exists():
        return target
    if (folder / top).exists():
        raise FileExistsError(f"{folder / top} exists but lacks {target}: move it away to fetch it whole")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        workplace = tempfile.TemporaryDirectory(dir=folder, prefix=".unpacking-")
    except OSError as error:
        raise OSError(f"{folder} cannot be written ({error.strerror}): a writable data folder was expected") from None
    with workplace as temporary:
        packed = _download(archive, folder, progress)
        _unpack(packed, archive, Path(temporary))
        os.replace(Path(temporary) / top, folder / top)
    packed.unlink()
    return target


def _download(archive: Archive, folder: Path, progress: bool) -> Path:
    import pooch
    import requests

    pooch.get_logger().setLevel("WARNING")
    file_name = Path(urlparse(archive.url).path).name
    try:
        return Path(
            pooch.retrieve(
                archive.url, known_hash=archive.checksum, fname=file_name, path=folder,
                downloader=_Resuming(folder / f"{file_name}.part", progress),
            )
        )  # fmt: skip
    except ValueError:
        raise ValueError(f"{archive.url} delivered another file: {archive.checksum} was expected") from None
    except requests.HTTPError as error:
        raise OSError(f"{archive.url} cannot be fetched (the server answered {error.response.status_code})") from None
    except requests.RequestException as error:
        raise OSError(f"{archive.url} cannot be reached ({type(error).__name__}): a network was expected") from None
    except OSError as error:
        raise OSError(f"{folder / file_name} cannot be written ({error.strerror}): space was expected") from None


class _Resuming:
    """Downloads for pooch into a file that stays if the download is interrupted, and goes on behind its end.

    pooch's own downloader starts anew each time. What was joined from two attempts is compared with the checksum as
    a whole, and is gone if it differs, so that a third attempt starts anew.

    Args:
        part: the file.
        progress: show a progress bar.
    """

    def __init__(self, part: Path, progress: bool) -> None:
        self.part, self.progress = part, progress

    def __call__(self, url: str, output_file: str, _: object) -> None:
        import requests

        there = self.part.stat().st_size if self.part.is_file() else 0
        headers = {"Range": f"bytes={there}-", "Accept-Encoding": "identity"} if there else {}
        with requests.get(url, stream=True, timeout=30, headers=headers) as answer:
            if answer.status_code != REACHED_END:
                answer.raise_for_status()
                goes_on = answer.status_code == PARTIAL
                self._receive(answer, "ab" if goes_on else "wb", there if goes_on else 0)
        os.replace(self.part, output_file)

    def _receive(self, answer: Any, mode: str, there: int) -> None:
        total = there + int(answer.headers.get("Content-Length", 0))
        bar = Progress(total // MEGABYTE, f"download of {self.part.stem}", "MB") if self.progress else None
        with self.part.open(mode) as file:
            for piece in answer.iter_content(PIECE):
                file.write(piece)
                if bar:
                    bar.update(file.tell() // MEGABYTE)
        if bar:
            bar.close()


def _unpack(packed: Path, archive: Archive, temporary: Path) -> None:
    try:
        with tarfile.open(packed) as content:
            content.extractall(temporary, filter="data")
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise ValueError(f"{packed} cannot be unpacked ({error}): a tar archive was expected") from None
    except OSError as error:
        raise OSError(f"{packed} cannot be unpacked ({error.strerror}): space for its content was expected") from None
    if not (temporary / archive.unpacks_to).exists():
        raise ValueError(f"{packed} does not hold {archive.unpacks_to}: an archive with it was expected")
