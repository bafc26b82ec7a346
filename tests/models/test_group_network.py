"""The graph: rounds against their definition, groups of any size, the order of partners, and the official names."""

import pytest
import torch
from torch import nn

from labelkit.models.graph_dropout import GraphDropout
from labelkit.models.group_convert import load_official
from labelkit.models.group_network import GroupGraph, GroupNetwork, class_head, combined
from labelkit.models.vgg import VGG16Trunk


def graph(size=3, seed=0, **options):
    torch.manual_seed(seed)
    return GroupGraph(4, size, **{"initial_std": 0.5, **options}).double()


def nodes(groups=2, size=3, seed=1):
    return torch.randn(groups, size, 4, 5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_rounds_are_synchronous_and_each_is_the_definition():
    module = graph(dropout=GraphDropout(each_image=True))
    coins = torch.tensor([[[1, 0, 1], [0, 0, 1]], [[1, 1, 0], [0, 1, 1]], [[0, 1, 0], [1, 0, 0]]])
    states = module(nodes(), coins)
    assert len(states) == 4
    for index in range(3):
        old = states[index]
        for group in range(2):
            for a in range(3):
                others = [b for b in range(3) if b != a]
                receiver = old[group, a][None]
                messages = [module.coattention(receiver, old[group, b][None]) for b in others]
                new = module.update(module.fusion(torch.cat(messages, 1)), receiver)
                new = module.dropout(new, coins[index, group, a])
                torch.testing.assert_close(states[index + 1][group, a], new[0])


def test_groups_do_not_see_each_other():
    module, x = graph(), nodes()
    other = x.clone()
    other[1] += 1
    torch.testing.assert_close(module(x)[-1][0], module(other)[-1][0])


@pytest.mark.parametrize("size", [2, 3, 4, 6])
@pytest.mark.parametrize("fusion", ["concat", "mean"])
def test_groups_of_any_size(size, fusion):
    states = graph(size, fusion=fusion)(nodes(1, size))
    assert all(state.shape == (1, size, 4, 5, 3) for state in states)


def test_the_order_of_the_partners_matters_with_concat_alone():
    x = nodes(1)
    swapped = x[:, [0, 2, 1]]
    for fusion, same in (("concat", False), ("mean", True)):
        module = graph(fusion=fusion)
        assert torch.allclose(module(x)[-1][:, 0], module(swapped)[-1][:, 0]) == same
    assert graph(fusion="mean")(nodes(1, 5))[-1].shape == (1, 5, 4, 5, 3)


def test_no_round_leaves_the_maps():
    x = nodes()
    assert torch.equal(graph(rounds=0)(x)[-1], x)
    assert len(graph(rounds=3)(x, rounds=1)) == 2


def test_coins_are_drawn_for_each_image_in_each_round():
    module, x = graph(dropout=GraphDropout(each_image=True)), nodes()
    torch.manual_seed(4)
    drawn = module(x)[-1]
    torch.manual_seed(4)
    coins = torch.stack([(torch.rand(6) + 0.8).floor().view(2, 3) for _ in range(3)])
    torch.testing.assert_close(drawn, module(x, coins)[-1])


def network(classes=4):
    torch.manual_seed(0)
    trunk = nn.Conv2d(3, 8, 3, 4, 1)
    return GroupNetwork(trunk, class_head(8, classes, (8,), None), GroupGraph(classes, 3, 2, initial_std=0.3))


def test_logits_are_means_of_maps_and_gradients_reach_everything():
    module = network()
    output = module(torch.rand(2, 3, 3, 16, 16))
    assert output.group_logits.shape == output.single_logits.shape == (2, 3, 4)
    torch.testing.assert_close(output.single_logits[1, 2], output.states[0][1, 2].mean((1, 2)))
    output.group_logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())
    assert module.trunk.weight.grad.any() and module.graph.coattention.gate.weight.grad.any()


def test_the_single_readout_does_not_reach_the_graph():
    module = network()
    module(torch.rand(1, 3, 3, 16, 16)).single_logits.sum().backward()
    assert all(p.grad is None for p in module.graph.parameters())


def test_which_maps_make_the_class_map():
    first, last = torch.tensor([-2.0, 4.0]), torch.tensor([4.0, -6.0])
    assert combined(first, last).tolist() == [1.0, 0.0]
    assert combined(first, last, "first").tolist() == [0.0, 4.0]
    assert combined(first, last, "last").tolist() == [4.0, 0.0]
    with pytest.raises(ValueError, match="choice is 'both'"):
        combined(first, last, "both")


def test_bad_groups():
    with pytest.raises(ValueError, match="group_size is 1"):
        graph(1)
    with pytest.raises(ValueError, match=r"a group of 4 image\(s\) came; expected 3"):
        graph()(nodes(1, 4))
    with pytest.raises(ValueError, match=r"a group of 1 image\(s\) came"):
        graph(fusion="mean")(nodes(1, 1))
    with pytest.raises(ValueError, match="fusion is 'sum'"):
        graph(fusion="sum")
    with pytest.raises(ValueError, match="images has shape"):
        network()(torch.rand(3, 3, 16, 16))


OFFICIAL = {  # all but the trunk: channels out and in, kernel
    **{f"extra_convs.{index}": (32, 16 if index == 0 else 32, 3) for index in (0, 2, 4)},
    "extra_convs.6": (20, 32, 1),
    "extra_gate": (1, 20, 1),
    "extra_proja": (10, 20, 1),
    "extra_projb": (10, 20, 1),
    "extra_conv_fusion": (20, 40, 3),
    **{f"extra_ConvGRU.{gate}_gate": (20, 40, 1) for gate in ("reset", "update", "out")},
}


def official_state():
    """Tensors under the official names and in their shapes, but for the width."""
    state = {"extra_linear_e.weight": torch.zeros(20, 20)}
    trunk = VGG16Trunk("2x2", width=2).features
    shapes = {f"features.{n}": (*c.weight.shape[:2], 3) for n, c in trunk.named_children() if hasattr(c, "weight")}
    for number, (name, (out, into, kernel)) in enumerate((shapes | OFFICIAL).items()):
        state[f"{name}.weight"] = torch.full((out, into, kernel, kernel), float(number + 1))
        if name != "extra_gate":
            state[f"{name}.bias"] = torch.full((out,), -float(number + 1))
    return state


def target():
    return GroupNetwork(VGG16Trunk("2x2", width=2), class_head(16, 20, (32, 32, 32)), GroupGraph(20))


@pytest.mark.parametrize("wrapped", [False, True])
def test_official_names_load(wrapped):
    state, module = official_state(), target()
    given = {"epoch": 14, "state_dict": {f"module.{k}": v for k, v in state.items()}} if wrapped else state
    load_official(module, given)
    pairs = {
        "extra_proja": module.graph.coattention.receiver_projection,
        "extra_projb": module.graph.coattention.sender_projection,
        "extra_ConvGRU.update_gate": module.graph.update.update,
        "extra_ConvGRU.out_gate": module.graph.update.candidate,
        "extra_convs.6": module.head[6],
        "features.28": module.trunk.features[28],
    }
    for name, layer in pairs.items():
        assert torch.equal(layer.weight, state[f"{name}.weight"]) and torch.equal(layer.bias, state[f"{name}.bias"])


def test_official_states_that_do_not_fit():
    state = official_state()
    lacking = {k: v for k, v in state.items() if k != "extra_gate.weight"}
    with pytest.raises(ValueError, match=r"1 tensor is missing, the first is 'extra_gate.weight'"):
        load_official(target(), lacking)
    with pytest.raises(ValueError, match="extra_more"):
        load_official(target(), state | {"extra_more.weight": torch.zeros(1)})
    with pytest.raises(
        ValueError, match=r"'extra_conv_fusion.weight' has shape \(20, 20, 3, 3\); expected \(20, 40, 3, 3\)"
    ):
        load_official(target(), state | {"extra_conv_fusion.weight": torch.zeros(20, 20, 3, 3)})
    with pytest.raises(ValueError, match=r"2 tensors are missing, the first is 'features.28.weight'"):
        load_official(target(), {k: v for k, v in state.items() if not k.startswith("features.28")})
