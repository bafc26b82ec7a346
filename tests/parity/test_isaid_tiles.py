"""Windows of large images against those that iSAID's devkit wrote."""

import re
from pathlib import Path

import numpy as np
import pytest

from labelkit.datasets.aerial_tiles import stays_whole, tile_name, windows

GRIDS = np.load(Path(__file__).parent / "isaid" / "patch_grid.npz")


@pytest.mark.parametrize("case", GRIDS.files)
def test_windows_and_their_order_are_the_devkits(case: str) -> None:
    height, width, patch, overlap = re.fullmatch(r"H(\d+)_W(\d+)(?:_p(\d+)_o(\d+))?", case).groups()
    size = int(height), int(width)
    expected = GRIDS[case].tolist()
    found = windows(*size, int(patch or 800), int(overlap or 200))
    if expected:
        assert [list(window) for window in found] == expected
        first = "_".join(map(str, expected[0]))
        assert tile_name("P0001", found[0]) == f"P0001_{first}.png"
    else:
        assert stays_whole(*size) and found == [(0, size[0], 0, size[1])]
        assert tile_name("P0001") == "P0001.png"
