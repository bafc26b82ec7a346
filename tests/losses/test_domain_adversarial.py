"""Which way the adversarial losses pull."""

import pytest
import torch

from labelkit.losses.domain_adversarial import fooling, right_answers, telling_apart, weighted_self_information


def test_the_discriminator_wants_target_above_zero_and_the_segmenter_wants_it_below():
    source, target = torch.full((2, 1, 2, 3), -2.0), torch.full((2, 1, 2, 3), 3.0, requires_grad=True)
    right, swapped = telling_apart(source, target), telling_apart(-source, -target)
    assert right < swapped
    (pull,) = torch.autograd.grad(fooling(target), target)
    (push,) = torch.autograd.grad(right, target)
    assert (pull > 0).all() and (push < 0).all()  # gradient descent lowers the one and raises the other
    assert right_answers(source, target) == 1 and right_answers(-source, -target) == 0


def test_a_discriminator_that_cannot_tell_costs_log_two():
    zero = torch.zeros(3, 1, 2, 2)
    assert float(telling_apart(zero, zero)) == pytest.approx(0.6931472, abs=1e-6)
    assert float(fooling(zero)) == pytest.approx(0.6931472, abs=1e-6)


def test_self_information_sums_to_the_normalised_entropy_and_bears_zeros():
    p = torch.tensor([[0.25, 0.5, 1.0], [0.25, 0.5, 0.0], [0.25, 0.0, 0.0], [0.25, 0.0, 0.0]]).view(1, 4, 1, 3)
    maps = weighted_self_information(p)
    torch.testing.assert_close(maps.sum(1).flatten(), torch.tensor([1.0, 0.5, 0.0]))
    assert torch.isfinite(weighted_self_information(p.bfloat16())).all()
