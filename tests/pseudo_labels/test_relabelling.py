"""Folders of pseudo labels: resumed equals uninterrupted, and labels of another round or split are refused."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from labelkit.pseudo_labels.folder import PseudoLabelFolder, PseudoLabelled, labels_in
from labelkit.pseudo_labels.histograms import bank_of
from labelkit.pseudo_labels.relabel import CachedMaps, relabel
from labelkit.pseudo_labels.selection import select

CLASSES = 3
IDENTITY = {"round": 1, "split": "abc", "ratio": 0.4, "weights": "0123", "prior": [0.5, 0.3, 0.2]}
INDICES = (2, 3, 5, 8, 13)


class Stopped(RuntimeError):
    pass


def predict(index, dtype=np.float16):
    rng = np.random.default_rng([7, index])
    return (rng.random((12, 15)) ** 0.01).astype(dtype), rng.integers(0, CLASSES, (12, 15)).astype(np.uint8)


def choose(bank, again):
    return select(bank, 0.4, "alignment", [0.5, 0.3, 0.2], again=again)


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted((folder.path / "masks").iterdir())}


def test_labels_are_those_of_the_selection(tmp_path):
    folder = PseudoLabelFolder(tmp_path / "labels", IDENTITY)
    seen = []
    selection = relabel(predict, INDICES, folder, choose, CLASSES, progress=lambda *said: seen.append(said))
    assert folder.complete and sorted(contents(folder)) == [f"{i:06d}.png" for i in INDICES]
    masks = {index: folder.read_mask(index) for index in INDICES}
    for index, mask in masks.items():
        confidence, classes = predict(index)
        assert ((mask == classes) | (mask == 255)).all()
        assert (confidence[mask != 255] >= selection.thresholds[classes[mask != 255]]).all()
    assert np.array_equal(folder.kept, sum(labels_in(mask, CLASSES) for mask in masks.values()))
    assert seen[0] == ("counting", 1, 5) and seen[-1] == ("labelling", 5, 5)


@pytest.mark.parametrize("stop_after", [0, 2, 5, 6, 8])
@pytest.mark.parametrize("cached", [False, True])
def test_resumed_equals_uninterrupted(tmp_path, stop_after, cached):
    whole = PseudoLabelFolder(tmp_path / "whole", IDENTITY)
    relabel(predict, INDICES, whole, choose, CLASSES, seed=4)
    calls = []

    def stopping(index):
        if len(calls) == stop_after:
            raise Stopped
        calls.append(index)
        return predict(index)

    folder = PseudoLabelFolder(tmp_path / "resumed", IDENTITY)
    cache = tmp_path / "maps" if cached else None
    if not cached or stop_after < len(INDICES):  # with a cache no map is asked for twice
        with pytest.raises(Stopped):
            relabel(CachedMaps(stopping, cache), INDICES, folder, choose, CLASSES, seed=4)
        assert not folder.complete
    again = PseudoLabelFolder(tmp_path / "resumed", IDENTITY)
    relabel(CachedMaps(predict, cache), INDICES, again, choose, CLASSES, seed=4)
    assert contents(again) == contents(whole)
    assert again.manifest() == whole.manifest()


def test_a_second_call_changes_nothing(tmp_path):
    folder = PseudoLabelFolder(tmp_path / "labels", IDENTITY)
    first = relabel(predict, INDICES, folder, choose, CLASSES)

    def never(index):
        raise AssertionError("nothing is left to predict")

    second = relabel(never, INDICES, folder, choose, CLASSES)
    assert all(np.array_equal(value, vars(second)[key]) for key, value in vars(first).items())


def test_float32_maps(tmp_path):
    maps = lambda index: predict(index, np.float32)  # noqa: E731
    folder = PseudoLabelFolder(tmp_path / "labels", IDENTITY)
    selection = relabel(maps, INDICES, folder, choose, CLASSES, dtype=np.float32)
    bank = bank_of(map(maps, INDICES), CLASSES, np.float32)
    assert np.array_equal(selection.thresholds, choose(bank, [maps(i) for i in INDICES]).thresholds)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"round": 2}, "round is 1, expected 2"),
        ({"split": "xyz"}, "split is 'abc', expected 'xyz'"),
        ({"weights": "4567"}, "weights is '0123', expected '4567'"),
        ({"prior": [0.2, 0.3, 0.5]}, "prior is"),
        ({"scheme": "cbst"}, "scheme is None, expected 'cbst'"),
    ],
)
def test_labels_of_another_run_are_refused(tmp_path, change, message):
    relabel(predict, INDICES, PseudoLabelFolder(tmp_path, IDENTITY), choose, CLASSES)
    with pytest.raises(ValueError, match=message) as refusal:
        PseudoLabelFolder(tmp_path, IDENTITY | change)
    assert str(tmp_path) in str(refusal.value) and "\n" not in str(refusal.value)


def test_a_broken_manifest_is_named(tmp_path):
    folder = PseudoLabelFolder(tmp_path, IDENTITY)
    for broken in ("{", "[]", json.dumps({"identity": {}})):
        (tmp_path / "manifest.json").write_text(broken)
        with pytest.raises(ValueError, match=r"manifest.json is not a readable manifest"):
            folder.manifest()


class Images:
    def __len__(self):
        return 20

    def __getitem__(self, index):
        return {
            "image": torch.full((3, 12, 15), index / 20),
            "mask": torch.zeros(12, 15, dtype=torch.int64),
            "name": "x",
        }


def test_the_data_set_gives_pseudo_labels_and_no_truth(tmp_path):
    folder = PseudoLabelFolder(tmp_path, IDENTITY, palette=np.array([[9, 8, 7], [6, 5, 4], [3, 2, 1]], dtype=np.uint8))
    with pytest.raises(ValueError, match="not complete"):
        PseudoLabelled(Images(), folder)
    relabel(predict, INDICES, folder, choose, CLASSES)
    sample = PseudoLabelled(Images(), folder)[5]
    assert set(sample) == {"image", "mask"} and sample["mask"].dtype == torch.int64
    assert np.array_equal(sample["mask"].numpy(), folder.read_mask(5))
    with Image.open(folder.mask_path(5)) as picture:
        assert picture.mode == "P" and picture.getpalette()[:3] == [9, 8, 7]


def test_missing_broken_and_wrongly_sized_masks_are_named(tmp_path):
    folder = PseudoLabelFolder(tmp_path, IDENTITY)
    relabel(predict, INDICES, folder, choose, CLASSES)
    data = PseudoLabelled(Images(), folder)
    with pytest.raises(FileNotFoundError, match=r"000004.png does not exist"):
        data[4]
    path = folder.mask_path(5)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ValueError, match=r"000005.png cannot be decoded"):
        data[5]
    folder.write_mask(5, np.zeros((3, 4), dtype=np.uint8))
    with pytest.raises(ValueError, match=r"000005.png is 4x3 pixels; expected 15x12"):
        data[5]


def test_a_stopped_write_leaves_no_mask(tmp_path, monkeypatch):
    folder = PseudoLabelFolder(tmp_path, IDENTITY)
    monkeypatch.setattr(Image.Image, "save", lambda *a, **k: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        folder.write_mask(5, np.zeros((3, 4), dtype=np.uint8))
    assert not folder.mask_path(5).exists()


def test_labels_outside_the_list_are_named():
    with pytest.raises(ValueError, match=r"label 7; expected 0..2 or 255"):
        labels_in(np.array([[0, 7, 255]], dtype=np.uint8), 3)


def test_a_mask_that_cannot_be_written_stops_the_relabelling(tmp_path, monkeypatch):
    folder = PseudoLabelFolder(tmp_path, IDENTITY)

    def full(index, mask):
        raise OSError("disk full")

    monkeypatch.setattr(folder, "write_mask", full)
    with pytest.raises(OSError, match="disk full"):
        relabel(predict, INDICES, folder, choose, CLASSES)
    assert not folder.complete


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_the_number_of_threads_does_not_matter(tmp_path, dtype):
    folders = []
    for workers in (1, 3):
        folders.append(PseudoLabelFolder(tmp_path / str(workers), IDENTITY))
        maps = lambda index: predict(index, dtype)  # noqa: E731
        relabel(maps, INDICES, folders[-1], choose, CLASSES, seed=4, dtype=dtype, workers=workers)
    assert contents(folders[0]) == contents(folders[1])
    assert folders[0].manifest() == folders[1].manifest()
