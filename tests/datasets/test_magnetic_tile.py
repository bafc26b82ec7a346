"""Magnetic tiles in both layouts: tags, tiles that stay in one part, and windows that show the defect."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from trees import save, truncate

from labelkit.datasets.catalogue import check
from labelkit.datasets.magnetic_tile import CLASSES, MagneticTile, TileWindows, parts
from labelkit.datasets.magnetic_tile_files import FOLDERS, find, tiles
from labelkit.datasets.tile_windows import even_exposure, window

OWNER = ("Blowhole", "Break", "Crack", "Fray", "Uneven", "Free")
HEIGHT, WIDTH = 30, 40


def names() -> dict[str, int]:
    """Name and label of each image: of each class 8 tiles, each photographed three times."""
    found = {}
    for label, owner in enumerate(OWNER, start=1):
        for tile in range(8):
            for exposure in (1, 2, 3):
                number = 10_000 * label + 1000 * tile + 20 * exposure
                found[f"{owner}__exp{exposure}_num_{number}"] = label % 6
    return found


def picture(name: str) -> np.ndarray:
    grey = np.random.default_rng(len(name) + int(name[-4:])).integers(0, 200, (HEIGHT, WIDTH, 1), dtype=np.uint8)
    return grey.repeat(3, 2)


def mask(label: int) -> np.ndarray:
    found = np.zeros((HEIGHT, WIDTH), np.uint8)
    found[4:8, 20:26] = label
    return found


def compact(folder: Path) -> Path:
    for name, label in names().items():
        save(picture(name), folder / "images" / f"{name}.jpg")
        save(mask(label), folder / "labels" / f"{name}.png")
    tags = {name: [label] if label else [] for name, label in names().items()}
    (folder / "image_labels.json").write_text(json.dumps(tags))
    listed = list(names())
    (folder / "splits.json").write_text(json.dumps({"train": listed[1::2], "val": listed[0::2]}))
    classes = [{"id": index, "name": name} for index, name in enumerate(("background", *OWNER[:5]))]
    (folder / "classes.json").write_text(json.dumps({"classes": classes}))
    return folder


def official(folder: Path) -> Path:
    for name, label in names().items():
        owner, stem = name.split("__")
        save(picture(name), folder / f"MT_{owner}" / "Imgs" / f"{stem}.jpg")
        save((mask(label) > 0).astype(np.uint8) * 255, folder / f"MT_{owner}" / "Imgs" / f"{stem}.png")
    return folder


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {"compact": compact(tmp_path_factory.mktemp("c")), "official": official(tmp_path_factory.mktemp("o"))}


@pytest.mark.parametrize("layout", ["compact", "official"])
def test_samples_follow_the_contract(trees: dict, layout: str) -> None:
    found = parts(trees[layout], "", 15, 20)
    assert list(found) == ["train", "val", "test"]
    for part, data in found.items():
        assert (data.layout, data.split, data.name, data.classes) == (layout, part, "magnetic_tile-20x15", CLASSES)
        for index in range(len(data)):
            sample = data[index]
            assert set(sample) == {"image", "mask", "tags", "name"}
            assert sample["image"].shape == (3, 15, 20) and sample["mask"].shape == (15, 20)
            assert sample["tags"].shape == (5,) and sample["tags"].dtype == torch.float32
            seen = set(sample["mask"].unique().tolist()) - {0}
            assert seen == {int(tag) + 1 for tag in sample["tags"].nonzero()[:, 0]}
            label = names()[sample["name"]]
            assert seen == ({label} if label else set())


def test_both_layouts_have_the_same_parts_tags_and_masks(trees: dict) -> None:
    for part in ("train", "val", "test"):
        one, other = (MagneticTile(trees[layout], part) for layout in ("compact", "official"))
        assert one.names == other.names and one.groups == other.groups
        assert all(np.array_equal(one.mask(index), other.mask(index)) for index in range(len(one)))
        assert one.fingerprint != other.fingerprint and len(one.fingerprint) == 16


def test_a_tile_is_in_one_part_and_each_class_in_all_three(trees: dict) -> None:
    found = parts(trees["compact"], "")
    groups = [set(data.groups) for data in found.values()]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 48
    assert sum(len(data) for data in found.values()) == 144
    for data in found.values():
        assert torch.stack([data.tags(index) for index in range(len(data))]).sum(0).min() >= 3
    counts = [len(data) for data in found.values()]
    assert counts == [6 * 3 * 5, 6 * 3, 6 * 3 * 2]  # of 8 tiles: two for the test, one for validation


def test_pictures_with_near_numbers_show_one_tile() -> None:
    listed = ["Free__exp1_num_100", "Crack__exp2_num_290", "Crack__exp3_num_500", "Break__exp1_num_701", "other"]
    assert tiles(reversed(listed)) == {
        listed[0]: listed[0], listed[1]: listed[0], listed[2]: listed[2], listed[3]: listed[3], "other": "other",
    }  # fmt: skip


def test_a_window_shows_a_small_defect_whole_and_anywhere() -> None:
    flaw = np.zeros((200, 240), np.uint8)
    flaw[100:110, 120:126] = 2
    places = set()
    for number in range(24):
        top, left, side = window(flaw, f"tile {number}")
        assert side == 96 and 0 <= top <= 200 - side and 0 <= left <= 240 - side
        assert (flaw[top : top + side, left : left + side] > 0).sum() == 60
        assert window(flaw, f"tile {number}") == (top, left, side)
        places.add((top, left))
    rows, columns = (np.array([place[axis] for place in places]) for axis in (0, 1))
    assert len(places) > 18 and np.ptp(rows) > 50 and np.ptp(columns) > 50  # not centred


def test_a_window_shows_part_of_a_large_defect_and_never_a_crumb_of_it() -> None:
    flaw = np.zeros((240, 180), np.uint8)
    flaw[:, 20:40] = 5
    flaw[200:202, 170:172] = 5  # under a quarter of the largest piece
    for number in range(20):
        top, left, side = window(flaw, f"tile {number}")
        assert (flaw[top : top + side, left : min(left + side, 160)] > 0).sum() >= 0.4 * 96 * 20


def test_a_window_without_a_defect_lies_anywhere_and_fits_a_narrow_tile() -> None:
    plain = np.full((240, 60), 255, np.uint8)
    places = [window(plain, f"tile {number}") for number in range(30)]
    assert {(left, side) for _, left, side in places} == {(0, 60)} and len({top for top, _, _ in places}) > 20


def test_windows_are_cut_from_the_same_images_of_each_part(trees: dict) -> None:
    whole, cut = parts(trees["compact"], ""), parts(trees["compact"], "windows", 8, 8)
    for part, data in cut.items():
        assert isinstance(data, TileWindows) and data.name == "magnetic_tile-windows-8x8"
        assert data.names == whole[part].names and data.fingerprint != whole[part].fingerprint
        assert data[0]["image"].shape == (3, 8, 8) and data[0]["mask"].shape == (8, 8)
        assert np.array_equal(data.mask(0), data[0]["mask"].numpy())
    plain = TileWindows(trees["compact"], "val", cache=False)
    for index in range(len(plain)):
        sample = plain[index]
        top, left, side = window(whole["val"].mask(index), sample["name"])
        assert side == 16 and sample["mask"].shape == (16, 16)
        expected = whole["val"][index]["image"][:, top : top + side, left : left + side]
        assert torch.equal(sample["image"], expected)
        assert bool((sample["mask"] > 0).any()) == bool(sample["tags"].any())
    assert plain.fingerprint != cut["val"].fingerprint


def test_even_exposure_takes_brightness_and_contrast_out_of_a_window(trees: dict) -> None:
    grey = np.random.default_rng(0).integers(60, 120, (16, 16, 1)).astype(np.uint8).repeat(3, axis=2)
    brighter = (1.5 * grey.astype(float) + 20).astype(np.uint8)
    first, second = even_exposure(grey).astype(int), even_exposure(brighter).astype(int)
    assert abs(first - second).max() <= 2 and abs(first.mean() - 127.5) < 1 and abs(first.std() - 51) < 1
    assert (even_exposure(np.full((4, 4, 3), 9, np.uint8)) == 128).all(), "a flat window stays flat"
    cut, even = parts(trees["compact"], "windows", 8, 8), parts(trees["compact"], "even", 8, 8)
    for part, data in even.items():
        assert data.name == "magnetic_tile-even-8x8" and data.fingerprint != cut[part].fingerprint
        assert torch.equal(data[0]["mask"], cut[part][0]["mask"]) and torch.equal(data[0]["tags"], cut[part][0]["tags"])


def test_a_tag_file_and_an_image_list_that_disagree_are_refused(tmp_path: Path) -> None:
    folder = compact(tmp_path)
    path = folder / "image_labels.json"
    tags = json.loads(path.read_text())
    first = sorted(tags)[0]
    for changed, words in (
        ({name: value for name, value in tags.items() if name != first}, f"json has no entry for image {first}: "),
        (tags | {"AAA": [1]}, "json has an entry for AAA, which is not a listed image"),
        (tags | {first: [6]}, f"json gives image {first} the label 6: an id of the class list"),
        ([first], "json is not a tag file: a list of label ids"),
    ):
        path.write_text(json.dumps(changed))
        with pytest.raises(ValueError, match=words):
            MagneticTile(folder)
    path.write_text("{")
    with pytest.raises(ValueError, match=r"image_labels.json is not valid JSON"):
        MagneticTile(folder)


def test_broken_data_are_refused(tmp_path: Path) -> None:
    folder = compact(tmp_path)
    listed = json.loads((folder / "splits.json").read_text())
    (folder / "splits.json").write_text(json.dumps({"train": listed["train"], "val": listed["train"][:1]}))
    with pytest.raises(ValueError, match=f"has image {listed['train'][0]} in train and in val"):
        MagneticTile(folder)
    (folder / "splits.json").write_text(json.dumps({"train": []}))
    with pytest.raises(ValueError, match=r"splits.json has no list 'val'"):
        MagneticTile(folder)
    (folder / "splits.json").write_text(json.dumps(listed))
    (folder / "labels" / f"{listed['val'][0]}.png").unlink()
    with pytest.raises(FileNotFoundError, match=f"labels has no file {listed['val'][0]}: splits.json names it"):
        MagneticTile(folder)


def test_a_lone_image_of_the_owner_is_refused(tmp_path: Path) -> None:
    folder = official(tmp_path)
    lone = next((folder / FOLDERS[2] / "Imgs").glob("*.png"))
    lone.unlink()
    with pytest.raises(FileNotFoundError, match=rf"has no partner: a file {lone.name} was expected beside it"):
        MagneticTile(folder)


def test_what_there_is_not_is_refused(trees: dict, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="magnetic tiles has no split 'trian'"):
        MagneticTile(trees["compact"], "trian")
    with pytest.raises(ValueError, match="have no variant 'crops': the name magnetic_tile, magnetic_tile-windows or"):
        parts(trees["compact"], "crops")
    with pytest.raises(FileNotFoundError, match=r"no magnetic tiles in .*MT_Blowhole/Imgs/"):
        parts(tmp_path, "")


@pytest.mark.parametrize("layout", ["compact", "official"])
def test_a_check_reads_everything(trees: dict, layout: str) -> None:
    report = check(trees[layout])
    assert report.ok and report.name == "magnetic-tiles" and layout in report.variant
    assert any("90 images, 15 without a tag" in line for line in report.lines)


def test_a_check_finds_a_tag_that_the_mask_does_not_have(tmp_path: Path) -> None:
    folder = compact(tmp_path)
    name = next(name for name in names() if name.startswith("Crack"))
    save(mask(0), folder / "labels" / f"{name}.png")
    truncate(folder / "images" / f"{MagneticTile(folder, 'test').names[0]}.jpg")
    report = check(folder)
    assert not report.ok and "cannot be decoded" in "\n".join(report.lines)
    assert f"{name}: tags and mask differ in crack" in "\n".join(report.lines)


REAL = Path(os.environ.get("LABELKIT_DATA", "/nowhere")) / "magnetic_tile_240"


@pytest.mark.skipif(not REAL.is_dir(), reason="LABELKIT_DATA has no magnetic_tile_240")
def test_the_real_tiles() -> None:
    found = parts(REAL, "windows", 64, 64)
    assert {part: len(data) for part, data in found.items()} == {"train": 359, "val": 67, "test": 162}
    assert set(found["train"].groups).isdisjoint(found["test"].groups)
    data = found["val"]
    lost = sum(bool((sample["tags"].any()) and not (sample["mask"] > 0).any()) for sample in data)
    assert lost <= 1  # shrinking takes away a defect of one pixel
    assert find(REAL.parent) == (REAL, "compact")
