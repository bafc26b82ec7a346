"""Accuracy under its two protocols, on predictors whose answers are known."""

import pytest
import torch

from labelkit.metrics.classification import accuracies, classify


class Corners:
    """Four classes: the bright corner of a 4 x 4 image, counted counter-clockwise from the top left."""

    classes = ("top left", "bottom left", "bottom right", "top right")

    def __len__(self):
        return 10

    def __getitem__(self, index):
        image = torch.zeros(3, 4, 4)
        image[:, 0, 0] = 1.0
        label = index % 4
        return {"image": torch.rot90(image, label, (1, 2)), "label": torch.tensor(label)}


def corner_scores(images):
    corners = images[:, 0, [0, 3, 3, 0], [0, 0, 3, 3]]
    return corners + 0.01 * torch.arange(4)


def test_a_perfect_predictor_is_perfect_upright_and_lost_over_four_rotations():
    data = Corners()
    upright = accuracies(*classify(corner_scores, data, batch_size=3), data.classes)
    assert upright["accuracy"] == 1.0 and set(upright["recall"].values()) == {1.0}
    logits, labels = classify(corner_scores, data, "four-rotations")
    turned = accuracies(logits, labels, data.classes)
    # The mean over rotations sees every corner once, so that only the constant preference for the last class is left.
    assert turned["accuracy"] == pytest.approx(2 / 10)
    torch.testing.assert_close(logits, logits[:1].expand_as(logits))


def test_top_five_and_absent_classes():
    logits = torch.arange(7.0).repeat(3, 1)
    found = accuracies(logits, torch.tensor([6, 2, 1]), tuple("abcdefg"))
    assert found["accuracy"] == pytest.approx(1 / 3) and found["accuracy_top5"] == pytest.approx(2 / 3)
    assert found["recall"]["a"] is None and found["recall"]["b"] == 0.0


def test_an_unknown_protocol_is_refused():
    with pytest.raises(ValueError, match="'sideways'"):
        classify(corner_scores, Corners(), "sideways")
