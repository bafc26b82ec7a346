"""Labels from maps and saliency, pixel by pixel."""

import pytest
import torch

from labelkit.pseudo_labels.saliency_fusion import fuse, seeds


def pixel(first, second, saliency, tags=(1, 1)):
    maps = torch.tensor([first, second]).view(1, 2, 1, 1)
    return maps, torch.tensor(saliency).view(1, 1, 1, 1), torch.tensor([tags])


@pytest.mark.parametrize(
    ("first", "second", "saliency", "tags", "label"),
    [
        (0.3, 0.9, 0.5, (1, 1), 2),  # both see it, the larger map decides
        (0.3, 0.9, 0.5, (1, 0), 1),  # a map of an absent class does not count
        (0.3, 0.9, 0.05, (1, 1), 255),  # a map without saliency
        (0.1, 0.1, 0.5, (1, 1), 255),  # saliency without a map
        (0.1, 0.1, 0.05, (1, 1), 0),  # neither
        (0.2, 0.0, 0.5, (1, 1), 255),  # at a threshold is not above it
        (0.9, 0.9, 0.5, (0, 0), 255),  # an image without any tag
        (0.9, 0.9, 0.0, (0, 0), 0),
    ],
)
def test_fusion(first, second, saliency, tags, label):
    assert fuse(*pixel(first, second, saliency, tags)).tolist() == [[[label]]]


@pytest.mark.parametrize(
    ("first", "second", "saliency", "tags", "label"),
    [
        (0.4, 0.9, 0.5, (1, 1), 2),
        (0.4, 0.9, 0.5, (1, 0), 1),
        (0.4, 0.9, 0.05, (1, 1), 255),  # a class and background at once
        (0.1, 0.1, 0.5, (1, 1), 255),  # neither
        (0.1, 0.1, 0.05, (1, 1), 0),
        (0.9, 0.9, 0.5, (0, 0), 255),
        (0.9, 0.9, 0.0, (0, 0), 0),
    ],
)
def test_seeds(first, second, saliency, tags, label):
    assert seeds(*pixel(first, second, saliency, tags)).tolist() == [[[label]]]


def test_seeds_of_a_union_are_decided_by_the_mean():
    maps, saliency, tags = pixel(0.1, 0.3, 0.5)
    fired = torch.tensor([True, True]).view(1, 2, 1, 1)
    assert seeds(maps, saliency, tags, fired=fired).item() == 2
    fired[0, 1] = False
    assert seeds(maps, saliency, tags, fired=fired).item() == 1
    assert seeds(maps, saliency, torch.tensor([[0, 1]]), fired=fired).item() == 255


def test_without_saliency_nothing_becomes_an_object():
    maps = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    label = fuse(maps, torch.zeros(2, 8, 8), torch.ones(2, 3))
    assert set(label.unique().tolist()) <= {0, 255}
    assert torch.equal(label == 255, maps.amax(1) > 0.2)


def test_saliency_with_and_without_channel():
    generator = torch.Generator().manual_seed(1)
    maps, saliency = torch.rand(2, 3, 8, 8, generator=generator), torch.rand(2, 1, 8, 8, generator=generator)
    tags = torch.ones(2, 3)
    for function in (fuse, seeds):
        found = function(maps, saliency, tags)
        assert found.dtype == torch.int64 and found.shape == (2, 8, 8)
        assert torch.equal(found, function(maps, saliency[:, 0], tags))


@pytest.mark.parametrize("function", [fuse, seeds])
def test_shapes_that_do_not_fit(function):
    maps, saliency, tags = torch.zeros(2, 3, 8, 8), torch.zeros(2, 1, 8, 8), torch.ones(2, 3)
    with pytest.raises(ValueError, match="saliency has shape"):
        function(maps, saliency[:, :, :4], tags)
    with pytest.raises(ValueError, match="maps have shape"):
        function(maps, saliency, tags[:, :2])
    with pytest.raises(ValueError, match="fired has shape"):
        seeds(maps, saliency, tags, fired=torch.ones(2, 3, 4, 4, dtype=torch.bool))
