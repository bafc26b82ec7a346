"""ImageNet's folders and lists of labelled images, on a miniature of three classes."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import trees
from PIL import Image
from typer.testing import CliRunner

from labelkit import cli
from labelkit.datasets import ilsvrc2012
from labelkit.datasets.catalogue import check, find_entry
from labelkit.datasets.ilsvrc2012 import find, parts
from labelkit.datasets.ilsvrc2012_lists import names_in, read_list, write_lists

WNIDS = ("n01440764", "n02123045", "n07753592")
COUNTS = {"train": (20, 24, 31), "val": (2, 2, 2)}


def image_net(folder: Path) -> Path:
    """Three classes; sizes differ, one image is grey, one has another suffix; a hidden file and a text lie about."""
    number = 0
    for part, counts in COUNTS.items():
        for wnid, count in zip(WNIDS, counts, strict=True):
            for index in range(count):
                picture = np.random.default_rng(number).integers(0, 256, (20 + number % 5, 24, 3), dtype=np.uint8)
                picture = picture[..., 0] if index == 1 else picture
                suffix = "jpg" if (part, index) == ("train", 2) else "JPEG"
                name = f"{wnid}_{100 - index}" if part == "train" else f"ILSVRC2012_val_{number:08d}"
                trees.save(picture, folder / part / wnid / f"{name}.{suffix}")
                number += 1
    (folder / "train" / WNIDS[0] / ".hidden.JPEG").write_text("")
    (folder / "train" / WNIDS[0] / "notes.txt").write_text("")
    return folder


@pytest.fixture
def three_classes(monkeypatch):
    monkeypatch.setattr(ilsvrc2012, "CLASSES", 3)


@pytest.fixture
def folder(tmp_path, three_classes) -> Path:
    return image_net(tmp_path / "ilsvrc2012")


def write(path: Path, names: list[str], text: bool = False) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(names) if text else json.dumps({"values": names}))
    return path


def per_class(dataset, count: int) -> list[str]:
    """The last names of each class, in an order of their own."""
    names = np.array(dataset.names)
    return [str(name) for label in (2, 0, 1) for name in names[dataset.labels == label][::-1][:count]]


# the three parts


def test_parts_follow_the_folders(folder):
    found = parts(folder, "", 16, 16)
    assert {part: np.bincount(data.labels).tolist() for part, data in found.items()} == {
        "train": [18, 22, 29], "val": [2, 2, 2], "test": [2, 2, 2],
    }  # fmt: skip
    names = [set(data.names) for data in found.values()]
    assert sum(map(len, names)) == len(set.union(*names)) == 81 and not any("hidden" in name for name in names[0])
    for data in found.values():
        assert data.classes == WNIDS and data.palette.shape == (3, 3) and data.labels.dtype == np.int64
        assert all(file.startswith(WNIDS[label]) for file, label in zip(data.files, data.labels, strict=True))
        assert list(data.files) == sorted(data.files)


def test_training_images_are_whole_and_the_others_cropped(folder):
    found = parts(folder, "", 16, 16)
    sample = found["train"][0]
    assert sample["image"].shape[0] == 3 and sample["image"].shape[2] == 24 and sample["image"].dtype == torch.float32
    assert sample["label"].dtype == torch.int64 and sample["name"] == found["train"].names[0]
    assert {found[part][index]["image"].shape for part in ("val", "test") for index in range(6)} == {(3, 16, 16)}
    assert len({found["train"].centred(16, 16)[index]["image"].shape for index in range(8)}) == 1
    with Image.open(found["train"].folder / found["train"].files[0]) as image:
        assert np.array_equal(np.array(image.convert("RGB")).transpose(2, 0, 1) / np.float32(255), sample["image"])
    with pytest.raises(IndexError, match="0 to 5 was expected"):
        found["val"][6]


def test_the_central_crop_is_central(tmp_path, folder):
    """224 of 256: a square of 256 px keeps its size; a bright frame of 16 px around it is cut away."""
    picture = np.full((256, 256, 3), 255, dtype=np.uint8)
    picture[16:240, 16:240] = 40
    data = parts(folder, "", 224, 224)["test"]
    Image.fromarray(picture).save(data.folder / data.files[0], quality=100, subsampling=0)
    image = data[0]["image"]
    assert image.shape == (3, 224, 224) and (image * 255 - 40).abs().max() < 12
    wide = np.concatenate([np.zeros((256, 300, 3), np.uint8), picture, np.zeros((256, 300, 3), np.uint8)], axis=1)
    Image.fromarray(wide).save(data.folder / data.files[0], quality=100, subsampling=0)
    assert (data[0]["image"] * 255 - 40).abs().max() < 12


def test_fingerprint_follows_files_and_size(folder):
    first = parts(folder, "", 16, 16)
    same = parts(folder.parent, "", 16, 16)
    assert [first[part].fingerprint for part in first] == [same[part].fingerprint for part in same]
    assert parts(folder, "", 20, 20)["test"].fingerprint != first["test"].fingerprint
    trees.save(trees.picture(5), first["test"].folder / first["test"].files[0])
    assert parts(folder, "", 16, 16)["test"].fingerprint != first["test"].fingerprint


def test_colours_of_a_thousand_classes_differ(tmp_path):
    data = ilsvrc2012.ImageNet("train", tmp_path, (), np.zeros(0, np.int64), tuple(map(str, range(1000))))
    assert len(np.unique(data.palette, axis=0)) == 1000


def test_held_out_images_are_fixed_and_leave_lists_alone(folder):
    before = parts(folder, "")
    assert before["val"].names == parts(folder, "")["val"].names
    listed = list(before["val"].names)  # of all images, exactly those that would be held out
    write(folder / "lists" / "mine.json", listed)
    after = parts(folder, "")
    assert not set(listed) & set(after["val"].names) and set(listed) <= set(after["train"].names)
    assert np.bincount(after["val"].labels).tolist() == [2, 2, 2]
    write(folder / "lists" / "all.txt", [path.name for path in (folder / "train" / WNIDS[0]).glob("n*")], text=True)
    with pytest.raises(ValueError, match=r"class n01440764 has 0 training images that no list .*2 were expected"):
        parts(folder, "")


# what is refused


def test_another_number_of_classes(folder, monkeypatch):
    monkeypatch.setattr(ilsvrc2012, "CLASSES", 1000)
    with pytest.raises(ValueError, match="train has 3 class folders: 1000 were expected"):
        parts(folder, "")
    assert len(parts(folder, "", classes=3)["test"]) == 6
    for path in (folder / "val").rglob("*.JPEG"):
        path.rename(folder / "val" / path.name)
    shutil.rmtree(folder / "val" / WNIDS[0])
    with pytest.raises(ValueError, match="val has 2 class folders; images lie there without class folders: 3 were"):
        parts(folder, "", classes=3)


def test_different_classes_in_train_and_val(folder):
    (folder / "val" / WNIDS[2]).rename(folder / "val" / "n09999999")
    with pytest.raises(ValueError, match=r"only one of train and val .* has the class folder n07753592"):
        parts(folder, "")


def test_an_empty_class_folder(folder):
    for path in (folder / "train" / WNIDS[1]).iterdir():
        path.unlink()
    (folder / "train" / WNIDS[1] / ".hidden.JPEG").write_text("")
    with pytest.raises(ValueError, match=r"train/n02123045 has no image: JPEG files were expected"):
        parts(folder, "")


def test_an_unreadable_file_is_named(folder):
    data = parts(folder, "")["train"]
    trees.truncate(data.folder / data.files[3])
    with pytest.raises(ValueError, match=rf"{data.names[3]} cannot be decoded"):
        data[3]
    (data.folder / data.files[4]).unlink()
    with pytest.raises(FileNotFoundError, match=data.names[4]):
        data[4]


def test_nothing_there_and_half_a_request(folder, tmp_path):
    assert find(tmp_path) == folder
    with pytest.raises(FileNotFoundError, match="train/ and val/ were expected there or in its folder ilsvrc2012"):
        parts(folder / "train", "")
    with pytest.raises(ValueError, match="no variant 'small'"):
        parts(folder, "small")
    with pytest.raises(ValueError, match="height 16 and width None"):
        parts(folder, "", 16)


# lists of labelled images


@pytest.mark.parametrize("text", [False, True])
def test_a_list_is_read_whatever_its_order_and_form(folder, tmp_path, text):
    data = parts(folder, "")["train"]
    names = per_class(data, 3)
    found = read_list(write(tmp_path / "list", names, text), data, 3)
    assert [data.names[index] for index in found.indices] == sorted(names, key=data.names.index)
    assert np.bincount(data.labels[list(found.indices)]).tolist() == [3, 3, 3] and found.per_class == 3
    with_folders = [f"train/{name[:9]}/{name}" for name in names[::-1]]
    assert read_list(write(tmp_path / "other", with_folders), data) == found
    assert read_list(write(tmp_path / "more", per_class(data, 4)), data).hash != found.hash


def test_a_list_is_no_subset_of_another_of_necessity(folder, tmp_path):
    """The authors' list of 13 a class shares a tenth of its images with that of 128: each is checked for itself."""
    data = parts(folder, "")["train"]
    one = read_list(write(tmp_path / "one", per_class(data, 1)), data)
    rest = [name for name in per_class(data, 4) if name not in per_class(data, 1)]
    assert not set(one.indices) & set(read_list(write(tmp_path / "three", rest), data, 3).indices)


def test_lists_that_do_not_fit(folder, tmp_path):
    found = parts(folder, "")
    data, names = found["train"], per_class(found["train"], 3)
    refused = {
        "has 2 images of class n02123045: 3 were expected": names[:-1],
        "has 3 images of class n01440764: 4 were expected": names + per_class(data, 4)[3:4],
        "has 0 images of class n01440764: 3 were expected": [name for name in names if name[:9] != WNIDS[0]],
        f"names {names[0]} 2 times": [*names, names[0]],
        rf"names {found['val'].names[0]} \(and 1 more\), which the data set does not have": [
            *names, *found["val"].names[:2],
        ],
        "has no names": [],
    }  # fmt: skip
    for words, listed in refused.items():
        with pytest.raises(ValueError, match=words):
            read_list(write(tmp_path / "list", listed), data, 4 if "4 were" in words else None)
    with pytest.raises(FileNotFoundError, match=r"label list .*gone does not exist"):
        read_list(tmp_path / "gone", data)
    for text in ('{"values": ', '{"names": []}', '{"values": 3}', ""):
        (tmp_path / "list").write_text(text)
        with pytest.raises(ValueError, match=r"label list .*list (is not readable|has no names)"):
            names_in(tmp_path / "list")
    (tmp_path / "list").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="is not readable"):
        names_in(tmp_path / "list")


def test_written_lists_are_balanced_nested_and_seeded(folder, tmp_path):
    data = parts(folder, "")["train"]
    small, large = write_lists(data, tmp_path / "lists", (2, 5), seed=1)
    assert small.name == "2-a-class-seed-1.json"
    assert read_list(small, data, 2).per_class == 2 and read_list(large, data, 5).per_class == 5
    assert set(names_in(small)) <= set(names_in(large))
    again, other = write_lists(data, tmp_path / "again", (2,), 1) + write_lists(data, tmp_path / "again", (2,), 2)
    assert again.read_bytes() == small.read_bytes() != other.read_bytes()
    with pytest.raises(ValueError, match="class 0 has 18 images: at least 19 were expected"):
        write_lists(data, tmp_path / "many", (19,), 0)
    command = ["data", "lists", "ilsvrc2012", str(tmp_path / "whole"), "--per-class", "2", "--seed", "1"]
    done = CliRunner().invoke(cli.app, [*command, "--folder", str(folder)])
    assert done.exit_code == 0 and (tmp_path / "whole" / small.name).read_bytes() == small.read_bytes()


# the check


def test_the_check_names_what_is_wrong(folder, monkeypatch):
    monkeypatch.setattr(ilsvrc2012, "COUNTS", {"train": 69, "val": 6, "test": 6})
    report = check("ilsvrc2012", folder.parent)
    assert report.ok, report.lines
    assert "18 to 29 of each of 3 classes" in report.rows[0][1] and check(folder).rows == report.rows
    data = parts(folder, "")["train"]
    write(folder / "lists" / "good.json", per_class(data, 2))
    write(folder / "lists" / "poor.json", per_class(data, 2)[1:])
    data = parts(folder, "")["train"]
    trees.truncate(data.folder / data.files[0])
    found = {what: words for what, words, good in check(folder).rows if not good}
    assert set(found) == {"train", "poor.json"} and data.names[0] in found["train"]
    shutil.rmtree(folder / "val" / WNIDS[0])
    assert "2 class folders" in check(folder).rows[0][1]


def test_the_check_counts(folder):
    assert "69 images, 1231167 were expected" in check(folder).rows[0][1]
    assert find_entry("ilsvrc2012").reader and find_entry("ilsvrc2012").licence == ilsvrc2012.LICENCE


def test_data_that_is_not_there_says_what_to_place_where(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no ILSVRC 2012 below .*: get ImageNet.*train/n01440764/"):
        check("ilsvrc2012", tmp_path)
