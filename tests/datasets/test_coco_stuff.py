"""COCO-Stuff 10k and 164k: ids to 171 classes, lists, broken files."""

import numpy as np
import pytest
import voc_trees as trees
from trees import save, truncate

from labelkit.datasets import coco_stuff_files as files
from labelkit.datasets.checking_coco import check_coco_stuff
from labelkit.datasets.checking_coco import recognised as recognised_coco
from labelkit.datasets.coco_stuff import CLASSES, CocoStuff, parts

EDITIONS = {"": trees.coco_stuff_10k, "164k": trees.coco_stuff_164k}


@pytest.fixture(params=EDITIONS)
def edition(request) -> str:
    return request.param


@pytest.fixture
def root(edition, tmp_path):
    return EDITIONS[edition](tmp_path / "coco-stuff")


def labels(root, edition, name: str):
    return root / "annotations" / (f"{name}.mat" if edition == "" else f"train2017/{name}.png")


def joined(*words: str) -> str:
    return "-".join(filter(None, words))


def test_ids_become_171_classes(root, edition):
    data = CocoStuff(root, "train", joined(edition, "official"))
    assert len(CLASSES) == 171 == len(set(CLASSES)) == len(data.palette) == len(np.unique(data.palette, axis=0))
    mask = data.mask(0)
    # Numbers as in openseg's table of ids, less 1: 13 is class 11, 92 is 80, 182 is 170.
    assert (mask[:4] == 11).all() and (mask[5:9] == 80).all() and (mask[10:, :9] == 170).all()
    assert [CLASSES[label] for label in (11, 80, 170)] == ["stop sign", "banner", "wood"]
    assert (mask[4] == 255).all() and (mask[9] == 255).all()


def test_parts(root, edition):
    whole, held = parts(root.parent, joined(edition, "official")), parts(root, edition)
    assert [len(whole[part]) for part in ("train", "val", "test")] == [3, 2, 2]
    assert whole["val"].names == whole["test"].names == held["test"].names
    assert sorted((*held["train"].names, *held["val"].names)) == list(whole["train"].names) and len(held["val"]) == 1
    assert len({part.fingerprint for part in (*whole.values(), *held.values())}) == 4
    assert whole["train"][0]["image"].shape == (3, trees.HEIGHT, trees.WIDTH) and "tags" not in whole["train"][0]


def test_ids_that_coco_never_drew_are_ignored_and_others_refused(root, edition):
    name = CocoStuff(root, "train", joined(edition, "official")).names[0]
    shift = int(edition == "164k")

    def write(number: int) -> None:
        found = np.full((trees.HEIGHT, trees.WIDTH), number - shift, np.uint8)
        if shift:
            save(found, labels(root, edition, name))
        else:
            trees.save_mat(labels(root, edition, name), {"S": found})

    write(12)  # street sign
    assert (CocoStuff(root, "train", joined(edition, "official")).mask(0) == 255).all()
    write(184)
    with pytest.raises(ValueError, match=rf"{name}.*(holds the label value 183|holds the id 184)"):
        CocoStuff(root, "train", joined(edition, "official")).load()


def test_broken_label_files_are_named_and_a_second_run_completes(root, edition):
    name = CocoStuff(root, "train", joined(edition, "official")).names[1]
    path = labels(root, edition, name)
    good = path.read_bytes()
    for spoil in (truncate, lambda path: path.write_bytes(b"")):
        spoil(path)
        with pytest.raises(ValueError, match=rf"{name}") as caught:
            CocoStuff(root, "train", joined(edition, "official")).load()
        assert "\n" not in str(caught.value)
        path.write_bytes(good)
    assert np.array_equal(CocoStuff(root, "train", joined(edition, "official")).load().mask(1) == 80,
                          trees.stuff_map(name) == 92)  # fmt: skip
    path.unlink()
    if edition == "":
        with pytest.raises(FileNotFoundError, match=rf"{name}.mat does not exist: imageLists/train.txt names {name}"):
            CocoStuff(root, "train", "official")


def test_lists_of_10k(tmp_path):
    root = trees.coco_stuff_10k(tmp_path)
    path = root / "imageLists" / "train.txt"
    names = trees.STUFF_NAMES["train"]
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(names).encode())
    assert CocoStuff(root, "train", "official").names == tuple(names)
    path.write_text("\n".join([*names, names[1]]))
    with pytest.raises(ValueError, match=rf"train.txt names {names[1]} in lines 2 and 4"):
        CocoStuff(root)
    path.write_text("\n".join([*names, "COCO_train2014_1"]))
    with pytest.raises(FileNotFoundError, match=r"COCO_train2014_1\.mat does not exist"):
        CocoStuff(root, "train", "official")
    path.write_text(names[0])
    (root / "images" / f"{names[0]}.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=rf"images has no file {names[0]}.jpg: imageLists/train.txt names it"):
        CocoStuff(root, "train", "official")


def test_copies_that_mmsegmentation_makes_are_passed_over(tmp_path):
    root = trees.coco_stuff_164k(tmp_path)
    folder = root / "annotations" / "train2017"
    save(np.zeros((trees.HEIGHT, trees.WIDTH), np.uint8), folder / "000000000009_labelTrainIds.png")
    assert len(CocoStuff(root, "train", "164k-official")) == 3
    (root / "images").rename(root / "pictures")
    with pytest.raises(FileNotFoundError, match="train2017 is not a folder"):
        CocoStuff(root, "train", "164k")


def test_what_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no COCO-Stuff 10k in .*imageLists/train.txt"):
        parts(trees.coco_stuff_164k(tmp_path), "")
    with pytest.raises(ValueError, match="coco_stuff has no variant '10k'"):
        parts(tmp_path, "10k")


def test_the_check(root, edition, monkeypatch):
    assert recognised_coco(root) is check_coco_stuff
    assert any(
        "3 images" in found and "were expected" in found for _, found, good in check_coco_stuff(root).rows if not good
    )
    monkeypatch.setattr(files, "COUNTS", {"10k": (3, 2), "164k": (3, 2)})
    before = sorted(root.rglob("*"))
    report = check_coco_stuff(root.parent)
    assert report.ok and sorted(root.rglob("*")) == before, report.lines
    name = sorted(files.owner_names(root, "10k" if edition == "" else "164k", "train"))[0]
    picture = root / "images" / (f"{name}.jpg" if edition == "" else f"train2017/{name}.jpg")
    picture.unlink()
    assert any(f"no file {name}.jpg" in found for _, found, good in check_coco_stuff(root).rows if not good)
