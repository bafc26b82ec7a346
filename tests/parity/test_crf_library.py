"""The dense CRF against arrays that the library of Kraehenbuehl and Koltun produced (see crf/README.md)."""

from pathlib import Path

import numpy as np
import pytest
import torch

from labelkit.crf.mean_field import Bilateral, Gaussian, mean_field
from labelkit.crf.unaries import negative_log, negative_probability

FLOAT32 = {"rtol": 0, "atol": 5e-5}  # the library computes in float32


@pytest.fixture(scope="module")
def arrays():
    with np.load(Path(__file__).parent / "crf" / "pydensecrf.npz") as file:
        return {name: torch.from_numpy(file[name].copy()) for name in file.files}


@pytest.fixture(scope="module")
def image(arrays):
    return arrays["image"].permute(2, 0, 1)[None].float() / 255


@pytest.mark.parametrize(
    ("name", "bilateral", "iterations"),
    [
        ("bilateral_80_13_10_1", Bilateral(80, 13, 10), 1),
        ("bilateral_80_13_10_10", Bilateral(80, 13, 10), 10),
        ("bilateral_60_5_5_3", Bilateral(60, 5, 5), 3),
    ],
)
def test_bilateral_on_the_lattice(arrays, image, name, bilateral, iterations):
    found = mean_field(arrays["unary"][None], image, None, bilateral, iterations, exact=False)
    torch.testing.assert_close(found[0], arrays[name], **FLOAT32)


def test_the_unary_of_dsrg_in_training(arrays, image):
    unary = negative_probability(arrays["probabilities"])[None]
    found = mean_field(unary, image, None, Bilateral(80 / 12, 13, 10), 10, exact=False)
    torch.testing.assert_close(found[0], arrays["training_unary_10"], **FLOAT32)
    torch.testing.assert_close(negative_log(arrays["probabilities"]), arrays["unary"])


def test_the_gaussian_and_both_together(arrays, image):
    unary = arrays["unary"][None]
    found = mean_field(unary, image, Gaussian(3, 3), None, exact=False)[0]
    torch.testing.assert_close(found, arrays["gaussian_3_3_10"], **FLOAT32)
    torch.testing.assert_close(mean_field(unary, image, exact=False)[0], arrays["both_10"], **FLOAT32)


def test_exact_kernels_are_near_it(arrays, image):
    found = mean_field(arrays["unary"][None], image, exact=True)[0]
    assert (found.argmax(0) == arrays["both_10"].argmax(0)).double().mean() > 0.95
