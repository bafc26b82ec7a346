"""The recurrent unit on maps: what its gates mean, and which sizes it takes."""

import pytest
import torch

from labelkit.models.conv_gru import ConvGRU


def unit(kernel_size=1):
    torch.manual_seed(0)
    return ConvGRU(3, 4, kernel_size).double()


def test_an_open_update_gate_takes_the_new_value_and_a_closed_one_keeps_the_old():
    module, message, state = unit(), torch.randn(2, 3, 5, 4).double(), torch.randn(2, 4, 5, 4).double()
    with torch.no_grad():
        module.update.weight.zero_()
        module.update.bias.fill_(-40)
        torch.testing.assert_close(module(message, state), state)
        module.update.bias.fill_(40)
        module.reset.weight.zero_()
        module.reset.bias.fill_(-40)  # and a closed reset gate forgets the state
        fresh = module(message, state)
    torch.testing.assert_close(fresh, module(message))
    assert fresh.abs().max() < 1


def test_kernel_one_keeps_positions_apart():
    module, message, state = unit(), torch.randn(1, 3, 4, 4).double(), torch.randn(1, 4, 4, 4).double()
    changed = message.clone()
    changed[..., 1, 2] += 1
    difference = (module(changed, state) - module(message, state)).abs().sum(1)[0] > 0
    assert difference.nonzero().tolist() == [[1, 2]]


def test_a_wider_kernel_keeps_the_size():
    assert unit(3)(torch.randn(1, 3, 5, 6).double()).shape == (1, 4, 5, 6)


def test_gradients():
    module = unit()
    message, state = (
        torch.randn(1, 3, 2, 2).double().requires_grad_(),
        torch.randn(1, 4, 2, 2).double().requires_grad_(),
    )
    assert torch.autograd.gradcheck(module, (message, state))


@pytest.mark.parametrize("size", [0, 2, 4])
def test_refuses_an_even_kernel(size):
    with pytest.raises(ValueError, match=f"kernel_size is {size}; an odd number"):
        unit(size)
