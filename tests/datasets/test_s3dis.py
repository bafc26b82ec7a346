"""S3DIS in both layouts: classes by name, parts apart in space, broken files named."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from labelkit.datasets.checking_points import check_s3dis
from labelkit.datasets.s3dis import CLASSES, S3dis, find, parts
from labelkit.datasets.s3dis_crop import FILE, WEDGES, wedge_of

ORDER = ("clutter", "ceiling", "floor", "wall", "beam", "column", "window", "door", "table", "chair", "bookcase",
         "sofa", "board")  # fmt: skip


def areas(folder: Path, rooms: int = 12) -> Path:
    """Two areas, written as the owners do: an object a file, and one file with a stray character."""
    rng = np.random.default_rng(0)
    for area in (1, 5):
        for number in range(1, rooms + 1):
            objects = folder / f"Area_{area}" / f"office_{number}" / "Annotations"
            objects.mkdir(parents=True)
            for name in ("floor_1", "chair_1", "chair_2", "stairs_1"):
                points = np.concatenate([rng.random((6, 3)), rng.integers(0, 256, (6, 3))], axis=1)
                (objects / f"{name}.txt").write_text(
                    "\n".join(" ".join(f"{v:g}" for v in row) for row in points) + "\n"
                )
    (folder / "Area_5" / "office_1" / "Annotations" / "chair_1.txt").write_bytes(b"1 2 3 185\x10187 182\n")
    (folder / "Area_1" / "Area_1_alignmentAngle.txt").write_text("office_1 180\n")
    return folder


def crop(folder: Path, points: int = 800) -> Path:
    """A disc with the classes in another order than the benchmark's."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    angle, radius = rng.random(points) * 2 * np.pi, np.sqrt(rng.random(points)) * 2.5
    xyz = np.stack([radius * np.cos(angle), radius * np.sin(angle), rng.random(points)], axis=1).astype(np.float32)
    label = rng.integers(0, 14, points).astype(np.uint8)
    np.savez(folder / FILE, xyz=xyz, rgb=rng.integers(0, 256, (points, 3)).astype(np.uint8), label=label)
    names = [{"id": index, "name": name} for index, name in enumerate((*ORDER, "ignored"))]
    (folder / "classes.json").write_text(json.dumps({"s3dis": {"ignore_index": 13, "classes": names}}))
    return folder


def test_rooms_are_the_objects_of_their_annotations(tmp_path: Path) -> None:
    found = parts(areas(tmp_path / "s3dis").parent, "")
    assert {part: len(data) for part, data in found.items()} == {"train": 10, "val": 2, "test": 12}
    names = [name for data in found.values() for name in data.names]
    assert len(set(names)) == 24 and all(name.startswith("Area_5/") for name in found["test"].names)
    sample = found["train"][0]
    assert set(sample) == {"xyz", "rgb", "label", "name"} and len(sample["xyz"]) == 24
    assert 0 <= sample["rgb"].min() <= sample["rgb"].max() <= 1
    counts = np.bincount(sample["label"], minlength=13)
    assert (counts[CLASSES.index("chair")], counts[CLASSES.index("clutter")], counts.sum()) == (12, 6, 24)
    broken = found["test"][found["test"].names.index("Area_5/office_1")]  # the stray character parts two numbers
    assert len(broken["xyz"]) == 19
    row = (broken["label"] == CLASSES.index("chair")).numpy()
    assert ((broken["rgb"][row][0] * 255).round() == np.array([185, 187, 182])).all()


def test_areas_swap_and_versions_are_told_by_the_folder(tmp_path: Path) -> None:
    root = areas(tmp_path / "Stanford3dDataset_v1.2_Aligned_Version")
    assert S3dis(root).version == "aligned" and find(tmp_path) == root
    other = parts(tmp_path, "area1")
    assert all(name.startswith("Area_1/") for name in other["test"].names) and other["test"].name == "s3dis-area1"
    assert other["train"].fingerprint != parts(tmp_path, "")["train"].fingerprint
    with pytest.raises(ValueError, match="Area 2 for the test"):
        parts(tmp_path, "area2")
    with pytest.raises(ValueError, match="no variant 'area7'"):
        parts(tmp_path, "area7")
    with pytest.raises(FileNotFoundError, match="no S3DIS"):
        parts(tmp_path / "elsewhere", "")


@pytest.mark.parametrize(
    "name, text, words",
    [
        ("chair_9", "1 2 3 4 5 6\n1 2 x 4 5 6\n", "line 2: six numbers"),
        ("chair_9", "1 2 3 4 5\n", "line 1: six numbers"),
        ("chair_9", "1 2 3 4 5 6\nnan 2 3 4 5 6\n", "1 of 2 points"),
        ("chair_9", "1 2 3 4 5 256\n", r"outside 0\.\.255"),
        ("lamp_1", "1 2 3 4 5 6\n", "'lamp' is no class"),
    ],
)
def test_broken_rooms_are_named_by_reader_and_check(tmp_path: Path, name: str, text: str, words: str) -> None:
    root = areas(tmp_path / "s3dis", rooms=2)
    (root / "Area_5" / "office_2" / "Annotations" / f"{name}.txt").write_text(text)
    data = S3dis(root, "test")
    with pytest.raises(ValueError, match=words):
        data[data.names.index("Area_5/office_2")]
    report = check_s3dis(root)
    assert not report.ok and any(name in line and "WRONG" in line for line in report.lines)


def test_crop_is_cut_into_wedges_and_its_classes_are_mapped_by_name(tmp_path: Path) -> None:
    root = crop(tmp_path / "pointclouds")
    found = parts(tmp_path, "crop")
    assert {part: len(data) for part, data in found.items()} == {"train": 8, "val": 4, "test": 4}
    with np.load(root / FILE) as file:
        xyz, label = file["xyz"], file["label"]
    middle = (xyz[:, :2].min(0) + xyz[:, :2].max(0)) / 2
    seen = 0
    for data in found.values():
        for index, name in enumerate(data.names):
            number, sample = int(name.removeprefix("wedge-")), data[index]
            angle = np.arctan2(*(sample["xyz"].numpy()[:, 1::-1] - middle[::-1]).T) / (2 * np.pi) % 1
            assert (np.floor(angle * WEDGES) == number).all()
            own = label[wedge_of(xyz) == number]
            named = np.array([255 if each == 13 else CLASSES.index(ORDER[each]) for each in own])
            np.testing.assert_array_equal(sample["label"], named)
            seen += len(own)
    assert seen == 800 and len({data.fingerprint for data in found.values()}) == 3
    report = check_s3dis(tmp_path)
    assert report.ok and any("8 wedges" in line for line in report.lines)


def test_broken_crops_are_refused(tmp_path: Path) -> None:
    root = crop(tmp_path / "pointclouds")
    with np.load(root / FILE) as file:
        arrays = dict(file)
    for change, words in (
        ({"xyz": np.where(np.arange(800)[:, None] == 7, np.nan, arrays["xyz"])}, "1 of 800 points"),
        ({"label": arrays["label"][:5]}, "do not fit"),
        ({"label": arrays["label"] + 100}, "has no name in classes.json"),
        ({"xyz": np.abs(arrays["xyz"]) * [1, 0, 1]}, "holds no point"),
    ):
        np.savez(root / FILE, **(arrays | change))
        with pytest.raises(ValueError, match=words):
            parts(tmp_path, "crop")
        assert not check_s3dis(root).ok
    (root / FILE).write_bytes(b"nothing")
    with pytest.raises(ValueError, match="not a readable file"):
        parts(tmp_path, "crop")


def test_check_reports_duplicates_and_clouds_without_any_class(tmp_path: Path) -> None:
    root = crop(tmp_path / "pointclouds")
    with np.load(root / FILE) as file:
        arrays = dict(file)
    np.savez(root / FILE, **(arrays | {"label": np.full(800, 13, np.uint8)}))
    assert any("none of 800 points is of any class" in line for line in check_s3dis(root).lines)
    np.savez(root / FILE, **{name: np.concatenate([values, values]) for name, values in arrays.items()})
    assert any("800 of 1600 points lie at the very place" in line for line in check_s3dis(root).lines)


@pytest.mark.skipif("LABELKIT_DATA" not in os.environ, reason="LABELKIT_DATA is not set")
def test_real_crop() -> None:
    try:
        found = parts(Path(os.environ["LABELKIT_DATA"]), "crop")
    except FileNotFoundError:
        pytest.skip("no S3DIS crop in LABELKIT_DATA")
    assert sum(len(data[index]["label"]) for data in found.values() for index in range(len(data))) == 41568
    for data in found.values():
        assert {1, 7, 8} <= {int(v) for index in range(len(data)) for v in np.unique(data[index]["label"])}
