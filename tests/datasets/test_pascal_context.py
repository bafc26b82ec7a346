"""PASCAL-Context in both layouts: 59 of 459 labels, with and without background, broken files."""

import numpy as np
import pytest
import voc_trees as trees
from trees import truncate

from labelkit.datasets import pascal_context_files as files
from labelkit.datasets.checking_voc import check_pascal_context
from labelkit.datasets.checking_voc import recognised as recognised_voc
from labelkit.datasets.coco128 import CLASSES as VOC
from labelkit.datasets.pascal_context import CLASSES, PascalContext, parts


@pytest.fixture(params=["official", "converted"])
def layout(request) -> str:
    return request.param


@pytest.fixture
def root(layout, tmp_path):
    return trees.pascal_context(tmp_path / "pascal-context", layout == "converted")


def test_59_classes_ignore_the_rest_and_60_call_it_background(root, layout):
    assert files.find(root.parent)[1] == layout
    narrow, wide = PascalContext(root, "train", "official"), PascalContext(root, "train", "60-official")
    assert len(narrow.classes) == 59 and wide.classes == ("background", *narrow.classes) and len(wide.palette) == 60
    for index, name in enumerate(narrow.names):
        owner, mask, whole = trees.context_map(name), narrow.mask(index), wide.mask(index)
        for owned, called in ((360, "sky"), (284, "person"), (458, "wood")):
            assert ((mask == CLASSES.index(called)) == (owner == owned)).all()
            assert ((whole == CLASSES.index(called) + 1) == (owner == owned)).all()
        assert ((mask == 255) == (owner == 1)).all() and ((whole == 0) == (owner == 1)).all()


def test_classes_are_the_owners_in_the_order_of_their_ids():
    assert list(files.OWNER_IDS.values()) == sorted(files.OWNER_IDS.values()) and len(CLASSES) == 59
    assert {"table" if name == "diningtable" else name for name in VOC[1:]} <= set(CLASSES)


def test_parts(root, layout):
    whole, held = parts(root, "official"), parts(root, "")
    assert whole["train"].names == tuple(trees.CONTEXT_NAMES["train"])
    assert whole["val"].names == whole["test"].names == tuple(trees.CONTEXT_NAMES["val"])
    assert sorted((*held["train"].names, *held["val"].names)) == trees.CONTEXT_NAMES["train"] and len(held["val"]) == 1
    assert whole["train"].fingerprint != held["train"].fingerprint
    assert whole["test"].fingerprint == held["test"].fingerprint != parts(root, "60")["test"].fingerprint


def test_both_layouts_deliver_the_same(tmp_path):
    one = PascalContext(trees.pascal_context(tmp_path / "a"), "test")
    other = PascalContext(trees.pascal_context(tmp_path / "b", converted=True), "test")
    assert all(np.array_equal(one.mask(index), other.mask(index)) for index in range(2))


def test_broken_mat_files_are_named_and_a_second_run_completes(tmp_path):
    root = trees.pascal_context(tmp_path)
    path = root / "trainval" / "2010_000007.mat"
    good = path.read_bytes()
    faults = {
        "cannot be read": lambda: truncate(path),
        "is empty": lambda: path.write_bytes(b""),
        "has no LabelMap: a map of labels": lambda: trees.save_mat(path, {"S": np.zeros((3, 3))}),
        "holds the id 460": lambda: trees.save_mat(path, {"LabelMap": np.full((14, 18), 460)}),
        "version 4": lambda: trees.save_mat(path, {"LabelMap": np.zeros((14, 18))}, "4"),
    }
    for words, spoil in faults.items():
        spoil()
        with pytest.raises(ValueError, match=f"2010_000007.mat .*{words}"):
            PascalContext(root, "test")
        assert any("2010_000007.mat" in found for _, found, fine in check_pascal_context(root).rows if not fine)
        path.write_bytes(good)
    assert PascalContext(root, "test").load().names == tuple(trees.CONTEXT_NAMES["val"])
    path.unlink()
    with pytest.raises(
        FileNotFoundError, match=r"2010_000007\.mat does not exist: a list in ImageSets/Main names 2010_000007"
    ):
        PascalContext(root, "test")


def test_another_list_of_labels_is_refused(tmp_path):
    root = trees.pascal_context(tmp_path)
    text = (root / "labels.txt").read_text()
    (root / "labels.txt").write_text(text.replace("360: sky", "360: the sky"))
    with pytest.raises(ValueError, match=r"labels.txt calls label 360 'thesky': 'sky' was expected"):
        PascalContext(root)
    (root / "labels.txt").write_bytes(
        b"\xef\xbb\xbf" + text.replace("\n", "\r\n").replace("pottedplant", "potted plant").encode()
    )
    assert len(PascalContext(root, "test")) == 2


def test_overlapping_lists_and_missing_data(root, layout, tmp_path):
    lists = root / "VOCdevkit" / "VOC2010" / "ImageSets" / ("Main" if layout == "official" else "SegmentationContext")
    trees.save_list(lists / "val.txt", ["2008_000003", "2008_000008"])
    with pytest.raises(ValueError, match=r"has image 2008_000008 in train.txt and in val.txt"):
        PascalContext(root)
    with pytest.raises(ValueError, match="pascal_context has no variant '59'"):
        parts(root, "59")
    with pytest.raises(FileNotFoundError, match=r"no PASCAL-Context in .*trainval/ with MAT files"):
        parts(tmp_path / "elsewhere", "")


def test_the_check(root, layout, monkeypatch):
    assert recognised_voc(root) is check_pascal_context
    wrong = [found for _, found, good in check_pascal_context(root).rows if not good]
    assert wrong == ["3 names, 4998 were expected", "2 names, 5105 were expected"]
    monkeypatch.setattr(files, "COUNTS", {"train": 3, "val": 2})
    before = sorted(root.rglob("*"))
    report = check_pascal_context(root.parent)
    assert report.ok and sorted(root.rglob("*")) == before, report.lines
    assert "sky" in "\n".join(report.lines)
    truncate(root / "VOCdevkit" / "VOC2010" / "JPEGImages" / "2008_000008.jpg")
    assert any("2008_000008.jpg cannot be decoded" in found for _, found, _ in check_pascal_context(root).rows)
