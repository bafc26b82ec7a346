"""Quality of maps at all thresholds at once, against a loop over thresholds; quality of finished labels."""

import pytest
import torch

from labelkit.metrics.confusion import ConfusionMatrix
from labelkit.pseudo_labels.activation_maps import normalise
from labelkit.pseudo_labels.map_quality import LabelQuality, MapQuality

CLASSES = 3  # of the foreground


def case(seed=0, images=4, size=12, dtype=torch.float32):
    """maps, tags, truth and parts; the last image has no tag."""
    generator = torch.Generator().manual_seed(seed)
    tags = (torch.rand(images, CLASSES, generator=generator) < 0.7).float()
    tags[0], tags[-1] = torch.tensor([1.0, 1.0, 0.0]), 0.0
    truth = torch.randint(0, CLASSES + 1, (images, size, size), generator=generator)
    truth = torch.where(
        (truth > 0) & (tags.gather(1, (truth - 1).clamp(min=0).flatten(1)).view_as(truth) == 0), 0, truth
    )
    truth[:, 0] = 255
    raw = torch.randn(images, CLASSES, size, size, generator=generator)
    for number in range(CLASSES):
        raw[:, number] += 1.5 * (truth == number + 1)
    parts = torch.randint(0, 3, truth.shape, generator=generator)
    return normalise(raw.to(dtype)), tags, truth, parts


def labels_at(maps, tags, threshold):
    largest, label = (maps * tags[:, :, None, None]).max(1)
    return torch.where(largest > threshold, label + 1, 0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("seed", range(3))
def test_equals_a_loop_over_thresholds(seed, dtype):
    maps, tags, truth, parts = case(seed, dtype=dtype)
    quality = MapQuality(CLASSES)
    for part in (slice(0, 1), slice(1, 4)):  # in two updates
        quality.update(maps[part], tags[part], truth[part], parts[part])
    curves = quality.curves()
    known, objects = truth != 255, (truth > 0) & (truth != 255)
    for index in range(100):
        threshold = index / 100
        assert float(curves["threshold"][index]) == threshold
        label = labels_at(maps, tags, threshold)
        matrix = ConfusionMatrix(CLASSES + 1)
        matrix.update(label, truth)
        right = (label == truth) & objects
        expected = {
            "miou": matrix.miou(),
            "precision": right.sum() / (known & (label > 0)).sum(),
            "recall": right.sum() / objects.sum(),
            "recall_part": (right & (parts == 1)).sum() / (objects & (parts == 1)).sum(),
            "recall_body": (right & (parts == 2)).sum() / (objects & (parts == 2)).sum(),
        }
        for name, value in expected.items():
            assert float(curves[name][index]) == pytest.approx(float(value), abs=1e-6, nan_ok=True), (name, threshold)


def test_summary_reads_the_curves():
    maps, tags, truth, parts = case()
    quality = MapQuality(CLASSES)
    quality.update(maps, tags, truth, parts)
    curves, summary = quality.curves(), quality.summary()
    best = round(100 * summary["threshold_best"])
    assert summary["miou_best"] == float(curves["miou"].max()) == float(curves["miou"][best])
    assert summary["recall_part"] == float(curves["recall_part"][best])
    assert list(summary["miou_at"])[:2] == ["0.05", "0.10"] and len(summary["miou_at"]) == 19
    assert summary["recall_at"]["0.35"] == float(curves["recall"][35])
    precise = [float(r) for p, r in zip(curves["precision"], curves["recall"]) if p >= 0.8]
    assert summary["recall_at_precision_80"] == max(precise, default=0.0)
    without = MapQuality(CLASSES)
    without.update(maps, tags, truth)
    assert without.summary() == {k: v for k, v in summary.items() if k not in ("recall_part", "recall_body")}


def test_perfect_maps():
    _, tags, truth, _ = case()
    maps = torch.stack([(truth == number + 1).float() for number in range(CLASSES)], 1)
    quality = MapQuality(CLASSES)
    quality.update(maps, tags, truth)
    summary = quality.summary()
    assert summary["miou_best"] == summary["recall_at_precision_80"] == 1.0
    assert set(summary["precision_at"].values()) == {1.0}


def test_all_zero_maps_find_nothing():
    _, tags, truth, _ = case()
    quality = MapQuality(CLASSES)
    quality.update(torch.zeros(4, CLASSES, 12, 12), tags, truth)
    summary = quality.summary()
    assert summary["recall_at_precision_80"] == 0.0
    assert set(summary["recall_at"].values()) == {0.0} and set(summary["precision_at"].values()) == {None}
    background = (truth == 0).sum() / (truth != 255).sum()
    assert summary["miou_best"] == pytest.approx(float(background) / (CLASSES + 1))


def test_absent_classes_do_not_count_however_high_their_maps():
    maps, tags, truth, _ = case()
    loud = torch.where(tags[:, :, None, None] > 0, maps, torch.ones_like(maps))
    found = []
    for given in (maps, loud):
        quality = MapQuality(CLASSES)
        quality.update(given, tags, truth)
        found.append(quality.summary())
    assert found[0] == found[1]


def test_bfloat16_maps_are_compared_with_the_thresholds_themselves():
    maps, tags, truth, _ = case()
    found = []
    for given in (maps.bfloat16(), maps.bfloat16().float()):
        quality = MapQuality(CLASSES)
        quality.update(given, tags, truth)
        found.append(quality.summary())
    assert found[0] == found[1]


def test_bad_maps():
    maps, tags, truth, parts = case()
    quality = MapQuality(CLASSES)
    with pytest.raises(ValueError, match="no pixel"):
        quality.summary()
    with pytest.raises(ValueError, match=r"expected \(B, 3, H, W\)"):
        quality.update(maps[:, :2], tags, truth)
    with pytest.raises(ValueError, match="parts has shape"):
        quality.update(maps, tags, truth, parts[:, :3])
    with pytest.raises(ValueError, match="truth holds label 9"):
        quality.update(maps, tags, torch.where(truth == 1, 9, truth))
    with pytest.raises(ValueError, match="not finite"):
        quality.update(maps * torch.nan, tags, truth)


def test_labels_by_hand():
    truth = torch.tensor([[0, 0, 0, 1, 1, 1, 2, 2, 255]])
    label = torch.tensor([[0, 0, 255, 1, 255, 2, 2, 0, 1]])
    quality = LabelQuality(4, ("background", "a", "b", "c"))
    quality.update(label[:, :4], truth[:, :4])
    quality.update(label[:, 4:], truth[:, 4:])
    assert quality.summary() == {
        "miou": pytest.approx((2 / 4 + 1 / 3 + 1 / 3) / 3),
        "precision": pytest.approx((1 / 1 + 1 / 2) / 2),
        "recall": pytest.approx((1 / 3 + 1 / 2) / 2),
        "coverage": pytest.approx(6 / 8),
        "iou": {
            "background": pytest.approx(2 / 4),
            "a": pytest.approx(1 / 3),
            "b": pytest.approx(1 / 3),
            "c": None,
        },
    }


def test_an_unsure_pixel_is_a_miss():
    truth = torch.ones(1, 4, 4, dtype=torch.int64)
    sure, unsure = truth.clone(), truth.clone()
    unsure[:, :2] = 255
    found = {}
    for name, labels in (("sure", sure), ("unsure", unsure)):
        quality = LabelQuality(2)
        quality.update(labels, truth)
        found[name] = quality.summary()
    assert found["sure"]["recall"] == 1.0 and found["unsure"]["recall"] == 0.5
    assert found["unsure"]["precision"] == 1.0 and found["unsure"]["iou"]["1"] == 0.5


def test_without_any_label():
    quality = LabelQuality(3)
    quality.update(torch.full((1, 2, 2), 255, dtype=torch.uint8), torch.tensor([[[0, 1], [1, 255]]]))
    summary = quality.summary()
    assert summary["precision"] is None and summary["recall"] == 0.0 and summary["coverage"] == 0.0
    with pytest.raises(ValueError, match="labels hold label 3"):
        quality.update(torch.tensor([3]), torch.tensor([1]))
    with pytest.raises(ValueError, match="expected one shape"):
        quality.update(torch.tensor([1, 1]), torch.tensor([1]))
