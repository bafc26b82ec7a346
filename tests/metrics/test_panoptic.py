"""Panoptic quality of images and tubes against the definition in loops, and by hand."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from panoptic_loop import loop_counts

from labelkit.metrics.panoptic import PanopticCounts, pq_counts
from labelkit.metrics.panoptic_pairs import instance_segments, semantic_segments
from labelkit.metrics.panoptic_tubes import VideoPanopticQuality


def blocks(rng, frames, height, width, ids, noise):
    """Blocky maps of ids 0..ids-1; ids come and go from frame to frame."""
    coarse = rng.integers(0, ids, (frames, 3, 4))
    coarse[1:] = np.where(rng.random(coarse[1:].shape) < 0.6, coarse[:1], coarse[1:])
    maps = coarse.repeat(-(-height // 3), 1).repeat(-(-width // 4), 2)[:, :height, :width]
    return np.where(rng.random(maps.shape) < noise, rng.integers(0, ids, maps.shape), maps)


def random_clip(seed, changing):
    """Truth, tables, prediction, tables, classes, crowds. `changing`: a table a frame, with classes that wander."""
    rng = np.random.default_rng(seed)
    num_classes, frames, ids = int(rng.integers(1, 5)), int(rng.integers(1, 7)), int(rng.integers(1, 9))
    height, width = (int(side) for side in rng.integers(3, 10, 2))
    truth = blocks(rng, frames, height, width, ids, 0.1)
    guess = np.where(rng.random(truth.shape) < rng.random(), blocks(rng, frames, height, width, ids, 0.1), truth)
    scale = int(rng.choice([1, 300, 70_000, 2**33]))  # official ids are colours, ours may be anything

    def tables():
        fixed = {scale * each: int(rng.integers(num_classes)) for each in rng.permutation(np.arange(1, ids)).tolist()}
        if not changing:
            return [fixed] * frames
        redraw = lambda label: int(rng.integers(num_classes)) if rng.random() < 0.2 else label  # noqa: E731
        return [{each: redraw(label) for each, label in fixed.items()} for _ in range(frames)]

    true_tables, guess_tables = tables(), tables()
    if rng.random() < 0.5 and not changing:
        guess_tables = true_tables
    crowd = {each for each in true_tables[0] if rng.random() < 0.2}
    crowds = [{each for each in true_tables[0] if rng.random() < 0.2} if changing else crowd for _ in range(frames)]
    return scale * truth, true_tables, scale * guess, guess_tables, num_classes, crowds


@given(seed=st.integers(0, 10**6), changing=st.booleans(), window=st.integers(1, 4))
@settings(max_examples=150, deadline=None)
def test_counts_equal_the_loop(seed, changing, window):
    truth, true_tables, guess, guess_tables, num_classes, crowds = random_clip(seed, changing)
    iou, tp, fp, fn = loop_counts(truth, true_tables, guess, guess_tables, num_classes, crowds, window)
    once = (true_tables, guess_tables, crowds) if changing else (true_tables[0], guess_tables[0], crowds[0])
    ours = pq_counts(truth, once[0], guess, once[1], num_classes, crowd=once[2], window=window)
    assert [ours.tp.tolist(), ours.fp.tolist(), ours.fn.tolist()] == [tp, fp, fn]
    assert ours.iou == pytest.approx(iou, abs=1e-12)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_clip_by_clip_equals_pooled_counts(seed):
    metric, pooled = VideoPanopticQuality(4), {}
    for clip in range(3):
        truth, true_tables, guess, guess_tables, _, crowds = random_clip(seed + clip, changing=False)
        metric.update(list(truth), true_tables[0], torch.from_numpy(guess), guess_tables[0], crowds[0])
        for n in (1, 2, 3, 4):
            counts = loop_counts(truth, true_tables, guess, guess_tables, 4, crowds, n)
            pooled[n] = np.array(counts) + pooled.get(n, 0)
    by_k = {}
    for n, (iou, tp, fp, fn) in pooled.items():
        qualities = [i / (t + p / 2 + m / 2) for i, t, p, m in zip(iou, tp, fp, fn) if t + p + m]
        by_k[str(5 * (n - 1))] = sum(qualities) / len(qualities) if qualities else None
    summary = metric.summary("abcd")
    assert metric.clips == 3
    assert summary["vpq_by_k"] == {k: v if v is None else pytest.approx(v, abs=1e-12) for k, v in by_k.items()}
    if None in by_k.values():
        assert summary["vpq"] is None
    else:
        assert summary["vpq"] == pytest.approx(sum(by_k.values()) / 4, abs=1e-12)


def test_an_image_by_hand():
    # Class 0: ids 1 and 2; class 1: id 3. The last row is void in the truth.
    truth = np.array([[1, 1, 1, 2], [1, 1, 1, 2], [3, 3, 3, 3], [0, 0, 0, 0]])
    guess = np.array([[5, 5, 5, 5], [5, 5, 5, 7], [6, 6, 0, 0], [5, 6, 8, 8]])
    counts = pq_counts(truth, {1: 0, 2: 0, 3: 1}, guess, {5: 0, 6: 1, 7: 0, 8: 1}, 3)
    # 5 covers 1 (6 pixels), one pixel of 2 and one of void: 6 / (6 + 7 - 6) = 6/7. 7 covers half of 2: 1/2 is no match.
    # 6 covers half of 3: no match. 8 lies on void: forgiven. So 7 and 6 are wrong, 2 and 3 are missed.
    assert counts.iou.tolist() == [pytest.approx(6 / 7), 0, 0]
    assert [counts.tp.tolist(), counts.fp.tolist(), counts.fn.tolist()] == [[1, 0, 0], [1, 1, 0], [1, 1, 0]]
    assert counts.pq()[:2].tolist() == [pytest.approx(6 / 7 / 2), 0]
    assert (counts.sq()[0], counts.rq()[0]) == (pytest.approx(6 / 7), pytest.approx(1 / 2))
    assert math.isnan(counts.pq()[2]) and counts.seen.tolist() == [True, True, False]
    assert counts.mean() == pytest.approx(6 / 7 / 4)  # the class that occurs nowhere is in no mean
    assert counts.mean(classes=[0]) == pytest.approx(6 / 14) and math.isnan(counts.mean(classes=[2]))


def test_an_identity_switch_costs_the_tubes_and_not_the_images():
    truth = np.ones((4, 2, 2), np.int64)
    guess = np.array([1, 1, 2, 2])[:, None, None] * truth
    metric = VideoPanopticQuality(1)
    metric.update(truth, {1: 0}, guess, {1: 0, 2: 0})
    # k = 0: four matches. k = 5: windows (1, 1), (1, 2), (2, 2); the middle one has no match, two wrong, one missed.
    # k = 10: windows (1, 1, 2) and (1, 2, 2): 2/3 each, one wrong in each. k = 15: no match.
    expected = {"0": 1.0, "5": 2 / (2 + 2 / 2 + 1 / 2), "10": (4 / 3) / (2 + 2 / 2), "15": 0.0}
    assert metric.summary(["thing"])["vpq_by_k"] == pytest.approx(expected)
    assert metric.vpq() == pytest.approx(sum(expected.values()) / 4)


def test_crowd_is_never_missed_and_forgives_its_own_class():
    truth, guess = np.array([[1, 1, 1, 2]]), np.array([[7, 7, 8, 9]])
    own = pq_counts(truth, {1: 0, 2: 1}, guess, {7: 0, 8: 1, 9: 1}, 2, crowd=[1])
    assert [own.tp.tolist(), own.fp.tolist(), own.fn.tolist()] == [[0, 1], [0, 1], [0, 0]]


def test_the_class_of_a_tube_is_that_of_its_first_frame():
    truth = guess = np.ones((2, 1, 2), np.int64)
    tables = [{1: 0}, {1: 1}]
    assert pq_counts(truth, {1: 0}, guess, tables, 2, window=2).tp.tolist() == [1, 0]
    assert pq_counts(truth, {1: 0}, guess, tables, 2, window=1).tp.tolist() == [1, 0]
    assert pq_counts(truth, {1: 1}, guess, tables, 2, window=2).tp.tolist() == [0, 0]


def test_class_maps_become_one_tube_a_class():
    rng = np.random.default_rng(3)
    target, prediction = (blocks(rng, 6, 8, 8, 4, 0.1) for _ in range(2))
    prediction = np.where(rng.random(target.shape) < 0.8, target, prediction)
    target[:, 0] = 255
    metric = VideoPanopticQuality(4, gap=1)
    metric.update_semantic(torch.from_numpy(prediction), torch.from_numpy(target))
    table = {label + 1: label for label in range(4)}
    for n in (1, 4):
        ids = np.where(target == 255, 0, target + 1)
        iou, tp, fp, fn = loop_counts(ids, [table] * 6, prediction + 1, [table] * 6, 4, [()] * 6, n)
        assert metric.counts[n].tp.tolist() == tp and metric.counts[n].iou == pytest.approx(iou)
        assert [metric.counts[n].fp.tolist(), metric.counts[n].fn.tolist()] == [fp, fn]
    assert list(metric.summary("abcd")["vpq_by_k"]) == ["0", "1", "2", "3"]


def test_a_perfect_prediction_scores_one_and_an_unseen_class_nothing():
    ids, classes = semantic_segments(np.array([[[0, 2], [2, 255]]] * 5), 3)
    metric = VideoPanopticQuality(3, frames=5)
    metric.update(ids, classes, ids, classes)
    summary = metric.summary(["a", "b", "c"], things=[1])
    assert (summary["vpq"], summary["pq"], summary["vpq_stuff"], summary["vpq_things"]) == (1, 1, 1, None)
    assert summary["vpq_by_class"] == {"a": 1.0, "b": None, "c": 1.0}


def test_a_clip_shorter_than_a_window_counts_nothing_there():
    ids = np.ones((2, 2, 2), np.int64)
    metric = VideoPanopticQuality(1)
    assert metric.summary(["a"])["vpq"] is None
    metric.update(ids, {1: 0}, ids, {1: 0})
    assert metric.summary(["a"])["vpq_by_k"] == {"0": 1.0, "5": 1.0, "10": None, "15": None}


def test_instances_become_segments():
    labels, instances = np.array([[0, 1, 1, 255]]), np.array([[0, 4, 9, 0]])
    ids, classes = instance_segments(labels, instances, 2)
    assert ids.tolist() == [[1, 2 + 3 * 4, 2 + 3 * 9, 0]] and classes == {1: 0, 14: 1, 29: 1}
    with pytest.raises(ValueError, match="instance 4 spans the classes 0 and 1"):
        instance_segments(labels, np.array([[4, 4, 9, 0]]), 2)
    with pytest.raises(ValueError, match="numbers from 0"):
        instance_segments(labels, instances - 1, 2)


ONE = np.ones((2, 3, 3), np.int64)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((ONE, {1: 0}, ONE[:1], {1: 0}), "2 true and 1 predicted frames"),
        (([ONE[0], ONE[0, :2]], {1: 0}, [ONE[0], ONE[0, :2]], {1: 0}), r"frame 1 of a clip has shape \(2, 3\)"),
        ((ONE, {1: 0}, ONE[:, :2], {1: 0}), r"shape \(3, 3\) and the predicted ones \(2, 3\)"),
        ((ONE, {1: 0}, ONE + 4, {1: 0}), "the predicted segments hold id 5, which has no class"),
        ((ONE - 3, {1: 0}, ONE, {1: 0}), "the true segments hold id -2"),
        ((ONE, {1: 7}, ONE, {1: 0}), r"a true segment has class 7; expected 0\.\.1"),
        ((ONE, {1: 0}, ONE, {1: -1}), "a predicted segment has class -1"),
        ((ONE / 1.0, {1: 0}, ONE, {1: 0}), "is float64; expected integers"),
        ((ONE, [{1: 0}] * 3, ONE, {1: 0}), "3 tables were given for 2 frames"),
    ],
)
def test_clips_that_do_not_fit_are_named_and_not_counted(arguments, message):
    metric = VideoPanopticQuality(2, windows=(1, 2))
    with pytest.raises(ValueError, match=message):
        metric.update(*arguments)
    assert metric.clips == 0 and not metric.counts[1].seen.any()


def test_wrong_settings_and_labels():
    with pytest.raises(ValueError, match="expected one or more lengths"):
        VideoPanopticQuality(2, windows=())
    with pytest.raises(ValueError, match="clips have 3 frames; expected at least 4"):
        VideoPanopticQuality(2, frames=3)
    with pytest.raises(ValueError, match="a clip has 2 labelled frames; expected 6"):
        VideoPanopticQuality(2, frames=6).update(ONE, {1: 0}, ONE, {1: 0})
    with pytest.raises(ValueError, match=r"a label map holds 2; expected 0\.\.1, or 255"):
        VideoPanopticQuality(2).update_semantic(ONE, ONE + 1)
    with pytest.raises(ValueError, match="window is 0"):
        pq_counts(ONE, {1: 0}, ONE, {1: 0}, 2, window=0)
    with pytest.raises(ValueError, match="3 class names were given; expected 2"):
        VideoPanopticQuality(2).summary("abc")


def test_counts_add_up():
    one = pq_counts(ONE, {1: 0}, ONE, {1: 0}, 2)
    total = one + PanopticCounts.zeros(2) + one
    assert total.tp.tolist() == [4, 0] and total.iou.tolist() == [4, 0]
