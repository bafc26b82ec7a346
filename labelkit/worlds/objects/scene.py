"""What lies where: drawn once a picture, before anything is painted, in units of the picture's shorter side."""

from __future__ import annotations

import math
from dataclasses import dataclass

from labelkit.worlds.objects.board import Point
from labelkit.worlds.objects.classes import (
    COATS,
    FLOORS,
    FORMS,
    HEADS,
    USUAL_COAT,
    USUAL_COMPANION,
    USUAL_FLOOR,
    USUAL_FORM,
    Colour,
    usual_coat,
    usual_floor,
    usual_form,
)
from labelkit.worlds.objects.draw import Draw

COUNTS = (1, 1, 2, 2, 3)  # toys in a picture, all entries equally likely
LENGTHS = {1: (0.6, 0.9), 2: (0.5, 0.7), 3: (0.44, 0.58)}  # of a toy, by their number
HEAD_RADIUS = (0.16, 0.2)  # in lengths of the toy
HEAD_AT = {"walker": (0.33, 0.2), "sitter": (0.02, 0.26), "stander": (0.02, 0.3), "cart": (0.16, 0.2),
           "worm": (0.32, 0.12)}  # fmt: skip
TILT = 0.13  # tangent of half the largest angle by which a toy is turned: 15 degrees
TRIES = 16  # places tried for a toy before it is left away


@dataclass(frozen=True)
class Toy:
    """A toy. Lengths in scene units, angles as the tangent of their half.

    Attributes:
        label: its class without the background, from 0.
        form, coat: of its body.
        centre, size, lean, mirrored: where it lies, how long it is, how it is turned.
        head, head_size, nod: middle and radius of its head, and how that is turned against the body.
        swing: of legs, arms and tail.
        coat_shift, pitch: of the coat's colours and pattern.
        first, second: colours of the head.
    """

    label: int
    form: str
    coat: str
    centre: Point
    size: float
    lean: float
    mirrored: bool
    head: Point
    head_size: float
    nod: float
    swing: float
    coat_shift: Colour
    pitch: float
    first: Colour
    second: Colour


@dataclass(frozen=True)
class Thing:
    """A ball, a block or a stick that belongs to no class but may have a toy's coat.

    Attributes:
        shape: "ball", "block" or "stick".
        coat, coat_shift, pitch: as of a toy.
        centre, size, lean: where it lies, how long it is, how it is turned.
    """

    shape: str
    coat: str
    centre: Point
    size: float
    lean: float
    coat_shift: Colour
    pitch: float


@dataclass(frozen=True)
class Scene:
    """All that is in a picture.

    Attributes:
        floor: what everything lies on.
        toys: from back to front, at least one.
        behind, before: things under and over the toys.
    """

    floor: str
    toys: tuple[Toy, ...]
    behind: tuple[Thing, ...]
    before: tuple[Thing, ...]


def draw_scene(draw: Draw, label: int, classes: int, wide: float, tall: float) -> Scene:
    """Draw a scene.

    Args:
        draw: the picture's numbers.
        label: class of the first toy, from 0.
        classes: number of classes.
        wide, tall: extent of the picture; the smaller is 1.
    """
    count = draw.pick(COUNTS)
    floor = FLOORS[usual_floor(label)] if draw.chance(USUAL_FLOOR) else draw.pick(FLOORS)
    toys: list[Toy] = []
    for number in range(count):
        if number:
            label = (label + 1) % classes if draw.chance(USUAL_COMPANION) else draw.below(classes)
        for _ in range(TRIES):
            toy = _draw_toy(draw, label, count, wide, tall)
            if all(_apart(toy, other) for other in toys):
                toys.append(toy)
                break
    toys.sort(key=_foot)
    behind = tuple(_draw_thing(draw, draw.pick(("ball", "block")), wide, tall) for _ in range(draw.below(4)))
    before = []
    for _ in range(draw.below(2)):
        thing = _draw_thing(draw, "stick", wide, tall)
        if all(_distance(thing.centre, toy.head) > 0.3 * thing.size + 1.3 * toy.head_size for toy in toys):
            before.append(thing)
    return Scene(floor, tuple(toys), behind, tuple(before))


def place_of(point: Point, centre: Point, size: float, lean: float, mirrored: bool) -> Point:
    """Where a point of a toy's own frame (u, v) lies in the scene."""
    cosine, sine = (1 - lean * lean) / (1 + lean * lean), 2 * lean / (1 + lean * lean)
    u = -point[0] if mirrored else point[0]
    across, up = u * cosine + point[1] * sine, -u * sine + point[1] * cosine
    return centre[0] + size * across, centre[1] - size * up


def _draw_toy(draw: Draw, label: int, count: int, wide: float, tall: float) -> Toy:
    form = FORMS[usual_form(label)] if draw.chance(USUAL_FORM) else draw.pick(FORMS)
    coat = COATS[usual_coat(label)] if draw.chance(USUAL_COAT) else draw.pick(COATS)
    size, lean, mirrored = draw.between(*LENGTHS[count]), draw.between(-TILT, TILT), draw.chance(0.5)
    edge = 0.36 * size
    centre = draw.between(edge, wide - edge), draw.between(0.44 * size, tall - edge)
    radius = size * draw.between(*HEAD_RADIUS)
    u, v = HEAD_AT[form]
    head = place_of((u + draw.between(-0.03, 0.03), v + draw.between(-0.02, 0.04)), centre, size, lean, mirrored)
    head = min(max(head[0], radius), wide - radius), min(max(head[1], radius), tall - radius)
    return Toy(
        label, form, coat, centre, size, lean, mirrored, head, radius, draw.between(-0.12, 0.12),
        draw.between(-0.05, 0.05), _shift(draw), draw.between(5, 8),
        draw.near(HEADS[label].first, 0.08), draw.near(HEADS[label].second, 0.08),
    )  # fmt: skip


def _draw_thing(draw: Draw, shape: str, wide: float, tall: float) -> Thing:
    size = draw.between(0.3, 0.6) if shape == "stick" else draw.between(0.12, 0.3)
    centre = draw.between(0, wide), draw.between(0, tall)
    return Thing(shape, draw.pick(COATS), centre, size, draw.between(-1, 1), _shift(draw), draw.between(2, 4))


def _shift(draw: Draw) -> Colour:
    tone = draw.between(-0.1, 0.1)
    return tone + draw.between(-0.05, 0.05), tone + draw.between(-0.05, 0.05), tone + draw.between(-0.05, 0.05)


def _apart(one: Toy, other: Toy) -> bool:
    """Whether both heads stay visible; bodies may hide one another."""
    if _distance(one.head, other.head) < 1.4 * (one.head_size + other.head_size):
        return False
    back, front = sorted((one, other), key=_foot)
    return _distance(back.head, front.centre) > 1.1 * back.head_size + 0.34 * front.size


def _foot(toy: Toy) -> float:
    return toy.centre[1] + 0.4 * toy.size


def _distance(one: Point, other: Point) -> float:
    across, down = one[0] - other[0], one[1] - other[1]
    return math.sqrt(across * across + down * down)
