"""COCO 2014 and 2017 as class maps: the rule of drawing, parts, tags, broken annotations."""

import json
from pathlib import Path

import numpy as np
import pytest
import voc_trees as trees
from trees import truncate

from labelkit.datasets import coco as module
from labelkit.datasets.checking_coco import check_coco
from labelkit.datasets.checking_coco import recognised as recognised_coco
from labelkit.datasets.coco import Annotated, Coco, parts
from labelkit.datasets.coco_classes import CLASSES, STUFF, THING_IDS, THINGS
from labelkit.datasets.coco_instances import read_instances

pytest.importorskip("pycocotools", reason="the class maps of COCO are drawn with pycocotools")
FIRST = "COCO_train2014_000000000009"
CAT, DOG = CLASSES.index("cat"), CLASSES.index("dog")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return trees.coco(tmp_path / "coco")


def change(root: Path, edit, split: str = "train") -> Path:
    path = root / "annotations" / f"instances_{split}2014.json"
    stated = json.loads(path.read_text())
    edit(stated)
    path.write_text(json.dumps(stated))
    return path


def test_small_objects_lie_on_top_and_crowds_are_ignored(root):
    data = Coco(root, "train", "official")
    mask = data.mask(data.names.index(FIRST))
    expected = np.zeros((trees.HEIGHT, trees.WIDTH), np.uint8)
    expected[:6, :9] = 255
    expected[2:11, 2:12] = DOG
    expected[4:7, 4:8] = CAT
    assert np.array_equal(mask, expected)


def test_of_equally_large_objects_the_larger_id_is_on_top(root):
    def same_place(stated):
        for item, name in zip(stated["annotations"][:2], ("dog", "cat")):
            item["segmentation"] = [trees.polygon(2, 2, 11, 12)]
            item["category_id"] = THING_IDS[THINGS.index(name)]

    change(root, same_place)
    data = Coco(root, "train", "official")
    assert (data.mask(data.names.index(FIRST))[6:11, 2:12] == CAT).all()


def test_masks_hold_what_pycocotools_draws(root):
    from pycocotools.coco import COCO

    owner = COCO(str(root / "annotations" / "instances_train2014.json"))
    data = Coco(root, "train", "official")
    for index, name in enumerate(data.names):
        if name != FIRST:
            drawn = np.zeros((trees.HEIGHT, trees.WIDTH), np.uint8)
            for item in owner.loadAnns(owner.getAnnIds(imgIds=int(name[-12:]))):
                place = THINGS.index(owner.loadCats(item["category_id"])[0]["name"])
                drawn[owner.annToMask(item) > 0] = place + 1
            assert np.array_equal(data.mask(index), drawn) and drawn.any()


def test_parts_and_tags(root):
    whole = parts(root.parent, "official")
    assert [name[-2:] for name in whole["train"].names] == ["09", "30", "34", "36", "41"]  # 25 shows nothing
    assert len(whole["test"]) == 2 and set(whole["val"].names) < set(whole["test"].names)
    held = parts(root, "")
    assert sorted((*held["train"].names, *held["val"].names)) == sorted(whole["train"].names) and len(held["val"]) == 1
    tags = whole["train"].tags(whole["train"].names.index(FIRST)).nonzero()[:, 0] + 1
    assert tags.tolist() == [CLASSES.index("person"), CAT, DOG]  # a crowd has its tag
    assert whole["train"][0]["image"].shape == (3, trees.HEIGHT, trees.WIDTH)
    assert whole["train"].name == "coco-official" and len(CLASSES) == 81 == len(whole["train"].palette)


def test_2017_has_other_names(tmp_path):
    root = trees.coco(tmp_path, "2017")
    (root / "images").mkdir()
    for split in ("train2017", "val2017"):
        (root / split).rename(root / "images" / split)
    data = Coco(root, "test", "2017")
    assert data.names == ("000000000042", "000000000073") and data.load()[1]["name"] == "000000000073"
    with pytest.raises(FileNotFoundError, match=r"no COCO 2014 in .*annotations/instances_val2014.json"):
        Coco(root)
    assert check_coco(root).variant.startswith("2017")


def test_labels_follow_the_names_of_categories(root):
    before = Coco(root, "train", "official").mask(0)

    def renumber(stated):
        for item in (*stated["categories"], *stated["annotations"]):
            key = "id" if "name" in item else "category_id"
            item[key] = 500 - item[key]
        stated["categories"].reverse()

    change(root, renumber)
    assert np.array_equal(Coco(root, "train", "official").mask(0), before)
    assert len(THINGS) == len(THING_IDS) == 80 and THING_IDS[79] == 90 and len(STUFF) == 91


def test_the_json_is_read_once_and_maps_are_drawn_once(root, monkeypatch):
    parts(root, "")
    calls = []
    monkeypatch.setattr(module, "read_instances", lambda path: calls.append(path))
    again = parts(root, "")
    assert not calls and again["train"].load()
    (root / "labelkit-masks" / "train2014.json").write_text("{")
    monkeypatch.setattr(module, "read_instances", lambda path: calls.append(path) or read_instances(path))
    parts(root, "")
    assert len(calls) == 1


def test_changed_annotations_are_drawn_anew(root):
    before = Coco(root, "train", "official")
    change(root, lambda stated: stated["annotations"].pop(0))
    after = Coco(root, "train", "official")
    assert after.fingerprint != before.fingerprint and not (after.mask(0) == CAT).any()
    assert (after.mask(0) == DOG).any() and Coco(root, "test").fingerprint == parts(root, "")["test"].fingerprint


def item(place: int, **fields):
    return lambda stated: stated["annotations"][place].update(fields)


FAULTS = {
    "no list 'annotations'": lambda stated: stated.pop("annotations"),
    r"entry 1 \(id 101\) of 'annotations' .* has no 'iscrowd'": lambda stated: stated["annotations"][1].pop("iscrowd"),
    "entry 2 of 'images' .* has no 'id'": lambda stated: stated["images"][2].pop("id"),
    "has id 100 twice in 'annotations'": item(1, id=100),
    f"has the image {FIRST}.jpg twice": lambda stated: stated["images"][1].update(file_name=f"{FIRST}.jpg"),
    "annotation 101 .* has image_id 77": item(1, image_id=77),
    "annotation 101 .* has category_id 12": item(1, category_id=12),
    "lacks the category 'bear'": lambda stated: stated["categories"].pop(THINGS.index("bear")),
    "has the category 'hat'": lambda stated: stated["categories"].append({"id": 26, "name": "hat"}),
    "has the size": lambda stated: stated["images"][0].update(height="14"),
    f"annotation 100 of {FIRST}.jpg .* broken polygon": item(0, segmentation=[[1.0, 2.0, 3.0, 4.0]]),
    "annotation 100 .* has no polygon": item(0, segmentation=[]),
    "annotation 100 .* neither polygons nor run lengths": item(0, segmentation=None),
    "annotation 102 .* do not add up to 14 x 18": item(2, segmentation={"counts": [3, 4], "size": [14, 18]}),
    "annotation 102 .* run lengths of size": item(2, segmentation={"counts": [252], "size": [18, 14]}),
}


@pytest.mark.parametrize(("words", "edit"), FAULTS.items())
def test_broken_annotations_are_named(root, words, edit):
    path = change(root, edit)
    with pytest.raises(ValueError, match=words) as caught:
        Coco(root, "train", "official")
    assert "instances_train2014.json" in str(caught.value) and "\n" not in str(caught.value)
    path.write_text(json.dumps(trees.instances("2014", "train")))
    assert (Coco(root, "train", "official").mask(0) == CAT).any()


def test_truncated_json_and_pictures_are_named(root):
    path = root / "annotations" / "instances_train2014.json"
    good = path.read_bytes()
    truncate(path)
    with pytest.raises(ValueError, match=r"instances_train2014.json is not valid JSON"):
        Coco(root)
    assert any("is not valid JSON" in found and not fine for _, found, fine in check_coco(root).rows)
    path.write_bytes(good)
    picture = root / "train2014" / f"{FIRST}.jpg"
    data = Coco(root, "train", "official")
    trees.save_jpeg("x", picture, 14, 17)
    with pytest.raises(ValueError, match=rf"mask .*{FIRST}.png is 18x14 pixels: 17x14 was expected"):
        data.load()
    picture.write_bytes(b"")
    with pytest.raises(ValueError, match=rf"{FIRST}.jpg is not an image"):
        data.load()
    picture.rename(picture.with_name(f"{FIRST.lower()}.jpg"))
    with pytest.raises(FileNotFoundError, match=rf"no file {FIRST}.jpg \({FIRST.lower()}.jpg differs in case\)"):
        Coco(root, "train", "official")
    (root / "annotations" / "instances_train2014.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"instances_train2014\.json does not exist"):
        Coco(root)


def test_unknown_names_are_refused(root):
    with pytest.raises(ValueError, match="coco has no variant '2015'"):
        parts(root, "2015")
    with pytest.raises(ValueError, match="no split 'trainval'"):
        Coco(root, "trainval")


def test_the_check(root, monkeypatch):
    assert recognised_coco(root) is check_coco
    wrong = [found for _, found, good in check_coco(root).rows if not good]
    assert "6 images, 82783 were expected" in wrong and "5 images with an annotation, 82081 were expected" in wrong
    monkeypatch.setattr(module, "COUNTS", {"train2014": (6, 5), "val2014": (2, 2)})
    before = sorted(root.rglob("*"))
    report = check_coco(root.parent)
    assert report.ok and sorted(root.rglob("*")) == before, report.lines
    assert Annotated(root, "train2014", keep=False).digest[:16] in "\n".join(report.lines)
    Coco(root, "train", "official")
    assert "5 of 5" in "\n".join(check_coco(root).lines)
    (root / "val2014" / "COCO_val2014_000000000042.jpg").unlink()
    assert any("no file COCO_val2014_000000000042.jpg" in found for _, found, good in check_coco(root).rows if not good)
