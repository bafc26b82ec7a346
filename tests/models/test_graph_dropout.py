"""Graph dropout: halves and never zeroes, one coin or one an image, active where it should be, and its control."""

import pytest
import torch

from labelkit.models.graph_dropout import GraphDropout, attention_of, drop_mask


def features(images=3, seed=0):
    return torch.randn(images, 5, 6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) + 0.5


def factor(layer, x, coins=None):
    """What a position was multiplied by, (B, H, W)."""
    return (layer(x, coins) / x).mean(1)


def test_the_most_attended_positions_are_halved_and_the_rest_stays():
    x = features()
    share = (attention_of(x) / attention_of(x).amax((2, 3), keepdim=True))[:, 0]
    expected = torch.where(share < 0.7, 1.0, 0.5).double()
    torch.testing.assert_close(factor(GraphDropout(), x, torch.tensor(1)), expected)


def test_importance_keeps_more_where_more_is_attended():
    x = features()
    torch.testing.assert_close(factor(GraphDropout(), x, torch.tensor(0)), (1 + attention_of(x)[:, 0].sigmoid()) / 2)


def test_one_coin_for_the_call_or_one_for_each_image():
    x = features(64)
    masked = lambda layer: [bool(((f == 1) | (f == 0.5)).all()) for f in factor(layer, x).float()]  # noqa: E731
    torch.manual_seed(0)
    calls = [masked(GraphDropout()) for _ in range(30)]
    assert all(len(set(call)) == 1 for call in calls) and len({call[0] for call in calls}) == 2
    share = torch.tensor(masked(GraphDropout(each_image=True))).double().mean()
    assert 0.6 < share < 0.95


@pytest.mark.parametrize(("rate", "value"), [(0.0, 0.0), (1.0, 1.0)])
def test_the_rate_is_the_chance_of_the_mask(rate, value):
    assert (GraphDropout(rate, each_image=True).draw(200) == value).all()


def test_evaluation():
    x = features()
    assert torch.equal(GraphDropout(in_evaluation=False).eval()(x), x)
    assert not torch.equal(GraphDropout(in_evaluation=False).train()(x), x)
    assert not torch.equal(GraphDropout().eval()(x), x)


def test_the_control_halves_as_many_positions_elsewhere():
    x = features()
    attended, elsewhere = GraphDropout().mask(x), GraphDropout(place="random").mask(x)
    assert torch.equal(attended.sum((2, 3)), elsewhere.sum((2, 3))) and not torch.equal(attended, elsewhere)


def test_no_gradient_through_the_mask_but_through_the_importance():
    x = features(1).requires_grad_()
    GraphDropout()(x, torch.tensor(1)).sum().backward()
    torch.testing.assert_close(x.grad, (drop_mask(x, 0.7).expand_as(x) + 1) / 2)
    assert torch.autograd.gradcheck(lambda y: GraphDropout()(y, torch.tensor(0)), (features(1).requires_grad_(),))


def test_bad_options():
    with pytest.raises(ValueError, match=r"rate is 1\.5"):
        GraphDropout(1.5)
    with pytest.raises(ValueError, match="place is 'top'"):
        GraphDropout(place="top")
