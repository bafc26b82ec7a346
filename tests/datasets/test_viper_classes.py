"""Class numbers of VIPER and Cityscapes, as papers from one to the other map them."""

import numpy as np
import pytest

from labelkit.datasets import viper_classes
from labelkit.datasets.viper_classes import CATEGORIES, CITYSCAPES_IDS, CLASSES, VIPER_IDS, categories, lookup
from labelkit.worlds.streets import CLASSES as STREETS

# VIPER id -> train id, as DA-VSN's code has it (numbers, at commit 5b79c5b)
VIPER = {3: 0, 4: 1, 9: 2, 11: 3, 13: 4, 14: 5, 7: 6, 8: 6, 6: 7, 2: 8, 20: 9, 24: 10, 27: 11, 26: 12, 23: 13, 22: 14}


def test_viper():
    table = lookup(VIPER_IDS)
    assert {label: int(number) for label, number in enumerate(table) if number != 255} == VIPER


def test_cityscapes():
    table = lookup(CITYSCAPES_IDS)
    assert [int(table[label]) for label in (24, 25, 26, 27, 28, 32, 33)] == [9, 9, 10, 11, 12, 13, 14]
    assert [int(table[label]) for label in (7, 8, 11, 13, 19, 20, 21, 22, 23)] == list(range(9))
    assert all(table[label] == 255 for label in (0, 6, 12, 17, 31, 34, 255))  # wall, pole, train and what is unlabelled
    assert set(CITYSCAPES_IDS.values()) == set(VIPER_IDS.values()) == set(CLASSES)


def test_every_class_of_the_drawn_streets_is_in_a_category():
    table = categories(STREETS)
    names = list(CATEGORIES)
    assert {STREETS[label]: names[table[label]] for label in range(len(STREETS))} == {
        name: category for category, members in CATEGORIES.items() for name in members if name in STREETS
    }
    assert (table[len(STREETS) :] == 255).all()
    assert set(sum(CATEGORIES.values(), ())) >= set(CLASSES)


def test_the_own_car_is_ignored_and_no_other():
    car = CLASSES.index("car")
    masks = np.zeros((6, 9), np.uint8)
    masks[4:, 2:7] = car
    masks[1, 4] = car
    seen = viper_classes.without_ego_vehicle(masks)
    assert (seen[4:, 2:7] == 255).all() and seen[1, 4] == car and (seen != 255).sum() == 54 - 10
    masks[5, 4] = 0  # the middle of the lower edge shows no car
    assert (viper_classes.without_ego_vehicle(masks) == masks).all()


def test_labels_outside_a_byte_are_refused():
    with pytest.raises(ValueError, match="label 300"):
        lookup({300: "car"})
