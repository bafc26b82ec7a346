"""Stochastic selection: four forms of one computation, what the masks are, and maps without a backward pass."""

import pytest
import torch

from labelkit.models.selection_maps import expected_maps, maps_from_factors, random_maps
from labelkit.models.stochastic_selection import FORMS, SCORES, StochasticSelection, by_source
from labelkit.pseudo_labels.activation_maps import grad_cam

CLOSE = {"rtol": 1e-9, "atol": 1e-12}
CASES = [  # kernel, rate, height, width, batch, classes, rescaled, centre kept
    (3, 0.0, 4, 6, 2, 3, True, True),
    (3, 0.5, 5, 3, 1, 1, True, True),
    (5, 0.9, 6, 9, 3, 4, False, True),
    (5, 0.7, 4, 4, 2, 2, True, False),
    (7, 0.3, 9, 5, 1, 5, True, True),
    (7, 0.8, 3, 4, 2, 3, False, False),
    (1, 0.5, 4, 5, 2, 3, True, True),
]


def head_of(kernel, rate, classes, channels=5, seed=0, **options):
    torch.manual_seed(seed)
    return StochasticSelection(channels, classes, kernel, rate, **options).double()


def case(kernel, rate, height, width, batch, classes, rescale, keep_centre):
    head = head_of(kernel, rate, classes, rescale=rescale, keep_centre=keep_centre)
    x = torch.randn(batch, 5, height, width, dtype=torch.float64)
    return head, x, head.factors(head.draw(batch, height, width)).double()


@pytest.mark.parametrize("values", CASES)
def test_the_forms_agree_in_scores_and_every_gradient(values):
    """F1: loop, expanded map, unfold and products, to rounding."""
    head, x, factors = case(*values)
    found = {}
    for form in FORMS:
        inputs = [x.clone().requires_grad_(), head.conv.weight, head.conv.bias]
        scores = SCORES[form](*inputs, factors)
        weights = torch.linspace(-1, 1, scores.numel(), dtype=torch.float64).view_as(scores)
        found[form] = [scores, *torch.autograd.grad((scores * weights).sum(), inputs)]
    for form in FORMS[1:]:
        for mine, definition in zip(found[form], found["windows"]):
            torch.testing.assert_close(mine, definition, **CLOSE)


@pytest.mark.parametrize("values", CASES)
def test_logits_are_the_mean_of_the_scores_with_the_same_gradients(values):
    head, x, factors = case(*values)
    wanted = [x.requires_grad_(), head.conv.weight, head.conv.bias]
    weights = torch.linspace(1, 2, len(x) * values[5], dtype=torch.float64).view(len(x), -1)
    logits = head.logits(x, factors=factors)
    definition = SCORES["windows"](x, head.conv.weight, head.conv.bias, factors).mean((2, 3))
    torch.testing.assert_close(logits, definition, **CLOSE)
    mine = torch.autograd.grad((logits * weights).sum(), wanted)
    theirs = torch.autograd.grad((definition * weights).sum(), wanted)
    for first, second in zip(mine, theirs):
        torch.testing.assert_close(first, second, **CLOSE)


@pytest.mark.parametrize("elementwise", [True, False])
@pytest.mark.parametrize("values", CASES)
def test_maps_equal_grad_cam_by_autograd(values, elementwise):
    head, x, factors = case(*values)
    expected = grad_cam(lambda features: head.logits(features, factors=factors), x, elementwise=elementwise)
    torch.testing.assert_close(maps_from_factors(head, x, factors, elementwise), expected, **CLOSE)


@pytest.mark.parametrize("masks", ["window", "pass", "channel"])
@pytest.mark.parametrize("elementwise", [True, False])
def test_deterministic_maps_equal_grad_cam_by_autograd(masks, elementwise):
    head = head_of(5, 0.6, 3, masks=masks, rescale=False)
    x = torch.rand(2, 5, 6, 7, dtype=torch.float64)
    expected = grad_cam(lambda features: head.logits(features, stochastic=False), x, elementwise=elementwise)
    torch.testing.assert_close(expected_maps(head, x, elementwise), expected, **CLOSE)


@pytest.mark.parametrize("elementwise", [True, False])
@pytest.mark.parametrize("options", [{}, {"rescale": False}, {"keep_centre": False}, {"masks": "pass"}])
def test_random_maps_are_grad_cam_of_the_masks_drawn(options, elementwise, monkeypatch):
    """The masks that `random_maps` draws by position are put back into windows and handed to the definition."""
    head = head_of(3, 0.5, 4, **options)
    x = torch.rand(5, 4, 6, dtype=torch.float64)
    classes = torch.tensor([3, 1])
    drawn = []
    original = torch.rand

    def remember(*size, **keywords):
        drawn.append(original(*size, **keywords))
        return drawn[-1]

    monkeypatch.setattr(torch, "rand", remember)
    maps = torch.cat(list(random_maps(head, x, classes, 5, elementwise=elementwise, at_a_time=2)))
    keep = torch.cat([part.expand(24, -1, -1) for part in drawn], 1) >= head.rate  # (h * w, 5, s * s)
    if head.keep_centre:
        keep[..., 4] = True
    for draw, found in enumerate(maps):
        source = keep[:, draw].T.reshape(3, 3, 4, 6)  # by offset and position
        window = torch.zeros(4, 6, 3, 3, dtype=torch.bool)
        for i in range(4):
            for j in range(6):
                for u in range(3):
                    for v in range(3):
                        a, b = i + u - 1, j + v - 1
                        window[i, j, u, v] = 0 <= a < 4 and 0 <= b < 6 and source[u, v, a, b]
        factors = head.factors(window)[None].double()
        score_of = lambda features, factors=factors: SCORES["windows"](  # noqa: E731
            features, head.conv.weight, head.conv.bias, factors
        ).mean((2, 3))
        expected = grad_cam(score_of, x[None], elementwise=elementwise)[0, classes]
        torch.testing.assert_close(found, expected, **CLOSE)


def test_random_maps_of_whole_channels_are_grad_cam_of_the_channels_drawn():
    head = head_of(3, 0.5, 4, masks="channel")
    x, classes = torch.rand(5, 4, 6, dtype=torch.float64), torch.tensor([0, 2, 3])
    for elementwise in (True, False):
        maps = next(
            random_maps(head, x, classes, 3, elementwise=elementwise, generator=torch.Generator().manual_seed(4))
        )
        keep = torch.rand(3, 5, generator=torch.Generator().manual_seed(4)) >= 0.5
        for found, kept in zip(maps, keep):
            score_of = lambda f, kept=kept: head.conv(f * 2.0 * kept[:, None, None]).mean((2, 3))  # noqa: E731
            expected = grad_cam(score_of, x[None], elementwise=elementwise)[0, classes]
            torch.testing.assert_close(found, expected, **CLOSE)


def test_more_draws_begin_with_the_same_ones():
    head = head_of(5, 0.7, 2)
    x, classes = torch.rand(5, 6, 6, dtype=torch.float64), torch.tensor([1])
    few, many = (
        torch.cat(list(random_maps(head, x, classes, n, generator=torch.Generator().manual_seed(1), at_a_time=4)))
        for n in (4, 10)
    )
    assert torch.equal(few, many[:4]) and len(many) == 10 and not torch.equal(many[0], many[1])


def test_masks_differ_between_windows_and_images_and_keep_the_centre():
    keep = head_of(5, 0.9, 2).draw(3, 12, 12)
    assert keep[..., 2, 2].all()
    assert 0.05 < float(keep.float().mean()) - 1 / 25 < 0.15
    flat = keep.flatten(3).flatten(0, 2)
    assert len(flat.unique(dim=0)) > 100
    same = head_of(5, 0.9, 2, masks="pass").draw(3, 12, 12)
    assert (same == same[:, :1, :1]).all() and len(same[:, 0, 0].flatten(1).unique(dim=0)) > 1
    assert not head_of(5, 0.9, 2, keep_centre=False).draw(3, 12, 12)[..., 2, 2].all()


@pytest.mark.parametrize("rescale", [True, False])
@pytest.mark.parametrize("keep_centre", [True, False])
def test_the_deterministic_score_is_the_mean_over_masks(rescale, keep_centre):
    head = head_of(3, 0.6, 2, rescale=rescale, keep_centre=keep_centre)
    x = torch.rand(1, 5, 4, 4, dtype=torch.float64)
    many = head(x.expand(4000, -1, -1, -1)).mean(0)
    torch.testing.assert_close(many, head(x, stochastic=False)[0], rtol=0, atol=0.05)


def test_evaluation_mode_does_not_stop_the_draws():
    for masks in ("window", "pass", "channel"):
        head = head_of(3, 0.7, 2, masks=masks).eval()
        x = torch.rand(1, 5, 4, 4, dtype=torch.float64)
        assert not torch.equal(head(x), head(x))
        assert torch.equal(head(x, stochastic=False), head(x, stochastic=False))


def test_rate_zero_is_the_plain_convolution():
    head = head_of(5, 0.0, 3)
    x = torch.rand(2, 5, 6, 6, dtype=torch.float64)
    torch.testing.assert_close(head(x), head.conv(x))
    torch.testing.assert_close(head.logits(x), head.conv(x).mean((2, 3)))


def test_positions_outside_the_map_act_on_nothing():
    acting = by_source(torch.ones(1, 3, 4, 3, 3))
    assert acting[0, 1, 1].all()  # the centre acts everywhere
    assert acting[0, 0, 0].sum() == 6 and not acting[0, 0, 0, -1].any()  # above and left of a window: not the last row


def test_half_precision_runs():
    head = StochasticSelection(5, 3, 3, 0.5)
    x = torch.rand(2, 5, 4, 4, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = head.logits(x).float().sum() + head(x).float().mean()
    loss.backward()
    assert x.grad.isfinite().all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel_size": 4}, "kernel_size is 4"),
        ({"kernel_size": 0}, "kernel_size is 0"),
        ({"rate": 1.0}, "rate is 1.0"),
        ({"masks": "row"}, "masks is 'row'"),
        ({"form": "fast"}, "form is 'fast'"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        StochasticSelection(5, 3, **options)
