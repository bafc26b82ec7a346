"""The checks of the street and scene data: a whole copy is ok, and a row names everything that is wrong."""

import shutil

import numpy as np
import pytest
import street_trees
from trees import save, truncate

from labelkit.datasets import ade20k, checking_street_data, cityscapes, lip, viper
from labelkit.datasets.checking_scene_data import check_ade20k, check_lip
from labelkit.datasets.checking_scene_data import recognised as recognised_scene
from labelkit.datasets.checking_street_data import (
    check_cityscapes,
    check_cityscapes_vps,
    check_viper,
)
from labelkit.datasets.checking_street_data import recognised as recognised_street
from labelkit.datasets.sources import find_entry


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """The counts of the miniatures in place of the owners'."""
    monkeypatch.setattr(cityscapes, "CITIES", street_trees.CITYSCAPES_IMAGES)
    monkeypatch.setattr(cityscapes, "COARSE", 3)
    monkeypatch.setattr(viper, "SPLITS", {"train": 2, "val": 2})
    monkeypatch.setattr(ade20k, "OWNER_COUNTS", {"training": 40, "validation": 3})
    monkeypatch.setattr(lip, "OWNER_COUNTS", {"train": 40, "val": 3})
    monkeypatch.setattr(checking_street_data, "VPS_VIDEOS", {"train": (10,), "val": (2,), "test": (2,)})
    for module, (height, width) in ((cityscapes, (8, 16)), (viper, (8, 16))):
        monkeypatch.setattr(module, "HEIGHT", height)
        monkeypatch.setattr(module, "WIDTH", width)


def wrong(report) -> list[str]:
    return [f"{what}: {found}" for what, found, good in report.rows if not good]


TREES = {
    "cityscapes": (street_trees.cityscapes, check_cityscapes, recognised_street),
    "viper": (street_trees.viper, check_viper, recognised_street),
    "cityscapes-vps": (street_trees.vps, check_cityscapes_vps, recognised_street),
    "ade20k": (street_trees.ade20k, check_ade20k, recognised_scene),
    "lip": (street_trees.lip, check_lip, recognised_scene),
}


@pytest.mark.parametrize("name", TREES)
def test_a_whole_copy_is_ok(tmp_path, name):
    tree, check, recognised = TREES[name]
    tree(tmp_path / name)
    report = check(tmp_path)
    assert report.ok, wrong(report)
    assert (report.name, report.folder) == (name, tmp_path / name) and report.variant == "official, 16x8"
    assert ("licence", find_entry(name).licence, True) in report.rows
    assert not any(what == "source" for what, _, _ in report.rows)
    assert recognised(tmp_path / name) is check
    assert all(other(tmp_path / name) is None for other in {recognised_street, recognised_scene} - {recognised})


@pytest.mark.parametrize("name", TREES)
def test_a_folder_without_data_says_what_was_looked_for(tmp_path, name):
    _, check, recognised = TREES[name]
    with pytest.raises(FileNotFoundError, match=rf"no .* in {tmp_path}: .* expected there or in its folder"):
        check(tmp_path)
    assert recognised(tmp_path) is None


def test_cityscapes_that_lacks_a_city_and_has_broken_files(tmp_path):
    root = street_trees.cityscapes(tmp_path / "cityscapes", ("labelIds", "labelTrainIds"), coarse=True)
    for kind in ("leftImg8bit", "gtFine"):
        shutil.rmtree(root / kind / "val" / "munster")
    names = "aachen/aachen_000000_000019", "zurich/zurich_000000_000019"
    truncate(root / f"leftImg8bit/train/{names[0]}_leftImg8bit.png")
    save(np.full((8, 16), 34, np.uint8), root / f"gtFine/train/{names[0].replace('00_0', '01_0')}_gtFine_labelIds.png")
    save(np.zeros((8, 16), np.uint8), root / f"gtFine/train/{names[1]}_gtFine_labelTrainIds.png")
    report = check_cityscapes(tmp_path)
    assert ("coarse", "2 images without the black one", True) in report.rows
    found = wrong(report)
    for told in (
        "test: 2 images, 3 were expected",
        "test cities: munster has 0 images: 1 were expected",
        "aachen_000000_000019_leftImg8bit.png cannot be decoded",
        "aachen_000001_000019_gtFine_labelIds.png holds the label value 34",
        "zurich_000000_000019_gtFine_labelTrainIds.png differs from zurich_000000_000019_gtFine_labelIds.png",
    ):
        assert any(told in row for row in found), (told, found)
    assert any(what == "source" and "get Cityscapes" in words for what, words, _ in report.rows)


def test_images_of_another_size_are_seen(tmp_path, monkeypatch):
    street_trees.cityscapes(tmp_path)
    monkeypatch.setattr(cityscapes, "WIDTH", 2048)
    assert wrong(check_cityscapes(tmp_path)) == ["sizes: 16x8"]


def test_a_part_that_cannot_be_listed_is_a_row(tmp_path):
    street_trees.cityscapes(tmp_path)
    (tmp_path / "gtFine/val/lindau/lindau_000000_000019_gtFine_labelIds.png").unlink()
    assert "test: " in wrong(check_cityscapes(tmp_path))[0] and "has no partner" in wrong(check_cityscapes(tmp_path))[0]


def test_viper_with_a_list_and_a_broken_frame(tmp_path):
    street_trees.viper(tmp_path)
    (tmp_path / "train.txt").write_text("002\n")
    truncate(tmp_path / "val/cls/005/005_00010.png")
    report = check_viper(tmp_path)
    rows = {what: found for what, found, good in report.rows if good}
    assert rows["train"] == "train.txt leaves other frames out"
    assert len(wrong(report)) == 1 and "005_00010.png cannot be decoded" in wrong(report)[0]
    shutil.rmtree(tmp_path / "val/cls/005")
    assert "1 sequences, 2 were expected" in wrong(check_viper(tmp_path))[0]


def test_vps_without_panoptic_labels_of_val(tmp_path):
    street_trees.vps(tmp_path, panoptic=())
    assert wrong(check_cityscapes_vps(tmp_path)) == [
        "test: val/panoptic_video/ and panoptic_gt_val_city_vps.json were expected: VPQ needs the things"
    ]
    shutil.rmtree(tmp_path / "val" / "img_all")
    assert any("img_all is not a folder" in row for row in wrong(check_cityscapes_vps(tmp_path)))


def test_lists_of_ade20k_are_compared(tmp_path):
    street_trees.ade20k(tmp_path)
    classes = [f"{number}\t0.1\t1\t1\t{name}, other word" for number, name in enumerate(ade20k.CLASSES, start=1)]
    info, scenes = tmp_path / "objectInfo150.txt", tmp_path / "sceneCategories.txt"
    info.write_bytes("\ufeff".encode() + "\r\n".join(["Idx\tRatio\tTrain\tVal\tName", *classes]).encode())
    assert check_ade20k(tmp_path).ok
    info.write_text("\n".join(["Idx", *classes[:11], classes[11].replace("sidewalk", "pavement"), *classes[12:]]))
    lines = scenes.read_text().splitlines()
    scenes.write_text("\n".join([*lines[1:], lines[5], "ADE_val_00000009 airport"]))
    found = wrong(check_ade20k(tmp_path))
    for told in (
        "calls class 12 'pavement': 'sidewalk' was expected",
        "names ADE_train_00000006 in lines 5 and 43",
        "names ADE_val_00000009, which is not there",
        "does not name ",
    ):
        assert any(told in row for row in found), (told, found)
    info.write_text("Idx\n1\tone\n")
    assert any("names 1 classes: 150 were expected" in row for row in wrong(check_ade20k(tmp_path)))


def test_a_small_copy_of_lip_is_counted(tmp_path, monkeypatch):
    street_trees.lip(tmp_path)
    monkeypatch.setattr(lip, "OWNER_COUNTS", {"train": 30_462, "val": 10_000})
    assert wrong(check_lip(tmp_path)) == [
        "owner's train: 40 images, 30462 were expected",
        "owner's val: 3 images, 10000 were expected",
    ]
