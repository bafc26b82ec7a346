"""Two networks with one backbone and two heads."""

import copy

import pytest
import torch
from torch import nn

from labelkit.models.deeplab import DeepLabV3Plus
from labelkit.models.initialise import initialise_head
from labelkit.models.lesson import LessonNet


def test_only_the_head_changes_and_the_seed_decides():
    torch.manual_seed(0)
    base = LessonNet(4)
    first, again, second = (initialise_head(copy.deepcopy(base), seed) for seed in (1, 1, 2))
    for name, value in base.state_dict().items():
        in_backbone = name.startswith("backbone.")
        same = torch.equal(first.state_dict()[name], value)
        assert torch.equal(first.state_dict()[name], again.state_dict()[name])
        if in_backbone:
            assert same
        elif value.dim() == 4:
            assert not same
            assert not torch.equal(first.state_dict()[name], second.state_dict()[name])


def test_global_random_state_is_left_alone():
    torch.manual_seed(0)
    network = LessonNet(4)
    state = torch.get_rng_state()
    initialise_head(network, 3)
    assert torch.equal(torch.get_rng_state(), state)


def test_convolutions_are_kaiming_normal_and_normalisation_is_reset():
    network = LessonNet(4)
    network.train()(torch.rand(2, 3, 32, 32))
    for module in network.decoder.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight)
    initialise_head(network, 0)
    weight = network.context[0].weight
    assert weight.std().item() == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.03)
    norm = network.context[1]
    assert (norm.weight == 1).all() and (norm.bias == 0).all()
    assert (norm.running_mean == 0).all() and (norm.running_var == 1).all()
    assert network.backbone.stem[1].running_mean.abs().sum() > 0  # the backbone's statistics stay


def test_deeplab_has_its_head_outside_the_backbone():
    with torch.device("meta"):
        network = DeepLabV3Plus(21)
    head = [name for name, _ in network.named_children() if name != "backbone"]
    assert head == ["pyramid", "low_level", "decoder", "classifier"]


def test_a_network_without_backbone_is_refused():
    with pytest.raises(ValueError, match="Conv2d has no submodule 'backbone'"):
        initialise_head(nn.Conv2d(1, 1, 1), 0)
