"""Errors added to flow."""

import pytest
import torch

from labelkit.models.flow_noise import disturbed


def test_the_error_has_the_length_asked_for_and_is_smooth():
    flow = torch.randn(3, 2, 48, 64, generator=torch.Generator().manual_seed(0))
    error = disturbed(flow, 2.0, torch.Generator().manual_seed(1)) - flow
    length = error.square().sum(1).mean((1, 2)).sqrt()
    torch.testing.assert_close(length, torch.full((3,), 2.0), rtol=1e-4, atol=1e-4)
    assert (error[..., 1:] - error[..., :-1]).abs().mean() < 0.25 * error.abs().mean()
    assert not torch.equal(error[0], error[1])


def test_no_error_changes_nothing_and_a_seed_repeats():
    flow = torch.randn(2, 2, 32, 32)
    assert torch.equal(disturbed(flow, 0.0, torch.Generator()), flow)
    a, b = (disturbed(flow, 1.0, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(a, b)
    with pytest.raises(ValueError, match="at least 0"):
        disturbed(flow, -1.0, torch.Generator())
