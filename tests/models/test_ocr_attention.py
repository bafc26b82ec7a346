"""What the OCR block promises beyond its numbers: invariances, ideal regions, gradients, sizes."""

import pytest
import torch

from labelkit.models.ocr import ObjectAttention, OCRBlock, OCRHead
from labelkit.models.regions import SpatialGather, region_indicator

B, C, K, H, W = 2, 8, 5, 6, 7
N = H * W


def block(**options) -> OCRBlock:
    torch.manual_seed(0)
    return OCRBlock(C, 4, 6, K, **options).double()


def inputs(seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shape = {"generator": generator, "dtype": torch.float64}
    return torch.randn(B, C, H, W, **shape), torch.randn(B, K, H, W, **shape)


def permuted(x: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    return x.flatten(2)[:, :, order].unflatten(2, (H, W))


@pytest.mark.parametrize("gather", ["pixel-softmax", "class-softmax", "global"])
def test_permuting_pixels_permutes_the_output(gather):
    network = block(gather=gather).eval()
    features, coarse = inputs()
    order = torch.randperm(N, generator=torch.Generator().manual_seed(3))
    expected = permuted(network(features, coarse), order)
    torch.testing.assert_close(network(permuted(features, order), permuted(coarse, order)), expected)


def test_permuting_classes_of_the_coarse_logits_changes_nothing():
    network = block().eval()
    features, coarse = inputs()
    torch.testing.assert_close(network(features, coarse[:, [3, 0, 4, 1, 2]]), network(features, coarse))


def test_shapes_and_sums_of_the_intermediates():
    steps = block().eval().explain(*inputs())
    assert steps["soft_regions"].shape == (B, K, N)
    assert steps["region_vectors"].shape == (B, C, K)
    assert steps["attention"].shape == (B, N, K)
    assert steps["context"].shape == (B, C, H, W)
    assert steps["output"].shape == (B, 6, H, W)
    torch.testing.assert_close(steps["soft_regions"].sum(2), torch.ones(B, K, dtype=torch.float64))
    torch.testing.assert_close(steps["attention"].sum(2), torch.ones(B, N, dtype=torch.float64))


def test_an_absent_class_keeps_its_region():
    features, coarse = inputs()
    coarse[:, 2] = -50.0  # never predicted anywhere, but softmax over positions is uniform and sums to one
    steps = block().eval().explain(features, coarse)
    torch.testing.assert_close(steps["soft_regions"][:, 2], torch.full((B, N), 1 / N, dtype=torch.float64))
    torch.testing.assert_close(steps["region_vectors"][:, :, 2], features.mean((2, 3)))


def test_gathers_differ_as_defined():
    features, coarse = inputs()
    scores = coarse.flatten(2)
    by_class = scores.softmax(1)
    torch.testing.assert_close(SpatialGather(logit_scale=2.0).soft_regions(coarse), (2 * scores).softmax(2))
    torch.testing.assert_close(
        SpatialGather("class-softmax").soft_regions(coarse), by_class / by_class.sum(2, keepdim=True)
    )
    torch.testing.assert_close(SpatialGather("global")(features, coarse)[:, :, 0], features.mean((2, 3)))
    with pytest.raises(ValueError, match=r"'softmax'.*pixel-softmax"):
        SpatialGather("softmax")


def test_ideal_regions_by_hand():
    features, coarse = inputs()
    mask = torch.zeros(B, H, W, dtype=torch.int64)
    mask[:, :2] = 3
    mask[:, 2] = 255
    steps = block(use_ground_truth=True).eval().explain(features, coarse, mask)
    vectors = steps["region_vectors"]
    assert vectors.shape == (B, C, K + 1)
    torch.testing.assert_close(vectors[:, :, 3], features[:, :, :2].mean((2, 3)))
    torch.testing.assert_close(vectors[:, :, 0], features[:, :, 3:].mean((2, 3)))
    torch.testing.assert_close(vectors[:, :, K], features[:, :, 2].mean(2))  # ignored pixels: the extra region
    assert (vectors[:, :, [1, 2, 4]] == 0).all()  # absent classes
    expected = torch.where(mask == 255, K, mask).flatten(1)
    assert torch.equal(steps["attention"].argmax(2), expected)
    assert torch.equal(steps["attention"].sum(2), torch.ones(B, N, dtype=torch.float64))


def test_ideal_regions_ignore_the_coarse_logits_and_need_a_mask():
    network = block(use_ground_truth=True).eval()
    features, coarse = inputs()
    mask = torch.randint(0, K, (B, 4 * H, 4 * W))
    torch.testing.assert_close(network(features, coarse, mask), network(features, -coarse, mask))
    with pytest.raises(ValueError, match="no mask was given"):
        network(features, coarse)


def test_region_indicator_takes_the_nearest_pixel():
    mask = torch.tensor([[[0, 0, 1, 1], [0, 0, 1, 1], [255, 2, 2, 2], [2, 2, 2, 2]]])
    regions = region_indicator(mask, 3, (2, 2))[0]
    assert regions.argmax(0).tolist() == [0, 1, 3, 2]


def test_main_loss_trains_the_coarse_head():
    torch.manual_seed(0)
    head = OCRHead(C, C, K, pixel_channels=8, key_channels=4, coarse_channels=8)
    features = torch.randn(B, C, H, W)
    main, _ = head(features)
    main.square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in head.coarse[4].parameters() if p.dim() > 1)


def test_gradients_are_right_in_evaluation_mode():
    network = block().eval()
    features, coarse = (x[:1, :, :2, :3].contiguous().requires_grad_() for x in inputs())
    assert torch.autograd.gradcheck(network, (features, coarse))


def test_attention_matrix_is_pixels_by_regions():
    """Nothing of size N x N is ever made: the largest tensor saved for the backward pass is linear in N."""
    network = block()
    sizes = []
    hooks = torch.autograd.graph.saved_tensors_hooks(lambda t: sizes.append(t.numel()) or t, lambda t: t)
    features, coarse = torch.randn(1, C, 32, 32).double(), torch.randn(1, K, 32, 32).double()
    with hooks:
        network(features.requires_grad_(), coarse.requires_grad_())
    assert max(sizes) <= 1024 * 2 * C < 1024 * 1024


@pytest.mark.parametrize("size", [(6, 8), (7, 9)])
def test_scale_pools_the_queries_and_restores_the_size(size):
    torch.manual_seed(0)
    attention = ObjectAttention(C, 4, scale=2).eval()
    context, weights = attention.attend(torch.randn(B, C, *size), torch.randn(B, C, K))
    assert context.shape == (B, C, *size)
    assert weights.shape == (B, (size[0] // 2) * (size[1] // 2), K)


def test_without_bias_there_is_none_in_attention_and_fusion():
    names = [name for name, p in block(bias=False).named_parameters() if p.dim() == 4 and name.endswith("weight")]
    names_with_bias = {name for name, _ in block(bias=True).named_parameters()}
    without = {name for name, _ in block(bias=False).named_parameters()}
    assert len(names) == 7
    assert names_with_bias - without == {name.replace("weight", "bias") for name in names}


def test_different_sizes_are_refused():
    with pytest.raises(ValueError, match=r"\(6, 7\).*\(3, 7\)"):
        features, coarse = inputs()
        block()(features, coarse[:, :, :3])
