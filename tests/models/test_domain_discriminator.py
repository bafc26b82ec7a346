"""The domain discriminator of ADVENT."""

from itertools import pairwise

import pytest
import torch

from labelkit.models.domain_discriminator import DomainDiscriminator


def test_parameters_and_size_at_the_paper_familys_width():
    made = DomainDiscriminator(19)
    widths, count = [19, 64, 128, 256, 512, 1], 0
    for before, after in pairwise(widths):
        count += after * (16 * before + 1)
    assert sum(p.numel() for p in made.parameters()) == count == 2_781_121
    with torch.no_grad():
        assert made(torch.zeros(2, 19, 64, 96)).shape == (2, 1, 2, 3)


def test_maps_too_small_for_five_halvings_are_refused():
    with pytest.raises(ValueError, match="at least 32 x 32"):
        DomainDiscriminator(3, 4)(torch.zeros(1, 3, 31, 64))
