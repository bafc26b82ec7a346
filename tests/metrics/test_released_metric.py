"""The authors' metric of CycleGAN: one class cut out of the confusion matrix, beside the usual IoU."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labelkit.metrics.confusion import ConfusionMatrix
from labelkit.metrics.released import released_iou, released_miou


def filled(rows):
    confusion = ConfusionMatrix(len(rows))
    confusion.matrix = torch.tensor(rows, dtype=torch.int64)
    return confusion


def test_by_hand():
    confusion = filled([[50, 4, 6], [5, 20, 5], [10, 0, 30]])
    # Without row and column 0: class 1 has 20 hits, 5 and 0 confusions; class 2 has 30 hits, 0 and 5.
    assert released_iou(confusion, 0).tolist() == pytest.approx([20 / 25, 30 / 35])
    assert released_miou(confusion, 0) == pytest.approx((20 / 25 + 30 / 35) / 2)
    assert confusion.iou()[1:].tolist() == pytest.approx([20 / 34, 30 / 51])


def test_dropping_nothing_is_the_usual_metric():
    confusion = filled([[5, 1, 0], [2, 3, 0], [0, 0, 0]])
    torch.testing.assert_close(released_iou(confusion, None), confusion.iou(), equal_nan=True)
    assert released_miou(confusion, None) == confusion.miou()


matrices = st.integers(2, 6).flatmap(
    lambda n: st.lists(st.lists(st.integers(0, 50), min_size=n, max_size=n), min_size=n, max_size=n)
)


@settings(max_examples=200, deadline=None)
@given(rows=matrices, data=st.data())
def test_no_remaining_class_loses(rows, data):
    """G4: on the same predictions no class that is left scores less, and those confused with the dropped one more."""
    confusion = filled(rows)
    dropped = data.draw(st.integers(0, len(rows) - 1))
    kept = [label for label in range(len(rows)) if label != dropped]
    usual, cut = confusion.iou()[kept], released_iou(confusion, dropped)
    for label, before, after in zip(kept, usual.tolist(), cut.tolist()):
        hits = rows[label][label]
        confused = rows[label][dropped] + rows[dropped][label]
        if hits and confused:
            assert after > before
        elif hits:
            assert after == pytest.approx(before)
        else:
            assert not after > 0  # 0, or NaN where nothing is left of the class


@pytest.mark.parametrize("dropped", [-1, 3, 255])
def test_a_class_that_is_none(dropped):
    with pytest.raises(ValueError, match=rf"dropped is {dropped}; expected a class of 0..2, or None"):
        released_iou(filled([[1, 0, 0]] * 3), dropped)
