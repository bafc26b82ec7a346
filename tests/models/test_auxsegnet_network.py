"""AuxSegNet's heads on any trunk, their options, and the converter of official weights."""

import pytest
import torch

from labelkit.models.auxsegnet import AuxSegHead, AuxSegNetwork, TagNetwork
from labelkit.models.auxsegnet_convert import HEAD_NAMES, TRUNK_NAMES, load_official, load_official_trunk
from labelkit.models.resnet38 import ResNet38


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def head(**options):
    return AuxSegHead(5, 3, width=4, dilations=(1, 2, 3), **options)


def official_state(network):
    """The network's weights under the authors' names, as a checkpoint of theirs has them."""
    names = {ours: theirs for theirs, ours in TRUNK_NAMES.items()}
    names = {f"trunk.{ours}": theirs for ours, theirs in names.items()}
    names |= {f"head.{ours}": theirs for theirs, ours in HEAD_NAMES.items()}
    state = {}
    for key, value in network.state_dict().items():
        module, _, leaf = key.rpartition(".")
        state[f"{names[module]}.{leaf}"] = torch.randn_like(value)
    state["seg_att.g.weight"] = torch.zeros(4, 4, 1, 1)  # there, but no forward pass reads it
    state["sal_att.W_z.1.running_mean"] = torch.zeros(4)
    state["bn7.num_batches_tracked"] = torch.tensor(0)
    return state


@pytest.fixture
def network():
    trunk = ResNet38(width_divisor=32)
    return AuxSegNetwork(trunk, AuxSegHead(trunk.channels, 3, width=4))


def test_shapes_of_all_outputs():
    outputs = head()(torch.rand(2, 5, 4, 6))
    assert outputs.tags.shape == (2, 3)
    assert outputs.segmentation.shape == outputs.refined_segmentation.shape == (2, 4, 4, 6)
    assert outputs.saliency.shape == outputs.refined_saliency.shape == (2, 1, 4, 6)
    assert outputs.affinity.shape == outputs.saliency_affinity.shape == (2, 24, 24)


def test_parts_that_an_option_leaves_out():
    plain = head(affinity="none", classification=False, saliency=False)
    outputs = plain(torch.rand(1, 5, 4, 4))
    assert outputs.tags is outputs.saliency is outputs.refined_segmentation is outputs.affinity is None
    assert not any(name.startswith(("classifier", "saliency", "fusion")) for name in plain.state_dict())
    alone = head(affinity="segmentation")
    outputs = alone(torch.rand(1, 5, 4, 4))
    assert outputs.affinity is outputs.segmentation_affinity
    assert alone.saliency.block is None and alone.fusion is None


def test_options_that_do_not_fit():
    with pytest.raises(ValueError, match="affinity is 'both'"):
        head(affinity="both")
    with pytest.raises(ValueError, match="needs the saliency head"):
        head(affinity="cross-task", saliency=False)


def test_tags_are_the_mean_of_the_maps_and_dropout_is_not_in_the_maps():
    made, features = head(), torch.rand(2, 5, 4, 6)
    torch.testing.assert_close(made.eval()(features).tags, made.maps(features).mean((2, 3)))
    assert torch.equal(made.train().maps(features), made.maps(features))


def test_gradient_of_the_refined_saliency_reaches_the_segmentation_head_through_the_affinity():
    made = head()
    made(torch.rand(1, 5, 4, 4)).refined_saliency.square().sum().backward()
    assert made.segmentation.first.weight.grad.abs().sum() > 0
    assert made.segmentation.classifier.weight.grad is None
    assert made.classifier.weight.grad is None


def test_official_weights_by_name(network):
    state = official_state(network)
    load_official(network, {f"module.{name}": value for name, value in state.items()})
    ours = network.state_dict()
    assert torch.equal(ours["trunk.blocks.12.conv1.weight"], state["b5.conv_branch2a.weight"])
    assert torch.equal(ours["trunk.norm.running_mean"], state["bn7.running_mean"])
    assert torch.equal(ours["head.segmentation.block.key.bias"], state["seg_att.phi.bias"])
    assert torch.equal(ours["head.saliency.block.value.weight"], state["sal_g.weight"])
    assert torch.equal(ours["head.fusion.weigh.bias"], state["cross_att.2.bias"])


def test_trunk_alone_from_a_whole_network(network):
    state = official_state(network)
    trunk = ResNet38(width_divisor=32)
    load_official_trunk(trunk, state)
    assert torch.equal(trunk.stem.weight, state["conv1a.weight"])


def test_checkpoints_that_do_not_fit(network):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = official_state(network)
    with pytest.raises(ValueError, match=r"1 tensor is unknown, the first is 'seg_conv9\.weight'"):
        load_official(network, state | {"seg_conv9.weight": torch.zeros(1)})
    with pytest.raises(ValueError, match=r"1 tensor is missing, the first is 'fc8\.weight'"):
        load_official(network, {name: value for name, value in state.items() if name != "fc8.weight"})
    with pytest.raises(ValueError, match=r"'fc8.weight' has shape \(2, 2\)"):
        load_official(network, state | {"fc8.weight": torch.zeros(2, 2)})
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_the_tag_network_names_its_parts_as_the_full_one():
    trunk = ResNet38(width_divisor=32)
    tagger, full = TagNetwork(trunk, 3), AuxSegNetwork(trunk, AuxSegHead(trunk.channels, 3, width=4))
    images = torch.rand(1, 3, 32, 32)
    full.head.classifier.load_state_dict(tagger.classifier.state_dict())
    torch.testing.assert_close(tagger.eval()(images), full.eval()(images).tags)
    torch.testing.assert_close(tagger.maps(images), full.with_maps(images)[1])
