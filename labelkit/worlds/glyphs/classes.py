"""The twenty classes, in families whose members are easily confused."""

from __future__ import annotations

import numpy as np

FAMILIES: dict[str, tuple[str, ...]] = {
    "building": ("house", "church", "tent", "tower"),
    "plant": ("tree", "pine", "mushroom", "cactus"),
    "vessel": ("mug", "teapot", "bottle", "goblet"),
    "furniture": ("chair", "table", "lamp", "parasol"),
    "vehicle": ("car", "bus", "truck", "boat"),
}
CLASSES: tuple[str, ...] = tuple(name for members in FAMILIES.values() for name in members)

# For plots only: one hue a family, from dark to light. The pictures have other colours.
PALETTE = np.array(
    [[103, 0, 13], [178, 24, 43], [214, 96, 77], [244, 165, 130],
     [0, 68, 27], [35, 132, 67], [90, 174, 97], [166, 219, 160],
     [8, 48, 107], [33, 113, 181], [84, 160, 210], [158, 202, 225],
     [63, 0, 125], [106, 81, 163], [147, 128, 192], [188, 189, 220],
     [102, 62, 0], [166, 108, 10], [217, 150, 44], [246, 201, 110]],
    dtype=np.uint8,
)  # fmt: skip
PALETTE.setflags(write=False)
