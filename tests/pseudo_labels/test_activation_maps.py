"""Class activation maps and Grad-CAM: what they are for a linear head, and how they are normalised."""

import pytest
import torch
from torch import nn

from labelkit.pseudo_labels.activation_maps import class_activation_maps, grad_cam, normalise, resize_maps


@pytest.fixture
def features():
    return torch.randn(3, 5, 4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def weights():
    return torch.randn(4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_the_mean_of_a_map_is_the_logit(features, weights):
    maps = class_activation_maps(features, weights)
    torch.testing.assert_close(maps.mean((2, 3)), features.mean((2, 3)) @ weights.T)
    torch.testing.assert_close(class_activation_maps(features, weights[:, :, None, None]), maps)


@pytest.mark.parametrize("elementwise", [False, True])
def test_grad_cam_of_a_linear_head_is_its_activation_map(features, weights, elementwise):
    maps = grad_cam(lambda x: x.mean((2, 3)) @ weights.T, features, elementwise=elementwise)
    torch.testing.assert_close(maps, class_activation_maps(features, weights).relu() / 24)


def test_grad_cam_by_definition(features, weights):
    gate = torch.randn(5, 4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(2))

    def score_of(x):
        return (x * gate).tanh().mean((2, 3)) @ weights.T

    for elementwise in (False, True):
        maps = grad_cam(score_of, features, elementwise=elementwise)
        for image in range(3):
            for number in range(4):
                x = features[image : image + 1].clone().requires_grad_()
                (gradient,) = torch.autograd.grad(score_of(x)[0, number], x)
                if not elementwise:
                    gradient = gradient.mean((2, 3), keepdim=True)
                expected = (x.detach() * gradient).sum(1)[0].relu()
                torch.testing.assert_close(maps[image, number], expected)


def test_only_the_wanted_classes_are_made(features, weights):
    calls = []

    def score_of(x):
        calls.append(x)
        return (x.tanh().mean((2, 3)) @ weights.T).square()

    tags = torch.tensor([[0, 1, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]])
    maps = grad_cam(score_of, features, tags)
    assert len(calls) == 1
    torch.testing.assert_close(maps, grad_cam(score_of, features) * tags[:, :, None, None])


def test_grad_cam_leaves_no_gradient_behind(features, weights):
    head = nn.Linear(5, 4).double()
    features = features.requires_grad_()
    with torch.no_grad():
        maps = grad_cam(lambda x: head(x.mean((2, 3))), features)
    assert not maps.requires_grad and features.grad is None and head.weight.grad is None


def test_normalised_maps_reach_one_and_absent_classes_are_zero():
    maps = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(3)) * 100
    maps[0, 1] = -maps[0, 1].abs()  # a tag without any activation
    tags = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    found = normalise(maps, tags)
    assert found[0, 0].max() == pytest.approx(1, abs=1e-5) and found.min() == 0
    assert not found[0, 1].any() and not found[0, 2].any() and not found[1].any()
    assert normalise(maps)[1].amax((1, 2)).min() > 0.99
    assert not normalise(torch.zeros(1, 2, 4, 4)).any()


def test_resize_keeps_a_constant():
    assert torch.equal(resize_maps(torch.full((1, 2, 3, 5), 0.5), (12, 20)), torch.full((1, 2, 12, 20), 0.5))


def test_bad_shapes(features, weights):
    with pytest.raises(ValueError, match=r"expected \(B, K, h, w\) and \(C, K\)"):
        class_activation_maps(features, weights[:, :4])
    with pytest.raises(ValueError, match=r"expected \(B, C\) with B = 3"):
        grad_cam(lambda x: x.mean(), features)
    with pytest.raises(ValueError, match="that of the scores"):
        grad_cam(lambda x: x.mean((2, 3)) @ weights.T, features, torch.ones(3, 5))
    with pytest.raises(ValueError, match="tags have shape"):
        normalise(features, torch.ones(3, 4))
