"""CIFAR-10 in both layouts, miniature ones made here, and the real subset where it is at hand."""

import hashlib
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from labelkit.datasets import cifar10
from labelkit.datasets.catalogue import check, find_entry
from labelkit.datasets.cifar10 import CLASSES, Cifar10, find, parts

TRAIN, TEST = 40, 20  # images of each class: a tenth of the first is held out


def arrays(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    found = {"class_names": np.array(CLASSES)}
    for part, each in (("train", TRAIN), ("test", TEST)):
        labels = rng.permutation(np.repeat(np.arange(10, dtype=np.uint8), each))
        found[f"x_{part}"] = rng.integers(0, 256, (len(labels), 32, 32, 3), dtype=np.uint8)
        found[f"y_{part}"] = labels
        found[f"file_{part}"] = np.array([f"{part}/{CLASSES[y]}/{i:04d}.jpg" for i, y in enumerate(labels)])
    return found


def compact(folder: Path, **changed: np.ndarray | None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    kept = {key: value for key, value in (arrays() | changed).items() if value is not None}
    np.savez(folder / cifar10.SUBSET, **kept)
    return folder


@pytest.fixture
def official(tmp_path, monkeypatch):
    """The official layout with few images, whose checksums torchvision is told."""
    from torchvision.datasets import CIFAR10

    folder, found = tmp_path / "cifar10", arrays()
    batches = folder / cifar10.BATCHES
    batches.mkdir(parents=True)

    def write(name: str, content: dict) -> list[str]:
        data = pickle.dumps(content)
        (batches / name).write_bytes(data)
        return [name, hashlib.md5(data).hexdigest()]

    def batch(part: str, rows: slice) -> dict:
        return {
            "data": found[f"x_{part}"][rows].transpose(0, 3, 1, 2).reshape(-1, 3072),
            "labels": found[f"y_{part}"][rows].tolist(),
        }

    listed = [write(f"data_batch_{n + 1}", batch("train", slice(80 * n, 80 * n + 80))) for n in range(5)]
    tested = [write("test_batch", batch("test", slice(None)))]
    name, digest = write("batches.meta", {"label_names": list(CLASSES)})
    monkeypatch.setattr(CIFAR10, "train_list", listed)
    monkeypatch.setattr(CIFAR10, "test_list", tested)
    monkeypatch.setattr(CIFAR10, "meta", {"filename": name, "key": "label_names", "md5": digest})
    return folder


def test_parts_are_balanced_disjoint_and_complete(tmp_path):
    found = parts(compact(tmp_path), "")
    assert {part: np.bincount(data.labels).tolist() for part, data in found.items()} == {
        "train": [36] * 10, "val": [4] * 10, "test": [20] * 10,
    }  # fmt: skip
    names = [set(data.names) for data in found.values()]
    assert sum(map(len, names)) == len(set.union(*names)) == 600
    assert names[0] | names[1] == set(arrays()["file_train"].tolist())


def test_samples_are_what_the_file_holds(tmp_path):
    data, whole = Cifar10(compact(tmp_path), "train"), arrays()
    place = {name: index for index, name in enumerate(whole["file_train"].tolist())}
    for index in (0, 100, 359):
        sample = data[index]
        row = place[sample["name"]]
        assert sample["image"].dtype == torch.float32 and sample["label"].dtype == torch.int64
        assert np.array_equal((sample["image"] * 255).round().byte().permute(1, 2, 0).numpy(), whole["x_train"][row])
        assert int(sample["label"]) == whole["y_train"][row] == data.labels[index]
        assert CLASSES[int(sample["label"])] in sample["name"]
    assert (data.name, data.classes, data.palette.shape) == ("cifar10-subset", CLASSES, (10, 3))
    assert data.labels.dtype == np.int64
    with pytest.raises(IndexError, match="0 to 359 was expected"):
        data[360]


def test_the_held_out_part_is_fixed_by_a_rule(tmp_path):
    """A literal: were it to change, every record with a validation would stop being comparable."""
    names = Cifar10(compact(tmp_path), "val").names
    assert names == Cifar10(compact(tmp_path / "again"), "val").names
    assert hashlib.sha256("".join(names).encode()).hexdigest()[:12] == "538025e15bd6"


def test_both_layouts_hold_the_same_pictures(official, tmp_path):
    small = compact(tmp_path / "cifar10_subset")
    for part in cifar10.SPLITS:
        one, other = Cifar10(official, part), Cifar10(small, part)
        assert np.array_equal(one.images, other.images) and np.array_equal(one.labels, other.labels)
        assert one.fingerprint != other.fingerprint  # other names
    assert (one.name, one.names[:2]) == ("cifar10", ("test-00000", "test-00001"))


def test_folders_that_hold_the_data_set_will_do(official, tmp_path):
    assert find(tmp_path) == find(official) == find(official / cifar10.BATCHES) == (official, "official")
    small = compact(tmp_path / "other" / "cifar10_subset")
    assert find(tmp_path / "other") == find(small) == (small, "compact")


def test_another_size(tmp_path):
    folder = compact(tmp_path)
    half = Cifar10(folder, "test", 16, 16)
    average = torch.nn.functional.avg_pool2d(Cifar10(folder, "test")[3]["image"][None], 2)[0]
    assert half[3]["image"].shape == (3, 16, 16) and (half[3]["image"] - average).abs().max() < 2 / 255
    assert Cifar10(folder, "test", 48, 40)[0]["image"].shape == (3, 48, 40)
    assert half.fingerprint != Cifar10(folder, "test").fingerprint
    with pytest.raises(ValueError, match="height 16 and width None"):
        Cifar10(folder, "test", 16)


def test_fingerprint_covers_every_byte(tmp_path):
    first = {part: data.fingerprint for part, data in parts(compact(tmp_path), "").items()}
    assert len(set(first.values())) == 3
    pixels = arrays()["x_test"]
    pixels[7, 3, 3, 0] ^= 1
    changed = {part: data.fingerprint for part, data in parts(compact(tmp_path, x_test=pixels), "").items()}
    assert changed["test"] != first["test"] and changed["train"] == first["train"] and changed["val"] == first["val"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"y_train": None}, "has no array y_train"),
        ({"class_names": None}, "has no array class_names"),
        ({"y_train": arrays()["y_train"][:-1]}, r"400 train images, labels of shape \(399,\) and 400 names"),
        ({"file_train": arrays()["file_train"][1:]}, "and 399 names"),
        ({"y_train": arrays()["y_train"] + 1}, "uint8 from 1 to 10: whole numbers from 0 to 9 were expected"),
        ({"y_train": arrays()["y_train"].astype(float)}, "train labels of .* are float64 from"),
        ({"x_train": arrays()["x_train"][..., 0]}, r"uint8 of shape \(400, 32, 32\)"),
        ({"x_train": arrays()["x_train"] / 255}, "float64 of shape"),
        ({"x_train": arrays()["x_train"].transpose(0, 3, 1, 2)}, r"\(400, 3, 32, 32\)"),
        ({"class_names": np.array(CLASSES[::-1])}, "has the classes truck, ship"),
        ({"file_train": np.repeat(arrays()["file_train"][::2], 2)}, "names an image of train twice"),
        ({"x_train": np.array([None])}, "cannot be read"),
    ],
)
def test_what_is_not_as_it_should_be_is_refused(tmp_path, changed, words):
    folder = compact(tmp_path, **changed)
    with pytest.raises(ValueError, match=words):
        parts(folder, "")
    report = check(folder)
    assert not report.ok and cifar10.SUBSET in report.rows[0][1]


@pytest.mark.parametrize("broken", [lambda b: b[: len(b) // 2], lambda b: b"no archive", lambda b: b"", "flipped"])
def test_a_broken_archive_is_named(tmp_path, broken):
    path = compact(tmp_path) / cifar10.SUBSET
    content = bytearray(path.read_bytes())
    if broken == "flipped":
        content[200_000] ^= 255
    else:
        content = broken(bytes(content))
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match=r"cifar10_subset\.npz cannot be read .*a whole npz file was expected"):
        parts(tmp_path, "")


def test_official_files_are_held_against_their_checksums(official):
    assert check(official).rows[0][2] is False  # far fewer images than 45,000
    path = official / cifar10.BATCHES / "data_batch_3"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="holds one that its checksum refuses"):
        parts(official, "")


def test_official_files_of_other_classes(official, monkeypatch):
    monkeypatch.setattr(cifar10, "CLASSES", ("plane", *CLASSES[1:]))
    with pytest.raises(ValueError, match="has the classes airplane"):
        parts(official, "")


def test_nothing_found_says_what_was_looked_for(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"cifar-10-batches-py/ or cifar10_subset\.npz was expected"):
        parts(tmp_path, "")
    with pytest.raises(FileNotFoundError, match=r"no CIFAR-10 below .*run `labelkit data fetch cifar10`"):
        check("cifar10", tmp_path)


def test_unknown_split_and_variant(tmp_path):
    folder = compact(tmp_path)
    with pytest.raises(ValueError, match="no split 'validation'"):
        Cifar10(folder, "validation")
    with pytest.raises(ValueError, match="no variant 'small'"):
        parts(folder, "small")


def test_a_whole_subset_is_ok_by_name_and_by_folder(tmp_path):
    folder = compact(tmp_path / "cifar10_subset")
    (folder / "classes.json").write_text('{"classes": []}')
    report = check("cifar10", tmp_path)
    assert report.ok and report.variant.startswith("compact") and check(folder).rows == report.rows
    assert "36 of each of 10 classes" in report.rows[0][1]
    assert find_entry("cifar10").reader and find_entry("cifar10").licence == cifar10.LICENCE


def test_listing_the_catalogue_does_not_import_torch():
    code = "import sys; from labelkit.datasets import catalogue; catalogue.entries(); print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def real() -> Path | None:
    folder = Path(os.environ.get("LABELKIT_DATA", "/nowhere")) / "cifar10_subset"
    return folder if folder.is_dir() else None


@pytest.mark.skipif(real() is None, reason="LABELKIT_DATA has no cifar10_subset")
def test_the_real_subset():
    found = parts(real(), "", 32, 32)
    counts = {part: np.bincount(data.labels).tolist() for part, data in found.items()}
    assert counts == {"train": [450] * 10, "val": [50] * 10, "test": [100] * 10}
    for data in found.values():
        assert all(name.split("/")[1] == CLASSES[label] for name, label in zip(data.names, data.labels, strict=True))
    assert 0.4 < float(torch.stack([found["train"][index]["image"] for index in range(50)]).mean()) < 0.55
