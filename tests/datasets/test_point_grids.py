"""Grids, neighbours and pyramids of clouds: against loops, for any order of the points, and for broken clouds."""

import numpy as np
import pytest
import torch

from labelkit.datasets import point_grid
from labelkit.datasets.point_grid import subsample
from labelkit.datasets.point_neighbours import nearest, radius_neighbours
from labelkit.datasets.point_pyramids import clouds, input_features, pyramid, stack, turned


def cloud(points=400, seed=0):
    rng = np.random.default_rng(seed)
    xyz = (rng.random((points, 3)) * [1.0, 0.7, 0.3] - [0.4, 0.2, 0.05]).astype(np.float32)
    label = rng.integers(0, 4, points)
    label[rng.random(points) < 0.3] = 255
    return xyz, rng.random((points, 3)).astype(np.float32), label


def by_hand(xyz, voxel, rgb, label):
    """Voxel by voxel."""
    cells = {}
    for index, point in enumerate(xyz):
        cells.setdefault(tuple(np.floor(point / voxel).astype(int)), []).append(index)
    out = []
    for key in sorted(cells):
        members = cells[key]
        votes = np.bincount([label[i] for i in members if label[i] != 255], minlength=4)
        winner = int(votes.argmax()) if votes.sum() else 255
        out.append((xyz[members].astype(float).mean(0), rgb[members].astype(float).mean(0), winner, members[0]))
    return [np.array(column) for column in zip(*out)]


@pytest.mark.parametrize("cells", [2**27, 0])
def test_grid_is_the_definition(cells, monkeypatch):
    monkeypatch.setattr(point_grid, "DENSE_CELLS", cells)  # a table of all cells, or sorting
    xyz, rgb, label = cloud(300 if cells else 60)
    voxel = 0.1 if cells else 0.01
    found = subsample(xyz, voxel, rgb, label)
    places, colours, votes, first = by_hand(xyz, voxel, rgb, label)
    np.testing.assert_allclose(found.xyz, places, atol=1e-6)
    np.testing.assert_allclose(found.rgb, colours, atol=1e-6)
    assert found.label.tolist() == votes.tolist() and found.stored.tolist() == first.tolist()
    np.testing.assert_array_equal(np.floor(xyz / voxel)[found.stored][found.inverse], np.floor(xyz / voxel))
    kept = subsample(xyz, voxel, rgb, label, labels="stored")
    assert kept.label.tolist() == label[first].tolist()


def test_grid_does_not_depend_on_the_order_of_points_and_counts_duplicates_once():
    xyz, rgb, label = cloud()
    order = np.random.default_rng(1).permutation(len(xyz))
    one, other = subsample(xyz, 0.08, rgb, label), subsample(xyz[order], 0.08, rgb[order], label[order])
    np.testing.assert_allclose(one.xyz, other.xyz, atol=1e-6)
    assert one.label.tolist() == other.label.tolist()
    twice = subsample(np.concatenate([xyz, xyz]), 0.08)
    np.testing.assert_allclose(twice.xyz, one.xyz, atol=1e-6)
    again = subsample(np.repeat(xyz[:1], 50, axis=0), 0.08)
    assert len(again.xyz) == 1 and np.allclose(again.xyz, xyz[0])


def test_a_stored_label_does_not_spread():
    xyz = np.array([[0.01, 0, 0], [0.02, 0, 0], [0.03, 0, 0], [0.15, 0, 0]], np.float32)
    label = np.array([255, 2, 2, 3])  # only some points of the first voxel are labelled, and not its own
    assert subsample(xyz, 0.1, label=label, labels="vote").label.tolist() == [2, 3]
    assert subsample(xyz, 0.1, label=label, labels="stored").label.tolist() == [255, 3]


@pytest.mark.parametrize(
    "change, words",
    [
        ({"xyz": np.array([[0, 0, 0], [np.nan, 0, 0], [0, np.inf, 0]], np.float32)}, "2 of 3 points .* not a finite"),
        ({"xyz": np.zeros((0, 3))}, "at least one point"),
        ({"xyz": np.zeros((4, 2))}, r"\(N, 3\)"),
        ({"voxel": 0.0}, "above 0"),
        ({"labels": "mean"}, "vote, stored"),
        ({"rgb": np.zeros((2, 3))}, "2 rows of rgb for 4"),
        ({"label": np.array([0, -1, 2, 1])}, "label -1"),
        ({"xyz": np.array([[0, 0, 0], [1e12, 1e12, 1e12]])}, "too large"),
    ],
)
def test_broken_clouds_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        subsample(**({"xyz": np.zeros((4, 3)), "voxel": 0.1} | change))


def test_neighbours_are_all_within_the_radius_nearest_first():
    xyz, _, _ = cloud(200)
    queries = xyz[:50] + np.float32(0.01)
    distance = np.sqrt(((queries[:, None].astype(float) - xyz[None]) ** 2).sum(-1))
    found = radius_neighbours(queries, xyz, 0.15, 500)
    assert found.shape[1] == (distance < 0.15).sum(1).max()
    for row, far in zip(found, distance):
        near = row[row < 200]
        assert set(near) == set(np.flatnonzero(far < 0.15)) and (np.diff(far[near]) >= 0).all()
        assert (row[len(near) :] == 200).all()
    capped = radius_neighbours(queries, xyz, 0.15, 4)
    assert capped.shape == (50, 4)
    np.testing.assert_array_equal(nearest(queries, xyz), distance.argmin(1))
    alone = radius_neighbours(xyz[:2] + 9, xyz, 0.1, 4)
    assert alone.tolist() == [[200], [200]]
    with pytest.raises(ValueError, match="at least one support point"):
        radius_neighbours(queries, xyz[:0], 0.1, 4)


def built(points, seed, cap=12):
    xyz, rgb, label = cloud(points, seed)
    return pyramid(xyz, input_features(xyz, rgb), 0.05, 3, cap=cap, label=label)


def test_pyramid_is_grids_and_neighbours_of_each_level():
    batch = built(300, 0)
    assert [len(batch[name]) for name in ("points", "neighbours", "pools", "upsamples", "lengths")] == [3, 3, 2, 2, 3]
    for level in range(3):
        points = batch["points"][level].numpy()
        np.testing.assert_array_equal(
            batch["neighbours"][level], radius_neighbours(points, points, 0.125 * 2**level, 12)
        )
        if level < 2:
            coarse = batch["points"][level + 1].numpy()
            np.testing.assert_array_equal(coarse, subsample(points, 0.1 * 2**level).xyz)
            pools = batch["pools"][level].numpy()
            np.testing.assert_array_equal(pools[:, :-1], radius_neighbours(coarse, points, 0.125 * 2**level, 12))
            assert (pools[:, -1] == len(points)).all()  # none, always
            np.testing.assert_array_equal(batch["upsamples"][level], nearest(points, coarse))


def test_stacking_shifts_and_fills_and_never_mixes_clouds():
    single = [built(120, 0), built(7, 1), built(200, 2, cap=9)]
    whole = stack(single)
    for level in range(3):
        sizes = whole["lengths"][level].tolist()
        assert sizes == [len(batch["points"][level]) for batch in single]
        owner = torch.repeat_interleave(torch.arange(3), whole["lengths"][level])
        owner = torch.cat([owner, torch.tensor([-1])])
        names = [("neighbours", level, level)]
        if level < 2:
            names.append(("pools", level, level + 1))
        for name, place, rows in names:
            own = torch.repeat_interleave(torch.arange(3), whole["lengths"][rows])
            reached = owner[whole[name][place]]
            assert ((reached == own[:, None]) | (reached == -1)).all()
            for part, batch, start in zip(
                torch.split(whole[name][place], whole["lengths"][rows].tolist()), single, np.cumsum([0, *sizes])
            ):
                table, total = batch[name][place], sum(sizes)
                expected = torch.where(table == len(batch["points"][level]), total, table + int(start))
                torch.testing.assert_close(part[:, : table.shape[1]], expected)
                assert (part[:, table.shape[1] :] == total).all()
    coarse = torch.repeat_interleave(torch.arange(3), whole["lengths"][1])
    assert (coarse[whole["upsamples"][0]] == torch.repeat_interleave(torch.arange(3), whole["lengths"][0])).all()
    torch.testing.assert_close(torch.cat(clouds(whole["label"], whole)), whole["label"])


def test_turning_keeps_distances_heights_and_neighbours():
    batch = built(100, 0)
    found = turned(batch, np.random.default_rng(0), colour_kept=0.0)
    for before, after in zip(batch["points"], found["points"]):
        torch.testing.assert_close(torch.cdist(after, after), torch.cdist(before, before), atol=2e-3, rtol=0)
        torch.testing.assert_close(after[:, 2], before[:, 2])
        assert not torch.allclose(after, before, atol=1e-2)
    assert found["neighbours"] is batch["neighbours"]
    assert (found["features"][:, 1:4] == 0).all() and (batch["features"][:, 1:4] != 0).any()
    torch.testing.assert_close(found["features"][:, [0, 4]], batch["features"][:, [0, 4]])
    same = turned(batch, np.random.default_rng(0), colour_kept=0.0)
    torch.testing.assert_close(same["points"][0], found["points"][0], rtol=0, atol=0)


def test_broken_pyramids_are_refused():
    xyz, rgb, label = cloud(50)
    features = input_features(xyz, rgb)
    broken = xyz.copy()
    broken[3, 1] = np.nan
    for arguments, words in (
        ({"xyz": broken}, "1 of 50 points"),
        ({"features": features[:9]}, "9 rows of features for 50"),
        ({"label": label[:9]}, "9 rows of label for 50"),
        ({"cap": [3, 3]}, "3 levels and 2 caps"),
    ):
        with pytest.raises(ValueError, match=words):
            pyramid(**({"xyz": xyz, "features": features, "voxel": 0.05, "levels": 3} | arguments))
    with pytest.raises(ValueError, match="all of one kind"):
        stack([built(20, 0), {key: value for key, value in built(20, 0).items() if key != "label"}])
