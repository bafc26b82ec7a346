"""PANet's parts: shapes, what gradients reach, and pooling against torchvision's."""

import pytest
import torch

from labelkit.models.panet import AdaptivePooling, BottomUpPath, group_norm
from labelkit.models.panet_heads import AggregatedMaskHead, FullyConnectedFusion, LevelwiseMax

SIZES = ((64, 96), (32, 48), (16, 24), (8, 12))


def features(channels=4):
    return {str(n): torch.randn(2, channels, *size, requires_grad=True) for n, size in enumerate(SIZES)}


def test_the_finest_level_passes_and_reaches_the_coarsest():
    torch.manual_seed(0)
    path, levels = BottomUpPath(4, 4, group_norm(2)), list(features().values())
    raised = path(levels)
    assert raised[0] is levels[0]
    assert [tuple(level.shape) for level in raised] == [tuple(level.shape) for level in levels]
    (raised[-1] * torch.randn_like(raised[-1])).sum().backward()  # a plain sum of normalised values is a constant
    assert all(level.grad.abs().sum() > 0 for level in levels)
    with pytest.raises(ValueError, match="4 levels was given 3"):
        path(levels[:3])


def test_odd_sizes_go_up_the_path():
    levels = [torch.randn(1, 4, size, size) for size in (25, 13, 7, 4)]
    assert [level.shape[-1] for level in BottomUpPath(4)(levels)] == [25, 13, 7, 4]


def test_each_level_is_pooled_as_torchvision_pools_it_alone():
    from torchvision.ops import MultiScaleRoIAlign

    torch.manual_seed(0)
    levels, shapes = features(), [(250, 384), (256, 380)]
    boxes = [torch.tensor([[10.0, 20, 60, 90], [100, 5, 106, 9]]), torch.tensor([[0.0, 0, 250, 250]])]
    pooled = AdaptivePooling(tuple(levels), 7)(levels, boxes, shapes)
    assert pooled.shape == (4, 3, 4, 7, 7)
    for number, name in enumerate(levels):
        alone = MultiScaleRoIAlign([name], 7, 2)(levels, boxes, shapes)
        assert torch.equal(pooled[number], alone)


def test_gradients_reach_every_level_of_one_small_region():
    torch.manual_seed(0)
    levels = features()
    pooled = AdaptivePooling(tuple(levels), 14)(
        levels, [torch.tensor([[8.0, 8, 20, 16]]), torch.zeros(0, 4)], [(256, 384)] * 2
    )
    head = AggregatedMaskHead(4, (4, 4, 4, 4), 4, FullyConnectedFusion(4, 14, group_norm(2)), group_norm(2))
    convolved, drawn = head(pooled)
    (convolved.square().sum() + drawn.square().sum()).backward()
    for level in levels.values():
        assert level.grad[0].abs().sum() > 0
        assert level.grad[1].abs().sum() == 0  # the second image has no region
    assert all(parameter.grad is not None for parameter in head.parameters())


def test_the_maximum_hands_each_gradient_to_one_level():
    torch.manual_seed(0)
    regions = torch.randn(3, 5, 6, requires_grad=True)
    LevelwiseMax([torch.nn.Identity()] * 3)(regions).sum().backward()
    assert torch.equal(regions.grad.sum(0), torch.ones(5, 6))
    with pytest.raises(ValueError, match="3 first layers were given regions of 2 levels"):
        LevelwiseMax([torch.nn.Identity()] * 3)(regions[:2])


def test_the_released_fusion_can_only_raise_logits():
    torch.manual_seed(0)
    regions = torch.randn(3, 4, 14, 14)
    released, plain = FullyConnectedFusion(4, 14), FullyConnectedFusion(4, 14, relu=False)
    plain.load_state_dict(released.state_dict())
    assert (released(regions) >= 0).all()
    assert (plain(regions) < 0).any()
    assert torch.equal(released(regions), plain(regions).clamp(min=0))
    assert released(regions).shape == (3, 1, 28, 28)
