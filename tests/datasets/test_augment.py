"""Crops of resized maps: windows against whole maps, bytes against floats, left and right after a flip."""

import numpy as np
import pytest
import torch
import trees
from street_trees import lip
from torch.nn import functional as F

from labelkit.datasets import augment as module
from labelkit.datasets.augment import RandomScaleCropFlip, exchanged
from labelkit.datasets.folder import ImageMaskFolder
from labelkit.datasets.lip import FLIP_PAIRS, Lip, mirrored
from labelkit.datasets.memory import InMemory, as_bytes
from labelkit.datasets.resized_window import bilinear, nearest


@pytest.mark.parametrize("seed", range(12))
def test_a_window_is_what_the_whole_map_shows_there(seed):
    rng = np.random.default_rng(seed)
    height, width = map(int, rng.integers(5, 300, 2))
    size = tuple(max(1, round(side * rng.uniform(0.4, 2.3))) for side in (height, width))
    rows, columns = (int(rng.integers(1, side + 1)) for side in size)
    top, left = int(rng.integers(0, size[0] - rows + 1)), int(rng.integers(0, size[1] - columns + 1))
    window, here = (top, left, rows, columns), (..., slice(top, top + rows), slice(left, left + columns))
    image = torch.from_numpy(rng.random((3, height, width), dtype=np.float32))
    whole = F.interpolate(image[None], size, mode="bilinear", align_corners=False)[0]
    assert torch.allclose(bilinear(image, size, window), whole[here], atol=2e-4, rtol=0)
    mask = torch.from_numpy(rng.integers(0, 256, (height, width)))
    labels = F.interpolate(mask[None, None].float(), size, mode="nearest-exact")[0, 0].long()
    assert torch.equal(nearest(mask, size, window), labels[here])


@pytest.mark.parametrize("whole", [1 << 18, 1])
def test_bytes_give_the_crops_that_floats_give(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "WHOLE", whole)
    dataset = ImageMaskFolder(trees.image_mask_folder(tmp_path), classes=("a", "b", "c"))
    for seed in range(8):
        cut = RandomScaleCropFlip(11, 23, (0.5, 2.0), continuous=bool(seed % 2), brightness=0.1)
        one, other = (cut(data[seed % 4], np.random.default_rng(seed)) for data in (dataset, as_bytes(dataset)))
        assert set(one) == set(other) and torch.equal(one["mask"], other["mask"])
        assert {key: value.dtype for key, value in one.items() if key != "name"} == {
            "image": torch.float32, "mask": torch.int64,
        }  # fmt: skip
        assert torch.allclose(one["image"], other["image"], atol=0 if whole > 1 else 1e-6)
        assert other["image"].is_contiguous() and other["image"].shape == (3, 11, 23)


def test_only_files_are_handed_on_as_bytes(tmp_path):
    dataset = ImageMaskFolder(trees.image_mask_folder(tmp_path), classes=("a", "b", "c"))
    given = as_bytes(dataset)
    assert given[0]["image"].dtype == given[0]["mask"].dtype == torch.uint8 and given.names == dataset.names
    held = InMemory(dataset)
    assert as_bytes(held) is held and len(given) == 4


def test_left_and_right_change_places_in_a_mask_that_is_flipped(tmp_path):
    dataset = Lip(lip(tmp_path / "lip"), "train")
    sample = dataset[0]
    cut = RandomScaleCropFlip(8, 16, flip=1.0, flip_pairs=dataset.flip_pairs)(sample, np.random.default_rng(0))
    assert np.array_equal(cut["mask"], mirrored(sample["mask"].numpy().astype(np.uint8)))
    assert torch.equal(cut["image"], sample["image"].flip(-1))
    kept = RandomScaleCropFlip(8, 16, flip=0.0, flip_pairs=FLIP_PAIRS)(sample, np.random.default_rng(0))
    assert torch.equal(kept["mask"], sample["mask"])
    plain = RandomScaleCropFlip(8, 16, flip=1.0)(sample, np.random.default_rng(0))
    assert torch.equal(exchanged(plain["mask"], FLIP_PAIRS), cut["mask"]) and not torch.equal(
        plain["mask"], cut["mask"]
    )
