"""VGG-16: sizes of the two forms, names of its weights, and where it is dilated."""

import pytest
import torch
from torch import nn

from labelkit.models.vgg import VGG16Trunk, vgg16_features


def test_the_names_are_those_of_torchvision():
    from torchvision.models import vgg16

    with torch.device("meta"):
        official = vgg16().features.state_dict()
        for pooling in ("3x3", "2x2"):
            ours = vgg16_features(pooling, pool5=pooling == "3x3").state_dict()
            assert {name: value.shape for name, value in ours.items()} == {
                name: value.shape for name, value in official.items()
            }
            assert sum(value.numel() for value in ours.values()) == 14_714_688


@pytest.mark.parametrize(("pooling", "side", "expected"), [("3x3", 321, 41), ("2x2", 256, 32), ("3x3", 64, 8)])
def test_output_stride_8(pooling, side, expected):
    with torch.no_grad():
        features = VGG16Trunk(pooling, width=2)(torch.rand(1, 3, side, side))
    assert features.shape == (1, 16, expected, expected) and (features >= 0).all()


def test_the_first_poolings_keep_torchvisions_numbers_of_shared_weights():
    """Before the fourth pooling nothing differs from torchvision, so the same weights give the same features."""
    from torchvision.models import vgg16

    torch.manual_seed(0)
    official = vgg16().features.eval()
    ours = vgg16_features("2x2")
    ours.load_state_dict(official.state_dict())
    images = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(ours[:23](images), official[:23](images))
        assert not torch.equal(ours(images), official[:30](images))


def test_the_last_block_is_dilated_and_the_fourth_pooling_keeps_the_size():
    features = vgg16_features(width=2, pool5=True)
    dilated = [i for i, layer in enumerate(features) if isinstance(layer, nn.Conv2d) and layer.dilation == (2, 2)]
    assert dilated == [24, 26, 28]
    pools = {i: layer.stride for i, layer in enumerate(features) if isinstance(layer, nn.MaxPool2d)}
    assert pools == {4: 2, 9: 2, 16: 2, 23: 1, 30: 1}


def test_bad_options_are_refused():
    with pytest.raises(ValueError, match="pooling is '4x4'"):
        vgg16_features("4x4")
    with pytest.raises(ValueError, match="width is 8"):
        vgg16_features(width=8, pretrained=True)
