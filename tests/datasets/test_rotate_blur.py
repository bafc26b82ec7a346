"""Rotation and blur: image and mask turn together, what comes from outside is ignored, draws never shift."""

import numpy as np
import pytest
import torch

from labelkit.datasets.augment import RandomScaleCropFlip
from labelkit.datasets.rotate_blur import Compose, RandomBlur, RandomRotation, _grid

MEAN = torch.tensor([0.485, 0.456, 0.406])


def sample(height=40, width=60, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mask = torch.randint(0, 5, (height // 10, width // 10), generator=generator)
    mask = mask.repeat_interleave(10, 0).repeat_interleave(10, 1)
    image = mask[None].expand(3, -1, -1) / 5  # the picture shows the label
    return {"image": image.clone(), "mask": mask, "name": "a"}


class Fixed:
    """A generator that draws given numbers."""

    def __init__(self, *numbers):
        self.numbers = np.array(numbers)

    def random(self, size=None):
        return self.numbers[0] if size is None else self.numbers[:size]


def test_image_and_mask_turn_together():
    turned = RandomRotation(1.0)(sample(), Fixed(0.0, 1.0))  # by 10 degrees
    shown = (turned["image"][0] * 5).round().to(torch.int64)
    known = turned["mask"] != 255
    assert 0.8 < known.float().mean() < 1
    assert (shown == turned["mask"])[known].float().mean() > 0.93  # but for blended borders
    assert turned["name"] == "a" and turned["mask"].dtype == torch.int64


def test_what_comes_from_outside_is_mean_and_ignored():
    turned = RandomRotation(1.0)(sample(), Fixed(0.0, 1.0))
    corner = turned["image"][:, 0, 0]
    torch.testing.assert_close(corner, MEAN)
    assert turned["mask"][0, 0] == 255 and turned["mask"][20, 30] != 255


def test_no_angle_changes_nothing_and_opposite_angles_cancel():
    made = sample()
    still = RandomRotation(1.0)(made, Fixed(0.0, 0.5))
    torch.testing.assert_close(still["image"], made["image"], atol=1e-5, rtol=0)
    assert torch.equal(still["mask"], made["mask"])
    there = RandomRotation(1.0)(made, Fixed(0.0, 0.9))
    back = RandomRotation(1.0)(there, Fixed(0.0, 0.1))
    inner = (slice(12, 28), slice(18, 42))
    assert (back["mask"][inner] == made["mask"][inner]).float().mean() > 0.85


def test_a_quarter_turn_of_a_square_is_exact():
    image = torch.rand(1, 1, 8, 8)
    turned = torch.nn.functional.grid_sample(image, _grid(np.pi / 2, 8, 8), align_corners=False)
    expected = [image.rot90(k, (2, 3)) for k in (1, 3)]
    assert any(torch.allclose(turned, other, atol=1e-5) for other in expected)


def test_angles_are_in_range_and_keep_the_aspect():
    """The grid's inner points stay within a disc: a rotation, not a shear, on a picture that is not square."""
    grid = _grid(np.deg2rad(10), 40, 60)[0] * torch.tensor([60.0, 40.0]) / 2  # in pixels from the centre
    still = _grid(0.0, 40, 60)[0] * torch.tensor([60.0, 40.0]) / 2
    torch.testing.assert_close(grid.norm(dim=-1), still.norm(dim=-1), atol=1e-3, rtol=0)


def test_probability_0_and_draws():
    made = sample()
    assert RandomRotation(0.0)(made, np.random.default_rng(0)) is made
    assert RandomBlur(0.0)(made, np.random.default_rng(0)) is made
    states = []
    for probability in (0.0, 1.0):
        rng = np.random.default_rng(0)
        Compose(RandomRotation(probability), RandomBlur(probability))(made, rng)
        states.append(rng.random())
    assert states[0] == states[1]


def test_blur_leaves_mask_and_mean_and_smooths():
    made = sample()
    blurred = RandomBlur(1.0)(made, Fixed(0.0))
    assert blurred["mask"] is made["mask"] and blurred["image"].shape == made["image"].shape
    assert blurred["image"].diff(dim=-1).abs().max() < 0.5 * made["image"].diff(dim=-1).abs().max()
    flat = {"image": torch.full((3, 9, 9), 0.3)}
    torch.testing.assert_close(RandomBlur(1.0)(flat, Fixed(0.0))["image"], flat["image"])


def test_blur_of_a_point_is_the_gaussian():
    point = torch.zeros(3, 11, 11)
    point[:, 5, 5] = 1
    taps = np.exp(-0.5 * (np.arange(-2, 3) / 1.1) ** 2)
    taps /= taps.sum()
    blurred = RandomBlur(1.0)({"image": point}, Fixed(0.0))["image"][0, 3:8, 3:8]
    np.testing.assert_allclose(blurred.numpy(), np.outer(taps, taps), atol=1e-6)


def test_in_front_of_resize_and_crop():
    chain = Compose(RandomRotation(0.5), RandomBlur(0.5), RandomScaleCropFlip(24, 32, [0.5, 1.5], continuous=True))
    for seed in range(6):
        first, second = (chain(sample(), np.random.default_rng(seed)) for _ in range(2))
        assert first["image"].shape == (3, 24, 32) and first["mask"].shape == (24, 32)
        assert torch.equal(first["image"], second["image"]) and torch.equal(first["mask"], second["mask"])
        assert set(first["mask"].unique().tolist()) <= {0, 1, 2, 3, 4, 255}
        assert first["image"].min() >= -1e-6 and first["image"].max() <= 1 + 1e-6


@pytest.mark.parametrize("make", [RandomRotation, RandomBlur])
def test_a_sample_without_a_mask(make):
    image = {"image": torch.rand(3, 20, 30)}
    assert set(make(1.0)(image, np.random.default_rng(0))) == {"image"}
