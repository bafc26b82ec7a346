"""Seed and boundary losses: their values by hand, and where gradients go."""

import math

import pytest
import torch

from labelkit.losses.seeds import balanced_seed_loss, boundary_loss, floored_softmax


@pytest.fixture
def probabilities():
    logits = torch.randn(2, 3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return floored_softmax(logits).requires_grad_()


def test_the_floor():
    found = floored_softmax(torch.tensor([[1000.0, 0.0, 0.0]]))
    assert found.sum().item() == pytest.approx(1)
    assert found.min().item() == pytest.approx(1e-4 / (1 + 3e-4), rel=1e-4)
    assert floored_softmax(torch.zeros(1, 2, dtype=torch.bfloat16)).dtype == torch.float32


def test_background_and_foreground_weigh_the_same_however_many_seeds(probabilities):
    seeds = torch.zeros(2, 3, 4, 5, dtype=torch.float64)
    seeds[0, 0, :3], seeds[0, 2, 3, 0] = 1, 1  # 15 seeds of the background, 1 of class 2
    background = -probabilities[0, 0, :3].log().mean()
    foreground = -probabilities[0, 2, 3, 0].log()
    expected = (background + foreground) / 2  # the second image has no seed and adds nothing
    torch.testing.assert_close(balanced_seed_loss(probabilities, seeds), expected)


def test_gradient_of_the_seed_loss_is_on_the_seeds_alone(probabilities):
    seeds = (torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(1)) < 0.2).double().requires_grad_()
    balanced_seed_loss(probabilities, seeds).backward()
    assert seeds.grad is None
    assert torch.equal(probabilities.grad != 0, seeds > 0)


def test_no_seed_at_all_gives_no_loss(probabilities):
    loss = balanced_seed_loss(probabilities, torch.zeros(2, 3, 4, 5))
    loss.backward()
    assert loss.item() == 0 and not probabilities.grad.any()


def test_boundary_loss_by_hand():
    p = torch.tensor([0.5, 0.5], dtype=torch.float64).view(1, 2, 1, 1)
    q = torch.tensor([0.9, 0.1], dtype=torch.float64).view(1, 2, 1, 1)
    expected = 0.9 * math.log(0.9 / 0.5) + 0.1 * math.log(0.1 / 0.5)
    assert float(boundary_loss(p, q)) == pytest.approx(expected)
    assert float(boundary_loss(p, p)) == pytest.approx(0)
    # A ratio outside 0.05..20 counts as the limit; a probability of 0 as the floor.
    p = torch.tensor([0.01, 0.99], dtype=torch.float64).view(1, 2, 1, 1)
    q = torch.tensor([1.0, 0.0], dtype=torch.float64).view(1, 2, 1, 1)
    floor = 1e-4 / (1 + 1e-4)
    expected = (1 - floor) * math.log(20) + floor * math.log(0.05)
    assert float(boundary_loss(p, q)) == pytest.approx(expected)


def test_gradient_of_the_boundary_loss_stops_at_the_target(probabilities):
    smoothed = torch.rand(2, 3, 4, 5, dtype=torch.float64).softmax(1).requires_grad_()
    boundary_loss(probabilities, smoothed).backward()
    assert smoothed.grad is None and probabilities.grad.any()


@pytest.mark.parametrize("loss", [balanced_seed_loss, boundary_loss])
def test_shapes_that_differ(loss, probabilities):
    with pytest.raises(ValueError, match=r"expected \(B, K, H, W\) twice"):
        loss(probabilities, torch.zeros(2, 4, 4, 5))
