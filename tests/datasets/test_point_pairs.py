"""Pairs by a class that labelled points show."""

import numpy as np
import pytest

from labelkit.datasets.point_pairs import PairStream, known_classes

KNOWN = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1], [1, 1, 0, 0], [0, 0, 0, 0]], bool)  # class 0 is everywhere


def stream(known=KNOWN, pairs=2, seed=0, **options):
    return PairStream(known, pairs, lambda indices, generator: indices, seed, **options)


def pairs_of(found, steps):
    return [tuple(batch[k : k + 2]) for step in range(steps) for batch in [found[step]] for k in (0, 2)]


def test_only_labelled_points_tell_the_classes():
    labels = [np.array([0, 1, 2, 255]), np.array([3, 3, 1, 0])]
    masks = [np.array([True, False, True, True]), np.array([False, False, True, False])]
    known = known_classes(labels, masks, 4)
    assert known.tolist() == [[True, False, True, False], [False, True, False, False]]
    dense = [np.where(mask, label, 0) for label, mask in zip(labels, masks)]  # other dense labels change nothing
    assert (known_classes(dense, masks, 4) == known).all()


def test_partners_share_a_known_class_where_there_is_one():
    for first, partner in pairs_of(stream(), 40):
        assert first != partner
        if KNOWN[first].any():
            assert (KNOWN[first] & KNOWN[partner]).any()


def test_a_rare_class_brings_clouds_together_as_often_as_a_common_one():
    partners = [partner for first, partner in pairs_of(stream(), 600) if first == 0]
    # Half of the draws take class 1, which only cloud 3 has; the other half one of three clouds with class 0.
    assert len(partners) > 100 and abs(partners.count(3) / len(partners) - (1 / 2 + 1 / 6)) < 0.1


def test_every_cloud_is_first_equally_often():
    firsts = [first for first, _ in pairs_of(stream(), 50)]
    assert np.bincount(firsts).tolist() == [20] * 5


def test_random_partners_are_any_other_cloud_and_firsts_stay_the_same():
    found = pairs_of(stream(partner="random"), 300)
    assert [first for first, _ in found] == [first for first, _ in pairs_of(stream(), 300)]
    partners = np.bincount([partner for first, partner in found if first == 0], minlength=5)
    assert partners[0] == 0 and (partners[1:] > 15).all()


def test_swapped_partners_are_the_same_clouds_in_other_pairs():
    for step in range(20):
        common, swapped = stream()[step], stream(partner="swapped")[step]
        assert swapped == [common[0], common[3], common[2], common[1]]


def test_a_step_gives_the_same_batch_whenever_it_is_asked():
    found = stream(seed=3)
    assert [found[step] for step in (5, 1)] == [stream(seed=3)[step] for step in (5, 1)]
    assert [stream(seed=4)[step] for step in range(5)] != [found[step] for step in range(5)]


def test_processes_share_the_joined_batch():
    halves = [PairStream(KNOWN, 2, lambda i, g: i, 0, rank=rank, world_size=2)[7] for rank in range(2)]
    assert halves[0] + halves[1] == stream()[7]
    parts = PairStream(KNOWN, 2, lambda i, g: i, 0, parts=2)
    assert parts[14] + parts[15] == stream()[7]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: stream(KNOWN[:1]), "a pair needs at least two"),
        (lambda: stream(partner="same"), "partner is 'same'"),
        (lambda: stream(pairs=1, partner="swapped"), "at least two pairs"),
        (lambda: PairStream(KNOWN, 3, list, world_size=2), "shared out evenly"),
        (lambda: PairStream(KNOWN, 2, list, partner="swapped", parts=2), "two pairs a process and part"),
        (lambda: known_classes([np.array([0, 9])], [np.array([True, True])], 4), "label 9"),
        (lambda: known_classes([np.array([0, 9])], [np.array([True])], 4), "as many of each"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()
