"""The classes: toy animals, told apart by their heads, and what each of them has only more often than the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Colour = tuple[float, float, float]
MOST_CLASSES = 20


@dataclass(frozen=True)
class Head:
    """The discriminative part of a class.

    Attributes:
        name: the class.
        crown: what sits on or beside the head: ears, horns, a beak.
        marking: how the second colour lies on the face.
        first, second: colours of the face and of its marking, red, green, blue in 0..1.
    """

    name: str
    crown: str
    marking: str
    first: Colour
    second: Colour


WHITE, BLACK, YELLOW = (0.96, 0.96, 0.94), (0.08, 0.08, 0.10), (0.98, 0.88, 0.12)
HEADS = (
    Head("fox", "pointed", "muzzle", (0.96, 0.45, 0.06), WHITE),
    Head("frog", "round", "muzzle", (0.13, 0.76, 0.16), YELLOW),
    Head("parrot", "beak", "cap", (0.90, 0.06, 0.10), YELLOW),
    Head("jay", "crest", "blaze", (0.08, 0.30, 0.95), WHITE),
    Head("pig", "floppy", "muzzle", (1.00, 0.50, 0.74), (0.86, 0.10, 0.52)),
    Head("duck", "beak", "plain", YELLOW, (0.98, 0.50, 0.05)),
    Head("panda", "round", "patches", WHITE, BLACK),
    Head("dragon", "horns", "spots", (0.52, 0.10, 0.84), (0.62, 0.98, 0.20)),
    Head("rabbit", "long", "blaze", WHITE, (1.00, 0.50, 0.74)),
    Head("tiger", "round", "stripes", (0.98, 0.52, 0.05), BLACK),
    Head("cow", "horns", "half", WHITE, BLACK),
    Head("wolf", "pointed", "muzzle", (0.16, 0.20, 0.44), (0.70, 0.90, 0.98)),
    Head("beetle", "antennae", "spots", (0.86, 0.05, 0.08), BLACK),
    Head("owl", "pointed", "patches", (0.06, 0.70, 0.72), WHITE),
    Head("bee", "antennae", "stripes", YELLOW, BLACK),
    Head("toucan", "beak", "cap", BLACK, (0.98, 0.50, 0.05)),
    Head("lizard", "crest", "stripes", (0.62, 0.98, 0.20), (0.05, 0.36, 0.16)),
    Head("mouse", "round", "ring", (0.70, 0.62, 0.86), (1.00, 0.50, 0.74)),
    Head("goat", "horns", "blaze", (0.99, 0.90, 0.66), (0.42, 0.16, 0.08)),
    Head("rooster", "crest", "cap", WHITE, (0.90, 0.06, 0.10)),
)

# What two classes or more have in common. A class takes its usual form, coat and floor with the chances below, and any
# of them otherwise: so a body or a floor says a little about the class, and never enough.
FORMS = ("walker", "sitter", "stander", "cart", "worm")
COATS = ("oak", "slate", "straw", "moss", "clay", "plum")
FLOORS = ("lawn", "sand", "planks", "tiles", "rug", "water", "stone", "cloth")
USUAL_FORM, USUAL_COAT, USUAL_FLOOR, USUAL_COMPANION = 0.4, 0.4, 0.5, 0.5

# For plots only: the background, then a colour a class.
PALETTE = np.array(
    [[30, 30, 34], [230, 120, 30], [40, 170, 60], [210, 35, 45], [45, 95, 220], [240, 130, 180], [235, 210, 50],
     [225, 225, 225], [135, 50, 200], [255, 190, 210], [190, 90, 10], [150, 150, 150], [60, 70, 120], [130, 15, 25],
     [30, 170, 175], [150, 130, 20], [95, 60, 40], [160, 230, 80], [175, 160, 215], [215, 190, 140], [255, 150, 130]],
    dtype=np.uint8,
)  # fmt: skip
PALETTE.setflags(write=False)


def usual_form(label: int) -> int:
    """The form of body that a class, 0 to 19, has more often than the others."""
    return label % len(FORMS)


def usual_coat(label: int) -> int:
    """The coat of a class; classes 2k and 2k + 1 have the same."""
    return label // 2 % len(COATS)


def usual_floor(label: int) -> int:
    """The floor on which a class lies more often than on the others."""
    return label % len(FLOORS)
