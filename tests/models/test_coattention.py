"""Co-attention: what permuting positions does, which axis is summed over, and that all pairs are the pairs."""

import pytest
import torch

from labelkit.models.coattention import CoAttention, ordered_pairs


def block(channels=4, seed=0):
    torch.manual_seed(seed)
    module = CoAttention(channels).double()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, 0, 0.7)
    return module


def features(*shape, seed=1):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def definition(module, receiver, sender):
    """The message position by position, as the paper's text has it."""
    project = lambda layer, x: layer.weight[:, :, 0, 0] @ x + layer.bias  # noqa: E731
    channels, height, width = receiver.shape
    receiver, sender = receiver.flatten(1), sender.flatten(1)
    message = torch.zeros_like(receiver)
    for i in range(receiver.shape[1]):
        p = project(module.receiver_projection, receiver[:, i])
        scores = torch.stack([p @ project(module.sender_projection, sender[:, j]) for j in range(sender.shape[1])])
        z = (sender * scores.softmax(0)).sum(1)
        message[:, i] = z * torch.sigmoid(module.gate.weight.flatten() @ z)
    return message.view(channels, height, width)


def test_message_is_the_definition():
    module, receiver, sender = block(), features(1, 4, 2, 3), features(1, 4, 3, 2, seed=2)
    torch.testing.assert_close(module(receiver, sender)[0], definition(module, receiver[0], sender[0]))


def test_permuting_sender_positions_changes_nothing():
    module, receiver, sender = block(), features(2, 4, 3, 5), features(2, 4, 3, 5, seed=2)
    order = torch.randperm(15, generator=torch.Generator().manual_seed(3))
    shuffled = sender.flatten(2)[:, :, order].view_as(sender)
    torch.testing.assert_close(module(receiver, shuffled), module(receiver, sender))


def test_permuting_receiver_positions_permutes_the_message():
    module, receiver, sender = block(), features(2, 4, 3, 5), features(2, 4, 3, 5, seed=2)
    order = torch.randperm(15, generator=torch.Generator().manual_seed(3))
    shuffled = receiver.flatten(2)[:, :, order].view_as(receiver)
    expected = module(receiver, sender).flatten(2)[:, :, order].view_as(receiver)
    torch.testing.assert_close(module(shuffled, sender), expected)


def test_receiver_and_sender_are_projected_differently():
    module, x, y = block(), features(1, 4, 2, 2), features(1, 4, 2, 2, seed=2)
    assert not torch.allclose(module.affinity(x, y), module.affinity(y, x).transpose(1, 2))
    module.sender_projection.load_state_dict(module.receiver_projection.state_dict())
    torch.testing.assert_close(module.affinity(x, y), module.affinity(y, x).transpose(1, 2))


@pytest.mark.parametrize("size", [2, 3, 5])
def test_between_gives_every_ordered_pair(size):
    module, nodes = block(), features(2, size, 4, 3, 4)
    messages = module.between(nodes)
    assert messages.shape == (2, size, size - 1, 4, 3, 4)
    for receiver in range(size):
        others = [k for k in range(size) if k != receiver]
        for place, sender in enumerate(others):
            torch.testing.assert_close(messages[:, receiver, place], module(nodes[:, receiver], nodes[:, sender]))


def test_ordered_pairs():
    receivers, senders = ordered_pairs(3)
    assert list(zip(receivers.tolist(), senders.tolist())) == [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]


def test_gradients_reach_all_weights_and_both_images():
    module, receiver, sender = block(), features(1, 4, 3, 3).requires_grad_(), features(1, 4, 3, 3, seed=2)
    sender.requires_grad_()
    module(receiver, sender).square().sum().backward()
    assert all(p.grad.any() for name, p in module.named_parameters() if name != "receiver_projection.bias")
    assert receiver.grad.any() and sender.grad.any()
    module.zero_grad()
    assert torch.autograd.gradcheck(module, (receiver, sender))


def test_works_in_bfloat16():
    module = block().float()
    with torch.autocast("cpu", torch.bfloat16):
        assert module.between(features(1, 3, 4, 3, 3).float()).isfinite().all()


def test_refuses_a_group_of_one_and_no_channels():
    with pytest.raises(ValueError, match=r"group of 1 image\(s\) has nobody"):
        block().between(features(1, 1, 4, 2, 2))
    for channels, projected in ((0, None), (4, 5)):
        with pytest.raises(ValueError, match=f"channels {channels}"):
            CoAttention(channels, projected)
