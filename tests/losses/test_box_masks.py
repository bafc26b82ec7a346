"""CutMix masks: mean cover, cancelling overlaps, reproducible draws; mixing."""

import pytest
import torch

from labelkit.losses.cutmix import box_masks, mix


def test_mean_cover_and_spread_of_three_boxes():
    masks = box_masks(4000, 64, 64, generator=torch.Generator().manual_seed(0))
    assert masks.shape == (4000, 1, 64, 64)
    cover = masks.mean((1, 2, 3))
    assert cover.mean().item() == pytest.approx(0.2525, abs=0.004)  # standard error 0.0011
    assert cover.std().item() == pytest.approx(0.069, abs=0.004)
    assert set(masks.unique().tolist()) == {0.0, 1.0}


def test_one_box_covers_its_area_fraction():
    masks = box_masks(500, 60, 80, boxes=1, area=(0.4, 0.4), generator=torch.Generator().manual_seed(0))
    assert masks.mean((1, 2, 3)).sub(0.4).abs().max() < 0.02  # only rounding
    for mask in masks[:20, 0]:  # a single rectangle: outer product of a row and a column interval
        rows, columns = mask.amax(1), mask.amax(0)
        assert torch.equal(mask, rows[:, None] * columns[None])
        assert (rows.diff().abs().sum() <= 2) and (columns.diff().abs().sum() <= 2)


def test_overlaps_cancel():
    full = {"area": (1.0, 1.0), "generator": None}
    one = box_masks(2, 8, 8, boxes=1, **full)
    assert (one == 1).all()
    # Four boxes of 32 x 32: each flips 1024 pixels, overlaps flip back, so the number of ones stays even and the mean
    # cover stays below that of four separate boxes, which is 1.
    masks = box_masks(2000, 64, 64, boxes=4, area=(1.0, 1.0), generator=torch.Generator().manual_seed(0))
    assert (masks.flatten(1).sum(1) % 2 == 0).all()
    assert masks.mean().item() < 0.7


def test_draws_are_reproducible_and_use_the_global_state_by_default():
    first, again = (box_masks(3, 20, 30, generator=torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first, again)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    one = box_masks(3, 20, 30)
    two = box_masks(3, 20, 30)
    torch.set_rng_state(state)
    assert torch.equal(box_masks(3, 20, 30), one)
    assert not torch.equal(one, two)


def test_mix_takes_b_where_the_mask_is_one():
    a, b = torch.randn(2, 3, 8, 9), torch.randn(2, 3, 8, 9)
    mask = box_masks(2, 8, 9, generator=torch.Generator().manual_seed(0))
    mixed = mix(a, b, mask)
    chosen = mask.bool().expand_as(a)
    assert torch.equal(mixed, torch.where(chosen, b, a))


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="height 0"):
        box_masks(1, 0, 5)
    with pytest.raises(ValueError, match=r"\(0.0, 0.5\)"):
        box_masks(1, 5, 5, area=(0.0, 0.5))
    with pytest.raises(ValueError, match=r"\(2, 1, 4, 4\)"):
        mix(torch.zeros(2, 3, 4, 5), torch.zeros(2, 3, 4, 5), torch.zeros(2, 1, 4, 4))
