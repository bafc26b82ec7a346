"""ResNet-50 v2 at the paper's size, and the lesson classifier: sizes, heads, and what precedes what."""

import pytest
import torch

from labelkit.models.lesson_classifier import LessonClassifier
from labelkit.models.resnet_v2 import NORMALISATION, PreActivationBottleneck, ResNet50V2


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(("factor", "count"), [(1, 25_549_352), (4, 383_540_456)])
def test_parameters_at_the_papers_size(factor, count):
    """25.55 M: torchvision's ResNet-50 (25,557,032) less and more some normalisations, which stand elsewhere in v2."""
    with torch.device("meta"):
        network = ResNet50V2({"classes": 1000}, width_factor=factor)
        assert parameters(network) == count
        assert network.features(torch.empty(1, 3, 64, 64)).shape == (1, 2048 * factor)


def test_strides_and_widths():
    with torch.device("meta"):
        network, x, sizes = ResNet50V2({"classes": 7, "rotations": 4}), torch.empty(1, 3, 224, 224), []
        for layer in network.body:
            x = layer(x)
            if isinstance(layer, PreActivationBottleneck):
                sizes.append((x.shape[1], x.shape[2]))
        assert sizes == [(256, 56)] * 3 + [(512, 28)] * 4 + [(1024, 14)] * 6 + [(2048, 7)] * 3
        assert network(torch.empty(2, 3, 64, 64)).shape == (2, 7)
    assert {(m.eps, m.momentum) for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)} == {
        tuple(NORMALISATION.values())
    }


def test_the_shortcut_is_projected_after_the_activation():
    """With all convolutions of the branch at zero the block gives the projection of ReLU(norm(x)), not of x."""
    block = PreActivationBottleneck(4, 3).eval()
    torch.nn.init.zeros_(block.conv3.weight)
    x = -torch.rand(1, 4, 5, 5)  # the fresh normalisation keeps the sign, so the ReLU leaves nothing
    assert not block(x).any() and block(-x).any()


def test_the_identity_shortcut_passes_x_itself():
    block = PreActivationBottleneck(12, 3).eval()
    torch.nn.init.zeros_(block.conv3.weight)
    x = torch.randn(1, 12, 5, 5)
    assert block.project is None and torch.equal(block(x), x)


def test_pooling_sees_zeros_outside():
    """The stem's values may be negative; the authors pad with 0 before pooling."""
    network = ResNet50V2({"classes": 2})
    stem = network.body[1:3]
    assert stem(-torch.ones(1, 1, 4, 4)).tolist() == [[[[0.0, 0.0], [0.0, -1.0]]]]


def test_networks_of_one_seed_share_what_they_have_in_common():
    def build(heads):
        torch.manual_seed(3)
        return LessonClassifier(heads, width=4).state_dict()

    alone, more = build({"classes": 5}), build({"classes": 5, "rotations": 4})
    assert all(torch.equal(alone[name], more[name]) for name in alone) and len(more) == len(alone) + 2


def test_lesson_classifier_at_its_size():
    network = LessonClassifier({"classes": 20, "rotations": 4}).eval()
    assert 70_000 < parameters(network) < 80_000
    images = torch.rand(2, 3, 32, 32)
    assert network(images).shape == (2, 20) and network.features(images).shape == (2, 64)
    assert torch.equal(network(images), network.heads["classes"](network.features(images)))


def test_bad_width_factor():
    with pytest.raises(ValueError, match="width_factor is 0"):
        ResNet50V2({"classes": 2}, width_factor=0)
