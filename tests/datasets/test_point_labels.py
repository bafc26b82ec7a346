"""Labelled points: drawn once for a seed, nested, told apart by a digest, kept in a file that cannot change unseen."""

import numpy as np
import pytest

from labelkit.datasets.point_grid import subsample
from labelkit.datasets.point_labels import draw, draw_masks, load, on_grid


def labels(seed=0):
    rng = np.random.default_rng(seed)
    found = [rng.integers(0, 5, size) for size in (1000, 300, 40)]
    found[0][::3] = 255
    return found


def test_share_is_of_all_points_and_falls_on_known_ones():
    for ratio, expected in ((0.1, [100, 30, 4]), (0.01, [10, 3, 1]), (0.001, [1, 1, 1]), (1.0, [666, 300, 40])):
        masks, _ = draw_masks(labels(), ratio, seed=0)
        assert [int(mask.sum()) for mask in masks] == expected
        assert all((label[mask] != 255).all() for label, mask in zip(labels(), masks))


def test_draw_depends_on_seed_and_place_only_and_smaller_shares_are_nested():
    one, digest = draw_masks(labels(), 0.1, seed=0)
    again, same = draw_masks(labels(), 0.1, seed=0)
    assert digest == same and all((a == b).all() for a, b in zip(one, again))
    assert draw_masks(labels(), 0.1, seed=1)[1] != digest != draw_masks(labels(), 0.1, seed=0, level="raw")[1]
    fewer, _ = draw_masks(labels(), 0.01, seed=0)
    assert all((mask | small == mask).all() for mask, small in zip(one, fewer))
    shorter, _ = draw_masks(labels()[:2], 0.1, seed=0)
    assert (shorter[1] == one[1]).all()


def test_draw_does_not_look_at_classes_unless_it_is_told_to():
    """The same points whatever their classes; with a guarantee every class of every cloud."""
    shuffled = [np.where(label == 255, 255, (label + 1) % 5) for label in labels()]
    assert draw_masks(labels(), 0.1, 3)[1] == draw_masks(shuffled, 0.1, 3)[1]
    masks, digest = draw_masks(labels(), 0.001, 3, per_class=1)
    assert all(set(label[mask]) == set(range(5)) for label, mask in zip(labels(), masks))
    assert digest != draw_masks(labels(), 0.001, 3)[1]


def test_every_point_is_equally_likely():
    counts = sum(draw_masks([np.zeros(50, int)], 0.2, seed)[0][0].astype(int) for seed in range(400))
    assert counts.sum() == 4000 and counts.min() > 45 and counts.max() < 120


def test_file_brings_back_the_draw_and_shows_changes(tmp_path):
    drawn, path = draw(labels(), 0.05, 2, level="raw"), tmp_path / "marks" / "seed2.npz"
    drawn.save(path)
    found = load(path, [1000, 300, 40])
    assert (found.ratio, found.seed, found.level, found.per_class) == (0.05, 2, "raw", 0)
    assert found.digest == drawn.digest and all((a == b).all() for a, b in zip(found.masks, drawn.masks))
    with pytest.raises(ValueError, match="other sizes"):
        load(path, [1000, 300, 41])
    with np.load(path) as file:
        arrays = dict(file)
    arrays["indices"][0] += 1
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match="digest"):
        load(path)
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="not a readable file of labelled points"):
        load(path)
    with pytest.raises(FileNotFoundError, match="no file of labelled points"):
        load(tmp_path / "none.npz")


def test_raw_marks_reach_the_grid_without_spreading():
    rng = np.random.default_rng(0)
    xyz, label = rng.random((4000, 3)).astype(np.float32), rng.integers(0, 5, 4000)
    grid = subsample(xyz, 0.2, label=label, labels="stored")
    (mask,), _ = draw_masks([label], 0.1, 0, level="raw")
    found = on_grid(mask, grid.stored)
    assert len(found) == len(grid.xyz) == 125 and 3 <= found.sum() <= 25  # about a tenth, not each voxel with a mark
    assert (grid.label[found] == label[grid.stored[found]]).all() and mask[grid.stored[found]].all()


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"ratio": 0.0}, "a share above 0"),
        ({"ratio": 1.2}, "a share above 0"),
        ({"level": "voxels"}, "raw, subsampled"),
        ({"labels": []}, "no clouds"),
        ({"labels": [np.zeros(4, int), np.full(9, 255)]}, "cloud 1 has no point of any class among its 9"),
    ],
)
def test_bad_draws_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        draw(**({"labels": labels(), "ratio": 0.1, "seed": 0} | arguments))
