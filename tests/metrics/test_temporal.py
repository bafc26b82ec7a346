"""The share of flipping pixels, by hand."""

import math

import pytest
import torch

from labelkit.metrics.temporal import TemporalConsistency, flipped


def test_only_visible_pixels_with_a_prediction_count():
    current = torch.tensor([[0, 1, 2], [0, 255, 1]])
    carried = torch.tensor([[0, 2, 1], [1, 0, 255]])
    visible = torch.tensor([[True, True, False], [True, True, True]])
    changed, counted = flipped(current, carried, visible)
    assert counted.tolist() == [[True, True, False], [True, False, False]]
    assert changed.tolist() == [[False, True, False], [True, False, False]]


def test_counts_are_pooled_before_dividing():
    metric = TemporalConsistency()
    assert math.isnan(metric.summary()["flips"])
    yes = torch.ones(1, 4, dtype=torch.bool)
    first = metric.update(torch.tensor([[0, 0, 0, 1]]), torch.zeros(1, 4, dtype=torch.long), yes)
    second = metric.update(torch.ones(1, 2), torch.zeros(1, 2), torch.tensor([[True, False]]))
    assert (first, second) == (0.25, 1.0)
    assert metric.summary() == pytest.approx({"flips": 2 / 5, "consistency": 3 / 5, "counted": 5 / 6})
    assert math.isnan(metric.update(torch.ones(1), torch.ones(1), torch.zeros(1, dtype=torch.bool)))


def test_what_does_not_fit_is_refused():
    labels = torch.zeros(2, 3, dtype=torch.long)
    with pytest.raises(ValueError, match="expected one shape"):
        flipped(labels, labels[:1], labels == 0)
    with pytest.raises(ValueError, match="expected bool"):
        flipped(labels, labels, labels)
