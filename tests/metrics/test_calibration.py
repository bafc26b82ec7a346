"""Calibration: an oracle pixel by pixel, the sum over images, and networks whose calibration is known."""

import pytest
import torch

from labelkit.metrics.calibration import Calibration


def logits_of(confidence, label, classes=4):
    """Logits whose softmax gives ``confidence`` to ``label`` and the rest in equal parts."""
    probabilities = ((1 - confidence) / (classes - 1))[:, None].repeat(1, classes, *[1] * (confidence.dim() - 1))
    return probabilities.scatter(1, label[:, None], confidence[:, None]).log()


def test_the_error_is_that_of_a_loop_over_pixels_and_adds_up_over_images():
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(6, 5, 7, 9, generator=generator)
    masks = torch.randint(0, 5, (6, 7, 9), generator=generator)
    masks[torch.rand(masks.shape, generator=generator) < 0.1] = 255
    whole, parts = Calibration(10), Calibration(10)
    whole.update(logits, masks)
    for image, mask in zip(logits, masks):
        parts.update(image[None], mask[None])
    assert whole.error() == pytest.approx(parts.error(), abs=1e-12)
    bins = [[] for _ in range(10)]
    probability = logits.softmax(1)
    for b, y, x in (masks != 255).nonzero().tolist():
        best = float(probability[b, :, y, x].max())
        right = int(probability[b, :, y, x].argmax()) == int(masks[b, y, x])
        bins[next(i for i in range(10) if best <= (i + 1) / 10)].append((best, right))
    pixels = sum(map(len, bins))
    oracle = sum(abs(sum(r for _, r in held) - sum(c for c, _ in held)) for held in bins) / pixels
    assert whole.error() == pytest.approx(oracle, abs=1e-9)


def test_a_network_that_is_right_as_often_as_it_says_has_no_error_and_a_boaster_has_the_gap():
    confidence = torch.full((1, 100), 0.8)
    label = torch.zeros(1, 100, dtype=torch.int64)
    honest = torch.where(torch.arange(100) < 80, 0, 1)[None]
    boaster = torch.where(torch.arange(100) < 30, 0, 1)[None]
    for truth, gap in ((honest, 0.0), (boaster, 0.5)):
        calibration = Calibration()
        calibration.update(logits_of(confidence, label), truth)
        assert calibration.error() == pytest.approx(gap, abs=1e-6)
        held = [entry for entry in calibration.summary()["bins"].values() if entry["share"]]
        assert len(held) == 1 and held[0]["confidence"] == pytest.approx(0.8, abs=1e-6)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"expected \(B, C"):
        Calibration().update(torch.zeros(2, 3, 4, 4), torch.zeros(2, 5, 4, dtype=torch.int64))
