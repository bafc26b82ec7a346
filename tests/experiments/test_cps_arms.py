"""The arms with a few labelled images have exactly so many."""

import numpy as np
import pytest

from labelkit.datasets.splits import labelled_split
from labelkit.experiments.cps import ARMS


@pytest.mark.parametrize("count", [92, 183, 366, 732])
def test_few_labels_are_as_many_as_their_name_says(count):
    presence = np.ones((10_582, 3), dtype=bool)
    for method in ("supervised", "cutmix"):
        split = labelled_split(presence, ARMS[f"{method}-{count}"].fraction, seed=0)
        assert len(split.labelled) == count and len(split.unlabelled) == 10_582 - count
    assert ARMS[f"cutmix-{count}"].method == "cutmix"
