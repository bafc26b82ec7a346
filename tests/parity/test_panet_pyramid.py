"""The pyramid with PANet's bottom-up path against arrays that the authors' code produced (see isaid/README.md)."""

from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from labelkit.models.panet import BottomUpPath, Pyramid, group_norm
from labelkit.models.panet_convert import load_released

LEVELS = ("0", "1", "2", "3", "pool")


@pytest.fixture(scope="module")
def arrays():
    with np.load(Path(__file__).parent / "isaid" / "panet_fpn.npz") as file:
        return {name: torch.from_numpy(file[name].copy()) for name in file.files}


def pyramid(arrays, bottom_up):
    from torchvision.ops import FeaturePyramidNetwork
    from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

    trunk = [arrays[f"C{level}"] for level in (2, 3, 4, 5)]
    norm = group_norm(4)
    fpn = FeaturePyramidNetwork(
        [features.shape[1] for features in trunk], 8, extra_blocks=LastLevelMaxPool(), norm_layer=norm
    )
    network = Pyramid(nn.Identity(), fpn, 8, BottomUpPath(8, 4, norm) if bottom_up else None).double()
    weights = {name.removeprefix("w/"): value for name, value in arrays.items() if name.startswith("w/")}
    if not bottom_up:
        weights = {name: value for name, value in weights.items() if "buttomup" not in name}
    load_released(network, "pyramid", weights)
    return network(OrderedDict((str(number), features) for number, features in enumerate(trunk)))


@pytest.mark.parametrize(("letter", "bottom_up"), [("P", False), ("N", True)])
def test_every_level_equals_the_released_code(arrays, letter, bottom_up):
    levels = pyramid(arrays, bottom_up)
    assert tuple(levels) == LEVELS
    for number, name in enumerate(LEVELS, start=2):
        torch.testing.assert_close(levels[name], arrays[f"{letter}{number}"], rtol=0, atol=1e-9)


def test_weights_that_do_not_fit_are_refused(arrays):
    weights = {name.removeprefix("w/"): value for name, value in arrays.items() if name.startswith("w/")}
    path = BottomUpPath(8, 4, group_norm(4)).double()
    with pytest.raises(ValueError, match=r"released weights of the box head lack"):
        load_released(path, "box head", weights)
    with pytest.raises(ValueError, match="PANet has no part 'neck'"):
        load_released(path, "neck", weights)
