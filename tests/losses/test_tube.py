"""Tube matching: overlap of predicted and true classes over several frames."""

import pytest
import torch
from torch.nn import functional as F

from labelkit.losses.tube import tube_matching


def scores(masks, classes, scale):
    return scale * F.one_hot(masks, classes).movedim(-1, 2).double()


@pytest.fixture
def masks():
    return torch.randint(0, 3, (2, 4, 5, 6), generator=torch.Generator().manual_seed(0))


def test_a_perfect_prediction_costs_nothing_and_a_wrong_one_everything(masks):
    assert float(tube_matching(scores(masks, 3, 60), masks)) < 1e-12
    assert float(tube_matching(scores((masks + 1) % 3, 3, 60), masks)) > 1 - 1e-12


def test_the_loop_of_the_definition_gives_the_same(masks):
    masks[0, 1, :2] = 255
    masks[1][masks[1] == 2] = 0  # a class that one of the windows lacks
    logits = torch.randn(2, 4, 3, 5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    p, losses = logits.softmax(2), []
    for b in range(2):
        known = masks[b] != 255
        for c in range(3):
            truth = (masks[b] == c) & known
            if truth.any():
                guess = p[b, :, c][known]
                over = 2 * guess[truth[known]].sum() / (guess.square().sum() + truth.sum())
                losses.append(1 - over)
    assert len(losses) == 5
    torch.testing.assert_close(tube_matching(logits, masks), torch.stack(losses).mean(), rtol=0, atol=1e-12)


def test_the_frames_of_a_window_are_one_volume(masks):
    """Two frames in two windows, and in one, differ; the order of the frames does not matter."""
    logits = torch.randn(2, 4, 3, 5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    whole = tube_matching(logits, masks)
    alone = tube_matching(logits.flatten(0, 1)[:, None], masks.flatten(0, 1)[:, None])
    order = torch.tensor([2, 0, 3, 1])
    assert abs(float(whole - alone)) > 1e-6
    torch.testing.assert_close(tube_matching(logits[:, order], masks[:, order]), whole)


def test_ignored_pixels_have_no_gradient_and_a_window_without_labels_costs_nothing(masks):
    masks[0, 1] = 255
    logits = torch.randn(2, 4, 3, 5, 6, requires_grad=True)
    tube_matching(logits, masks).backward()
    assert not logits.grad[0, 1].any() and logits.grad[0, 0].any() and torch.isfinite(logits.grad).all()
    logits.grad = None
    loss = tube_matching(logits, torch.full_like(masks, 255))
    loss.backward()
    assert float(loss.detach()) == 0 and not logits.grad.any()


def test_shapes_that_do_not_fit_are_refused(masks):
    with pytest.raises(ValueError, match="expected \\(B, T, C, H, W\\)"):
        tube_matching(torch.zeros(2, 3, 5, 6), masks[:, 0])
