"""Kernel point convolution: its definition in loops, gradients, what "none" means, what moving points changes."""

import copy

import pytest
import torch

from labelkit.models import point_parts
from labelkit.models.kernel_points import SHARE_OF_RADIUS, disposition, kernel_points
from labelkit.models.kpconv import AGGREGATIONS, INFLUENCES, KPConv
from labelkit.models.kpconv_blocks import deformation_penalty

RADIUS, EXTENT, COUNT = 0.5, 0.3, 5


def cloud(points=12, width=6, seed=0):
    """Points, neighbours among them with some places empty, features (float64)."""
    made = torch.Generator().manual_seed(seed)
    xyz = torch.rand(points, 3, generator=made, dtype=torch.float64)
    neighbours = torch.stack([torch.randperm(points, generator=made)[:width] for _ in range(points)])
    neighbours[::2, -2:] = points
    return xyz, neighbours, torch.randn(points, 4, generator=made, dtype=torch.float64)


def layer(influence="linear", aggregation="sum", **options):
    torch.manual_seed(3)
    return KPConv(4, 3, RADIUS, EXTENT, COUNT, influence, aggregation, **options).double()


def definition(module, queries, supports, neighbours, features, kernel=None, modulation=None):
    """Point by point, neighbour by neighbour, kernel point by kernel point."""
    out = torch.zeros(len(queries), module.weights.shape[2], dtype=features.dtype)
    for m, row in enumerate(neighbours.tolist()):
        points = module.kernel_points if kernel is None else kernel[m]
        for n in row:
            if n == len(supports):
                continue
            distance = (supports[n] - queries[m] - points).norm(dim=1)
            values = {
                "linear": (1 - distance / EXTENT).clamp_min(0),
                "gaussian": torch.exp(-(distance**2) / (2 * (0.3 * EXTENT) ** 2 + 1e-9)),
                "constant": torch.ones_like(distance),
            }[module.influence]
            for k, value in enumerate(values):
                if module.aggregation == "sum" or k == int(distance.argmin()):
                    factor = 1 if modulation is None else modulation[m, k]
                    out[m] += factor * value * (features[n] @ module.weights[k])
    return out


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize("influence", INFLUENCES)
def test_is_the_definition(influence, aggregation):
    xyz, neighbours, features = cloud()
    module = layer(influence, aggregation)
    with torch.no_grad():
        found = module(xyz[:7], xyz, neighbours[:7], features)
        torch.testing.assert_close(found, definition(module, xyz[:7], xyz, neighbours[:7], features))


@pytest.mark.parametrize("modulated", [False, True])
def test_deformable_is_the_definition_with_shifted_kernel_points(modulated):
    xyz, neighbours, features = cloud()
    module = layer(deformable=True, modulated=modulated)
    torch.nn.init.normal_(module.offset_bias, 0, 0.3)
    with torch.no_grad():
        shifts = module.offsets(xyz, xyz, neighbours, features) + module.offset_bias
        kernel = module.kernel_points + EXTENT * shifts[:, : 3 * COUNT].view(-1, COUNT, 3)
        modulation = 2 * torch.sigmoid(shifts[:, 3 * COUNT :]) if modulated else None
        expected = definition(module, xyz, xyz, neighbours, features, kernel, modulation)
        torch.testing.assert_close(module(xyz, xyz, neighbours, features), expected)


@pytest.mark.parametrize("influence", INFLUENCES)
def test_deformable_without_shifts_is_rigid(influence):
    xyz, neighbours, features = cloud()
    module, rigid = layer(influence, deformable=True), layer(influence)
    torch.nn.init.zeros_(module.offsets.weights)
    rigid.load_state_dict({name: module.state_dict()[name] for name in ("weights", "kernel_points")})
    found, expected = (each(xyz, xyz, neighbours, features) for each in (module, rigid))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("options", [{}, {"deformable": True}, {"deformable": True, "modulated": True}])
def test_gradients_against_finite_differences(options):
    xyz, neighbours, features = cloud(points=5, width=4)
    module = layer("gaussian", offset_gradient=1.0, **options)
    if options:
        torch.nn.init.normal_(module.offset_bias, 0, 0.2)
    given = [features.requires_grad_(), *module.parameters()]

    def call(features, *parameters):
        names = [name for name, _ in module.named_parameters()]
        out = torch.func.functional_call(module, dict(zip(names, parameters)), (xyz, xyz, neighbours, features))
        return (out, *module.deformation) if options else out

    assert torch.autograd.gradcheck(call, given, atol=1e-6, fast_mode=True)


@pytest.mark.parametrize("influence", INFLUENCES)
def test_parts_do_not_show(influence, monkeypatch):
    xyz, neighbours, features = cloud(points=40)
    results = []
    for limit in (1, 2**30):
        monkeypatch.setitem(point_parts.BYTES_AT_A_TIME, "cpu", limit)
        module = layer(influence, deformable=True)
        torch.nn.init.normal_(module.offset_bias, 0, 0.2)
        given = features.clone().requires_grad_()
        out = module(xyz, xyz, neighbours, given)
        (out.square().sum() + deformation_penalty(module)).backward()
        results.append([out, given.grad, *(parameter.grad for parameter in module.parameters())])
    for one, other in zip(*results):
        torch.testing.assert_close(one, other)


def test_none_adds_nothing_and_gets_no_gradient():
    xyz, neighbours, features = cloud()
    module = layer("constant")
    padded = torch.cat([neighbours, torch.full((len(neighbours), 3), len(xyz))], dim=1)
    torch.testing.assert_close(module(xyz, xyz, padded, features), module(xyz, xyz, neighbours, features))
    alone = torch.full((2, 4), len(xyz))
    given = features.clone().requires_grad_()
    found = module(xyz[:2], xyz, alone, given)
    found.sum().backward()
    assert (found == 0).all() and (given.grad == 0).all()


def test_moving_all_points_changes_nothing_and_their_order_only_the_order():
    xyz, neighbours, features = cloud()
    module = layer()
    expected = module(xyz, xyz, neighbours, features)
    shift = torch.tensor([3.0, -8.0, 2.0], dtype=torch.float64)
    torch.testing.assert_close(module(xyz + shift, xyz + shift, neighbours, features), expected)
    order = torch.randperm(len(xyz), generator=torch.Generator().manual_seed(1))
    place = torch.cat([torch.argsort(order), torch.tensor([len(xyz)])])
    found = module(xyz[order], xyz[order], place[neighbours][order], features[order])
    torch.testing.assert_close(found, expected[order])
    across = torch.randperm(neighbours.shape[1], generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(module(xyz, xyz, neighbours[:, across], features), expected)


def test_gradient_is_finite_where_a_neighbour_lies_on_a_deformable_kernel_point():
    xyz, _, features = cloud()
    itself = torch.arange(len(xyz))[:, None]
    module = layer(deformable=True)  # the first kernel point is jittered off the centre: put it there
    module.kernel_points[0] = 0
    module.offsets.kernel_points[0] = 0
    torch.nn.init.zeros_(module.offsets.weights)
    module(xyz, xyz, itself, features).sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in module.parameters())


def test_only_part_of_the_gradient_reaches_the_shifts():
    xyz, neighbours, features = cloud()
    found = []
    for share in (1.0, 0.1):
        module = layer(deformable=True, offset_gradient=share)
        torch.nn.init.constant_(module.offset_bias, 0.2)
        module(xyz, xyz, neighbours, features).square().sum().backward()
        found.append((module.offset_bias.grad, module.weights.grad))
    torch.testing.assert_close(found[1][0], 0.1 * found[0][0])
    torch.testing.assert_close(found[1][1], found[0][1])
    assert found[0][0].abs().sum() > 0


def test_penalty_is_the_definition_and_counts_each_pass_once():
    xyz, neighbours, features = cloud()
    module = layer(deformable=True)
    torch.nn.init.normal_(module.offset_bias, 0, 0.5)
    with torch.no_grad():
        shifts = module.offsets(xyz, xyz, neighbours, features) + module.offset_bias
        kernel = (module.kernel_points + EXTENT * shifts.view(-1, COUNT, 3)) / EXTENT
    fitting = repulsion = 0.0
    for m, row in enumerate(neighbours.tolist()):
        for k in range(COUNT):
            near = min(float(((xyz[n] - xyz[m]) / EXTENT - kernel[m, k]).square().sum()) for n in row if n < len(xyz))
            fitting += near / (len(xyz) * COUNT)
            for other in range(COUNT):
                if other != k:
                    distance = float((kernel[m, k] - kernel[m, other]).norm())
                    repulsion += min(distance - 0.5, 0) ** 2 / (len(xyz) * COUNT)
    module(xyz, xyz, neighbours, features)
    penalty = deformation_penalty(module)
    assert repulsion > 0
    torch.testing.assert_close(penalty.item(), 0.1 * (fitting + repulsion))
    penalty.backward()
    assert module.offset_bias.grad.abs().sum() > 0 and module.weights.grad.abs().sum() == 0
    assert deformation_penalty(module) == 0


def test_a_layer_can_be_copied_after_a_forward_pass():
    xyz, neighbours, features = cloud()
    module = layer(deformable=True)
    module(xyz, xyz, neighbours, features)
    copied = copy.deepcopy(module)
    assert copied.deformation is None and module.deformation is not None
    torch.testing.assert_close(copied(xyz, xyz, neighbours, features), module(xyz, xyz, neighbours, features))


def test_bf16_autocast_trains():
    xyz, neighbours, features = cloud()
    for options in ({}, {"deformable": True}):
        module, plain = layer(**options).float(), features.float().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            out = module(xyz.float(), xyz.float(), neighbours, plain)
        out.float().sum().backward()
        exact = module(xyz.float(), xyz.float(), neighbours, plain)
        torch.testing.assert_close(out.float(), exact, rtol=0.05, atol=0.05)
        assert torch.isfinite(plain.grad).all() and torch.isfinite(module.weights.grad).all()


def test_kernel_points_are_spread_and_the_same_on_every_call():
    points = torch.tensor(disposition(15))
    distance = torch.cdist(points, points).fill_diagonal_(torch.inf)
    assert points[0].tolist() == [0, 0, 0]
    assert abs(points[1:].norm(dim=1).mean() - SHARE_OF_RADIUS) < 1e-4
    assert distance.min() > 0.5  # 14 points on a sphere of 0.66: no two closer than that, if they are spread
    assert disposition(15) is disposition(15) and len(set(disposition(9))) == 9
    torch.manual_seed(0)
    one = kernel_points(15, 0.1)
    torch.manual_seed(0)
    torch.testing.assert_close(kernel_points(15, 0.1), one, rtol=0, atol=0)
    assert one.norm(dim=1).max() < 0.1


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"influence": "cubic"}, "linear, gaussian, constant"),
        ({"aggregation": "mean"}, "sum, closest"),
        ({"extent": 0.0}, "above 0"),
        ({"kernel_points": torch.zeros(4, 3)}, r"\(5, 3\) was expected"),
    ],
)
def test_bad_arguments_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        KPConv(**({"in_channels": 2, "out_channels": 2, "radius": RADIUS, "extent": EXTENT, "count": 5} | arguments))
