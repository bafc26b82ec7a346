"""Seeded region growing: what must always hold, and small cases by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, label

from labelkit.pseudo_labels.region_growing import grow_seeds, one_hot_seeds


def random_case(seed, classes=4, size=14):
    rng = np.random.default_rng(seed)
    tags = (rng.random(classes - 1) < 0.6).astype(np.float32)
    scores = np.stack([gaussian_filter(noise, 1.5) for noise in rng.normal(size=(classes, size, size))])
    probabilities = torch.from_numpy(scores * 40).softmax(0)
    present = np.concatenate([[1], tags])[:, None, None]
    seeds = (rng.random((classes, size, size)) < 0.06) * present
    return torch.from_numpy(seeds)[None].float(), probabilities[None].float(), torch.from_numpy(tags)[None]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_seeds_stay_and_what_grew_is_connected_to_them(seed):
    seeds, probabilities, tags = random_case(seed)
    grown = grow_seeds(seeds, probabilities, tags)
    assert (grown >= seeds).all()
    for number in range(4):
        if number and not tags[0, number - 1]:
            assert torch.equal(grown[0, number], seeds[0, number])
        regions, count = label(grown[0, number].numpy(), structure=np.ones((3, 3)))
        # A pixel that is seed of another class is cut out but connects: it counts as part of the region here.
        bridged, _ = label(((grown[0, number] > 0) | (grown[0].sum(0) > 0)).numpy(), structure=np.ones((3, 3)))
        for region in range(1, count + 1):
            here = regions == region
            touched = np.isin(bridged, np.unique(bridged[here]))
            assert (seeds[0, number].numpy() > 0)[touched].any()
    new = (grown > 0) & (seeds == 0)
    threshold = torch.tensor([0.99, 0.85, 0.85, 0.85]).view(1, 4, 1, 1)
    present = torch.cat([torch.ones(1, 1), tags], 1)[:, :, None, None]
    candidate = (probabilities * present).argmax(1, keepdim=True)
    own = torch.arange(4).view(1, 4, 1, 1)
    assert ((candidate == own) & (probabilities > threshold))[new].all()


def line(*values):
    """Probabilities of (background, class 1, class 2) along a line of pixels, each mostly that of one class."""
    rows = {"b": (0.995, 0.003, 0.002), "1": (0.05, 0.9, 0.05), "2": (0.05, 0.05, 0.9), "?": (0.4, 0.3, 0.3)}
    return torch.tensor([rows[value] for value in values[0]]).T[None, :, None]


def grown_line(likely, seeds, tags=(1, 1), **options):
    numbers = torch.tensor([{"b": 0, "1": 1, "2": 2, ".": 255}[value] for value in seeds])[None, None]
    grown = grow_seeds(one_hot_seeds(numbers, 3), line(likely), torch.tensor([tags]), **options)[0, :, 0]
    return ["".join(str(int(value)) for value in row) for row in grown]


def test_a_seed_grows_over_what_is_sure_and_connected():
    assert grown_line("11?1b", "1....") == ["00000", "11000", "00000"]


def test_the_background_has_a_higher_threshold():
    assert grown_line("bbb", "b..") == ["111", "000", "000"]
    assert grown_line("bbb", "b..", background=0.999) == ["100", "000", "000"]


def test_a_class_that_is_not_in_the_image_is_no_candidate():
    # Without class 2 its pixels are undecided between background and class 1: neither is sure.
    assert grown_line("1122", "1..2", tags=(1, 0)) == ["0000", "1100", "0001"]


def test_another_classs_seed_stays_out_but_connects():
    # The middle pixel is seed of class 2; the network is sure of class 1 there and beyond.
    assert grown_line("11111", "1.2..") == ["00000", "11011", "00100"]


def test_no_gradient_no_change_of_the_input():
    seeds, probabilities, tags = random_case(3)
    before = seeds.clone()
    grown = grow_seeds(seeds, probabilities.requires_grad_(), tags)
    assert not grown.requires_grad and torch.equal(seeds, before)


def test_images_do_not_see_each_other():
    first, second = random_case(1), random_case(2)
    together = grow_seeds(*(torch.cat(pair) for pair in zip(first, second)))
    assert torch.equal(together, torch.cat([grow_seeds(*first), grow_seeds(*second)]))


def test_shapes_that_do_not_fit():
    seeds, probabilities, tags = random_case(0)
    with pytest.raises(ValueError, match=r"expected \(B, K, H, W\) twice and \(B, K - 1\)"):
        grow_seeds(seeds, probabilities, torch.cat([tags, tags], 1))
