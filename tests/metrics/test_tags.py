import math

import pytest
import torch

from labelkit.metrics.tags import average_precision, predict_tags, tag_metrics


def test_average_precision_by_hand():
    # ranked: yes, no, yes -> (1/1 + 2/3) / 2
    assert average_precision(torch.tensor([3.0, 2.0, 1.0]), torch.tensor([True, False, True])) == pytest.approx(5 / 6)


def test_equal_scores_give_no_credit_for_their_order():
    truth = torch.tensor([True, False, False, False])
    assert average_precision(torch.zeros(4), truth) == average_precision(torch.zeros(4), truth.flip(0)) == 0.25


def test_a_class_that_never_occurs_is_left_out_of_the_mean():
    logits = torch.tensor([[1.0, -1.0], [-1.0, 5.0]])
    values = tag_metrics(logits, torch.tensor([[1.0, 0.0], [0.0, 0.0]]), ("a", "b"))
    assert values["map"] == 1.0 and values["average_precision"] == {"a": 1.0, "b": None}
    assert math.isnan(average_precision(logits[:, 1], torch.tensor([False, False])))


def test_accuracy_is_told_beside_that_of_always_no():
    tags = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    silent = tag_metrics(-torch.ones(2, 4), tags, "abcd")
    assert silent["tag_accuracy"] == silent["always_no"] == 0.75 and silent["tag_f1"] == 0.0
    perfect = tag_metrics(tags * 2 - 1, tags, "abcd")
    assert perfect["tag_accuracy"] == perfect["tag_f1"] == perfect["map"] == 1.0


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        tag_metrics(torch.zeros(2, 3), torch.zeros(2, 2), ("a", "b"))


def test_prediction_keeps_the_order_of_images_across_batches():
    samples = [{"image": torch.full((3, 2, 2), float(i)), "tags": torch.tensor([float(i % 2)])} for i in range(5)]
    logits, tags = predict_tags(lambda images: images.mean((2, 3))[:, :1], samples, batch_size=2)
    assert logits.flatten().tolist() == [0, 1, 2, 3, 4] and tags.flatten().tolist() == [0, 1, 0, 1, 0]


def test_images_of_a_batch_may_differ_in_size():
    sizes = [(2, 2), (2, 2), (2, 3), (4, 3), (2, 2)]
    samples = [{"image": torch.full((3, *size), float(i)), "tags": torch.zeros(1)} for i, size in enumerate(sizes)]
    seen = []

    def predict(images):
        seen.append(tuple(images.shape))
        return images.mean((2, 3))[:, :1]

    logits, tags = predict_tags(predict, samples, batch_size=2)
    assert logits.flatten().tolist() == [0, 1, 2, 3, 4] and tags.shape == (5, 1)
    assert seen == [(2, 3, 2, 2), (1, 3, 2, 3), (1, 3, 4, 3), (1, 3, 2, 2)]
