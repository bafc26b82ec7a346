"""Rigid KPConv against arrays that the authors' code produced (see points/README.md)."""

from pathlib import Path

import numpy as np
import pytest
import torch

from labelkit.models.kpconv import AGGREGATIONS, INFLUENCES, KPConv

FILE = Path(__file__).parent / "points" / "kpconv_rigid.npz"


@pytest.fixture(scope="module")
def arrays():
    with np.load(FILE) as file:
        return {key: torch.from_numpy(np.array(file[key])) for key in file.files}


def layer(arrays, influence="linear", aggregation="sum"):
    points, weights = arrays["kernel_points"], arrays["weights"]
    found = KPConv(
        6, 8, float(arrays["radius"]), float(arrays["KP_extent"]), len(points), influence, aggregation,
        kernel_points=points,
    )  # fmt: skip
    found.weights = torch.nn.Parameter(weights.clone())
    return found


def close(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize("influence", INFLUENCES)
def test_outputs(arrays, influence, aggregation):
    convolution, supports = layer(arrays, influence, aggregation), arrays["support_points"]
    for queries, name in ((supports, "self"), (arrays["query_points"], "strided")):
        found = convolution(queries, supports, arrays[f"neighbors_{name}"], arrays["features"])
        close(found, arrays[f"out_{name}/{influence}_{aggregation}"])


def test_gradients(arrays):
    convolution, supports = layer(arrays), arrays["support_points"]
    features = arrays["features"].clone().requires_grad_()
    found = convolution(supports, supports, arrays["neighbors_self"], features)
    (found * arrays["loss_coef"]).sum().backward()
    close(features.grad, arrays["grad_features"])
    close(convolution.weights.grad, arrays["grad_weights"])
