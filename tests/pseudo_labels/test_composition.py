"""Composition of pseudo labels: against a pixel-by-pixel reading of the rules, and the cases that matter."""

import numpy as np
import pytest
import torch

from labelkit.pseudo_labels.composition import compose


def definition(maps, saliency, tags):
    """Bytes (C, H, W), bytes (H, W), (C,) -> labels (H, W), one pixel after the other."""
    size = maps.shape[1:]
    shares = np.zeros(maps.shape)
    for c in np.flatnonzero(tags):
        low, high = float(maps[c].min()), float(maps[c].max())
        shares[c] = (maps[c] - low) / (high - low + 1e-8)
    labels = np.zeros(size, dtype=int)
    for place in np.ndindex(*size):
        scores = np.float32([np.float32(1) - np.float32(saliency[place]) / np.float32(255), *shares[:, *place]])
        best = int(scores.argmax())
        if (scores > np.float32(0.9)).sum() > 1:
            best = 255
        if best == 0 and (saliency[place] >= 32 or (shares[:, *place] > 0.8).any()):
            best = 255
        labels[place] = best
    if ((labels > 0) & (labels < 255)).mean() < 0.01:
        labels[:] = 255
    return labels


def smooth(rng, *shape):
    steps = rng.random((*shape[:-2], shape[-2], 1)).cumsum(-2) + rng.random((*shape[:-2], 1, shape[-1])).cumsum(-1)
    return np.clip(steps * rng.integers(5, 30) - rng.integers(0, 40), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("seed", range(6))
def test_as_the_rules_say(seed):
    rng = np.random.default_rng(seed)
    maps, saliency = smooth(rng, 2, 4, 12, 10), smooth(rng, 2, 12, 10)
    tags = np.array([[1, 0, 1, 0], [0, 1, 1, 1]])
    found = compose(torch.from_numpy(maps), torch.from_numpy(saliency), torch.from_numpy(tags))
    assert found.dtype == torch.uint8
    for image in range(2):
        assert np.array_equal(found[image].numpy(), definition(maps[image], saliency[image], tags[image]))


def pixels(saliency, *maps):
    """Labels of an image of ten pixels; the first pixel is background and the last foreground of class 0."""
    maps = torch.tensor([[0.0, *row, 1.0] for row in maps])
    saliency = torch.tensor([0.0, *saliency, 1.0])
    return compose(maps[None, :, None], saliency[None, None, None], torch.ones(1, len(maps)))[0, 0].tolist()[1:-1]


def test_conflicts_and_misses_are_unsure():
    # salient without a map; a strong map on background; two classes at once; background and a class at once; plain
    saliency = [0.6, 0.1, 1.0, 0.05, 1.0, 0.1]
    one = [0.3, 0.85, 0.95, 0.99, 0.5, 0.2]
    two = [0.2, 0.0, 0.97, 0.0, 0.7, 0.0]
    assert pixels(saliency, one, two) == [255, 255, 255, 255, 2, 0]


def test_no_saliency_at_all_gives_no_label():
    maps = torch.rand(1, 2, 20, 20)
    assert (compose(maps, torch.zeros(1, 1, 20, 20), torch.ones(1, 2)) == 255).all()


def test_a_tag_without_activation_and_an_absent_class_give_no_label():
    maps, saliency = torch.zeros(1, 2, 6, 6), torch.ones(1, 1, 6, 6)
    saliency[..., 3:] = 0
    maps[:, 1, :, :3] = 1  # class 1 is not tagged
    assert (compose(maps, saliency, torch.tensor([[1, 0]])) == 255).all()
    both = compose(maps, saliency, torch.tensor([[1, 1]]))[0]
    assert (both[:, :3] == 2).all() and (both[:, 3:] == 0).all()


def test_too_little_foreground_is_not_believed():
    maps, saliency = torch.zeros(1, 1, 10, 20), torch.zeros(1, 1, 10, 20)
    maps[..., 0, 0] = saliency[..., 0, 0] = 1
    assert (compose(maps, saliency, torch.ones(1, 1)) == 255).all()  # one of 200
    maps[..., 0, 1] = saliency[..., 0, 1] = 1
    assert (compose(maps, saliency, torch.ones(1, 1)) == 1).sum() == 2


def test_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match=r"maps \(1, 2, 4, 4\), saliency \(1, 4, 5\)"):
        compose(torch.zeros(1, 2, 4, 4), torch.zeros(1, 1, 4, 5), torch.ones(1, 2))
