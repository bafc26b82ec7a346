"""Stochastic selection, its Grad-CAM and the union against arrays from the definition (see ficklenet/README.md)."""

from pathlib import Path

import numpy as np
import pytest
import torch

from labelkit.models.selection_maps import maps_from_factors
from labelkit.models.stochastic_selection import FORMS, SCORES, StochasticSelection, expanded
from labelkit.pseudo_labels.activation_maps import grad_cam
from labelkit.pseudo_labels.stochastic_union import StochasticUnion, union_labels

TOLERANCE = {"rtol": 0, "atol": 1e-9}


def load(name):
    with np.load(Path(__file__).parent / "ficklenet" / f"{name}.npz") as file:
        return {key: torch.from_numpy(np.asarray(file[key]).copy()) for key in file.files}


@pytest.fixture(scope="module")
def arrays():
    return load("center_fixed_dropout_s3")


def head_of(arrays, variant, form="products"):
    head = StochasticSelection(6, 4, int(arrays["s"]), float(arrays["p"]), rescale=variant == "rescaled", form=form)
    with torch.no_grad():
        head.double().conv.weight.copy_(arrays["weight"])
        head.conv.bias.copy_(arrays["bias"])
    return head, head.factors(arrays["keep"])[None].double()


@pytest.mark.parametrize("variant", ["plain", "rescaled"])
def test_expanded_map(arrays, variant):
    _, factors = head_of(arrays, variant)
    torch.testing.assert_close(expanded(arrays["x"][None], factors)[0], arrays[f"expanded_{variant}"], **TOLERANCE)


@pytest.mark.parametrize("variant", ["plain", "rescaled"])
@pytest.mark.parametrize("form", FORMS)
def test_scores_class_score_and_gradient(arrays, form, variant):
    head, factors = head_of(arrays, variant, form)
    x = arrays["x"][None].requires_grad_()
    scores = SCORES[form](x, head.conv.weight, head.conv.bias, factors)
    torch.testing.assert_close(scores[0], arrays[f"scores_{variant}"], **TOLERANCE)
    logits = head.logits(x, factors=factors)[0]
    torch.testing.assert_close(logits, arrays[f"class_score_{variant}"], **TOLERANCE)
    for number, logit in enumerate(logits):
        (gradient,) = torch.autograd.grad(logit, x, retain_graph=True)
        torch.testing.assert_close(gradient[0], arrays[f"grad_{variant}"][number], **TOLERANCE)


@pytest.mark.parametrize("variant", ["plain", "rescaled"])
@pytest.mark.parametrize("elementwise", [True, False])
def test_maps_with_and_without_autograd(arrays, elementwise, variant):
    head, factors = head_of(arrays, variant)
    x = arrays["x"][None]
    expected = arrays[f"cam_{'elementwise' if elementwise else 'pooled'}_{variant}"]
    torch.testing.assert_close(maps_from_factors(head, x, factors, elementwise)[0], expected, **TOLERANCE)
    found = grad_cam(lambda features: head.logits(features, factors=factors), x, elementwise=elementwise)
    torch.testing.assert_close(found[0], expected, **TOLERANCE)


@pytest.mark.parametrize("at_a_time", [1, 3, 7])
def test_union(at_a_time):
    arrays = load("aggregation")
    union = StochasticUnion()
    for part in arrays["maps"].split(at_a_time):
        union.add(part)
    fired = union.fired(float(arrays["theta"]))
    present = arrays["present"]
    assert torch.equal(fired & (present > 0)[:, None, None], arrays["fired"])
    torch.testing.assert_close(union.mean, arrays["mean_map"], **TOLERANCE)
    assert torch.equal(union_labels(fired, union.mean, present), arrays["label"].long())
