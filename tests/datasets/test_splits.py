"""Splits: nested, covering, reproducible, and named by a hash."""

from fractions import Fraction

import numpy as np
import pytest
import torch
import trees
from hypothesis import given, settings
from hypothesis import strategies as st

from labelkit.datasets.folder import ImageMaskFolder
from labelkit.datasets.splits import (
    class_balanced_split,
    class_presence,
    labelled_order,
    labelled_split,
    refuse_overlap,
)

FRACTIONS = ("1/16", "1/8", "1/4", "1/2", "1")


def long_tailed(images: int = 200, classes: int = 8, seed: int = 0) -> np.ndarray:
    """Class c occurs with probability 2^-c, and at least once."""
    rng = np.random.default_rng(seed)
    presence = rng.random((images, classes)) < 0.5 ** np.arange(classes)
    presence[rng.integers(0, images, classes), np.arange(classes)] = True
    return presence


@pytest.mark.parametrize("seed", range(5))
def test_nested_covering_and_complete(seed):
    presence = long_tailed()
    previous: set[int] = set()
    for fraction in FRACTIONS:
        split = labelled_split(presence, fraction, seed)
        assert (split.name, split.seed) == (fraction, seed)
        assert previous <= set(split.labelled)
        assert sorted(split.labelled + split.unlabelled) == list(range(200))
        assert list(split.labelled) == sorted(split.labelled)
        assert presence[list(split.labelled)].any(axis=0).all()
        previous = set(split.labelled)


@pytest.mark.parametrize(
    ("images", "counts"), [(10582, (662, 1323, 2646, 5291)), (2975, (186, 372, 744, 1488)), (367, (23, 46, 92, 184))]
)
def test_counts_are_those_of_the_published_lists(images, counts):
    presence = np.ones((images, 2), dtype=bool)
    assert tuple(len(labelled_split(presence, fraction, 0).labelled) for fraction in FRACTIONS[:4]) == counts


def test_the_same_on_every_machine_and_version():
    """Literals: if they change, every committed record with a split stops being comparable."""
    images, classes = np.indices((32, 4))
    split = labelled_split(images % (3 * classes + 2) == classes, "1/8", 7)
    assert labelled_order(np.ones((10, 1), dtype=bool), 0) == [0, 6, 7, 2, 4, 9, 3, 5, 1, 8]
    assert (split.labelled, split.hash) == ((4, 14, 23, 26), "5fff2823a86aa2cf")
    assert labelled_split(np.ones((4, 1), dtype=bool), "1/2", 0, names=list("abcd")).hash == "34f328bee74f1a4d"


def test_seeds_draw_different_images():
    presence = long_tailed()
    assert len({labelled_split(presence, "1/8", seed).hash for seed in range(20)}) == 20


def test_every_image_is_drawn_equally_often():
    presence = np.ones((16, 1), dtype=bool)
    drawn = np.bincount([labelled_split(presence, "1/16", seed).labelled[0] for seed in range(1600)], minlength=16)
    assert drawn.min() > 60 and drawn.max() < 150  # 100 each, standard deviation 9.7


def test_hash_covers_who_is_labelled_and_nothing_else():
    presence = np.ones((8, 1), dtype=bool)
    quarter = labelled_split(presence, "1/4", 3)
    assert quarter.hash == labelled_split(presence, Fraction(2, 8), 3).hash
    assert quarter.hash == labelled_split(np.ones((8, 5), dtype=bool), "1/4", 3).hash
    assert quarter.hash != labelled_split(presence, "1/2", 3).hash
    assert quarter.hash != labelled_split(presence, "1/4", 3, names=list("abcdefgh")).hash


def test_rare_classes_fit_into_few_images_if_they_can():
    presence = np.zeros((64, 12), dtype=bool)
    presence[np.arange(12), np.arange(12)] = True  # one image for each class
    presence[40] = True  # and one image with all of them
    assert all(40 in labelled_split(presence, "1/16", seed).labelled for seed in range(10))


def test_too_few_images_for_all_classes_names_the_class():
    presence = np.eye(16, 5, dtype=bool)
    with pytest.raises(ValueError, match=r"2 labelled of 16 images \(fraction 1/8, seed 0\) leave out class 'c\d'"):
        labelled_split(presence, "1/8", 0, classes=["c0", "c1", "c2", "c3", "c4"])
    assert len(labelled_split(presence, "5/16", 0).labelled) == 5


def test_classes_that_never_occur_are_not_asked_for():
    presence = long_tailed()
    presence[:, 2] = False
    assert len(labelled_split(presence, "1/16", 0).labelled) == 13


@pytest.mark.parametrize("fraction", ["0", "-1/8", "9/8", "1/0", "eighth", 0.125, None, ""])
def test_unusable_fractions(fraction):
    with pytest.raises(ValueError, match="labelled fraction"):
        labelled_split(long_tailed(), fraction, 0)


@pytest.mark.parametrize("seed", [-1, 1.0, True, "0"])
def test_unusable_seeds(seed):
    with pytest.raises(ValueError, match="split seed"):
        labelled_split(long_tailed(), "1/8", seed)


def test_unusable_presence_and_names():
    with pytest.raises(ValueError, match="class presence has shape"):
        labelled_split(np.zeros((0, 3), dtype=bool), "1/8", 0)
    with pytest.raises(ValueError, match="1 different names for 2 images"):
        labelled_split(np.ones((2, 1), dtype=bool), "1/2", 0, names=["a", "a"])


def test_a_data_set_and_its_presence_give_the_same_split(tmp_path):
    dataset = ImageMaskFolder(trees.image_mask_folder(tmp_path), classes=("ground", "tree", "house", "car"))
    presence = class_presence(dataset)
    assert presence.tolist() == [[True, True, True, False]] * 4
    assert labelled_split(dataset, "1/4", 5) == labelled_split(presence, "1/4", 5, names=dataset.names)


def test_presence_of_samples_leaves_ignored_pixels_out():
    class Two:
        classes = ("a", "b", "c")

        def __len__(self):
            return 2

        def __getitem__(self, index):
            return {"mask": torch.tensor([[255, 2], [2, 2 * index]])}

    assert class_presence(Two()).tolist() == [[True, False, True], [False, False, True]]


@st.composite
def presences(draw):
    images, classes = draw(st.integers(1, 40)), draw(st.integers(1, 6))
    bits = draw(st.lists(st.booleans(), min_size=images * classes, max_size=images * classes))
    return np.array(bits).reshape(images, classes)


@settings(max_examples=100, deadline=None)
@given(presence=presences(), seed=st.integers(0, 2**40))
def test_for_any_presence_the_order_is_a_permutation_that_covers_early(presence, seed):
    order = labelled_order(presence, seed)
    assert sorted(order) == list(range(len(presence)))
    occurring = presence.any(axis=0)
    assert (presence[order[: max(1, int(occurring.sum()))]].any(axis=0) == occurring).all()


@settings(max_examples=100, deadline=None)
@given(presence=presences(), seed=st.integers(0, 1000))
def test_for_any_presence_a_split_covers_or_says_why_not_and_is_nested(presence, seed):
    previous: set[int] = set()
    for fraction in FRACTIONS:
        try:
            split = labelled_split(presence, fraction, seed)
        except ValueError as error:
            assert "leave out class" in str(error) and not previous
            continue
        assert (presence[list(split.labelled)].any(axis=0) == presence.any(axis=0)).all()
        assert previous <= set(split.labelled)
        previous = set(split.labelled)
    assert len(previous) == len(presence)


def test_a_patient_is_labelled_whole_or_not_at_all():
    presence = np.ones((30, 2), dtype=bool)
    groups = [f"patient {index // 3}" for index in range(30)]
    parts = {fraction: labelled_split(presence, fraction, 5, groups=groups) for fraction in ("1/10", "3/10", "1/2")}
    for fraction, patients in (("1/10", 1), ("3/10", 3), ("1/2", 5)):
        chosen = {groups[index] for index in parts[fraction].labelled}
        assert len(chosen) == patients and len(parts[fraction].labelled) == 3 * patients
        assert chosen.isdisjoint(groups[index] for index in parts[fraction].unlabelled)
    assert set(parts["1/10"].labelled) < set(parts["3/10"].labelled) < set(parts["1/2"].labelled)
    with pytest.raises(ValueError, match="29 groups for 30 images"):
        labelled_split(presence, "1/2", 0, groups=groups[:-1])


def test_class_balanced_splits_hold_as_many_of_each_class_and_are_nested():
    labels = np.array([0, 1, 2, 1, 0, 2, 2, 1, 0, 0] * 4)
    few, more = (class_balanced_split(labels, count, 3) for count in (2, 7))
    assert np.bincount(labels[list(few.labelled)]).tolist() == [2, 2, 2]
    assert set(few.labelled) < set(more.labelled) and few.hash != more.hash
    assert sorted(few.labelled + few.unlabelled) == list(range(40))
    assert class_balanced_split(labels, 2, 4).labelled != few.labelled
    with pytest.raises(ValueError, match="class 1 has 12 images: at least 13"):
        class_balanced_split(labels, 13, 0)


def test_an_image_in_two_parts_is_named():
    with pytest.raises(ValueError, match=r"training image b \(and 1 more\) is also a validation image"):
        refuse_overlap(["a", "b", "c"], ["c", "b", "d"], "validation")
    refuse_overlap(["a"], ["b"], "test")
