"""ScanNet in its owners' layout, written byte by byte: labels mapped, rooms whole, broken files named."""

import json
import shutil
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from labelkit.datasets import scannet, scannet_files
from labelkit.datasets.checking_scannet import check_scannet, recognised
from labelkit.datasets.ply_files import read_column, read_header, read_points
from labelkit.datasets.scannet import parts, room_of

NAMES = {"wall": 1, "couch": 6, "rack": 39, "ceiling": 22}  # raw names to NYU40, of which the last is no class
POINTS = 24
VERTEX = "".join(f"property float {axis}\n" for axis in "xyz") + "".join(
    f"property uchar {colour}\n" for colour in ("red", "green", "blue", "alpha")
)


def ply(rows: list[tuple], numbers=None, count=None, faces=((0, 1, 2), (1, 2, 3)), order="<") -> bytes:
    """A mesh as ScanNet has it: 16 bytes a vertex, with labels 18, and triangles behind them."""
    kind = "little" if order == "<" else "big"
    head = (
        f"ply\nformat binary_{kind}_endian 1.0\ncomment MLIB generated\nelement vertex {count or len(rows)}\n{VERTEX}"
    )
    head += "property ushort label\n" if numbers is not None else ""
    head += f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    body = b"".join(
        struct.pack(f"{order}3f4B", *row, 255)
        + (struct.pack(f"{order}H", numbers[place]) if numbers is not None else b"")
        for place, row in enumerate(rows)
    )
    return head.encode() + body + b"".join(struct.pack(f"{order}B{len(face)}i", len(face), *face) for face in faces)


def write_scan(folder: Path, seed: int, labels_ply: bool = True) -> tuple[list[tuple], np.ndarray]:
    """A scan of four segments, of which three are objects and one has no label."""
    rng, name = np.random.default_rng(seed), folder.name
    rows = [(*map(float, rng.random(3).astype("f4")), *map(int, rng.integers(0, 256, 3))) for _ in range(POINTS)]
    segments = rng.permutation(np.repeat([7, 1200, 31, 5], POINTS // 4))
    objects = {"wall": [7], "couch": [1200], "rack": [31]}
    numbers = np.zeros(POINTS, int)
    for label, owned in objects.items():
        numbers[np.isin(segments, owned)] = NAMES[label]
    folder.mkdir(parents=True)
    (folder / f"{name}_vh_clean_2.ply").write_bytes(ply(rows))
    groups = [
        {"id": place, "objectId": place, "segments": owned, "label": label}
        for place, (label, owned) in enumerate(objects.items())
    ]
    stated = {
        "sceneId": f"scannet.{name}",
        "segGroups": groups,
        "segmentsFile": f"{name}_vh_clean_2.0.010000.segs.json",
    }
    (folder / f"{name}.aggregation.json").write_text(json.dumps(stated))
    split = {"params": {"kThresh": "0.0001"}, "sceneId": name, "segIndices": segments.tolist()}
    (folder / f"{name}_vh_clean_2.0.010000.segs.json").write_text(json.dumps(split))
    if labels_ply:
        (folder / f"{name}_vh_clean_2.labels.ply").write_bytes(ply(rows, numbers))
    return rows, numbers


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve rooms for training, with one or two scans each, and two for the test; labels of two scans as JSON only."""
    root = tmp_path_factory.mktemp("data") / "scannet"
    lists = {
        "train": [f"scene{room:04d}_{scan:02d}" for room in range(12) for scan in range(1 + room % 2)],
        "val": ["scene0500_00", "scene0501_00", "scene0501_01"],
    }
    for split, names in lists.items():
        for name in names:
            write_scan(root / "scans" / name, int(name[5:9]), labels_ply=name not in ("scene0001_00", "scene0500_00"))
        (root / f"scannetv2_{split}.txt").write_text("\n".join(names) + "\n")
    (root / "scannetv2_test.txt").write_text("scene0707_00\n")
    rows = [f"{place}\t{name}\t{number}\n" for place, (name, number) in enumerate(NAMES.items())]
    (root / "scannetv2-labels.combined.tsv").write_text("id\traw_category\tnyu40id\n" + "".join(rows))
    return root


@pytest.fixture
def tree(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may break."""
    return Path(shutil.copytree(made, tmp_path / "scannet"))


def test_samples_are_what_the_bytes_say(made: Path) -> None:
    pytest.importorskip("open3d")
    found = parts(made.parent, "")
    names = {part: set(data.names) for part, data in found.items()}
    assert names["test"] == {"scene0500_00", "scene0501_00", "scene0501_01"} and len(names["val"]) in (1, 2)
    assert len(names["train"]) + len(names["val"]) == 18 and not names["train"] & names["val"]
    assert not set(map(room_of, names["train"])) & set(map(room_of, names["val"]))
    expected = {1: 0, 6: 5, 39: 19, 0: 255}
    for name in ("scene0500_00", "scene0501_01"):  # labels as JSON, and as PLY
        sample = found["test"][found["test"].names.index(name)]
        assert set(sample) == {"xyz", "rgb", "label", "name"} and sample["name"] == name
        rows, numbers = write_scan(made.parent / f"again-{name}" / name, int(name[5:9]))
        np.testing.assert_array_equal(sample["xyz"], np.array([row[:3] for row in rows], np.float32))
        np.testing.assert_allclose(sample["rgb"] * 255, [row[3:] for row in rows], atol=1e-4)
        assert sample["label"].tolist() == [expected[number] for number in numbers]
        assert {str(sample[key].dtype) for key in ("xyz", "rgb", "label")} == {"torch.float32", "torch.int64"}


def test_official_trains_on_all_and_fingerprints_differ(made: Path) -> None:
    ours, official = parts(made, ""), parts(made, "official")
    assert len(official["train"]) == 18 and official["val"].names == official["test"].names == ours["test"].names
    assert official["train"].name == "scannet-official"
    prints = [data.fingerprint for data in (*ours.values(), official["train"], parts(made, "", points=5)["train"])]
    assert len(set(prints)) == 5 and parts(made, "")["train"].fingerprint == prints[0]
    with pytest.raises(ValueError, match="no variant 'all'"):
        parts(made, "all")
    with pytest.raises(FileNotFoundError, match="no ScanNet in"):
        parts(made / "scans", "")


def test_held_out_rooms_stand_for_one_scan_in_twenty() -> None:
    """With as many rooms as the owners have."""
    rooms = [f"scene{room:04d}" for room in range(565)]
    owner = {"train": tuple(f"{room}_{scan:02d}" for room in rooms for scan in range(1 + hash_free(room))), "val": ()}
    train, val = (scannet.scans_of(owner, part) for part in ("train", "val"))
    assert sorted((*train, *val)) == sorted(owner["train"]) and not set(map(room_of, train)) & set(map(room_of, val))
    assert 0.045 < len(val) / len(owner["train"]) < 0.056


def hash_free(room: str) -> int:
    """Scans of a room after the first, 0 to 3; the same in every process."""
    return int(room[5:]) * 7 % 4


def test_fewer_points_are_the_same_every_time(made: Path) -> None:
    pytest.importorskip("open3d")
    whole, few = parts(made)["test"][0], parts(made, points=5)["test"][0]
    assert len(few["xyz"]) == len(few["label"]) == 5 and (few["xyz"] == parts(made, points=5)["test"][0]["xyz"]).all()
    rows = {tuple(row) for row in np.c_[whole["xyz"], whole["rgb"], whole["label"]].tolist()}
    assert {tuple(row) for row in np.c_[few["xyz"], few["rgb"], few["label"]].tolist()} <= rows
    assert len(parts(made, points=1000)["test"][0]["xyz"]) == POINTS
    with pytest.raises(ValueError, match="0 points"):
        parts(made, points=0)


def test_numbers_that_are_no_class_are_ignored(tree: Path) -> None:
    pytest.importorskip("open3d")
    folder = tree / "scans" / "scene0501_00"
    rows, _ = write_scan(tree / "again" / "scene0501_00", 501)
    numbers = [50, 149, 65535, 13, 40, 0, *scannet_files.NYU40_IDS[:18]]  # 50 and 149 are in the owners' files
    (folder / "scene0501_00_vh_clean_2.labels.ply").write_bytes(ply(rows, numbers))
    assert scannet_files.read_scan(folder)[2].tolist() == [255] * 6 + list(range(18))


def test_the_check_reads_everything(made: Path) -> None:
    pytest.importorskip("open3d")
    assert recognised(made) is check_scannet and recognised(made / "scans") is None
    report = check_scannet(made.parent)
    text = "\n".join(report.lines)
    assert f"{18 * POINTS} points; labels of 17 scans from labels.ply" in text and "1201 were expected" in text
    wrong = [what for what, _, good in report.rows if not good]
    assert wrong == ["list of train"] * 2 + ["list of val"] * 2 + ["list of test"]  # smaller than the owners', no more
    assert "wall 0.2500" in text and "ignored 0.2500" in text


SCAN = "scene0501_00"
MESH, LABELS = f"{SCAN}_vh_clean_2.ply", f"{SCAN}_vh_clean_2.labels.ply"
SEGMENTS, OBJECTS = f"{SCAN}_vh_clean_2.0.010000.segs.json", f"{SCAN}.aggregation.json"
BROKEN = {
    "cut in the vertices": (MESH, lambda raw: raw[:-200], "cut off, or a count is wrong"),
    "cut in the faces": (MESH, lambda raw: raw[:-5], "cut off, or a count is wrong"),
    "labels cut": (LABELS, lambda raw: raw[:-200], "cut off, or a count is wrong"),
    "too few stated": (MESH, lambda raw: raw.replace(b"vertex 24", b"vertex 20"), "a count is wrong"),
    "too many stated": (MESH, lambda raw: raw.replace(b"vertex 24", b"vertex 25"), "a count is wrong"),
    "too few faces": (MESH, lambda raw: raw.replace(b"face 2", b"face 1"), "a count is wrong"),
    "no number": (MESH, lambda raw: raw.replace(b"vertex 24", b"vertex xx"), "header that was not understood"),
    "unknown type": (MESH, lambda raw: raw.replace(b"float y", b"halfx y"), "header that was not understood"),
    "empty": (MESH, lambda raw: b"", "does not begin with the header"),
    "a page of a server": (MESH, lambda raw: b"<html>not found</html>", "does not begin with the header"),
    "no coordinate": (MESH, lambda raw: raw.replace(b"float z", b"float w"), "no property z of the type float"),
    "not finite": (
        MESH,
        lambda raw: at_first_vertex(raw, struct.pack("<f", np.nan)),
        "1 of 24 points with a coordinate",
    ),
    "no labels": (LABELS, lambda raw: raw.replace(b"label", b"lobel"), "no property label"),
    "another mesh": (
        LABELS,
        lambda raw: ply([(0.0, 0, 0, 1, 2, 3)] * 23, [1] * 23),
        "23 vertices, .* 24: equal numbers",
    ),
    "no segments": (SEGMENTS, lambda raw: b'{"params": {}}', "no list `segIndices`"),
    "no whole numbers": (SEGMENTS, lambda raw: b'{"segIndices": [0.5]}', "no list `segIndices`"),
    "too few segments": (SEGMENTS, lambda raw: b'{"segIndices": [7, 1200, 31]}', "3 vertices, .* 24: equal numbers"),
    "no objects": (OBJECTS, lambda raw: b'{"sceneId": "x"}', "no list `segGroups`"),
    "object without segments": (OBJECTS, lambda raw: raw.replace(b'"segments"', b'"pieces"'), "no list `segGroups`"),
    "unknown object": (OBJECTS, lambda raw: raw.replace(b"couch", b"cauch"), "an object 'cauch'"),
    "segment of another scan": (OBJECTS, lambda raw: raw.replace(b"1200", b"1201"), "the segment 1201, which"),
    "cut JSON": (OBJECTS, lambda raw: raw[:-3], "not valid JSON"),
}


def at_first_vertex(raw: bytes, value: bytes) -> bytes:
    start = raw.index(b"end_header\n") + len(b"end_header\n")
    return raw[:start] + value + raw[start + len(value) :]


@pytest.mark.parametrize("what", BROKEN)
def test_broken_files_are_named(tree: Path, what: str) -> None:
    pytest.importorskip("open3d")
    name, change, words = BROKEN[what]
    folder = tree / "scans" / SCAN
    if name.endswith(".json"):
        (folder / LABELS).unlink()
    (folder / name).write_bytes(change((folder / name).read_bytes()))
    with pytest.raises(ValueError, match=words) as caught:
        parts(tree)["test"][1]
    assert name in str(caught.value) and "\n" not in str(caught.value)
    assert not check_of_val(tree).ok


def check_of_val(tree: Path):
    """The check, with the training list cut short: quicker."""
    (tree / "scannetv2_train.txt").write_text("scene0000_00\n")
    return check_scannet(tree)


def test_missing_files_and_broken_lists_are_named(tree: Path) -> None:
    pytest.importorskip("open3d")
    folder, listing = tree / "scans" / SCAN, tree / "scannetv2_val.txt"
    whole = listing.read_text()
    for text, error, words in (
        (whole + "scene0502_00\n", FileNotFoundError, "scene0502_00 is not a folder: line 4 of"),
        (whole + "scene502\n", ValueError, "'scene502' in line 4"),
        (whole + whole, ValueError, "twice|lines 1 and 4"),
        (whole + "scene0003_01\n", ValueError, "room scene0003 is in the lists"),
        ("", ValueError, "is empty"),
    ):
        listing.write_text(text)
        with pytest.raises(error, match=words):
            parts(tree)
        assert any(not good and what == "lists" for what, _, good in check_scannet(tree).rows)
    listing.write_text("scene0500_00\nscene0501_01\n")
    words = f"{tree / 'scans' / SCAN} is in no list: every scan was expected in one"
    assert ("scans", words, False) in check_scannet(tree).rows
    (folder / LABELS).unlink()
    (tree / "scannetv2-labels.combined.tsv").write_text("id\tcategory\n1\twall\n")
    with pytest.raises(ValueError, match="columns raw_category and nyu40id"):
        scannet_files.read_numbers(folder)
    (tree / "scannetv2-labels.combined.tsv").unlink()
    with pytest.raises(FileNotFoundError, match=r"combined\.tsv does not exist"):
        scannet_files.read_numbers(folder)
    (folder / OBJECTS).unlink()
    with pytest.raises(FileNotFoundError, match=f"neither {LABELS} nor {OBJECTS}"):
        scannet_files.read_numbers(folder)


def test_other_faces_and_types_are_read(tmp_path: Path) -> None:
    library = pytest.importorskip("open3d")
    rows, path = [(1.0, 2.0, 3.0, 4, 5, 6), (7.0, 8.0, 9.0, 10, 11, 12)], tmp_path / "a.ply"
    path.write_bytes(ply(rows, [3, 4], faces=((0, 1, 0, 1), (0, 1, 1))))  # a square and a triangle
    assert read_header(path).count == 2 and read_column(path, "label").tolist() == [3, 4]
    xyz, rgb = read_points(path)
    assert xyz.tolist() == [[1, 2, 3], [7, 8, 9]] and rgb.tolist() == [[4, 5, 6], [10, 11, 12]]
    # The reason for a column reader of our own; should open3d learn to read `ushort`, it can go.
    assert "label" not in library.t.io.read_point_cloud(str(path)).point
    path.write_bytes(ply(rows, order=">"))
    with pytest.raises(ValueError, match="format binary_little_endian"):
        read_points(path)


def test_without_open3d_one_sentence_says_what_to_install(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "open3d", None)
    data = parts(made)["test"]  # lists are read without it
    with pytest.raises(ImportError, match=r"install it with pip install 'labelkit\[points\]'"):
        data[0]
    assert any("labelkit[points]" in found for _, found, good in check_scannet(made).rows if not good)


def test_a_missing_system_library_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from labelkit.open3d_library import open3d_library

    (tmp_path / "open3d.py").write_text("raise OSError('libGL.so.1: cannot open shared object file')\n")
    monkeypatch.delitem(sys.modules, "open3d", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match=r"libGL.so.1.*apt-get install libgl1"):
        open3d_library()
