"""The sixteen classes, in the names and colours of Cityscapes [Cordts et al., CVPR 2016]."""

from __future__ import annotations

import numpy as np

_COLOURS = {
    "road": (128, 64, 128),
    "sidewalk": (244, 35, 232),
    "building": (70, 70, 70),
    "wall": (102, 102, 156),
    "fence": (190, 153, 153),
    "pole": (153, 153, 153),
    "traffic light": (250, 170, 30),
    "traffic sign": (220, 220, 0),
    "vegetation": (107, 142, 35),
    "terrain": (152, 251, 152),
    "sky": (70, 130, 180),
    "person": (220, 20, 60),
    "rider": (255, 0, 0),
    "car": (0, 0, 142),
    "truck": (0, 0, 70),
    "bicycle": (119, 11, 32),
}

CLASSES: tuple[str, ...] = tuple(_COLOURS)
PALETTE = np.array(list(_COLOURS.values()), dtype=np.uint8)
PALETTE.setflags(write=False)

ROAD, SIDEWALK, BUILDING, WALL, FENCE, POLE, LIGHT, SIGN = range(8)
VEGETATION, TERRAIN, SKY, PERSON, RIDER, CAR, TRUCK, BICYCLE = range(8, 16)

# What one can count: these get instance ids.
COUNTABLE = frozenset({PERSON, RIDER, CAR, TRUCK, BICYCLE})
