"""The wide ResNet-38: size, output stride, and norms that nothing can make learn."""

import pytest
import torch
from torch import nn

from labelkit.models.resnet38 import FrozenNorm, ResNet38


@pytest.fixture
def small():
    torch.manual_seed(0)
    network = ResNet38(width_divisor=16)
    for module in network.modules():
        if isinstance(module, FrozenNorm):
            module.running_var.uniform_(0.5, 1.5)
            module.running_mean.normal_(0, 0.1)
    return network


def test_size_and_shape_of_the_full_network():
    with torch.device("meta"):
        network = ResNet38()
        features = network.features(torch.empty(1, 3, 321, 321))
    assert features.shape == (1, 4096, 41, 41)
    assert sum(parameter.numel() for parameter in network.parameters()) == 105_023_168


def test_dilations_and_strides(small):
    convolutions = [m for m in small.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    assert [m.dilation[0] for m in convolutions] == [1] * 25 + [1] + [2] * 5 + [4, 4]
    assert [i for i, m in enumerate(convolutions) if m.stride == (2, 2)] == [1, 7, 13]
    assert all(m.bias is None for m in convolutions)


def test_norms_and_first_convolution_stay_as_they_are(small):
    small.train()
    before = {name: value.clone() for name, value in small.state_dict().items()}
    optimizer = torch.optim.SGD(small.parameters(), lr=0.1, weight_decay=0.1)
    small(torch.rand(2, 3, 33, 41)).square().mean().backward()
    optimizer.step()
    changed = {name for name, value in small.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {name for name, _ in small.named_parameters()} - {"stem.weight"}
    assert small.stem.weight.grad is None
    small.requires_grad_(True)
    assert not small.stem.weight.requires_grad


def test_no_normalisation_uses_the_batch(small):
    nn.SyncBatchNorm.convert_sync_batchnorm(small)  # what training on several GPUs calls
    for module in small.modules():
        if isinstance(module, nn.Dropout2d):
            module.p = 0.0
    images = torch.rand(2, 3, 33, 41)
    with torch.no_grad():
        alone, together = small.train()(images[:1]), small.train()(images)[:1]
        torch.testing.assert_close(alone, together)
        torch.testing.assert_close(small.eval()(images[:1]), alone)


def test_whole_maps_are_dropped_in_training_alone(small):
    images = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        small.train()
        assert not torch.equal(small(images), small(images))
        small.eval()
        assert torch.equal(small(images), small(images))


def test_odd_sizes_round_up_and_features_are_not_negative(small):
    features = small(torch.rand(1, 3, 35, 43))
    assert features.shape == (1, 256, 5, 6)
    assert features.min() >= 0
