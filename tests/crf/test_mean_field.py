"""Mean field with exact kernels: the definition, what it does to a noisy picture, and what it refuses."""

import math

import numpy as np
import pytest
import torch

from labelkit.crf import kernels
from labelkit.crf.kernels import ExactKernel, GaussianKernel, place_features
from labelkit.crf.mean_field import Bilateral, Gaussian, mean_field
from labelkit.crf.unaries import negative_log, negative_probability, saliency_energy

GAUSSIAN, BILATERAL = Gaussian(sxy=1.5, compat=2.0), Bilateral(sxy=4.0, srgb=40.0, compat=3.0)


@pytest.fixture
def picture():
    """unary (2, 3, 5, 4) and images (2, 3, 5, 4), float64."""
    generator = torch.Generator().manual_seed(0)
    unary = torch.randn(2, 3, 5, 4, dtype=torch.float64, generator=generator)
    return unary, torch.rand(2, 3, 5, 4, dtype=torch.float64, generator=generator)


@pytest.fixture
def two_regions():
    """A dark and a bright half, and probabilities of the halves that are wrong in a third of the pixels."""
    rng = np.random.default_rng(1)
    truth = np.zeros((12, 16), dtype=int)
    truth[:, 8:] = 1
    image = 0.25 + 0.5 * truth + rng.normal(0, 0.02, truth.shape)
    said = np.where(rng.random(truth.shape) < 0.3, 1 - truth, truth)
    probability = torch.from_numpy(np.stack([1 - said, said])).float()[None] * 0.3 + 0.35
    return torch.from_numpy(truth)[None], torch.from_numpy(image).float().expand(1, 3, -1, -1), probability


def by_definition(unary, image, gaussian, bilateral, iterations):
    """Loops over pairs of pixels, one picture: unary (C, H, W), image (3, H, W)."""
    (_, height, width), image = unary.shape, image.numpy()
    pixels = [(y, x) for y in range(height) for x in range(width)]
    weights = []
    for kernel in (gaussian, bilateral):
        matrix = np.zeros((len(pixels),) * 2)
        for i, (y, x) in enumerate(pixels):
            for j, (v, u) in enumerate(pixels):
                exponent = ((y - v) ** 2 + (x - u) ** 2) / (2 * kernel.sxy**2)
                if isinstance(kernel, Bilateral):
                    colour = ((255 * (image[:, y, x] - image[:, v, u])) ** 2).sum()
                    exponent += float(colour) / (2 * kernel.srgb**2)
                matrix[i, j] = math.exp(-exponent)
        scale = 1 / np.sqrt(matrix.sum(1))
        weights.append(kernel.compat * scale[:, None] * matrix * scale[None])
    weight = sum(weights)
    energy = unary.flatten(1).numpy()
    belief = np.exp(-energy) / np.exp(-energy).sum(0)
    for _ in range(iterations):
        score = -energy.copy()
        for i in range(len(pixels)):
            for j in range(len(pixels)):
                score[:, i] += weight[i, j] * belief[:, j]
        belief = np.exp(score) / np.exp(score).sum(0)
    return torch.from_numpy(belief).view(unary.shape), weight


def test_equals_the_definition(picture):
    unary, images = picture
    found = mean_field(unary, images, GAUSSIAN, BILATERAL, iterations=3)
    for number in range(2):
        expected, _ = by_definition(unary[number], images[number], GAUSSIAN, BILATERAL, 3)
        torch.testing.assert_close(found[number], expected, rtol=0, atol=1e-12)


def test_a_kernel_that_is_not_kept_gives_the_same(picture, monkeypatch):
    unary, images = picture
    kept = mean_field(unary, images, None, BILATERAL, iterations=3)
    monkeypatch.setattr(kernels, "KEPT", 0)
    monkeypatch.setattr(kernels, "CHUNK", {"cpu": 60})  # 3 of 20 rows at a time
    torch.testing.assert_close(mean_field(unary, images, None, BILATERAL, iterations=3), kept, rtol=0, atol=1e-12)


def test_the_gaussian_kernel_is_exact():
    values = torch.randn(6 * 50, 3, dtype=torch.float64)
    expected = ExactKernel(place_features((6, 50), 2.0), values)(values)
    torch.testing.assert_close(GaussianKernel((6, 50), 2.0, values)(values), expected)


def test_float32_stays_near_float64():
    generator = torch.Generator().manual_seed(2)
    unary, image = torch.randn(1, 4, 24, 24, generator=generator), torch.rand(1, 3, 24, 24, generator=generator)
    found = mean_field(unary, image, iterations=10)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), mean_field(unary.double(), image.double()), rtol=0, atol=1e-4)


def test_noise_is_removed_and_the_energy_falls(two_regions):
    truth, image, probability = two_regions
    bilateral, gaussian = Bilateral(sxy=8.0, srgb=20.0, compat=5.0), Gaussian(sxy=1.0, compat=1.0)
    before, after = probability.argmax(1), mean_field(negative_log(probability), image, gaussian, bilateral).argmax(1)
    assert 0.25 < (before != truth).double().mean() < 0.4
    assert torch.equal(after, truth)
    _, weight = by_definition(negative_log(probability)[0].double(), image[0].double(), gaussian, bilateral, 0)

    def energy(label):
        own = negative_log(probability).gather(1, label[:, None]).sum()
        flat = label.flatten().numpy()
        return float(own) + 0.5 * (weight * (flat[:, None] != flat[None])).sum()

    assert energy(after) < energy(before)


@pytest.mark.parametrize("exact", [True, False])
def test_nothing_known_stays_nothing_known(picture, exact):
    _, images = picture
    found = mean_field(torch.full((2, 3, 5, 4), 7.0), images, exact=exact)
    torch.testing.assert_close(found, torch.full((2, 3, 5, 4), 1 / 3), rtol=0, atol=1e-5)


@pytest.mark.parametrize("exact", [True, False])
def test_names_of_labels_do_not_matter(picture, exact):
    unary, images = picture
    order = [2, 0, 1]
    found = mean_field(unary[:, order], images, exact=exact)
    torch.testing.assert_close(found, mean_field(unary, images, exact=exact)[:, order])


def test_an_image_does_not_see_the_others(picture):
    unary, images = picture
    together = mean_field(unary, images)
    for number in range(2):
        alone = mean_field(unary[number : number + 1], images[number : number + 1])
        torch.testing.assert_close(together[number : number + 1], alone)


def test_no_iteration_or_no_kernel_is_a_softmax(picture):
    unary, images = picture
    torch.testing.assert_close(mean_field(unary, images, iterations=0), (-unary).softmax(1))
    torch.testing.assert_close(mean_field(unary, images, None, None), (-unary).softmax(1))


def test_no_gradient_and_no_half_precision(picture):
    unary, images = (tensor.float() for tensor in picture)
    assert not mean_field(unary.requires_grad_(), images).requires_grad
    expected = mean_field(unary.bfloat16().float(), images)
    with torch.autocast("cpu", torch.bfloat16):
        found = mean_field(unary.bfloat16(), images)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected)


def test_unaries():
    saliency = torch.tensor([0.0, 0.25, 1.0], dtype=torch.float64).view(1, 1, 1, 3)
    energy = saliency_energy(saliency)
    for column, p in enumerate((0.0, 0.25, 1.0)):
        for label, q in enumerate((1 - p, p)):
            expected = -math.log(q + 1e-8) / (1.05 / (1 + math.exp(-q)))
            assert float(energy[0, label, 0, column]) == pytest.approx(expected, abs=1e-9)
    assert torch.equal(negative_probability(saliency), -saliency)
    assert float(negative_log(saliency)[0, 0, 0, 0]) == pytest.approx(-math.log(1e-5))
    with pytest.raises(ValueError, match=r"expected \(B, 1, H, W\)"):
        saliency_energy(energy)


def test_one_iteration_on_saliency_keeps_what_is_sure(two_regions):
    truth, image, _ = two_regions
    saliency = torch.where(truth == 1, 0.9, 0.1)[:, None].float()
    saliency[0, 0, 5, 3] = 0.6  # a spot without anything to see
    found = mean_field(saliency_energy(saliency), image, Gaussian(3, 3), Bilateral(60, 5, 5), iterations=1)
    assert torch.equal(found.argmax(1), truth)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": torch.zeros(2, 3, 4, 5)}, r"expected \(B, C, H, W\) and \(B, 3, H, W\)"),
        ({"unary": torch.full((2, 3, 5, 4), math.inf)}, "not finite"),
        ({"bilateral": Bilateral(srgb=0.0)}, "srgb of Bilateral"),
        ({"gaussian": Gaussian(sxy=-1.0)}, "sxy of Gaussian"),
    ],
)
def test_bad_input(picture, change, message):
    arguments = {"unary": picture[0], "images": picture[1]} | change
    with pytest.raises(ValueError, match=message):
        mean_field(**arguments)
