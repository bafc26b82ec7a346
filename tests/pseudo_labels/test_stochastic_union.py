"""The union of random maps: what it keeps, that it only grows, and its quality at every threshold."""

import pytest
import torch

from labelkit.pseudo_labels.map_quality import THRESHOLDS, LabelQuality, MapQuality
from labelkit.pseudo_labels.stochastic_union import StochasticUnion, UnionQuality, union_labels


def maps_of(count, classes=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, classes, 5, 6, generator=generator) ** 3


def united(maps):
    union = StochasticUnion()
    union.add(maps)
    return union


def test_coverage_never_shrinks_as_maps_are_added():
    """F5, the part that holds by construction: at any threshold a pixel that fired once has fired for good."""
    maps = maps_of(30)
    for threshold in (0.0, 0.1, 0.35, 0.8):
        union, before = StochasticUnion(), torch.zeros(3, 5, 6, dtype=torch.bool)
        for one in maps:
            union.add(one[None])
            fired = union.fired(threshold)
            assert (fired | before).eq(fired).all()
            before = fired
        assert before.any()


def test_batches_do_not_matter():
    maps = maps_of(11)
    whole, parts = united(maps), StochasticUnion()
    for part in maps.split(4):
        parts.add(part)
    assert torch.equal(whole.highest, parts.highest) and parts.count == 11
    torch.testing.assert_close(whole.mean, parts.mean)
    torch.testing.assert_close(whole.mean, maps.mean(0))


def test_the_larger_mean_decides_not_the_larger_maximum():
    maps = torch.tensor([[[[1.0]], [[0.5]]], [[[0.0]], [[0.6]]]])  # largest 1.0 and 0.6, means 0.5 and 0.55
    union = united(maps)
    tags = torch.ones(2)
    assert union_labels(union.fired(0.35), union.mean, tags).item() == 2
    assert union_labels(union.fired(0.7), union.mean, tags).item() == 1  # the second class does not fire there
    assert union_labels(union.fired(1.0), union.mean, tags).item() == 255
    assert union_labels(union.fired(0.35), union.mean, torch.tensor([1.0, 0.0])).item() == 1


def test_no_tag_and_no_activation_give_no_label():
    union = united(torch.zeros(2, 3, 4, 4))
    assert (union_labels(union.fired(0.0), union.mean, torch.ones(3)) == 255).all()
    union = united(maps_of(3))
    assert (union_labels(union.fired(0.1), union.mean, torch.zeros(3)) == 255).all()


def test_quality_equals_that_of_labels_made_at_each_threshold():
    generator = torch.Generator().manual_seed(3)
    highest, mean, tags, truth, parts = [], [], [], [], []
    for image in range(4):
        union = united(maps_of(6, seed=image))
        highest.append(union.highest)
        mean.append(union.mean)
        tags.append((torch.rand(3, generator=generator) < [0.9, 0.7, 0.0, 1.0][image]).float())
        truth.append(torch.randint(0, 4, (5, 6), generator=generator))
        parts.append(torch.randint(0, 3, (5, 6), generator=generator))
    highest, mean, tags, truth, parts = (torch.stack(each) for each in (highest, mean, tags, truth, parts))
    truth[0, 0] = 255
    quality = UnionQuality(3)
    quality.update(highest[:2], mean[:2], tags[:2], truth[:2], parts[:2])
    quality.update(highest[2:], mean[2:], tags[2:], truth[2:], parts[2:])
    curves = quality.curves()
    for number in range(0, 100, 7):
        labels = union_labels(highest > THRESHOLDS[number], mean, tags)
        labels = labels.masked_fill(labels == 255, 0)
        expected = LabelQuality(4)
        expected.update(labels, truth)
        assert float(curves["miou"][number]) == pytest.approx(expected.summary()["miou"])
        valid = truth != 255
        body = valid & (truth > 0) & (parts == 2)
        assert float(curves["recall_body"][number]) == pytest.approx(float((labels == truth)[body].double().mean()))


def test_one_map_is_judged_as_a_plain_map():
    maps = maps_of(4)
    tags, truth = torch.ones(4, 3), torch.randint(0, 4, (4, 5, 6), generator=torch.Generator().manual_seed(1))
    plain, union = MapQuality(3), UnionQuality(3)
    plain.update(maps, tags, truth)
    union.update(maps, maps, tags, truth)
    assert plain.summary() == union.summary()


def test_wrong_shapes_are_refused():
    union = united(maps_of(2))
    with pytest.raises(ValueError, match="maps have shape"):
        union.add(torch.rand(2, 2, 5, 6))
    with pytest.raises(ValueError, match="maps have shape"):
        StochasticUnion().add(torch.rand(3, 5, 6))
    with pytest.raises(ValueError, match="fired, mean and tags"):
        union_labels(union.fired(), union.mean, torch.ones(2))
    quality, maps = UnionQuality(3), torch.rand(2, 3, 5, 6)
    with pytest.raises(ValueError, match="highest, mean and tags"):
        quality.update(maps, maps, torch.ones(2, 2), torch.zeros(2, 5, 6))
    with pytest.raises(ValueError, match="truth has shape"):
        quality.update(maps, maps, torch.ones(2, 3), torch.zeros(2, 5, 5))
    with pytest.raises(ValueError, match="truth holds label 4"):
        quality.update(maps, maps, torch.ones(2, 3), torch.full((2, 5, 6), 4))
