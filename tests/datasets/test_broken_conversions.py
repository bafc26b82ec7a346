"""Conversions on a full disk and killed in the middle, archives that write outside their folder, cut downloads.

In each case the sources stay as they are, and a second run gives, byte by byte, what an undisturbed one gives.
"""

import errno
import hashlib
import http.server
import io
import os
import re
import signal
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import pytest
import trees
from corrupting import SUBJECTS, Bench, contents, is_sentence

from labelkit.datasets import fetching
from labelkit.datasets.catalogue import prepare
from labelkit.datasets.fetching import fetch_archive
from labelkit.datasets.sources import Archive

CONVERTED = ("voc2012", "pascal-context", "coco", "coco-stuff", "isaid")
MADE = ("labelkit-masks", "labelkit-patches")  # folders of what is made


def made(root: Path) -> dict[str, bytes]:
    """What was made below a data root."""
    files = [path for path in root.rglob("*") if path.is_file() and any(name in path.parts for name in MADE)]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def own(root: Path) -> dict[str, bytes | str]:
    """What the owner's tree holds."""
    return {name: held for name, held in contents(root).items() if not any(each in name for each in MADE)}


@pytest.fixture(scope="module")
def trees_of(tmp_path_factory) -> dict[str, tuple[Path, dict[str, bytes]]]:
    """For each data set its untouched root, and what an undisturbed run makes of a copy."""
    found = {}
    for name in CONVERTED:
        if name in ("coco", "isaid"):
            pytest.importorskip("pycocotools")
        root = tmp_path_factory.mktemp(name)
        SUBJECTS[name].build(root / SUBJECTS[name].folder)
        calm = Bench(SUBJECTS[name], root, tmp_path_factory.mktemp(f"{name}-calm") / "data")
        said = prepare(name, calm.root)
        assert all("all were verified" in each and ": 0 of " in each for each in said)
        assert all(each.endswith("0 were made; all were verified") for each in prepare(name, calm.root))
        found[name] = root, made(calm.root)
    return found


class FullDisk:
    """Counts what is written below the folders of what is made; from the k-th file on, half of it and no more."""

    def __init__(self, monkeypatch, at: int) -> None:
        self.left, self.write = at, Path.write_bytes
        monkeypatch.setattr(Path, "write_bytes", lambda path, data: self(path, data))
        monkeypatch.setattr(Path, "write_text", lambda path, text, *_, **__: self(path, text.encode()))

    def __call__(self, path: Path, data: bytes) -> int:
        self.left -= 1
        if self.left > 0:
            return self.write(path, data)
        self.write(path, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


@pytest.mark.parametrize("at", [1, 2, 4])
@pytest.mark.parametrize("name", CONVERTED)
def test_a_disk_that_fills_up(name, at, trees_of, tmp_path):
    pristine, undisturbed = trees_of[name]
    bench = Bench(SUBJECTS[name], pristine, tmp_path / "data")
    before = own(bench.root)
    with pytest.MonkeyPatch.context() as patch:
        FullDisk(patch, at)
        with pytest.raises(OSError, match=r"could not be written \(No space left on device\)") as error:
            prepare(name, bench.root)
    assert is_sentence(str(error.value)) and str(bench.root) in str(error.value)
    assert own(bench.root) == before
    left = made(bench.root)
    assert not [path for path in left if path.endswith(".partial")] and len(left) < len(undisturbed)
    prepare(name, bench.root)
    assert made(bench.root) == undisturbed


CHILD = """
import os, signal, sys
from pathlib import Path
from labelkit.datasets.catalogue import prepare
left, write = int(sys.argv[3]), Path.write_bytes
def killed(path, data):
    global left
    left -= 1
    write(path, data if left else data[: len(data) // 2])
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
Path.write_bytes = killed
prepare(sys.argv[1], sys.argv[2])
"""


@pytest.mark.parametrize(("name", "at"), [("voc2012", 2), ("isaid", 5)])
def test_a_killed_conversion(name, at, trees_of, tmp_path):
    pristine, undisturbed = trees_of[name]
    bench = Bench(SUBJECTS[name], pristine, tmp_path / "data")
    before = own(bench.root)
    command = [sys.executable, "-c", CHILD, name, str(bench.root), str(at)]
    assert subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == -signal.SIGKILL
    half = made(bench.root)
    assert 0 < len(half) < len(undisturbed) and own(bench.root) == before
    for path in bench.root.rglob("*.partial"):
        os.utime(path, (0, 0))  # an hour later
    prepare(name, bench.root)
    assert made(bench.root) == undisturbed


@pytest.mark.parametrize("name", ["voc2012", "isaid"])
def test_what_was_changed_afterwards_is_made_again(name, trees_of, tmp_path):
    pristine, undisturbed = trees_of[name]
    bench = Bench(SUBJECTS[name], pristine, tmp_path / "data")
    prepare(name, bench.root)
    path = next(path for path in sorted(bench.root.rglob("*.png")) if any(each in path.parts for each in MADE))
    path.write_bytes(path.read_bytes()[:-1] + b"x")  # as long as before
    assert "1 were made, of which 1 differed" in prepare(name, bench.root)[0]
    assert made(bench.root) == undisturbed


def test_what_needs_no_conversion_says_so(tmp_path):
    trees.original_camvid(tmp_path / "CamVid")
    assert prepare("CamVid", tmp_path) == ["camvid needs no conversion: its files are read as they are"]
    with pytest.raises(FileNotFoundError, match="no PASCAL VOC 2012 in"):
        prepare("voc2012", tmp_path)
    with pytest.raises(ValueError, match="'kitti' is neither"):
        prepare("kitti", tmp_path)


# archives


def archive(*members: tuple[str, str]) -> bytes:
    """A tar file of members by name: text for a file, "-> target" for a symbolic link."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as content:
        for name, text in (("batches/data", "hello"), *members):
            info = tarfile.TarInfo(name)
            if text.startswith("-> "):
                info.type, info.linkname = tarfile.SYMTYPE, text.removeprefix("-> ")
                content.addfile(info)
            else:
                info.size = len(text)
                content.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "members",
    [
        [("../evil", "x")],
        [("batches/../../evil", "x")],
        [("batches/out", "-> ../../.."), ("batches/out/evil", "x")],
        [("batches/out", "-> /tmp")],
    ],
    ids=["up", "up from below", "through a link", "a link out"],
)
def test_an_archive_that_writes_outside_its_folder(members, tmp_path, monkeypatch):
    packed = tmp_path / "data" / "small.tar.gz"
    packed.parent.mkdir()
    packed.write_bytes(archive(*members))
    monkeypatch.setattr(fetching, "_download", lambda *_: packed)
    wanted = Archive("http://127.0.0.1/small.tar.gz", "md5:0", "batches/data")
    with pytest.raises(ValueError, match=r"small\.tar\.gz cannot be unpacked \(.*(outside|absolute)") as error:
        fetch_archive(wanted, tmp_path / "data")
    assert is_sentence(str(error.value))
    assert [path.name for path in tmp_path.rglob("*")] == ["data", "small.tar.gz"]
    packed.write_bytes(archive())
    assert fetch_archive(wanted, tmp_path / "data").read_text() == "hello"


def test_an_absolute_path_in_an_archive_stays_inside(tmp_path, monkeypatch):
    packed = tmp_path / "data" / "small.tar.gz"
    packed.parent.mkdir()
    packed.write_bytes(archive((f"{tmp_path}/evil", "x")))
    monkeypatch.setattr(fetching, "_download", lambda *_: packed)
    fetch_archive(Archive("http://127.0.0.1/small.tar.gz", "md5:0", "batches/data"), tmp_path / "data")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["batches", "data", "data"]


# downloads


@pytest.fixture(params=[True, False], ids=["ranges", "no ranges"])
def server(request, monkeypatch):
    """A server that breaks off its first answer; gives the archive and what was asked of it."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    body, asked = archive(("batches/more", os.urandom(200_000).hex())), []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.headers.get("Range"))
            start = int(re.findall(r"\d+", asked[-1])[0]) if asked[-1] and request.param else 0
            if start >= len(body):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            self.wfile.write(body[start : 150_000 if len(asked) == 1 else None])

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        checksum = f"sha256:{hashlib.sha256(body).hexdigest()}"
        yield Archive(f"http://127.0.0.1:{running.server_port}/small.tar.gz", checksum, "batches/data"), asked
        running.shutdown()


def test_a_download_that_was_cut_off_goes_on(server, tmp_path):
    wanted, asked = server
    with pytest.raises(OSError, match=r"small\.tar\.gz cannot be reached \(.*\): a network was expected"):
        fetch_archive(wanted, tmp_path)
    part = tmp_path / "small.tar.gz.part"
    assert [path.name for path in tmp_path.iterdir()] == [part.name] and 0 < part.stat().st_size <= 150_000
    size = part.stat().st_size
    assert fetch_archive(wanted, tmp_path).read_text() == "hello"
    assert asked == [None, f"bytes={size}-"] and [path.name for path in tmp_path.iterdir()] == ["batches"]


def test_a_part_that_does_not_fit_is_thrown_away(server, tmp_path):
    wanted, asked = server
    asked.append("a first answer")  # so that no answer is broken off
    part = tmp_path / "small.tar.gz.part"
    part.write_bytes(b"z" * 999_999)  # of another file, longer than this one
    if _ranges(wanted):
        with pytest.raises(ValueError, match=r"small\.tar\.gz delivered another file"):
            fetch_archive(wanted, tmp_path)
        assert list(tmp_path.iterdir()) == []
    assert fetch_archive(wanted, tmp_path).read_text() == "hello"


def _ranges(wanted: Archive) -> bool:
    import requests

    return requests.get(wanted.url, headers={"Range": "bytes=999999-"}, timeout=30).status_code == 416
