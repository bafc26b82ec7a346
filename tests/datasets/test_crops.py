"""Crops, colour noise and copies: what they keep, what they draw, and that one setting never shifts another."""

import colorsys

import numpy as np
import pytest
import torch

from labelkit.datasets.crops import Copies, InceptionCrop, hsv_noise, hsv_to_rgb, rgb_to_hsv


def sample(height=40, width=60):
    return {"image": torch.rand(3, height, width, generator=torch.Generator().manual_seed(0)), "label": 3}


def rng(seed=0):
    return np.random.default_rng(seed)


def test_a_crop_has_the_size_asked_for_and_keeps_the_rest_of_the_sample():
    cut = InceptionCrop(32, 24)(sample(), rng())
    assert cut["image"].shape == (3, 32, 24) and cut["label"] == 3
    assert cut["image"].min() >= 0 and cut["image"].max() <= 1


def test_the_part_has_the_area_and_the_aspect_asked_for():
    crop, generator = InceptionCrop(32, 32, area=(0.2, 0.5), aspect=(0.75, 1.33)), rng()
    boxes = np.array([crop.box(400, 600, generator.random((10, 4))) for _ in range(300)])
    share, ratio = boxes[:, 2] * boxes[:, 3] / (400 * 600), boxes[:, 3] / boxes[:, 2]
    assert share.min() > 0.195 and share.max() < 0.505 and ratio.min() > 0.74 and ratio.max() < 1.34
    assert share.min() < 0.25 and share.max() > 0.45 and ratio.min() < 0.85 and ratio.max() > 1.2
    assert (boxes[:, :2] >= 0).all() and (boxes[:, 0] + boxes[:, 2]).max() <= 400
    assert (boxes[:, 1] + boxes[:, 3]).max() <= 600


def test_a_part_that_never_fits_is_the_whole_image():
    crop = InceptionCrop(8, 8, area=(1.0, 1.0), aspect=(0.75, 0.75))
    assert crop.box(10, 10, rng().random((10, 4))) == (0, 0, 10, 10)


def test_the_whole_image_unflipped_is_the_image():
    crop = InceptionCrop(40, 40, area=(1.0, 1.0), aspect=(1.0, 1.0), flip=0.0)
    assert torch.equal(crop(sample(40, 40), rng())["image"], sample(40, 40)["image"])


def test_settings_do_not_shift_the_draws_of_others():
    plain, flipped = (InceptionCrop(16, 16, flip=flip)(sample(), rng(5))["image"] for flip in (0.0, 1.0))
    assert torch.equal(plain.flip(-1), flipped)
    noisy = InceptionCrop(16, 16, flip=0.0, colour_noise=True)(sample(), rng(5))["image"]
    after, before = rgb_to_hsv(noisy[None])[0, 2], rgb_to_hsv(plain[None])[0, 2]
    assert not torch.equal(noisy, plain)
    # The same part: noise is monotone in the value, so the brightest pixel stays the brightest.
    assert after.flatten()[before.argmax()] == after.max() and after.flatten()[before.argmin()] == after.min()


def test_hue_saturation_value_as_the_standard_library():
    images = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(1))
    images[0, :, 0, 0], images[1, :, 0, 0] = 0.0, 0.3  # black and grey
    hsv = rgb_to_hsv(images)
    for b in range(2):
        for i in range(4):
            for j in range(5):
                expected = colorsys.rgb_to_hsv(*images[b, :, i, j].tolist())
                torch.testing.assert_close(hsv[b, :, i, j], torch.tensor(expected), rtol=0, atol=1e-6)
    torch.testing.assert_close(hsv_to_rgb(hsv), images, rtol=0, atol=1e-6)


def test_noise_without_spread_keeps_the_image_and_extremes_stay_in_range():
    images = torch.rand(2, 3, 6, 6, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(hsv_noise(images, torch.full((2, 7), 0.5)), images, rtol=0, atol=1e-5)
    for extreme in (0.0, 1.0):
        changed = hsv_noise(images, torch.full((2, 7), extreme))
        assert changed.min() >= 0 and changed.max() <= 1 and (changed - images).abs().max() > 0.1


def test_copies_differ_and_repeat_with_their_generator():
    copies = Copies(InceptionCrop(16, 16, colour_noise=True), 4)
    first, again, other = (copies(sample(), rng(seed))["image"] for seed in (1, 1, 2))
    assert first.shape == (4, 3, 16, 16) and torch.equal(first, again) and not torch.equal(first, other)
    assert all(not torch.equal(first[0], copy) for copy in first[1:])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: InceptionCrop(8, 8, area=(0.5, 0.2)), "area is"),
        (lambda: InceptionCrop(8, 8, area=(0.0, 1.0)), "area is"),
        (lambda: InceptionCrop(8, 8, aspect=(1.0,)), "aspect is"),
        (lambda: Copies(InceptionCrop(8, 8), 1), "count is 1"),
    ],
)
def test_bad_options(make, message):
    with pytest.raises(ValueError, match=message):
        make()
