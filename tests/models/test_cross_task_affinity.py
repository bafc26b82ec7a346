"""Affinities and their fusion: rows, order of positions, weights, gradients."""

import pytest
import torch
import torch.nn.functional as F

from labelkit.models.cross_task_affinity import AffinityBlock, CrossTaskFusion


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def affinities(batch=2, n=12):
    return [torch.randn(batch, n, n, dtype=torch.float64).softmax(-1) for _ in range(2)]


def test_an_affinity_is_the_softmax_of_products_without_scaling():
    block, x = AffinityBlock(6, 5).double(), torch.randn(2, 6, 3, 4, dtype=torch.float64)
    affinity = block.affinity(x)
    query, key = block.query(x), block.key(x)
    i, j = (1, 2), (2, 3)  # rows and columns of two positions, numbered row by row
    scores = torch.einsum("bc,bcyx->byx", query[:, :, *i], key).flatten(1)
    torch.testing.assert_close(affinity[:, i[0] * 4 + i[1], j[0] * 4 + j[1]], scores.softmax(1)[:, j[0] * 4 + j[1]])
    torch.testing.assert_close(affinity.sum(-1), torch.ones(2, 12, dtype=torch.float64))


def test_features_are_refined_by_what_positions_take_from_all():
    block, x = AffinityBlock(6).double(), torch.randn(1, 6, 3, 4, dtype=torch.float64)
    refined, affinity = block(x)
    value = block.value(x).flatten(2)[0]
    taken = torch.stack([sum(affinity[0, i, j] * value[:, j] for j in range(12)) for i in range(12)], 1)
    torch.testing.assert_close(refined, x + block.output(taken.view(1, 6, 3, 4)))


def test_fusion_is_the_softmax_of_the_two_convolutions():
    fusion, (segmentation, saliency) = CrossTaskFusion().double(), affinities()
    both = torch.stack((segmentation, saliency), 1)
    weights = fusion.weigh(F.relu(fusion.mix(both))).softmax(1)
    torch.testing.assert_close(fusion(segmentation, saliency), (weights * both).sum(1), rtol=0, atol=1e-12)
    torch.testing.assert_close(fusion.share(segmentation, saliency), weights[:, 0], rtol=0, atol=1e-12)


def test_fusion_keeps_the_order_of_its_channels():
    fusion, (segmentation, saliency) = CrossTaskFusion().double(), affinities()
    with torch.no_grad():
        fusion.weigh.weight.zero_()
        fusion.weigh.bias.copy_(torch.tensor([50.0, -50.0]))
    torch.testing.assert_close(fusion(segmentation, saliency), segmentation)


def test_rows_of_the_fused_affinity_are_left_as_they_are():
    fusion, (segmentation, saliency) = CrossTaskFusion().double(), affinities()
    with torch.no_grad():
        fusion.mix.weight.mul_(20)
        fusion.weigh.weight.mul_(20)
    rows = fusion(segmentation, saliency).sum(-1)
    assert (rows - 1).abs().max() > 1e-3


def test_gradients_reach_both_affinities_and_all_weights():
    fusion, pair = CrossTaskFusion().double(), affinities(1, 6)
    pair = [each.requires_grad_() for each in pair]
    fusion(*pair)[0, 2, 3].backward()
    assert all(each.grad.abs().sum() > 0 for each in pair)
    assert all(parameter.grad is not None for parameter in fusion.parameters())
    assert torch.autograd.gradcheck(fusion, [each.detach().requires_grad_() for each in affinities(1, 4)])


@pytest.mark.parametrize("dtype", [torch.bfloat16])
def test_autocast(dtype):
    block, fusion, x = AffinityBlock(6), CrossTaskFusion(), torch.randn(1, 6, 3, 4)
    with torch.autocast("cpu", dtype=dtype):
        refined, affinity = block(x)
        fused = fusion(affinity, affinity)
    assert refined.isfinite().all() and fused.isfinite().all()
