"""Cross pseudo supervision: what carries gradient and what does not."""

import pytest
import torch

from labelkit.losses.cross_pseudo import (
    agreement,
    cross_probability_consistency,
    cross_pseudo_supervision,
    cross_pseudo_supervision_mixed,
    hard_labels,
    self_pseudo_supervision,
)


def pair(seed: int = 0, batch: int = 2) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(batch, 4, 3, 5, generator=generator, dtype=torch.float64).requires_grad_() for _ in range(2)]


def test_the_other_network_matters_only_through_its_argmax():
    a, b = pair()
    cross_pseudo_supervision(a, b).backward()
    sharper = (7.0 * b.detach() - 3.0).requires_grad_()  # same argmax everywhere, very different scores
    a2 = a.detach().clone().requires_grad_()
    cross_pseudo_supervision(a2, sharper).backward()
    assert torch.equal(a.grad, a2.grad)
    flipped = (-b.detach()).requires_grad_()
    a3 = a.detach().clone().requires_grad_()
    cross_pseudo_supervision(a3, flipped).backward()
    assert not torch.allclose(a.grad, a3.grad)


def test_gradient_is_softmax_minus_the_others_label_over_all_pixels():
    a, b = pair()
    cross_pseudo_supervision(a, b).backward()
    label = torch.nn.functional.one_hot(b.argmax(1), 4).permute(0, 3, 1, 2)
    torch.testing.assert_close(a.grad, (a.softmax(1) - label).detach() / (2 * 3 * 5))


def test_gradcheck():
    a, b = pair(batch=1)
    assert torch.autograd.gradcheck(cross_pseudo_supervision, (a, b))
    labels = [hard_labels(x) for x in pair(seed=3, batch=1)]
    assert torch.autograd.gradcheck(lambda x, y: cross_pseudo_supervision_mixed(x, y, *labels), (a, b))
    assert torch.autograd.gradcheck(self_pseudo_supervision, (a,))


def test_symmetric_and_equal_to_own_labels_for_twins():
    a, b = pair()
    torch.testing.assert_close(cross_pseudo_supervision(a, b), cross_pseudo_supervision(b, a))
    torch.testing.assert_close(cross_pseudo_supervision(a, a), 2 * self_pseudo_supervision(a))


def test_one_mean_over_both_halves():
    (a, b), (c, d) = pair(0, batch=1), pair(1, batch=3)
    joined = cross_pseudo_supervision(torch.cat([a, c]), torch.cat([b, d]))
    parts = (cross_pseudo_supervision(a, b) + 3 * cross_pseudo_supervision(c, d)) / 4
    torch.testing.assert_close(joined, parts)


def test_mixed_form_crosses_the_labels():
    a, b = pair()
    labels_a, labels_b = hard_labels(a), hard_labels(b)
    torch.testing.assert_close(cross_pseudo_supervision_mixed(a, b, labels_a, labels_b), cross_pseudo_supervision(a, b))


def test_soft_form_by_hand_and_without_gradient_through_the_target():
    a, b = pair()
    loss = cross_probability_consistency(a, b)
    difference = (a.softmax(1) - b.softmax(1)).detach()
    torch.testing.assert_close(loss, 2 * difference.square().mean())
    loss.backward()
    p = a.softmax(1).detach()
    upstream = 2 * difference / difference.numel()  # of one direction only
    torch.testing.assert_close(a.grad, p * (upstream - (upstream * p).sum(1, keepdim=True)))


def test_agreement():
    a, b = pair()
    assert agreement(a, a) == 1.0
    expected = (a.argmax(1) == b.argmax(1)).double().mean().item()
    assert agreement(a, b).item() == pytest.approx(expected)
    assert not agreement(a, b).requires_grad


def test_shapes_that_do_not_fit_are_named():
    a, b = torch.zeros(2, 4, 3, 5), torch.zeros(2, 4, 3, 6)
    for loss in (cross_pseudo_supervision, cross_probability_consistency, agreement):
        with pytest.raises(ValueError, match=r"\(2, 4, 3, 5\) and logits_b \(2, 4, 3, 6\)"):
            loss(a, b)
    labels = torch.zeros(2, 3, 5, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"labels_b have shape \(2, 5, 3\)"):
        cross_pseudo_supervision_mixed(a, a, labels, labels.transpose(1, 2))
