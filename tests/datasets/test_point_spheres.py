"""Spheres that reach every point, smoothed votes, and the way back to the original points."""

import numpy as np
import pytest

from labelkit.datasets.point_grid import subsample
from labelkit.datasets.point_spheres import Potentials, SmoothedVotes, project


def cloud(points, seed=0):
    return (np.random.default_rng(seed).random((points, 3)) * [6, 4, 2]).astype(np.float32)


def test_spheres_reach_every_point_of_every_cloud():
    clouds = [cloud(800), cloud(200, 1) + 20]
    spheres = Potentials(clouds, 1.0, np.random.default_rng(0))
    drawn = []
    while spheres.fewest < 2:
        drawn.append(spheres.draw())
        assert len(drawn) < 400
    assert {sphere.cloud for sphere in drawn} == {0, 1}
    for index, points in enumerate(clouds):
        seen = np.bincount(
            np.concatenate([sphere.indices for sphere in drawn if sphere.cloud == index]), minlength=len(points)
        )
        np.testing.assert_array_equal(seen, spheres.seen[index])
        assert seen.min() >= 2 and seen.max() < 12 * seen.min()


def test_a_sphere_is_centred_where_the_potential_is_least_and_adds_tukey_weights():
    points = cloud(300)
    spheres = Potentials([points], 0.8, np.random.default_rng(3))
    for _ in range(5):
        before = spheres.values[0].copy()
        sphere = spheres.draw()
        np.testing.assert_array_equal(sphere.centre, points[before.argmin()])
        distance = np.sqrt(((points.astype(float) - sphere.centre) ** 2).sum(1))
        np.testing.assert_array_equal(sphere.indices, np.flatnonzero(distance <= 0.8))
        weight = np.where(distance < 0.8, (1 - (distance / 0.8) ** 2) ** 2, 0)
        np.testing.assert_allclose(spheres.values[0] - before, weight, atol=1e-6)


def test_jitter_keeps_the_point_in_its_sphere_and_the_draw_is_repeatable():
    spheres, again = (Potentials([cloud(300)], 0.8, np.random.default_rng(5), jitter=2.0) for _ in range(2))
    for _ in range(30):
        least = int(spheres.values[0].argmin())
        sphere, same = spheres.draw(), again.draw()
        assert least in sphere.indices
        np.testing.assert_array_equal(sphere.indices, same.indices)


def test_votes_are_smoothed_from_the_second_on():
    votes = SmoothedVotes([3], 2)
    votes.add(0, np.array([0, 1]), np.array([[1.0, 0.0], [0.4, 0.6]]))
    assert not votes.complete()
    votes.add(0, np.array([1, 2]), np.array([[0.0, 1.0], [0.3, 0.7]]))
    np.testing.assert_allclose(votes.probabilities[0], [[1, 0], [0.38, 0.62], [0.3, 0.7]], atol=1e-6)
    assert votes.complete()


def test_projection_gives_every_original_point_its_nearest_grid_point():
    points = cloud(500)
    grid = subsample(points, 0.5).xyz
    values = np.random.default_rng(0).random((len(grid), 3))
    found = project(values, grid, points)
    distance = ((points[:, None].astype(float) - grid[None]) ** 2).sum(-1)
    np.testing.assert_array_equal(found, values[distance.argmin(1)])
    with pytest.raises(ValueError, match="rows of values"):
        project(values[1:], grid, points)
    with pytest.raises(ValueError, match="at least one cloud"):
        Potentials([], 1.0, np.random.default_rng(0))
