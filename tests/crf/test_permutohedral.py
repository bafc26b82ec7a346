"""Filtering on the permutohedral lattice: its geometry, and how far it is from the exact kernel."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from labelkit.crf.kernels import ExactKernel, bilateral_features
from labelkit.crf.mean_field import Bilateral, mean_field
from labelkit.crf.permutohedral import PermutohedralKernel, simplices
from labelkit.crf.unaries import negative_log

NATURAL = Path(os.environ.get("LABELKIT_DATA", "/nowhere")) / "coco128_seg_320"


def smooth_scores(height, width, classes, seed):
    coarse = torch.randn(1, classes, height // 8, width // 8, generator=torch.Generator().manual_seed(seed))
    return 3 * torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")


def difference(probabilities, image, bilateral):
    """Relative error of one filtering, and after ten iterations: mean distance of beliefs, share of equal labels."""
    values = probabilities[0].flatten(1).T.contiguous()
    features = bilateral_features(image[0], bilateral.sxy, bilateral.srgb)
    exact, ours = (kernel(features, values)(values) for kernel in (ExactKernel, PermutohedralKernel))
    unary = negative_log(probabilities)
    beliefs = [mean_field(unary, image, bilateral=bilateral, exact=exact) for exact in (True, False)]
    distance = 0.5 * (beliefs[0] - beliefs[1]).abs().sum(1).mean()
    same = (beliefs[0].argmax(1) == beliefs[1].argmax(1)).double().mean()
    return float((exact - ours).norm() / exact.norm()), float(distance), float(same)


@pytest.mark.parametrize("d", [2, 5])
def test_points_are_mixtures_of_the_corners_of_their_simplex(d):
    points = 20 * torch.randn(500, d, dtype=torch.float64, generator=torch.Generator().manual_seed(d))
    base, rank, weights = simplices(points)
    assert (base.sum(1) == 0).all() and (base % (d + 1) == 0).all()
    assert (rank.sort(1).values == torch.arange(d + 1)).all()
    assert (weights > -1e-9).all()
    torch.testing.assert_close(weights.sum(1), torch.ones(500, dtype=torch.float64))
    # Distances in the hyperplane are those of the points, up to one factor: nothing is lost by lifting and splatting.
    steps = torch.arange(d + 1)
    corners = base[:, None] + steps[:, None] - (d + 1) * (rank[:, None] > d - steps[:, None])
    lifted = (weights[..., None] * corners).sum(1)
    factor = torch.cdist(lifted, lifted) / torch.cdist(points, points).clamp(min=1e-9)
    off = ~torch.eye(500, dtype=torch.bool)
    assert float(factor[off].max() - factor[off].min()) < 1e-6


def test_order_of_the_points_does_not_matter():
    generator = torch.Generator().manual_seed(0)
    features, values = 3 * torch.rand(200, 5, generator=generator), torch.rand(200, 4, generator=generator)
    order = torch.randperm(200, generator=generator)
    found = PermutohedralKernel(features, values)(values)
    torch.testing.assert_close(PermutohedralKernel(features[order], values)(values[order]), found[order])


def test_far_points_do_not_see_each_other():
    features = torch.tensor([[0.0, 0.0], [100.0, 0.0], [0.0, -100.0]])
    values = torch.eye(3)
    torch.testing.assert_close(PermutohedralKernel(features, values)(values), values, rtol=0, atol=1e-5)


@pytest.mark.parametrize("bilateral", [Bilateral(), Bilateral(60, 5, 5)])
def test_error_on_random_pictures(bilateral):
    for seed in range(2):
        probabilities = smooth_scores(40, 48, 5, seed).softmax(1)
        image = (0.5 + 0.15 * smooth_scores(40, 48, 3, 10 + seed)).clamp(0, 1)
        filtered, distance, same = difference(probabilities, image, bilateral)
        assert filtered < 0.13 and distance < 0.06 and same > 0.92


@pytest.mark.skipif(not NATURAL.is_dir(), reason="needs coco128_seg_320 under LABELKIT_DATA")
@pytest.mark.parametrize("bilateral", [Bilateral(), Bilateral(60, 5, 5)])
def test_error_on_natural_pictures(bilateral):
    from PIL import Image

    for path in sorted((NATURAL / "images").iterdir())[:1]:
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("RGB").resize((48, 48)))
        image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
        filtered, distance, same = difference(smooth_scores(48, 48, 21, 0).softmax(1), image, bilateral)
        assert filtered < 0.13 and distance < 0.06 and same > 0.92


def test_features_that_span_too_much():
    features = torch.rand(10, 5) * 1e6
    with pytest.raises(ValueError, match="too many lattice cells"):
        PermutohedralKernel(features, features)
