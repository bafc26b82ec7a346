"""Tiles: every pixel covered, nothing padded, pieces that the devkit keeps, patches that say where they are from."""

from typing import Any

import numpy as np
import pytest
import torch

from labelkit.datasets.aerial_patches import AerialPatches
from labelkit.datasets.aerial_pieces import kept_by_devkit
from labelkit.datasets.aerial_shrunk import Shrunk
from labelkit.datasets.aerial_tiles import boxes_of, crosses_border, cut_instances, keep_only, windows


class Scenes:
    """Two hand-made scenes of 96 x 160 pixels."""

    name, classes, palette, licence, ignore_index = "hand", ("background", "a", "b"), None, "free", 255
    fingerprint = "0123456789abcdef"
    names = ("s0", "s1")

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.images = rng.integers(0, 256, (2, 3, 96, 160)).astype(np.float32) / 255
        self.maps = np.zeros((2, 96, 160), np.int32)
        for number, (y, x, h, w) in enumerate([(4, 6, 20, 30), (30, 50, 9, 60), (70, 120, 8, 12), (88, 8, 3, 3)], 1):
            self.maps[0, y : y + h, x : x + w] = number
        self.labels = torch.tensor([1, 2, 1, 2])

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> dict[str, Any]:
        count = 4 if index == 0 else 0
        return {
            "image": torch.from_numpy(self.images[index]),
            "instances": torch.from_numpy(self.maps[index]),
            "labels": self.labels[:count],
            "boxes": torch.from_numpy(boxes_of(self.maps[index], count)),
            "name": self.names[index],
        }


@pytest.mark.parametrize(("height", "width", "patch", "overlap"), [(801, 2000, 800, 200), (97, 333, 64, 16),
                                                                   (64, 65, 64, 0), (500, 257, 128, 100)])  # fmt: skip
def test_windows_cover_every_pixel_and_lie_inside(height: int, width: int, patch: int, overlap: int) -> None:
    seen = np.zeros((height, width), int)
    found = windows(height, width, patch, overlap, whole_up_to=patch if height == patch else min(patch, height - 1))
    for window in found:
        assert 0 <= window.y0 < window.y1 <= height and 0 <= window.x0 < window.x1 <= width
        seen[window.slices] += 1
    assert seen.min() >= 1 and len(set(found)) == len(found)


def test_the_devkits_800_does_not_follow_the_patch() -> None:
    assert windows(700, 3000, 512, 128) == [(0, 700, 0, 3000)]
    assert len(windows(700, 3000, 512, 128, whole_up_to=512)) > 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((900, 900, 1024, 200), "900 x 900 is smaller than a patch of 1024"),
        ((900, 900, 800, 800), "overlap from 0 to below the patch"),
        ((0, 900), "positive sizes"),
    ],
)
def test_what_cannot_be_cut_is_refused(arguments: tuple, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        windows(*arguments)


def test_cutting_numbers_pieces_anew_and_remembers_them() -> None:
    scenes = Scenes()
    for window in windows(96, 160, 64, 16, whole_up_to=0):
        part, ids = cut_instances(scenes.maps[0], window)
        assert np.array_equal(np.concatenate([[0], ids])[part], scenes.maps[0][window.slices])
        assert set(np.unique(part)) - {0} == set(range(1, len(ids) + 1))


def test_a_piece_falls_by_area_or_by_an_outer_speck_alone() -> None:
    maps = np.zeros((40, 60), np.int32)
    maps[1:3, 1:6] = 1  # 10 pixels: dropped
    maps[5, 1:12] = 2  # 11 pixels in a row: kept
    maps[8:14, 1:9], maps[8:10, 12] = 3, 3  # with a speck of two pixels: dropped
    maps[16:22, 1:9], maps[16:19, 12] = 4, 4  # with a second part of three pixels: kept
    maps[24:34, 1:11], maps[26:32, 3:9], maps[29, 5] = 5, 0, 5  # a speck in its own hole: kept
    maps[24:34, 20:30], maps[34, 30] = 6, 6  # a pixel that touches by its corner: kept
    assert kept_by_devkit(maps, 6).tolist() == [False, True, False, True, True, True]
    assert kept_by_devkit(maps, 6, specks=False).tolist() == [False, True, True, True, True, True]
    assert kept_by_devkit(maps, 6, least_area=1).tolist() == [True, True, False, True, True, True]
    assert np.unique(keep_only(maps, kept_by_devkit(maps, 6))).tolist() == [0, 1, 2, 3, 4]


def test_the_drop_rule_agrees_with_traced_contours() -> None:
    cv2 = pytest.importorskip("cv2", reason="opencv is not installed")
    rng = np.random.default_rng(3)
    compared = 0
    for density in (0.05, 0.2, 0.5, 0.8):
        for _ in range(40):
            mask = (rng.random((9, 11)) < density).astype(np.uint8)
            contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            kept = bool(contours) and min(contour.size for contour in contours) > 4 and mask.sum() > 10
            assert kept_by_devkit(mask.astype(np.int32), 1).tolist() == [kept]
            compared += kept
    assert 10 < compared < 150


def test_patches_hold_what_the_scene_shows() -> None:
    scenes = Scenes()
    patches = AerialPatches(scenes, 64, 16)
    full = AerialPatches(scenes, 64, 16, keep_empty=True)
    assert len(full) == 2 * len(windows(96, 160, 64, 16, whole_up_to=64)) > len(patches) == len(patches.of_scene(0))
    assert {len(full[index]["labels"]) for index in full.of_scene(1)} == {0}
    for index in range(len(patches)):
        patch = patches[index]
        y0, y1, x0, x1 = patch["window"]
        assert torch.equal(patch["image"], torch.from_numpy(scenes.images[0][:, y0:y1, x0:x1]))
        assert torch.equal(patch["labels"], scenes.labels[patch["ids"] - 1])
        whole = torch.cat([torch.zeros(1, dtype=torch.int64), patch["ids"]])[patch["instances"].long()]
        shown = torch.from_numpy(scenes.maps[0][y0:y1, x0:x1]).long()
        assert torch.equal(whole, torch.where(torch.isin(shown, patch["ids"]), shown, 0))
        assert 4 not in patch["ids"]  # nine pixels
        for number, box in enumerate(patch["boxes"].long().tolist(), 1):
            rows, columns = (patch["instances"] == number).nonzero(as_tuple=True)
            assert len(rows) == patch["areas"][number - 1] > 10
            assert box == [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1]
        assert patch["name"].startswith("s0_") and str(y0) in patch["name"]
    assert patches.fingerprint != full.fingerprint and patches.classes == scenes.classes


def test_objects_that_no_window_holds_whole() -> None:
    boxes = np.array([[0, 0, 10, 10], [60, 0, 70, 10], [50, 50, 60, 60], [0, 0, 128, 10]], float)
    assert crosses_border(boxes, windows(128, 128, 64, 0)).tolist() == [False, False, False, False]  # it stays whole
    grid = windows(128, 128, 64, 0, whole_up_to=64)
    assert crosses_border(boxes, grid).tolist() == [False, True, False, True]
    assert crosses_border(boxes, windows(128, 128, 64, 32, whole_up_to=64)).tolist() == [False, False, False, True]


def test_shrinking_keeps_majorities_and_forgets_what_vanishes() -> None:
    scenes = Scenes()
    small = Shrunk(scenes, 4)[0]
    assert small["image"].shape == (3, 24, 40) and small["ids"].tolist() == [1, 2, 3, 4]
    mean = scenes.images[0][:, :4, :4].mean((1, 2))
    assert np.abs(small["image"][:, 0, 0].numpy() - mean).max() <= 0.5 / 255 + 1e-6
    assert small["boxes"][0].tolist() == [1, 1, 9, 6]  # half of the first column of blocks is the object's: it counts
    assert torch.equal(small["labels"], scenes.labels)
    tiny = Shrunk(scenes, 16)[0]
    assert 4 not in tiny["ids"] and len(tiny["labels"]) == len(tiny["ids"]) == len(tiny["boxes"])
    same = Shrunk(scenes, 1)[0]
    assert torch.equal(same["instances"], scenes[0]["instances"])
    with pytest.raises(ValueError, match="factor of at least 1"):
        Shrunk(scenes, 0)
