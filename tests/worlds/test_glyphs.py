"""The world of glyphs: repeatable, balanced, with a right way up, and not to be told by colour."""

import hashlib

import numpy as np
import pytest
import torch

from labelkit.worlds.glyphs import CLASSES, FAMILIES, PALETTE, Glyphs, parts
from labelkit.worlds.glyphs.backdrops import backdrop
from labelkit.worlds.glyphs.board import Board, Light, Paints
from labelkit.worlds.glyphs.draw import Draw
from labelkit.worlds.glyphs.picture import SHAPES


def digest(world: Glyphs, index: int) -> str:
    return hashlib.sha256(world.array(index).tobytes()).hexdigest()[:12]


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training pictures (600, 3, 32, 32) in 0..1, their labels, and 200 test pictures with labels."""
    train, test = Glyphs("train", 600), Glyphs("test", 200)
    pictures = [np.stack([world.array(index) for index in range(len(world))]) / 255 for world in (train, test)]
    return pictures[0], train.labels, pictures[1], test.labels


def linear_accuracy(train: np.ndarray, labels: np.ndarray, test: np.ndarray, truth: np.ndarray, ridge: float) -> float:
    """Share of test rows that ridge regression onto one-hot labels gets right."""
    count = int(labels.max()) + 1
    mean = train.mean(0)
    train, test = train - mean, test - mean
    targets = np.eye(count)[labels] - 1 / count
    weights = np.linalg.solve(train.T @ train + ridge * np.eye(train.shape[1]), train.T @ targets)
    return float(((test @ weights).argmax(1) == truth).mean())


def test_sample_follows_the_contract() -> None:
    world = Glyphs("val", 25)
    assert len(world) == len(world.names) == len(world.labels) == 25
    assert (world.name, world.ignore_index, len(world.fingerprint)) == ("glyphs", 255, 16)
    assert world.licence and world.classes == CLASSES
    assert world.palette.shape == PALETTE.shape == (20, 3) and len(np.unique(PALETTE, axis=0)) == 20
    sample = world[7]
    assert set(sample) == {"image", "label", "name"}
    assert sample["image"].shape == (3, 32, 32) and sample["image"].dtype == torch.float32
    assert sample["label"].shape == () and sample["label"].dtype == torch.int64
    assert int(sample["label"]) == world.labels[7] and sample["name"] == world.names[7]
    whole = sample["image"] * 255
    assert (whole - whole.round()).abs().max() < 1e-4 and whole.min() >= 0 and whole.max() <= 255


def test_four_families_of_five() -> None:
    assert [len(members) for members in FAMILIES.values()] == [4] * 5
    assert tuple(name for members in FAMILIES.values() for name in members) == CLASSES
    assert len(set(CLASSES)) == 20


# Computed once and pinned: it must hold on every machine, operating system and version of numpy.
CANARY = {
    ("train", 0): "0e91af7f4ae9",
    ("train", 7): "590823732c40",
    ("val", 3): "f3185f7efa6f",
    ("test", 2): "f330467ccf1e",
    ("test", 19): "7ce5a3d893bd",
}


@pytest.mark.parametrize(("split", "index"), list(CANARY))
def test_pixels_are_the_same_on_every_machine(split: str, index: int) -> None:
    assert digest(Glyphs(split, 20), index) == CANARY[split, index]


def test_every_shape_is_the_same_on_every_machine() -> None:
    world = Glyphs("train", 60)
    assert hashlib.sha256(b"".join(world.array(i).tobytes() for i in range(60))).hexdigest()[:12] == "5b8506d3e99e"


def test_picture_does_not_depend_on_order_length_or_process_state() -> None:
    world = Glyphs("train", 6)
    forward = [digest(world, index) for index in range(6)]
    np.random.seed(1)
    torch.manual_seed(1)
    longer = Glyphs("train", 45)
    assert [digest(longer, index) for index in reversed(range(6))][::-1] == forward
    assert np.array_equal(longer.labels[:6], world.labels) and len(set(forward)) == 6


def test_splits_seeds_and_sizes_differ() -> None:
    worlds = [Glyphs("train", 40), Glyphs("val", 40), Glyphs("test", 40), Glyphs("train", 40, seed=1)]
    assert len({digest(world, 0) for world in worlds}) == len({world.labels.tobytes() for world in worlds}) == 4
    assert len({world.fingerprint for world in [*worlds, Glyphs("train", 41), Glyphs("train", 40, 48, 48)]}) == 6
    assert Glyphs("train", 40).fingerprint == worlds[0].fingerprint


def test_classes_are_balanced_at_any_length() -> None:
    for length in (20, 33, 400):
        counts = np.bincount(Glyphs("train", length).labels, minlength=20)
        assert counts.sum() == length and counts.max() - counts.min() <= 1
    labels = Glyphs("train", 400).labels.reshape(20, 20)
    assert (np.sort(labels, axis=1) == np.arange(20)).all() and len(np.unique(labels, axis=0)) == 20


def test_parts_of_a_run_file() -> None:
    found = parts("", 32, 32, {"train": 21, "val": 5, "test": 6})
    assert {part: (len(world), world.split) for part, world in found.items()} == {
        "train": (21, "train"), "val": (5, "val"), "test": (6, "test"),
    }  # fmt: skip
    with pytest.raises(ValueError, match="glyphs has no variant 'night'"):
        parts("night", 32, 32, {"train": 1})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"split": "trian"}, "split is 'trian', expected one of train, val, test"),
        ({"length": 0}, "length is 0, expected an integer of at least 1"),
        ({"height": 32, "width": 48}, "height is 32 and width is 48, expected a square"),
        ({"height": 8, "width": 8}, "height is 8"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Glyphs(**arguments)


def test_an_index_outside_ends_the_iteration() -> None:
    world = Glyphs("val", 3)
    assert len(list(world)) == 3
    for index in (3, -1):
        with pytest.raises(IndexError, match=r"outside 0\.\.2"):
            world[index]


@pytest.mark.parametrize("name", CLASSES)
def test_every_object_covers_a_fair_part_whatever_the_background(name: str) -> None:
    paints = Paints((0.9, 0.8, 0.7), (0.8, 0.9, 0.7), (0.7, 0.9, 0.9), (0.1, 0.1, 0.1))
    for seed in range(12):
        draw = Draw(seed)
        canvas = backdrop(draw, 64, (0.2, 0.6)).canvas
        before = canvas.copy()
        board = Board(canvas, (0.5, 0.9), 0.75, 0.0, False, Light(0.3, 0.1), paints)
        SHAPES[name](draw, board)
        changed = (canvas != before).any(0).ravel()
        assert not (changed & ~board.touched).any()  # nothing outside the object
        assert 0.03 < changed.mean() < 0.6
        rows = np.flatnonzero(board.touched.reshape(64, 64).any(1))
        assert 54 <= rows[-1] <= 59  # it stands on row 0.9 of 64


def test_light_comes_from_above_however_the_object_leans() -> None:
    colour = (0.5, 0.5, 0.5)
    for lean in (-0.1051, 0.0, 0.1051):
        board = Board(
            np.zeros((3, 64, 64), np.float32), (0.5, 0.9), 0.7, lean, lean > 0, Light(0.15, 0.2), Paints(*[colour] * 4)
        )
        board.box(-0.3, 0.3, 0.0, 1.0, colour)
        rows = np.ma.masked_equal(board.canvas.reshape(3, 64, 64)[0], 0).mean(1).compressed()
        assert rows[5] > rows[len(rows) // 2] > rows[-5]


def test_colour_alone_does_not_tell_the_class(drawn) -> None:
    train, labels, test, truth = drawn

    def colours(pictures: np.ndarray) -> np.ndarray:
        mean, spread = pictures.mean((2, 3)), pictures.std((2, 3))
        return np.concatenate([mean, spread, mean**2, mean[:, [0, 1, 2]] * mean[:, [1, 2, 0]]], axis=1)

    assert linear_accuracy(colours(train), labels, colours(test), truth, 0.01) < 0.15  # chance: 0.05


def turned(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate([np.rot90(pictures, k, (2, 3)) for k in range(4)]), np.repeat(np.arange(4), len(pictures))


def test_rotation_can_be_seen_even_by_a_linear_probe(drawn) -> None:
    train, _, test, _ = drawn

    def thumbnails(pictures: np.ndarray) -> np.ndarray:
        return pictures.reshape(-1, 3, 8, 4, 8, 4).mean((1, 3, 5)).reshape(len(pictures), -1)

    (rows, turns), (held_out, truth) = turned(train), turned(test)
    assert linear_accuracy(thumbnails(rows), turns, thumbnails(held_out), truth, 1.0) > 0.45  # chance: 0.25


def test_no_single_pixel_gives_the_rotation_away(drawn) -> None:
    """The best threshold-free rule on one pixel of one channel, by eight levels of brightness, fitted and held out."""
    rows, turns = turned(drawn[0])
    held_out, truth = turned(drawn[2])
    levels, unseen = (np.minimum(x * 8, 7).astype(int).reshape(len(x), -1) for x in (rows, held_out))
    best = 0.0
    for pixel in range(0, levels.shape[1], 7):
        votes = np.zeros((8, 4))
        np.add.at(votes, (levels[:, pixel], turns), 1)
        best = max(best, float((votes.argmax(1)[unseen[:, pixel]] == truth).mean()))
    assert best < 0.45


def test_pictures_are_lighter_above_than_where_the_shadow_lies(drawn) -> None:
    train = drawn[0].mean(1)
    assert train[:, 4:18, 8:24].mean() > train[:, 24:30, 8:24].mean() + 0.02
