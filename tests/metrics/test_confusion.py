"""Confusion matrix and protocols against definitions written out."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labelkit.metrics.confusion import ConfusionMatrix
from labelkit.metrics.protocols import _starts, rarest_third, sliding_window, summary, whole_image


def oracle(prediction, target, classes, ignore):
    matrix = [[0] * classes for _ in range(classes)]
    for p, t in zip(prediction.flatten().tolist(), target.flatten().tolist()):
        if t != ignore:
            matrix[t][p] += 1
    return torch.tensor(matrix)


@given(
    classes=st.integers(1, 9), seed=st.integers(0, 999), dtype=st.sampled_from([torch.uint8, torch.int32, torch.int64])
)
@settings(max_examples=60, deadline=None)
def test_counts_equal_the_definition(classes, seed, dtype):
    generator = torch.Generator().manual_seed(seed)
    confusion, total = ConfusionMatrix(classes), torch.zeros(classes, classes, dtype=torch.int64)
    for _ in range(2):
        prediction = torch.randint(0, classes, (2, 5, 6), generator=generator)
        target = torch.randint(0, classes, (2, 5, 6), generator=generator)
        target[torch.rand(target.shape, generator=generator) < 0.3] = 255
        confusion.update(prediction.to(dtype), target.to(dtype))
        total += oracle(prediction, target, classes, 255)
    assert torch.equal(confusion.matrix, total)


def test_iou_of_a_hand_made_case():
    confusion = ConfusionMatrix(4)
    confusion.update(torch.tensor([0, 0, 1, 2, 0]), torch.tensor([0, 1, 1, 255, 2]))
    # class 0: 1 hit, 3 predicted, 1 true: 1/3; class 1: 1 hit, 1 predicted, 2 true: 1/2; 2: never hit; 3: nowhere
    assert confusion.iou()[:3].tolist() == pytest.approx([1 / 3, 1 / 2, 0.0])
    assert math.isnan(confusion.iou()[3])
    assert confusion.miou() == pytest.approx((1 / 3 + 1 / 2 + 0) / 3)
    assert confusion.accuracy() == pytest.approx(2 / 4)


@pytest.mark.parametrize(
    ("prediction", "target", "message"),
    [
        ([3], [0], r"prediction holds label 3; expected 0\.\.2"),
        ([0], [7], "target holds label 7"),
        ([0], [-1], "label -1"),
    ],
)
def test_labels_outside_the_list_are_named_and_not_counted(prediction, target, message):
    confusion = ConfusionMatrix(3)
    with pytest.raises(ValueError, match=message):
        confusion.update(torch.tensor(prediction), torch.tensor(target))
    assert confusion.matrix.sum() == 0


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"\(2,\) and target \(3,\)"):
        ConfusionMatrix(3).update(torch.zeros(2, dtype=torch.int64), torch.zeros(3, dtype=torch.int64))
    with pytest.raises(ValueError, match="ignore_index 2 is one of the 3 classes"):
        ConfusionMatrix(3, ignore_index=2)


class Coded:
    """Images whose first channel codes the label; predicting it back is exact."""

    classes, ignore_index = ("a", "b", "c"), 255

    def __init__(self, height=13, width=17):
        generator = torch.Generator().manual_seed(0)
        self.masks = torch.randint(0, 3, (5, height, width), generator=generator)

    def __len__(self):
        return len(self.masks)

    def __getitem__(self, index):
        mask = self.masks[index].clone()
        image = (mask / 4).expand(3, -1, -1).clone()
        mask[0, 0] = 255
        return {"image": image, "mask": mask}


def decode(images):
    return torch.nn.functional.one_hot((images[:, 0] * 4).round().long().clamp(0, 2), 3).permute(0, 3, 1, 2).float()


def test_whole_image_counts_every_image_once():
    data = Coded()
    confusion = whole_image(decode, data, batch_size=2)
    assert confusion.miou() == 1.0 and int(confusion.matrix.sum()) == 5 * (13 * 17 - 1)
    assert int(whole_image(decode, data, indices=[1, 3]).matrix.sum()) == 2 * (13 * 17 - 1)


@pytest.mark.parametrize("crop", [4, 8, (13, 17), 32])
def test_sliding_window_covers_the_image_and_adds_logits(crop):
    asked = []

    def predict(images):
        asked.append(tuple(images.shape[-2:]))
        return decode(images)

    confusion = sliding_window(predict, Coded(), crop=crop)
    assert confusion.miou() == 1.0
    assert set(asked) == {(crop, crop) if isinstance(crop, int) else crop}


def test_windows_start_where_the_authors_code_starts_them():
    assert _starts(2048, 800, 1 / 3) == [0, 534, 1068, 1248]  # stride ceil(800 * 2 / 3), the last one at the border
    assert _starts(800, 800, 1 / 3) == [0]


def test_overlapping_windows_are_summed_without_softmax():
    class One:
        classes, ignore_index = ("a", "b"), 255

        def __len__(self):
            return 1

        def __getitem__(self, index):
            return {"image": torch.zeros(3, 1, 6), "mask": torch.zeros(1, 6, dtype=torch.int64)}

    scores = iter(
        [[9.0, 0.0], [0.0, 5.0]]
    )  # the second window alone would say class 1; the sum says class 0 where both see

    def predict(images):
        return torch.tensor(next(scores)).view(1, 2, 1, 1).expand(-1, -1, 1, 4)

    confusion = sliding_window(predict, One(), crop=(1, 4), overlap=0.5)
    assert confusion.matrix.tolist() == [[4, 2], [0, 0]]


def test_summary_names_classes_and_leaves_absent_ones_out():
    confusion = ConfusionMatrix(3)
    confusion.update(torch.tensor([0, 1]), torch.tensor([0, 1]))
    values = summary(confusion, ("a", "b", "c"), rarest=[1, 2])
    assert values["iou"] == {"a": 1.0, "b": 1.0, "c": None} and values["miou_rarest_third"] == 1.0
    assert rarest_third([0.5, 0.1, 0.3, 0.01, 0.05, 0.04]) == [3, 5]
