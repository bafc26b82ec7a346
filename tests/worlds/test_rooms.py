"""The world of rooms: repeatable, occluded, thinner with distance; solids are met where they are."""

import hashlib

import numpy as np
import pytest
import torch

from labelkit.worlds.rooms import CLASSES, KINDS, PALETTE, Rooms, parts
from labelkit.worlds.rooms import classes as c
from labelkit.worlds.rooms.draw import Draw
from labelkit.worlds.rooms.scanner import directions, scan
from labelkit.worlds.rooms.solids import Hits, Paint, Solid, ball, box, cast, cylinder

GREY = Paint((0.5, 0.5, 0.5))


def digest(world: Rooms, index: int) -> str:
    found = hashlib.sha256()
    for array in world.scan(index):
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:12]


@pytest.fixture(scope="module")
def rooms() -> Rooms:
    return Rooms("train", 20, points=3000)


@pytest.fixture(scope="module")
def scans(rooms: Rooms) -> list:
    return [rooms.scan(index) for index in range(len(rooms))]


def test_samples_follow_the_contract(rooms: Rooms) -> None:
    sample = rooms[3]
    assert set(sample) == {"xyz", "rgb", "label", "name"} and sample["name"] == "train-000003"
    assert sample["xyz"].shape == sample["rgb"].shape == (3000, 3) and sample["label"].shape == (3000,)
    assert (sample["xyz"].dtype, sample["rgb"].dtype, sample["label"].dtype) == (
        torch.float32,
        torch.float32,
        torch.int64,
    )
    assert sample["rgb"].min() >= 0 and sample["rgb"].max() <= 1
    levels = sample["rgb"] * 255
    torch.testing.assert_close(levels, levels.round(), rtol=0, atol=1e-4)
    assert rooms.classes == CLASSES and len(rooms.classes) == len(rooms.palette) == len(PALETTE) == 13
    with pytest.raises(IndexError, match=r"outside 0\.\.19"):
        rooms[20]


def test_known_rooms_never_change() -> None:
    """Digests of points, colours and classes; they may change only with WORLD_VERSION."""
    assert [digest(Rooms("train", 5, points=2000), index) for index in (0, 4)] == ["20fb7299c52f", "6e555ddab647"]
    assert digest(Rooms("test", 1, points=4000, variant="large", seed=3), 0) == "0fa26afbba60"


def test_a_room_depends_on_seed_split_and_place_only(rooms: Rooms) -> None:
    assert digest(Rooms("train", 7, points=3000), 6) == digest(rooms, 6)
    others = [Rooms("test", 7, 3000), Rooms("val", 7, 3000), Rooms("train", 7, 3000, seed=1)]
    assert len({digest(world, 6) for world in [*others, rooms]}) == 4
    assert len({world.fingerprint for world in [*others, rooms, Rooms("train", 7, 3001)]}) == 5
    few, many = Rooms("train", 7, 500).room(6), Rooms("train", 7, 900).room(6)
    assert few == many  # the number of points does not change the room


def test_every_kind_once_in_five_and_classes_where_their_table_says(rooms: Rooms, scans: list) -> None:
    kinds = [rooms.kind(index) for index in range(20)]
    assert all(sorted(kinds[start : start + 5]) == sorted(KINDS) for start in range(0, 20, 5))
    never = {kind: {name for name, p in zip(c.FURNISHED, table) if p == 0} for kind, table in KINDS.items()}
    for kind, (_, _, label) in zip(kinds, scans):
        present = set(np.unique(label).tolist())
        assert {c.CEILING, c.FLOOR, c.WALL} <= present and not present & never[kind]
    assert set(np.unique(np.concatenate([label for _, _, label in scans]))) == set(range(13))
    shares = np.bincount(np.concatenate([label for _, _, label in scans]), minlength=13) / 60_000
    assert shares[c.CHAIR] > 0.005 and shares[: c.BEAM].sum() < 0.85


def test_points_lie_in_the_room_and_on_their_surfaces(rooms: Rooms, scans: list) -> None:
    for index, (xyz, _, label) in enumerate(scans):
        size = np.array(rooms.room(index).size)
        assert (xyz > -0.2).all() and (xyz < size + 0.2).all()  # noise, and windows behind the walls
        assert np.abs(xyz[label == c.FLOOR, 2]).max() < 0.03
        assert np.abs(xyz[label == c.CEILING, 2] - size[2]).max() < 0.03
        away = np.minimum(xyz[:, :2], size[:2] - xyz[:, :2]).min(1)
        assert np.abs(away[label == c.WALL]).max() < 0.04
        assert not (label == c.WINDOW).any() or np.median(away[label == c.WINDOW]) < -0.02


def test_points_are_thinner_with_distance() -> None:
    world = Rooms("train", 40, points=6000)
    index = next(index for index in range(40) if len(world.room(index).scanners) == 1)
    room = world.room(index)
    xyz, _, label = world.scan(index)
    away = np.sqrt(((xyz[label == c.CEILING, :2] - np.array(room.scanners[0][:2])) ** 2).sum(1))
    near, far = (away < 0.5).sum() / 0.25, ((away > 1.0) & (away < 1.2)).sum() / 0.44
    assert near > 1.5 * far


def test_what_stands_behind_something_is_not_seen() -> None:
    room = Rooms("train", 1).room(0)
    room.openings, room.things = [], []
    width, depth, _ = room.size
    room.scanners = [(width / 2, depth / 2, 1.2)]
    # A screen of 0.4 m at a third of the way to the wall hides the wall behind it.
    screen = box(
        (width / 2 - 0.2, depth / 2 + depth / 6, 0.9), (width / 2 + 0.2, depth / 2 + depth / 6 + 0.02, 1.5), 12, GREY
    )
    open_view, hidden = (scan(Draw(1), room, 4000) for room.things in ([], [[screen]]))

    def behind(found) -> int:
        xyz, _, label = found
        aside = np.abs(xyz[:, 0] - width / 2) < 0.5
        return int(((label == c.WALL) & aside & (np.abs(xyz[:, 2] - 1.2) < 0.6) & (xyz[:, 1] > depth - 0.1)).sum())

    assert behind(open_view) > 50 and behind(hidden) == 0 and (hidden[2] == 12).sum() > 50


def inside(solid: Solid, place: np.ndarray) -> np.ndarray:
    """How far outside a solid's surface places (3, n) lie, negative within."""
    x, y, z = place - np.array(solid.place)[:, None]
    x, y = solid.cosine * x + solid.sine * y, solid.cosine * y - solid.sine * x
    half = solid.half
    if solid.kind == 0:
        return np.max([np.abs(x) - half[0], np.abs(y) - half[1], np.abs(z) - half[2]], axis=0)
    if solid.kind == 1:
        return np.maximum(np.sqrt(x * x + y * y) - half[0], np.abs(z) - half[2])
    return np.sqrt(x * x + y * y + z * z) - half[0]


@pytest.mark.parametrize(
    "solid",
    [
        box((-0.3, -0.2, 0.1), (0.4, 0.5, 0.9), 7, GREY).moved(1.0, 2.0, 0.2, 0.6, 0.8),
        cylinder(0.8, 1.8, 0.3, 0.2, 1.4, 7, GREY),
        ball(1.2, 2.1, 0.9, 0.4, 7, GREY),
    ],
)
def test_rays_meet_a_solid_where_it_is(solid: Solid) -> None:
    """Against steps of a millimetre along each ray."""
    origin, rays = (-0.4, 0.2, 1.6), directions(Draw(5), 8000)
    hits = Hits.none(8000)
    cast(hits, origin, rays, [solid], 4)
    met = hits.solid == 4
    assert met.sum() > 30 and np.isinf(hits.along[~met]).all()
    steps = np.arange(0, 4, 0.001)
    for index in (*np.flatnonzero(met)[:40], *np.flatnonzero(~met)[:200]):
        depth = inside(solid, np.array(origin)[:, None] + rays[:, index, None] * steps)
        entered = np.flatnonzero(depth < 0)
        if met[index]:
            assert abs(inside(solid, (np.array(origin) + rays[:, index] * hits.along[index])[:, None])[0]) < 1e-9
            assert not len(entered) or abs(steps[entered[0]] - hits.along[index]) < 0.0011
        else:
            assert not len(entered)


def test_directions_are_even_and_of_length_one() -> None:
    rays = directions(Draw(2), 5000)
    np.testing.assert_allclose((rays**2).sum(0), 1, atol=1e-6)
    octant = (rays[0] > 0) * 4 + (rays[1] > 0) * 2 + (rays[2] > 0)
    counts = np.bincount(octant, minlength=8)
    assert abs(counts - 625).max() < 40


def test_parts_and_variants() -> None:
    found = parts("large", {"train": 2, "test": 1}, points=1000)
    assert {part: (len(rooms), rooms.points, rooms.name) for part, rooms in found.items()} == {
        "train": (2, 1000, "rooms-large"),
        "test": (1, 1000, "rooms-large"),
    }
    assert found["train"].room(0).size[0] > 5 and len(found["train"].room(0).scanners) == 2
    with pytest.raises(ValueError, match="no variant 'round'"):
        parts("round", {"train": 1})
    for arguments in ({"split": "all"}, {"length": 0}, {"points": 3}, {"seed": True}):
        with pytest.raises(ValueError, match="rooms: "):
            Rooms(**arguments)
