"""Cross- and intra-sample reallocation: axes of the softmax, padding, against loops over rows."""

import math

import pytest
import torch

from labelkit.models.feature_reallocation import CrossSampleReallocation, IntraSampleReallocation, pad, unpad

WIDTH = 5


def drawn(*lengths):
    torch.manual_seed(0)
    return [torch.randn(length, WIDTH, dtype=torch.float64) for length in lengths]


def shaken(module):
    """In double precision, away from the symmetric start: a transposed W would go unnoticed at the identity."""
    module.double()
    with torch.no_grad():
        module.weight += torch.randn_like(module.weight)
    return module


def mixture(row, weight, others, transposed=False):
    """A row of the result, written out: softmax over the others, then their weighted sum."""
    if transposed:  # A_s^T [n, m] = F_m W F_n
        scores = [float(other @ weight @ row) for other in others]
    else:
        scores = [float(row @ weight @ other) for other in others]
    powers = [math.exp(score - max(scores)) for score in scores]
    return sum(power / sum(powers) * other for power, other in zip(powers, others))


def test_cross_sample_rows_are_mixtures_of_the_other_cloud():
    first, second = drawn(4, 7)
    module = shaken(CrossSampleReallocation(WIDTH))
    to_first, to_second = module(first, second)
    weight = module.weight.detach()
    assert to_first.shape == first.shape and to_second.shape == second.shape
    for row, found in zip(first, to_first):
        torch.testing.assert_close(found, mixture(row, weight, second))
    for row, found in zip(second, to_second):  # the transposed affinity: F_i W F_j^T, read from j
        torch.testing.assert_close(found, mixture(row, weight, first, transposed=True))


def test_the_softmax_runs_over_the_points_that_are_looked_at():
    first, second = drawn(4, 7)
    a_i, a_j = shaken(CrossSampleReallocation(WIDTH)).attention(first, second)
    assert a_i.shape == (4, 7) and a_j.shape == (7, 4)
    for attention in (a_i, a_j):
        torch.testing.assert_close(attention.sum(1), torch.ones(len(attention), dtype=torch.float64))
    assert not torch.allclose(a_j, a_i.T)  # A_j is the softmax of A_c^T, not the transpose of A_i


def test_intra_sample_takes_the_transposed_affinity():
    (cloud,) = drawn(6)
    module = shaken(IntraSampleReallocation(WIDTH))
    for row, found in zip(cloud, module(cloud)):
        torch.testing.assert_close(found, mixture(row, module.weight.detach(), cloud, transposed=True))


def test_padded_clouds_give_what_each_gives_alone():
    clouds = drawn(3, 6, 5, 2)
    features, valid = pad(clouds)
    features = features + 100.0 * (~valid)[..., None]  # what lies in padded rows must not matter
    cross, intra = shaken(CrossSampleReallocation(WIDTH)), shaken(IntraSampleReallocation(WIDTH))
    to_first, to_second = cross(features[0::2], features[1::2], valid[0::2], valid[1::2])
    for pair in range(2):
        alone = cross(clouds[2 * pair], clouds[2 * pair + 1])
        for together, rows, expected in zip((to_first, to_second), (valid[0::2], valid[1::2]), alone):
            torch.testing.assert_close(together[pair][rows[pair]], expected)
            assert (together[pair][~rows[pair]] == 0).all()
    within = intra(features, valid)
    for found, cloud in zip(unpad(within, valid), clouds):
        torch.testing.assert_close(found, intra(cloud))


def test_gradients_of_padded_and_single_clouds_agree_and_are_finite():
    clouds = drawn(3, 6)
    module = shaken(CrossSampleReallocation(WIDTH))
    leaves = [cloud.clone().requires_grad_() for cloud in clouds]
    features, valid = pad(leaves)
    moved = torch.stack(module(features[0::2], features[1::2], valid[0::2], valid[1::2]), 1).flatten(0, 1)
    together = torch.autograd.grad(torch.cat(unpad(moved, valid)).square().sum(), [*leaves, module.weight])
    alone = torch.cat(module(*leaves))
    expected = torch.autograd.grad(alone.square().sum(), [*leaves, module.weight])
    for found, wanted in zip(together, expected):
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("clouds", [[], [torch.zeros(0, WIDTH)]])
def test_clouds_without_points_are_refused(clouds):
    with pytest.raises(ValueError, match="without a point"):
        pad(clouds)


def test_mixed_precision():
    features, valid = pad([cloud.float() for cloud in drawn(3, 6)])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        moved = IntraSampleReallocation(WIDTH)(features, valid)
    assert torch.isfinite(moved).all()
