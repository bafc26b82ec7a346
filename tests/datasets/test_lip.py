"""Look into Person: lists that agree with the folders, left and right, parts that do not change."""

import shutil

import numpy as np
import pytest
import street_trees

from labelkit.datasets.lip import CLASSES, FLIP_PAIRS, Lip, find, mirrored, parts


@pytest.fixture
def root(tmp_path):
    street_trees.lip(tmp_path / "LIP")
    return tmp_path


def test_the_parts(root):
    found = parts(root)
    assert {split: len(data) for split, data in found.items()} == {"train": 38, "val": 2, "test": 3}
    assert found["test"].names == ("100_val0", "101_val1", "102_val2")
    assert len(parts(root, "official")["train"]) == 40
    assert np.array_equal(found["test"][0]["mask"].numpy(), street_trees.ids(0, 20))


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("lists", [False, True])
def test_where_folders_and_lists_may_lie(root, tmp_path, twice, lists):
    other = street_trees.lip(tmp_path / "other" / "lip", lists=lists, twice=twice)
    assert Lip(other.parent, "test").fingerprint == Lip(root, "test").fingerprint
    side = tmp_path / "side"
    side.mkdir()
    for folder in ("train_images", "val_images", "train_segmentations", "val_segmentations"):
        (side / folder).symlink_to(next(other.rglob(folder)))
    assert Lip(side, "test").fingerprint == Lip(root, "test").fingerprint


def test_left_becomes_right_where_an_image_is_mirrored(root):
    for left, right in FLIP_PAIRS:
        assert CLASSES[left].removeprefix("left") == CLASSES[right].removeprefix("right")
    assert sum(name.startswith(("left", "right")) for name in CLASSES) == 6 == 2 * len(Lip(root).flip_pairs)
    mask = np.array([[0, 14, 15, 255], [19, 18, 13, 16]], dtype=np.uint8)
    assert mirrored(mask).tolist() == [[255, 14, 15, 0], [17, 13, 19, 18]]
    assert np.array_equal(mirrored(mirrored(mask)), mask)


def rewrite(path, change):
    path.write_bytes(change(path.read_bytes()))


def test_lists_of_other_systems(root):
    before = parts(root)["test"].names
    listing = find(root) / "TrainVal_images" / "val_id.txt"
    rewrite(listing, lambda content: b"\xef\xbb\xbf" + content.replace(b"\n", b".jpg\r\n"))
    assert parts(root)["test"].names == before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda content: content + b"999_val9\n", r"val_images has no file 999_val9: val_id\.txt line 4 names it"),
        (lambda content: content.replace(b"101_val1\n", b""), r"val_id\.txt does not name 101_val1\.jpg of val_images"),
        (lambda content: content + b"100_val0\n", r"val_id\.txt names 100_val0 in lines 1 and 4"),
        (lambda content: b"\n", r"val_id\.txt is empty"),
        (lambda content: b"\xff\xfe" + content, r"val_id\.txt is not UTF-8 text"),
        (lambda content: content.replace(b"val1", b"VAL1"), r"has no file 101_VAL1"),
    ],
)
def test_a_list_that_disagrees_is_one_sentence(root, change, told):
    rewrite(find(root) / "TrainVal_images" / "val_id.txt", change)
    with pytest.raises((FileNotFoundError, ValueError), match=told):
        Lip(root, "test")
    assert len(Lip(root, "val")) == 2  # the other list is as it was


def test_what_there_is_not_is_refused(root):
    with pytest.raises(ValueError, match="LIP has no variant 'atr'"):
        parts(root, "atr")
    shutil.rmtree(find(root) / "TrainVal_parsing_annotations" / "val_segmentations")
    with pytest.raises(FileNotFoundError, match=r"val_segmentations is not a folder"):
        Lip(root, "test")
    shutil.rmtree(find(root) / "TrainVal_parsing_annotations")
    with pytest.raises(FileNotFoundError, match=r"no LIP in .*TrainVal_images/train_images/"):
        parts(root)
