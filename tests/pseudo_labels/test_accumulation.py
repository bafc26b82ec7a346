"""Accumulated maps: the maximum over epochs, who counts, and that a checkpoint holds them."""

import numpy as np
import pytest
import torch

from labelkit.pseudo_labels.accumulation import AccumulatedMaps, as_bytes

TAGS = torch.tensor([[1, 0, 1], [0, 0, 0], [0, 1, 0], [1, 1, 1]])
LIKELY, UNLIKELY = 0.0, -5.0


def maps(seed, images=1):
    return torch.rand(images, 3, 4, 5, generator=torch.Generator().manual_seed(seed)) * 7


def logits(*values):
    return torch.tensor([values])


def test_maximum_over_epochs_as_bytes():
    kept, expected = AccumulatedMaps(TAGS, (4, 5)), np.zeros((3, 4, 5))
    for epoch in range(5):
        given = maps(epoch)
        kept.update(torch.tensor([3]), given, logits(LIKELY, LIKELY, LIKELY))
        for c in range(3):
            one = given[0, c].numpy()
            expected[c] = np.maximum(expected[c], np.rint(one / (one.max() + 1e-8) * 255))
    assert np.array_equal(kept.of(torch.tensor([3]))[0].numpy(), expected)
    assert not kept.of(torch.tensor([0, 1, 2])).any()


def test_absent_classes_and_images_without_a_tag_are_left_out():
    kept = AccumulatedMaps(TAGS, (4, 5))
    kept.update(torch.tensor([0, 1]), maps(0, 2), torch.zeros(2, 3))
    found = kept.of(torch.tensor([0, 1]))
    assert found.amax((2, 3)).tolist() == [[255, 0, 255], [0, 0, 0]]
    assert len(kept.maps) == 6  # one for each tag


def test_an_unlikely_class_counts_in_the_last_epoch_alone_and_only_once():
    kept, index = AccumulatedMaps(TAGS, (4, 5)), torch.tensor([0])
    kept.update(index, maps(0), logits(LIKELY, LIKELY, UNLIKELY))
    assert kept.of(index)[0].amax((1, 2)).tolist() == [255, 0, 0]
    kept.update(index, maps(1), logits(UNLIKELY, LIKELY, UNLIKELY), last=True)
    found = kept.of(index)[0]
    assert torch.equal(found[0], as_bytes(maps(0))[0, 0]) and torch.equal(found[2], as_bytes(maps(1))[0, 2])
    kept.update(index, maps(2), logits(UNLIKELY, LIKELY, UNLIKELY), last=True)
    assert torch.equal(kept.of(index), found[None])


def test_the_bar_is_a_probability_of_a_tenth():
    kept, bar = AccumulatedMaps(TAGS, (4, 5)), float(np.log(0.1 / 0.9))
    kept.update(torch.tensor([0]), maps(0), logits(bar + 1e-3, 0, bar - 1e-3))
    assert kept.of(torch.tensor([0]))[0].amax((1, 2)).tolist() == [255, 0, 0]


def test_an_image_that_comes_twice_counts_twice():
    kept = AccumulatedMaps(TAGS, (4, 5))
    kept.update(torch.tensor([2, 2]), maps(0, 2), torch.zeros(2, 3))
    assert torch.equal(kept.of(torch.tensor([2]))[0, 1], as_bytes(maps(0, 2))[:, 1].amax(0))


def test_maps_without_any_activation_stay_zero():
    assert not as_bytes(torch.zeros(2, 3, 3)).any()


def test_state_dict_holds_what_was_kept():
    kept, other = AccumulatedMaps(TAGS, (4, 5)), AccumulatedMaps(TAGS, (4, 5))
    kept.update(torch.tensor([3]), maps(0), logits(LIKELY, UNLIKELY, LIKELY))
    other.load_state_dict(kept.state_dict())
    everyone = torch.arange(4)
    assert torch.equal(kept.of(everyone), other.of(everyone)) and torch.equal(kept.seen, other.seen)


def test_bad_input():
    with pytest.raises(ValueError, match="with a tag at least"):
        AccumulatedMaps(torch.zeros(3, 2), (4, 4))
    with pytest.raises(ValueError, match=r"maps of size \(4, 5\) came; the kept ones are \(8, 8\)"):
        AccumulatedMaps(TAGS, (8, 8)).update(torch.tensor([0]), maps(0), logits(0, 0, 0))
