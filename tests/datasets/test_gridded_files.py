"""Clouds on their grids in files: the same as in memory, read once, held sparingly, and broken files named."""

from pathlib import Path

import numpy as np
import pytest
import torch

from labelkit.datasets.gridded import Gridded
from labelkit.datasets.point_spheres import Potentials
from labelkit.datasets.sphere_clouds import SphereClouds, covering


class Counted:
    """Clouds of some hundred points that count how often each is read."""

    name, classes, palette, ignore_index, licence = "counted", ("a", "b", "c"), np.zeros((3, 3), np.uint8), 255, ""
    fingerprint = "counted"

    def __init__(self, clouds: int = 3) -> None:
        self.reads = [0] * clouds

    def __len__(self) -> int:
        return len(self.reads)

    def __getitem__(self, index: int) -> dict:
        self.reads[index] += 1
        rng = np.random.default_rng(index)
        count = 300 + 10 * index
        label = rng.integers(0, 3, count)
        label[::7] = 255
        xyz = (rng.random((count, 3)) * [2, 2, 1]).astype(np.float32)
        return {"xyz": xyz, "rgb": rng.random((count, 3)).astype(np.float32), "label": label}


def same(one: dict, other: dict) -> None:
    assert one.keys() == other.keys()
    for name in one:
        for a, b in zip(*(each[name] if isinstance(each[name], list) else [each[name]] for each in (one, other))):
            assert torch.equal(torch.as_tensor(a), torch.as_tensor(b)) and a.dtype == b.dtype


def test_files_hold_what_memory_holds(tmp_path: Path) -> None:
    memory, files = Gridded(Counted(), 0.2, 2, 8), Gridded(Counted(), 0.2, 2, 8, tmp_path)
    files.store(way_back=True, threads=2)
    again = Gridded(Counted(), 0.2, 2, 8, tmp_path)
    for index in range(3):
        for other in (files, again):
            same(memory.grid(index), other.grid(index))
            same(memory.batch(index), other.batch(index))
            for a, b in zip(memory.original(index), other.original(index)):
                assert (np.asarray(a) == np.asarray(b)).all() and a.dtype == b.dtype
    assert memory.batch(0)["label"].dtype == torch.int64
    assert again.dataset.reads == [0, 0, 0]


def test_original_points_are_read_once_and_not_held(tmp_path: Path) -> None:
    trained, judged = Counted(), Counted()
    for dataset, folder, way_back in ((trained, "train", False), (judged, "test", True)):
        part = Gridded(dataset, 0.2, 2, 8, tmp_path / folder)
        part.store(way_back)
        assert not (part._grids or part._ways or part._batches)
    assert not list((tmp_path / "train").glob("*way-back*")) and len(list((tmp_path / "test").iterdir())) == 6
    before = list(judged.reads)
    for _ in range(2):
        part.store(way_back=True)
        for index in range(3):
            part.original(index)
    assert judged.reads == before and not part._ways
    assert all(values.dtype != np.float64 for values in part.grid(0).values())


def test_a_broken_file_is_named_and_others_are_left_alone(tmp_path: Path) -> None:
    Gridded(Counted(), 0.2, 2, 8, tmp_path).store(way_back=True)
    (tmp_path / "00001-grid.npz").write_bytes((tmp_path / "00001-grid.npz").read_bytes()[:200])
    np.savez(tmp_path / "00002-way-back.npz", nearest=np.zeros(3, np.int32), truth=np.zeros(2, np.uint8))
    part = Gridded(Counted(), 0.2, 2, 8, tmp_path)
    with pytest.raises(ValueError, match=r"00001-grid.npz: not a readable file with xyz, features, label .*delete it"):
        part.grid(1)
    with pytest.raises(ValueError, match=r"00002-way-back\.npz"):
        part.original(2)
    (tmp_path / "00001-grid.npz").unlink()
    assert len(part.grid(1)["xyz"]) and part.dataset.reads == [0, 1, 0]


def test_spheres_of_one_cloud_know_no_other() -> None:
    part = Gridded(Counted(), 0.2, 2, 8)
    alone = covering(part, 1, 0.7, 2)
    load = SphereClouds(part, [np.ones(len(label), bool) for label in part.labels], 0.7)
    assert {sphere.cloud for sphere in load.spheres} == {0, 1, 2} and {sphere.cloud for sphere in alone} == {1}
    seen = np.bincount(np.concatenate([sphere.indices for sphere in alone]), minlength=len(part.labels[1]))
    assert seen.min() >= 2
    once = covering(part, 1, 0.7)
    assert len(once) < len(alone)
    for one, other in zip(once, [sphere for sphere in load.spheres if sphere.cloud == 1]):
        np.testing.assert_array_equal(one.indices, other.indices)
    by_hand = Potentials([part.grid(1)["xyz"]], 0.7, np.random.default_rng([0, 1])).draw()
    np.testing.assert_array_equal(by_hand.indices, alone[0].indices)
