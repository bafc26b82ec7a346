"""Warping against definitions written out, torch's sampler, and exact flow."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from labelkit.models.warping import backward_warp, consistent, forward_splat, resize_flow


def random_case(seed, batch=2, channels=3, height=6, width=9, spread=3.0):
    generator = torch.Generator().manual_seed(seed)
    values = torch.rand(batch, channels, height, width, generator=generator, dtype=torch.float64)
    flow = spread * torch.randn(batch, 2, height, width, generator=generator, dtype=torch.float64)
    return values, flow


def sampled_by_torch(values, flow, mode="bilinear"):
    """The same by grid_sample with align_corners, whose coordinates run from -1 to 1."""
    height, width = values.shape[-2:]
    y, x = torch.meshgrid(*(torch.arange(side, dtype=flow.dtype) for side in (height, width)), indexing="ij")
    x, y = x + flow[:, 0], y + flow[:, 1]
    grid = torch.stack([2 * x / (width - 1) - 1, 2 * y / (height - 1) - 1], -1)
    return F.grid_sample(values, grid, mode, "border", align_corners=True)


@given(seed=st.integers(0, 10**6), mode=st.sampled_from(["bilinear", "nearest"]))
@settings(max_examples=30, deadline=None)
def test_a_warp_equals_torchs_sampler(seed, mode):
    values, flow = random_case(seed)
    warped, inside = backward_warp(values, flow, mode)
    assert torch.allclose(warped, sampled_by_torch(values, flow, mode), atol=1e-12)
    y, x = torch.meshgrid(torch.arange(6), torch.arange(9), indexing="ij")
    x, y = x + flow[:, 0], y + flow[:, 1]
    assert torch.equal(inside, (x >= 0) & (x <= 8) & (y >= 0) & (y <= 5))


def test_whole_pixels_move_values_exactly_and_x_comes_first():
    values = torch.rand(1, 2, 40, 3001)  # so wide that the -1 to 1 coordinates of a sampler would round
    flow = torch.zeros(1, 2, 40, 3001)
    assert torch.equal(backward_warp(values, flow)[0], values)
    flow[:, 0], flow[:, 1] = 5, -2
    warped, inside = backward_warp(values, flow)
    assert torch.equal(warped[..., 2:, :-5], values[..., :-2, 5:])
    assert inside[:, 2:, :-5].all() and inside.sum() == 38 * 2996


def test_labels_move_by_nearest_neighbour():
    labels = torch.tensor([[[[1, 2, 255]]]], dtype=torch.uint8)
    flow = torch.tensor([0.4, 0.0]).view(1, 2, 1, 1).expand(1, 2, 1, 3)
    warped, inside = backward_warp(labels, flow, "nearest")
    assert warped.dtype == torch.uint8 and torch.equal(warped, labels)
    assert inside.tolist() == [[[True, True, False]]]
    with pytest.raises(ValueError, match=r"torch.uint8, which have no value in between; expected mode='nearest'"):
        backward_warp(labels, flow)


def test_gradients_reach_values_and_flow():
    values, flow = random_case(5, batch=1, channels=2, height=4, width=5)
    flow = (flow + 0.013).requires_grad_()  # away from whole pixels, where the slope jumps
    assert torch.autograd.gradcheck(lambda v, f: backward_warp(v, f)[0], (values.requires_grad_(), flow))


def test_a_low_precision_map_is_sampled_where_a_high_precision_one_is():
    values, flow = torch.rand(1, 2, 3, 600), torch.full((1, 2, 3, 600), 0.0)
    flow[:, 0] = 1
    warped, _ = backward_warp(values.bfloat16(), flow.bfloat16())  # bfloat16 alone cannot tell column 513 from 514
    assert torch.equal(warped[..., :-1], values.bfloat16()[..., 1:])


@given(seed=st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_a_splat_equals_the_loop(seed):
    values, flow = random_case(seed, height=5, width=7)
    expected, covered = torch.zeros_like(values), torch.zeros(2, 5, 7, dtype=torch.bool)
    for b in range(2):
        for x in range(7):
            for y in range(5):
                to_x, to_y = (round(at + flow[b, axis, y, x].item()) for axis, at in enumerate((x, y)))
                if 0 <= to_x < 7 and 0 <= to_y < 5:
                    expected[b, :, to_y, to_x], covered[b, to_y, to_x] = values[b, :, y, x], True
    splatted, ours = forward_splat(values, flow)
    assert torch.equal(ours, covered) and torch.equal(splatted, expected)


def test_a_resized_flow_keeps_its_meaning():
    # Zooming about a centre is affine: at every size the flow is the same zoom, in pixels of that size.
    def zoom(height, width):
        y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
        return torch.stack([0.1 * (x - width / 2), 0.2 * (y - height / 4)]).unsqueeze(0).double()

    assert torch.allclose(resize_flow(zoom(24, 48), (12, 16)), zoom(12, 16), atol=1e-12)
    larger = resize_flow(zoom(12, 16), (24, 48))
    assert torch.allclose(larger[..., 2:-2, 3:-3], zoom(24, 48)[..., 2:-2, 3:-3], atol=1e-12)
    same = zoom(12, 16)
    assert torch.equal(resize_flow(same, (12, 16)), same)


def test_the_check_passes_what_returns_and_stops_what_does_not():
    there = torch.zeros(1, 2, 8, 8)
    there[:, 0] = 2
    assert consistent(there, -there)[0, :, :6].all()
    assert not consistent(there, -there)[0, :, 6:].any()  # those leave the image
    back = -there.clone()
    back[:, 1, 3, 5] = 1.5  # what lands on (3, 5) does not return: 2.25 > 0.01 * (4 + 6.25) + 0.5
    passed = consistent(there, back)[0]
    assert not passed[3, 3] and passed[:, :6].sum() == 47
    back[:, 1, 3, 5] = 0.7  # 0.49 < 0.01 * (4 + 4.49) + 0.5
    assert consistent(there, back)[0, 3, 3]
    assert not consistent(there, back, relative=0, absolute=0.4)[0, 3, 3]


def test_the_check_finds_the_occlusions_of_drawn_clips():
    from labelkit.worlds.street_clips import StreetVideo

    clip = StreetVideo("val", 1, 48, 64, "sim", frames=3)[0]
    passed, seen = consistent(clip["flow_back"], clip["flow"]), ~clip["occluded_back"]
    assert (passed == seen).float().mean() > 0.97
    labels, inside = backward_warp(clip["masks"][:-1, None], clip["flow_back"], "nearest")
    right = labels[:, 0] == clip["masks"][1:]
    assert right[seen & inside].float().mean() > 0.94 > 0.6 > right[~seen].float().mean()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_flow_that_is_not_finite_is_refused(bad):
    values, flow = torch.rand(1, 3, 4, 4), torch.zeros(1, 2, 4, 4)
    flow[0, 1, 2, 3] = bad
    for call in (
        lambda: backward_warp(values, flow),
        lambda: forward_splat(values, flow),
        lambda: resize_flow(flow, (2, 2)),
        lambda: consistent(torch.zeros(1, 2, 4, 4), flow),
        lambda: consistent(flow, torch.zeros(1, 2, 4, 4)),
    ):
        with pytest.raises(ValueError, match="flow holds 1 values that are NaN or infinite"):
            call()


def test_shapes_and_modes_that_do_not_fit_are_refused():
    values, flow = torch.rand(2, 3, 4, 5), torch.zeros(2, 2, 4, 5)
    with pytest.raises(ValueError, match=r"flow has shape \(2, 3, 4, 5\); expected \(B, 2, H, W\)"):
        backward_warp(values, values)
    with pytest.raises(ValueError, match=r"values have shape \(1, 3, 4, 5\); expected \(2, C, H, W\)"):
        backward_warp(values[:1], flow)
    with pytest.raises(ValueError, match="expected 'bilinear' or 'nearest'"):
        backward_warp(values, flow, "bicubic")
    with pytest.raises(ValueError, match="expected one size"):
        forward_splat(values[..., :4], flow)
    with pytest.raises(ValueError, match="positive numbers of pixels"):
        resize_flow(flow, (0, 4))
    with pytest.raises(ValueError, match="the flow there has shape"):
        consistent(flow, flow[:1])
    with pytest.raises(ValueError, match=r"torch\.int64; expected floating"):
        resize_flow(flow.long(), (2, 2))


def test_a_single_row_or_column_is_no_special_case():
    for height, width in ((1, 5), (5, 1), (1, 1)):
        values = torch.arange(height * width, dtype=torch.float32).view(1, 1, height, width)
        warped, inside = backward_warp(values, torch.zeros(1, 2, height, width))
        assert torch.equal(warped, values) and inside.all()
        assert np.isfinite(backward_warp(values, torch.full((1, 2, height, width), 1e30))[0].numpy()).all()
