"""Statistics of aerial scenes against counting by hand."""

import numpy as np
import pytest

from labelkit.datasets.aerial_statistics import EVALUATION_BINS, STATISTICS_BINS, Instances, gather
from labelkit.worlds.aerial import Aerial


def made(areas: list[int]) -> Instances:
    count = len(areas)
    ones = np.ones(count)
    return Instances(
        np.zeros(count, int), np.ones(count, int), np.array(areas), ones, 3 * ones, 2, ("background", "a", "b")
    )


def test_an_area_is_in_one_bin_at_most_and_the_two_definitions_differ() -> None:
    found = made([9, 10, 144, 145, 1024, 1025, 20736, 20737, 262145, 5])
    assert found.size_shares(STATISTICS_BINS) == {"small": 0.2, "medium": 0.2, "large": 0.4, "none": 0.2}
    assert found.size_shares(EVALUATION_BINS) == {"small": 0.5, "medium": 0.1, "large": 0.1, "none": 0.3}
    assert found.per_scene().tolist() == [10, 0] and found.per_class() == {"a": 10, "b": 0}
    assert found.aspect_ratio().tolist() == [3.0] * 10 and found.area_span().tolist() == [262145 / 5]
    assert found.imbalance() == 1.0 and found.summary()["most_in_a_scene"] == 10


def test_gathered_instances_are_those_of_the_samples() -> None:
    world = Aerial("val", 3, 320, 384)
    found = gather(world)
    samples = list(world)
    assert found.per_scene().tolist() == [len(sample["labels"]) for sample in samples]
    for number, sample in enumerate(samples):
        own = found.scene == number
        assert found.area[own].sum() == int((sample["instances"] > 0).sum())
        assert np.array_equal(found.label[own], sample["labels"].numpy())
        for index in (0, len(sample["labels"]) - 1):
            rows, columns = np.nonzero(sample["instances"].numpy() == index + 1)
            assert found.width[own][index] == columns.max() - columns.min() + 1
            assert found.height[own][index] == rows.max() - rows.min() + 1
    summary = found.summary()
    assert sum(summary["per_class"].values()) == summary["instances"] == len(found.area)
    assert summary["instances_per_scene"] * 3 == pytest.approx(len(found.area))
    assert sum(found.areas_by_class()[name].size for name in found.areas_by_class()) == len(found.area)


def test_no_scene_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one was expected"):
        gather([])
