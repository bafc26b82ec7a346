"""Cross-entropy and OHEM: reductions, ignored pixels, edge cases."""

import pytest
import torch
import torch.nn.functional as F

from labelkit.losses.cross_entropy import cross_entropy, ohem_cross_entropy, with_auxiliary


@pytest.fixture
def case():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, 5, 6, generator=generator, dtype=torch.float64)
    target = torch.randint(0, 4, (2, 5, 6), generator=generator)
    target[:, 0] = 255
    return logits, target


@pytest.mark.parametrize("weight", [None, torch.tensor([0.5, 1.0, 2.0, 0.1], dtype=torch.float64)])
def test_equals_torch_where_torch_is_defined(case, weight):
    logits, target = case
    expected = F.cross_entropy(logits, target, weight, ignore_index=255)
    torch.testing.assert_close(cross_entropy(logits, target, weight), expected)


@pytest.mark.parametrize("loss", [cross_entropy, ohem_cross_entropy, lambda x, y: cross_entropy(x, y, torch.ones(4))])
def test_all_ignored_is_zero_with_zero_gradient(loss):
    logits = torch.randn(2, 4, 5, 6, requires_grad=True)
    value = loss(logits, torch.full((2, 5, 6), 255))
    value.backward()
    assert value == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


def test_another_ignore_index(case):
    logits, target = case
    target = target.where(target != 255, -1)
    torch.testing.assert_close(
        cross_entropy(logits, target, ignore_index=-1), F.cross_entropy(logits, target, ignore_index=-1)
    )


def test_ohem_keeps_the_hardest_pixels(case):
    logits, target = case
    losses = F.cross_entropy(logits, target, reduction="none", ignore_index=255)[target != 255]
    hardest = losses.sort(descending=True).values
    # Threshold 0: nothing is hard by itself, so exactly min_kept pixels remain.
    torch.testing.assert_close(ohem_cross_entropy(logits, target, threshold=0.0, min_kept=7), hardest[:7].mean())
    # A threshold above the k-th probability decides alone.
    kept = losses[losses >= -torch.log(torch.tensor(0.3))]
    torch.testing.assert_close(ohem_cross_entropy(logits, target, threshold=0.3, min_kept=1), kept.mean())


@pytest.mark.parametrize("min_kept", [0, 51, 10**9])
def test_ohem_without_enough_pixels_is_plain_cross_entropy(case, min_kept):
    logits, target = case  # 50 labelled pixels
    loss = ohem_cross_entropy(logits, target, threshold=0.1, min_kept=min_kept)
    torch.testing.assert_close(loss, cross_entropy(logits, target))


def test_ohem_with_exactly_as_many_pixels_as_asked(case):
    logits, target = case
    loss = ohem_cross_entropy(logits, target, threshold=0.0, min_kept=50)
    torch.testing.assert_close(loss, cross_entropy(logits, target))


def test_ohem_gradient_is_zero_on_easy_and_ignored_pixels(case):
    logits, target = case
    logits = logits.clone().requires_grad_()
    ohem_cross_entropy(logits, target, threshold=0.0, min_kept=7).backward()
    touched = (logits.grad.abs().sum(1) > 0).sum()
    assert touched == 7
    assert (logits.grad[:, :, 0] == 0).all()


def test_auxiliary_weight():
    assert with_auxiliary(torch.tensor(2.0), torch.tensor(5.0)) == 4.0
    assert with_auxiliary(torch.tensor(2.0), torch.tensor(5.0), weight=0.0) == 2.0


def test_shapes_that_do_not_fit_are_named():
    for loss in (cross_entropy, ohem_cross_entropy):
        with pytest.raises(ValueError, match=r"\(2, 4, 5, 6\) and target \(2, 5, 7\)"):
            loss(torch.zeros(2, 4, 5, 6), torch.zeros(2, 5, 7, dtype=torch.int64))
