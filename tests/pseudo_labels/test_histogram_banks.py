"""Banks of confidences: their order statistics equal those of a sort, whatever the ties, in either precision."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from labelkit.pseudo_labels.histograms import PATTERNS, Float16Bank, Float32Bank, bank_of

CLASSES = 4


def made(seed, dtype=np.float16, maps=3, power=0.02, ignored=0.0):
    """Maps with many ties near 1."""
    rng = np.random.default_rng(seed)
    pairs = []
    for _ in range(maps):
        confidence = (rng.random((13, 17)) ** power).astype(dtype)
        classes = rng.integers(0, CLASSES - 1, (13, 17)).astype(np.uint8)  # the last class is never predicted
        classes[rng.random((13, 17)) < ignored] = 255
        pairs.append((confidence, classes))
    return pairs


def by_sorting(maps, label=None):
    confidence, classes = (np.concatenate([pair[place].ravel() for pair in maps]) for place in (0, 1))
    there = classes != 255 if label is None else classes == label
    return np.sort(confidence[there].astype(np.float64))[::-1]


def check(cut, maps, ranks):
    for label, rank in enumerate(ranks):
        ordered = by_sorting(maps, label)
        if rank == 0 or len(ordered) == 0:
            assert cut.thresholds[label] == np.inf and cut.kept[label] == 0
        else:
            assert cut.thresholds[label] == ordered[min(rank, len(ordered)) - 1]
            assert cut.kept[label] == (ordered >= cut.thresholds[label]).sum()


@limits(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    ranks=st.lists(st.integers(0, 400), min_size=CLASSES, max_size=CLASSES),
    dtype=st.sampled_from([np.float16, np.float32]),
    power=st.sampled_from([0.0, 1e-4, 0.02, 1.0]),
)
def test_thresholds_equal_those_of_a_sort(seed, ranks, dtype, power):
    maps = made(seed, dtype, power=power, ignored=0.1)
    check(bank_of(maps, CLASSES, dtype).kth_largest(ranks, maps), maps, ranks)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("rank", [0, 1, 200, 10**6])
def test_one_threshold_for_all_classes(dtype, rank):
    maps = made(1, dtype, ignored=0.2)
    cut = bank_of(maps, CLASSES, dtype).kth_largest_of_all(rank, maps)
    ordered = by_sorting(maps)
    expected = ordered[min(rank, len(ordered)) - 1] if rank else np.inf
    assert (cut.thresholds == expected).all()
    assert cut.kept.sum() == (ordered >= expected).sum()
    assert [cut.kept[c] for c in range(CLASSES)] == [(by_sorting(maps, c) >= expected).sum() for c in range(CLASSES)]


def test_every_number_of_the_type_between_0_and_1_has_a_place():
    values = np.arange(PATTERNS, dtype=np.uint16).view(np.float16)
    assert values[0] == 0 and values[-1] == 1 and (np.diff(values.astype(np.float64)) > 0).all()
    bank = Float16Bank(1)
    bank.add(values, np.zeros(PATTERNS, dtype=np.uint8))
    assert (bank.counts == 1).all()
    assert bank.kept(np.array([0.5]))[0] == (values >= 0.5).sum()


def test_a_bank_does_not_grow():
    bank = Float16Bank(CLASSES)
    before = bank.counts.nbytes
    for pair in made(0, maps=20):
        bank.add(*pair)
    assert bank.counts.nbytes == before and bank.pixels == 20 * 13 * 17


def test_an_empty_bank_gives_nothing():
    for bank, again in ((Float16Bank(2), None), (Float32Bank(2), [])):
        cut = bank.kth_largest([0, 5], again)
        assert (cut.thresholds == np.inf).all() and (cut.kept == 0).all()


@pytest.mark.parametrize(
    ("confidence", "classes", "message"),
    [
        (np.float16([0.5, np.nan]), np.uint8([0, 1]), "outside 0..1"),
        (np.float16([0.5, -0.1]), np.uint8([0, 1]), "outside 0..1"),
        (np.float16([0.5, 1.1]), np.uint8([0, 1]), "outside 0..1"),
        (np.float16([0.5, 0.5]), np.uint8([0, 9]), r"class 9; expected 0..3"),
        (np.float32([0.5, 0.5]), np.uint8([0, 1]), "float32 confidences"),
        (np.float16([0.5]), np.uint8([0, 1]), "expected one shape"),
    ],
)
def test_bad_maps_are_named_and_not_counted(confidence, classes, message):
    bank = Float16Bank(CLASSES)
    with pytest.raises(ValueError, match=message):
        bank.add(confidence, classes)
    assert bank.counts.sum() == 0


def test_float32_needs_the_maps_twice():
    with pytest.raises(ValueError, match="second time"):
        bank_of(made(0, np.float32), CLASSES, np.float32).kth_largest([1] * CLASSES)
