"""KP-FCNN: two halves make one network, clouds of a batch do not see each other, pooling and upsampling by hand."""

import numpy as np
import pytest
import torch

from labelkit.datasets.point_pyramids import clouds, input_features, pyramid, stack
from labelkit.models.kpconv import KPConv
from labelkit.models.kpconv_blocks import max_pool, nearest_upsample
from labelkit.models.kpconv_network import KPFCNN, lesson_network, paper_network

VOXEL, CLASSES = 0.1, 4


def cloud(points, seed):
    rng = np.random.default_rng(seed)
    xyz, rgb = rng.random((points, 3), np.float32), rng.random((points, 3), np.float32)
    return double(pyramid(xyz, input_features(xyz, rgb), VOXEL, 3, cap=16, label=(xyz[:, 2] * CLASSES).astype(int)))


def double(batch):
    return batch | {"features": batch["features"].double(), "points": [points.double() for points in batch["points"]]}


def network(**options):
    torch.manual_seed(0)
    return lesson_network(CLASSES, VOXEL, width=8, **options).double()


@pytest.mark.parametrize("coarse_level", [0, 1, 2])
@pytest.mark.parametrize("deformable_from", [None, 1])
def test_halves_make_the_network_at_every_level(coarse_level, deformable_from):
    batch = stack([cloud(150, 0), cloud(90, 1)])
    made = network(coarse_level=coarse_level, deformable_from=deformable_from).eval()
    coarse, skips = made.encode(batch)
    assert coarse.shape == (len(batch["points"][coarse_level]), made.coarse_channels)
    assert [len(skip) for skip in skips] == [len(batch["points"][level]) for level in range(coarse_level)]
    found = made.decode(coarse, skips, batch)
    assert found.shape == (240, CLASSES)
    torch.testing.assert_close(found, made(batch))
    # The level is where the network is cut; the network itself is the same.
    torch.testing.assert_close(found, network(deformable_from=deformable_from).eval()(batch))


@pytest.mark.parametrize("coarse_level", [1, 2])
def test_nothing_but_coarse_features_passes_without_skips(coarse_level):
    one, other = cloud(150, 0), cloud(150, 0)
    other["features"] = other["features"] + 1
    made = network(coarse_level=coarse_level).eval()
    coarse, skips = made.encode(one)
    _, others = made.encode(other)
    blank = [torch.zeros_like(skip) for skip in skips]
    torch.testing.assert_close(made.decode(coarse, blank, one), made.decode(coarse, blank, other))
    assert not torch.allclose(made.decode(coarse, skips, one), made.decode(coarse, others, one))


def test_stacked_clouds_give_what_single_clouds_give():
    single = [cloud(150, 0), cloud(40, 1), cloud(5, 2)]  # the last has fewer points than a neighbourhood
    made = network(deformable_from=2).eval()
    with torch.no_grad():
        whole = clouds(made(stack(single)), stack(single))
        for found, batch in zip(whole, single):
            torch.testing.assert_close(found, made(batch))


def test_gradient_of_one_cloud_stays_in_it():
    batch = stack([cloud(120, 0), cloud(100, 1)])
    batch["features"].requires_grad_()
    made = network().eval()  # training statistics of batch normalisation are shared by all clouds
    clouds(made(batch), batch)[0].square().sum().backward()
    first, second = clouds(batch["features"].grad, batch)
    assert first.abs().sum(1).min() > 0 and second.abs().max() == 0


def test_order_of_points_does_not_matter():
    rng = np.random.default_rng(0)
    xyz, rgb, order = rng.random((150, 3), np.float32), rng.random((150, 3), np.float32), rng.permutation(150)
    made = network().eval()
    found = []
    for turn in (np.arange(150), order):
        # All neighbours are kept: among equally far ones a cap would choose by their order.
        batch = double(pyramid(xyz[turn], input_features(xyz[turn], rgb[turn]), VOXEL, 3, cap=200))
        with torch.no_grad():
            found.append(made(batch))
    torch.testing.assert_close(found[1], found[0][torch.from_numpy(order)], rtol=1e-5, atol=1e-5)


def test_channels_and_levels_are_the_papers():
    made = paper_network(13)
    convolutions = [module for module in made.modules() if isinstance(module, KPConv)]
    assert made.coarse_channels == 2048 and len(convolutions) == 14  # 10 within levels, 4 between them
    assert {module.weights.shape[0] for module in convolutions} == {15}
    assert tuple(convolutions[0].weights.shape) == (15, 5, 64)
    radii = sorted({round(module.radius, 4) for module in convolutions})
    assert radii == [0.1, 0.2, 0.4, 0.8, 1.6]
    assert all(abs(module.extent / module.radius - 1.2 / 2.5) < 1e-9 for module in convolutions)
    assert {m.momentum for m in made.modules() if isinstance(m, torch.nn.BatchNorm1d)} == {0.02}
    assert sum(isinstance(module, KPConv) and module.offsets is not None for module in made.modules()) == 0
    deformable = paper_network(13, deformable_from=3)
    assert [module.radius >= 0.8 for module in deformable.modules() if getattr(module, "offsets", None)] == [True] * 5


def test_largest_of_neighbours_where_none_is_zero():
    features = torch.tensor([[-1.0, 5.0], [-2.0, 5.0], [3.0, -4.0]], requires_grad=True)
    pools = torch.tensor([[0, 1, 3], [2, 1, 0], [1, 1, 1], [3, 3, 3]])
    found = max_pool(features, pools)
    assert found.tolist() == [[0, 5], [3, 5], [-2, 5], [0, 0]]
    found.sum().backward()
    assert features.grad.tolist() == [[0, 1], [1, 2], [1, 0]]  # of equal values the first


def test_upsampling_copies_the_nearest_and_none_is_zero():
    found = nearest_upsample(torch.tensor([[1.0], [2.0]]), torch.tensor([1, 0, 2, 1]))
    assert found.flatten().tolist() == [2, 1, 0, 2]


def test_training_lowers_the_loss():
    batch, made, losses = stack([cloud(150, 0), cloud(90, 1)]), network(), []
    optimizer = torch.optim.SGD(made.parameters(), 0.1, momentum=0.9)
    for _ in range(20):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(made(batch), batch["label"])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]


def test_features_of_another_geometry_are_refused():
    made, one, other = network(), cloud(150, 0), cloud(90, 1)
    coarse, skips = made.encode(one)
    with pytest.raises(ValueError, match="were expected"):
        made.decode(coarse, skips, other)
    for options in ({"width": 10}, {"coarse_level": 3}, {"blocks": 0}):
        with pytest.raises(ValueError, match="expected"):
            KPFCNN(**({"classes": 3, "levels": 3, "width": 8} | options))


def test_duplicate_points_leave_the_network_finite():
    xyz = np.repeat(np.random.default_rng(0).random((20, 3), np.float32), 6, axis=0)
    batch = double(pyramid(xyz, input_features(xyz, xyz), VOXEL, 3, cap=16))
    made = network(deformable_from=1)
    found = made(batch)
    found.square().sum().backward()
    assert torch.isfinite(found).all()
    assert all(torch.isfinite(parameter.grad).all() for parameter in made.parameters() if parameter.grad is not None)
