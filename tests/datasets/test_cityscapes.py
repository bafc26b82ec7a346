"""Cityscapes in its owner's layout: 19 of 34 ids, parts without a common city, and broken copies."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import street_trees
from trees import save

from labelkit.datasets import cityscapes
from labelkit.datasets.cityscapes import CLASSES, HELD_OUT, OWNER_IDS, THINGS, Cityscapes, find, parts
from labelkit.experiments.data import find as find_source
from labelkit.experiments.data import three_parts


@pytest.fixture
def root(tmp_path):
    street_trees.cityscapes(tmp_path / "dätä sets" / "cityscapes")
    return tmp_path / "dätä sets"


def first(root: Path, kind: str, split: str = "train", city: str = "aachen") -> Path:
    labels, ending = ("leftImg8bit", "leftImg8bit") if kind == "image" else ("gtFine", f"gtFine_{kind}")
    return find(root) / labels / split / city / f"{city}_000000_000019_{ending}.png"


def test_the_owners_numbers():
    assert dict(zip(OWNER_IDS, range(19), strict=True)) == street_trees.CITYSCAPES_TRAIN_IDS
    assert len(CLASSES) == len(cityscapes.PALETTE) == 19 and len(np.unique(cityscapes.PALETTE, axis=0)) == 19
    assert THINGS == ("person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle")
    assert [sum(cities.values()) for cities in cityscapes.CITIES.values()] == [2975, 500]
    assert sum(cityscapes.CITIES["train"][name] for name in HELD_OUT) == 290


def test_no_city_is_in_two_parts(root):
    found = parts(root)
    assert {split: len(data) for split, data in found.items()} == {"train": 3, "val": 4, "test": 3}
    cities = {split: {cityscapes.city(name) for name in data.names} for split, data in found.items()}
    assert cities == {"train": {"aachen", "zurich"}, "val": set(HELD_OUT), "test": {"lindau", "munster"}}
    assert found["train"].names == ("aachen_000000_000019", "aachen_000001_000019", "zurich_000000_000019")


def test_a_sample_is_what_the_files_hold(root):
    sample = Cityscapes(root)[0]
    owner = street_trees.ids(1, 34)
    assert np.array_equal(sample["mask"].numpy(), street_trees.training_ids(owner))
    assert np.array_equal((sample["image"] * 255).round().byte().permute(1, 2, 0).numpy(), street_trees.picture(1))
    assert {*np.unique(sample["mask"]).tolist()} <= {*range(19), 255}


def test_the_official_parts(root):
    found = parts(root, "official", 4, 8)
    assert {split: len(data) for split, data in found.items()} == {"train": 7, "val": 3, "test": 3}
    assert found["val"].names == found["test"].names and found["train"].name == "cityscapes-official-8x4"


def test_coarse_labels_without_the_black_image(tmp_path):
    found = parts(street_trees.cityscapes(tmp_path, coarse=True), "coarse")
    assert found["train"].names == ("nuremberg_000000_000019", "nuremberg_000001_000019")
    assert found["val"].names == parts(tmp_path)["val"].names


def test_training_ids_deliver_the_same_and_change_nothing_where_ids_are(tmp_path):
    roots = {}
    for kinds in (("labelIds",), ("labelIds", "labelTrainIds"), ("labelTrainIds",)):
        roots[kinds] = Cityscapes(street_trees.cityscapes(tmp_path / "-".join(kinds), kinds))
    ids, both, training = roots.values()
    assert ids.fingerprint == both.fingerprint
    assert all(ids[i]["mask"].equal(training[i]["mask"]) for i in range(len(ids)))


def test_folders_of_the_archives_may_lie_between(root, tmp_path):
    folder = find(root)
    for kind in ("leftImg8bit", "gtFine"):
        shutil.move(folder / kind, tmp_path / "city" / f"{kind}_trainvaltest" / kind)
    assert len(Cityscapes(tmp_path / "city", "test")) == 3


def test_files_are_read_when_they_are_asked_for_and_not_kept(root):
    dataset = Cityscapes(root)
    before = dataset[0]["image"]
    shutil.copy(dataset.pairs[1].image, dataset.pairs[0].image)
    assert dataset[0]["image"].equal(dataset[1]["image"]) and not dataset[0]["image"].equal(before)
    small = Cityscapes(root, height=4, width=8)
    small.load()
    shutil.rmtree(root)
    assert small[0]["mask"].shape == (4, 8) and small.name == "cityscapes-8x4"


def test_experiments_find_it(root):
    assert find_source("cityscapes-official").variant == "official" and not find_source("cityscapes").drawn
    found = three_parts("cityscapes", 4, 8, 1, 1, root)
    assert len(found.test) == 3 and found.fingerprint == three_parts("cityscapes", 4, 8, 1, 1, root).fingerprint


def test_links_to_other_disks_are_followed(root, tmp_path):
    city = find(root) / "leftImg8bit" / "train" / "aachen"
    shutil.move(city, tmp_path / "elsewhere")
    city.symlink_to(tmp_path / "elsewhere")
    assert len(Cityscapes(root)) == 3


def no_label(root: Path) -> None:
    first(root, "labelIds").unlink()


def no_image(root: Path) -> None:
    first(root, "image").unlink()


def no_city(root: Path) -> None:
    shutil.rmtree(find(root) / "gtFine" / "train" / "zurich")


def other_case(root: Path) -> None:
    path = first(root, "image")
    path.rename(path.with_name(path.name.replace("aachen_", "Aachen_")))


def other_city(root: Path) -> None:
    for kind in ("image", "labelIds"):
        path = first(root, kind)
        path.rename(path.with_name(path.name.replace("aachen_", "jena_")))


def circle(root: Path) -> None:
    (find(root) / "leftImg8bit" / "train" / "loop").symlink_to("..")


def dangling(root: Path) -> None:
    path = first(root, "image")
    path.unlink()
    path.symlink_to("gone.png")


def cities_of_one_case(root: Path) -> None:
    (find(root) / "leftImg8bit" / "train" / "Zurich").mkdir()


def twice(root: Path) -> None:
    save(street_trees.picture(1), first(root, "image").with_suffix(".jpg"))


def nothing_held_out(root: Path) -> None:
    for city in HELD_OUT:
        for kind in ("leftImg8bit", "gtFine"):
            shutil.rmtree(find(root) / kind / "train" / city)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (no_label, r"aachen_000000_000019_leftImg8bit\.png has no partner: .*_000019_gtFine_labelIds\.png .*gtFine"),
        (no_image, r"aachen_000000_000019_gtFine_labelIds\.png has no partner: .*leftImg8bit"),
        (no_city, r"only one of .*leftImg8bit/train and .*gtFine/train has the city zurich"),
        (other_case, r"has no partner: .*aachen_000000.* differs in case"),
        (other_city, r"jena_000000_000019_leftImg8bit\.png does not begin with its city: .*aachen_"),
        (circle, r"train/loop is a symbolic link to a folder that holds it"),
        (dangling, r"aachen_000000_000019_leftImg8bit\.png is a symbolic link that leads nowhere"),
        (cities_of_one_case, r"train holds Zurich and zurich, which differ only in case"),
        (twice, r"aachen_000000_000019_leftImg8bit\.jpg and aachen.*\.png: one file a name"),
        (nothing_held_out, r"the part val of Cityscapes in .* is empty: .*bochum, krefeld, ulm"),
    ],
)
def test_a_broken_copy_is_one_sentence(root, damage, told):
    damage(root)
    with pytest.raises((FileNotFoundError, ValueError), match=told) as caught:
        parts(root)
    assert "\n" not in str(caught.value)


def test_what_there_is_not_is_refused(root):
    with pytest.raises(ValueError, match="Cityscapes has no variant 'fine'"):
        parts(root, "fine")
    with pytest.raises(ValueError, match="Cityscapes has no split 'trainval'"):
        Cityscapes(root, "trainval")
    with pytest.raises(FileNotFoundError, match=r"no Cityscapes in .*: leftImg8bit/ and gtFine/"):
        parts(root / "cityscapes" / "gtFine")
