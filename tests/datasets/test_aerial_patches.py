"""Patches on demand: few scenes alive at a time, a store that decodes a scene once, and the same patches either way."""

import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from labelkit.datasets.aerial_patches import AerialPatches
from labelkit.datasets.aerial_pieces import kept_by_devkit
from labelkit.datasets.aerial_store import share
from labelkit.datasets.aerial_tiles import boxes_of, cut_instances, keep_only, windows


class Counted:
    """Six scenes of 150 x 120 pixels that count how often they are decoded, and how many exist at a time."""

    name, classes, palette, licence, ignore_index = "counted", ("background", "a", "b"), None, "free", 255
    fingerprint = "0123456789abcdef"

    def __init__(self) -> None:
        self.decoded: list[int] = []
        self.alive = self.most = 0

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> dict[str, Any]:
        rng = np.random.default_rng(index)
        instances = np.zeros((150, 120), np.int32)
        for number in range(1, 9):
            y, x, h, w = *rng.integers(0, 90, 2), *rng.integers(2, 30, 2)
            instances[y : y + h, x : x + w] = number
        if index == 3:
            instances[:] = 0
        present = np.unique(instances)[1:]
        instances = np.searchsorted(np.concatenate([[0], present]), instances).astype(np.int32)
        self.decoded.append(index)
        self.alive += 1
        self.most = max(self.most, self.alive)
        weakref.finalize(instances, self._gone)  # whatever shares its memory keeps it alive
        return {
            "image": torch.from_numpy(rng.integers(0, 256, (3, 150, 120)).astype(np.float32) / 255),
            "instances": torch.from_numpy(instances),
            "labels": torch.from_numpy(rng.integers(1, 3, len(present))),
            "boxes": torch.from_numpy(boxes_of(instances, len(present))),
            "name": f"c{index}",
        }

    def _gone(self) -> None:
        self.alive -= 1


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(
        torch.equal(one[key], other[key]) and one[key].dtype == other[key].dtype
        if isinstance(one[key], torch.Tensor)
        else one[key] == other[key]
        for key in one
    )


def test_patches_are_those_of_a_cut_of_the_whole_scene() -> None:
    scenes = Counted()
    patches = AerialPatches(scenes, 64, 16, keep_empty=True)
    index = 0
    for number in range(len(scenes)):
        scene = scenes[number]
        for window in windows(150, 120, 64, 16, whole_up_to=64):
            part, ids = cut_instances(scene["instances"].numpy(), window)
            kept = kept_by_devkit(part, len(ids))
            patch = patches[index]
            assert (patch["scene"], patch["window"]) == (number, tuple(window))
            assert np.array_equal(patch["instances"].numpy(), keep_only(part, kept))
            assert torch.equal(patch["image"], scene["image"][(slice(None), *window.slices)])
            assert patch["ids"].tolist() == ids[kept].tolist()
            assert patches.counts[index] == len(patch["labels"]) == kept.sum()
            index += 1
    assert index == len(patches) and patches.counts.min() == 0


@pytest.mark.parametrize("alive", [1, 3])
def test_only_few_scenes_exist_at_a_time_whatever_the_order(alive: int) -> None:
    scenes = Counted()
    patches = AerialPatches(scenes, 64, 16, alive=alive)
    assert scenes.decoded == list(range(6))
    order = np.random.default_rng(0).permutation(len(patches))
    for index in (*order.tolist(), *range(len(patches))):
        patches[index]
    assert scenes.most == alive and scenes.alive == alive
    before = len(scenes.decoded)
    for index in range(len(patches)):
        patches[index]
    assert len(scenes.decoded) - before <= 5  # in order, each scene that has objects once


def test_scenes_that_all_fit_are_decoded_once() -> None:
    scenes = Counted()
    patches = AerialPatches(scenes, 64, 16, alive=6)
    for index in np.random.default_rng(1).permutation(len(patches)).tolist():
        patches[index]
    assert len(scenes.decoded) == 6


@pytest.mark.parametrize("keep_empty", [False, True])
def test_a_store_decodes_each_scene_once_and_holds_the_same_patches(tmp_path: Path, keep_empty: bool) -> None:
    plain = AerialPatches(Counted(), 64, 16, keep_empty)
    scenes = Counted()
    stored = AerialPatches(scenes, 64, 16, keep_empty, store=tmp_path)
    again = AerialPatches(Counted(), 64, 16, keep_empty, store=tmp_path)
    order = np.random.default_rng(2).permutation(len(plain)).tolist()
    for index in order:
        assert same(plain[index], stored[index]) and same(plain[index], again[index])
    assert sorted(scenes.decoded) == list(range(6)) and scenes.most == 1 and scenes.alive == 0
    assert again.scenes.decoded == []
    for other in (stored, again):
        assert (other.windows, other.owners, other.names) == (plain.windows, plain.owners, plain.names)
        assert other.fingerprint == plain.fingerprint


def test_a_stopped_cut_goes_on_and_other_arguments_have_their_own_folder(tmp_path: Path) -> None:
    class Stops(Counted):
        def __getitem__(self, index: int) -> dict[str, Any]:
            if len(self.decoded) == 4:
                raise KeyboardInterrupt
            return super().__getitem__(index)

    with pytest.raises(KeyboardInterrupt):
        AerialPatches(Stops(), 64, 16, store=tmp_path)
    scenes = Counted()
    assert len(AerialPatches(scenes, 64, 16, store=tmp_path)) == len(AerialPatches(Counted(), 64, 16))
    assert len(scenes.decoded) == 2
    AerialPatches(Counted(), 64, 32, store=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("file", "words"), [("scene-000000.npz", "delete it, and the scene is cut again"), ("c0_0_64_0_64.png", "c0_0_64")]
)
def test_a_damaged_store_names_the_file(tmp_path: Path, file: str, words: str) -> None:
    AerialPatches(Counted(), 64, 16, keep_empty=True, store=tmp_path)
    (path,) = tmp_path.glob(f"*/{file}")
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ValueError, match=words):
        AerialPatches(Counted(), 64, 16, keep_empty=True, store=tmp_path)[0]


def test_a_store_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OSError, match="the folder for cut patches cannot be made"):
        AerialPatches(Counted(), 64, 16, store=tmp_path / "taken")


def test_processes_share_the_scenes_and_need_one() -> None:
    assert sorted(share(50)) == list(range(50))
    with pytest.raises(ValueError, match="at least 1 was expected"):
        AerialPatches(Counted(), 64, 16, alive=0)
