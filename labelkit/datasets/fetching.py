"""Fetch what may be fetched without a form, with checksums; nothing half-written ever carries its final name."""

import os
import tarfile
import tempfile
from pathlib import Path
from urllib.parse import urlparse

from labelkit.datasets.sources import Archive, find_entry


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

    The archive is downloaded under a temporary name, compared with its checksum, then renamed; it is unpacked into a
    temporary folder, then moved to its place. A finished download is used again if unpacking was interrupted, and
    removed once everything is unpacked.

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
                downloader=pooch.HTTPDownloader(progressbar=progress, timeout=30),
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


def _unpack(packed: Path, archive: Archive, temporary: Path) -> None:
    try:
        with tarfile.open(packed) as content:
            content.extractall(temporary, filter="data")
    except tarfile.TarError as error:
        raise ValueError(f"{packed} cannot be unpacked ({error}): a tar archive was expected") from None
    except OSError as error:
        raise OSError(f"{packed} cannot be unpacked ({error.strerror}): space for its content was expected") from None
    if not (temporary / archive.unpacks_to).exists():
        raise ValueError(f"{packed} does not hold {archive.unpacks_to}: an archive with it was expected")
