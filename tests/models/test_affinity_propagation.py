"""Propagation of maps along an affinity: its direction, random walks, and what they leave unchanged."""

import pytest
import torch

from labelkit.models.affinity_propagation import pixel_affinity, propagate, random_walk, transition


@pytest.fixture
def maps():
    return torch.rand(2, 3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def affinity():
    return torch.rand(2, 20, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_the_row_receives_and_the_column_gives(maps, affinity):
    found = propagate(maps, affinity)
    for i, (y, x) in enumerate((y, x) for y in range(4) for x in range(5)):
        expected = sum(affinity[1, i, j] * maps[1, 2, j // 5, j % 5] for j in range(20))
        torch.testing.assert_close(found[1, 2, y, x], expected)
    assert not torch.allclose(found, propagate(maps, affinity.transpose(1, 2)))


def test_identity_and_one_giver(maps):
    torch.testing.assert_close(propagate(maps, torch.eye(20, dtype=torch.float64).expand(2, -1, -1)), maps)
    giver = torch.zeros(2, 20, 20, dtype=torch.float64)
    giver[:, :, 7] = 1  # everybody listens to pixel 7, which is row 1, column 2
    assert torch.equal(propagate(maps, giver), maps[:, :, 1:2, 2:3].expand_as(maps))


def test_a_random_walk_is_a_power_of_the_transition_matrix(maps, affinity):
    matrix = affinity**3
    matrix = matrix / matrix.sum(2, keepdim=True)
    expected = propagate(maps, torch.linalg.matrix_power(matrix, 5))
    torch.testing.assert_close(random_walk(maps, affinity, power=3, steps=5), expected)
    assert torch.equal(random_walk(maps, affinity, steps=0), maps)


def test_a_walk_keeps_a_constant_and_stays_within_the_range(maps, affinity):
    constant = torch.full_like(maps, 0.3)
    torch.testing.assert_close(random_walk(constant, affinity, steps=9), constant)
    found = random_walk(maps, affinity, steps=2)
    assert found.min() >= maps.min() and found.max() <= maps.max()


def test_a_row_of_zeros_gives_zero(maps, affinity):
    affinity[:, 3] = 0
    assert not transition(affinity)[:, 3].any()
    assert not propagate(maps, transition(affinity)).flatten(2)[:, :, 3].any()


def test_pixel_affinity_and_its_radius():
    features = torch.randn(1, 6, 3, 4, generator=torch.Generator().manual_seed(2)).requires_grad_()
    found = pixel_affinity(features)
    flat = features.flatten(2)[0]
    torch.testing.assert_close(found[0, 1, 7], (-(flat[:, 1] - flat[:, 7]).abs().mean()).exp())
    torch.testing.assert_close(found, found.transpose(1, 2))
    torch.testing.assert_close(found.diagonal(dim1=1, dim2=2), torch.ones(1, 12))
    near = pixel_affinity(features, radius=1)
    assert int((near[0, 5] > 0).sum()) == 5  # an inner pixel: itself and four neighbours
    near.sum().backward()
    assert features.grad.any()


def test_gradient_reaches_maps_and_affinity(maps, affinity):
    propagate(maps.requires_grad_(), affinity.requires_grad_()).square().sum().backward()
    assert maps.grad.any() and affinity.grad.any()


def test_bad_input(maps, affinity):
    with pytest.raises(ValueError, match=r"\(2, 20, 20\)"):
        propagate(maps, affinity[:, :19])
    with pytest.raises(ValueError, match="expected 0 or more"):
        random_walk(maps, affinity, steps=-1)
