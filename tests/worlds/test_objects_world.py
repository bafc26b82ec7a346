"""The world of objects: repeatable at every size, tags true to masks, bodies shared, saliency never clean."""

import hashlib

import numpy as np
import pytest
import torch

from labelkit.worlds.objects import HEADS, LEVELS, PALETTE, Objects, parts
from labelkit.worlds.objects.classes import COATS, FLOORS, FORMS, usual_coat, usual_floor, usual_form
from labelkit.worlds.objects.draw import Draw
from labelkit.worlds.objects.saliency import saliency_map
from labelkit.worlds.objects.scene import draw_scene


def digest(world: Objects, index: int) -> str:
    """Of everything in a sample."""
    picture = world.picture(index)
    found = hashlib.sha256()
    for array in (picture.image, picture.mask, picture.parts, world.saliency(index, picture)):
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:12]


@pytest.fixture(scope="module")
def samples() -> list[dict]:
    """Pictures of all twenty classes."""
    return list(Objects("train", 120, num_classes=20))


def test_sample_follows_the_contract() -> None:
    world = Objects("val", 9)
    assert len(world) == len(world.names) == len(list(world)) == 9
    assert (world.name, world.ignore_index, len(world.fingerprint)) == ("objects", 255, 16)
    assert world.licence and world.classes == ("background", *(head.name for head in HEADS[:8]))
    assert world.palette.shape == (9, 3) and len(np.unique(PALETTE, axis=0)) == len(PALETTE) == 21
    sample = world[4]
    assert set(sample) == {"image", "mask", "tags", "saliency", "parts", "name"}
    shapes = {"image": (3, 64, 64), "mask": (64, 64), "tags": (8,), "saliency": (1, 64, 64), "parts": (64, 64)}
    for key, shape in shapes.items():
        assert sample[key].shape == shape
        assert sample[key].dtype == (torch.int64 if key in ("mask", "parts") else torch.float32)
    for key in ("image", "saliency"):
        whole = sample[key] * 255
        assert (whole - whole.round()).abs().max() < 1e-4 and whole.min() >= 0 and whole.max() <= 255
    assert sample["name"] == world.names[4]


# Computed once and pinned: it must hold on every machine, operating system and version of numpy.
CANARY = {
    ("train", 0): "7ffc05eb68af",
    ("train", 7): "a1e1f8a69d40",
    ("val", 3): "e9179af37fdf",
    ("test", 11): "0736453e331d",
}


@pytest.mark.parametrize(("split", "index"), list(CANARY))
def test_samples_are_the_same_on_every_machine(split: str, index: int) -> None:
    assert digest(Objects(split, 12), index) == CANARY[split, index]


def test_all_twenty_heads_are_the_same_on_every_machine() -> None:
    world = Objects("train", 20, 48, 80, num_classes=20)  # each class is the first toy of one picture
    assert (
        hashlib.sha256("".join(digest(world, index) for index in range(20)).encode()).hexdigest()[:12] == "10d2e27c7355"
    )


def test_a_sample_does_not_depend_on_order_length_or_process_state() -> None:
    world = Objects("train", 5)
    forward = [digest(world, index) for index in range(5)]
    np.random.seed(1)
    torch.manual_seed(1)
    longer = Objects("train", 30)
    assert [digest(longer, index) for index in reversed(range(5))][::-1] == forward and len(set(forward)) == 5


def test_splits_seeds_sizes_classes_and_detectors_differ() -> None:
    worlds = [Objects("train", 4), Objects("val", 4), Objects("test", 4), Objects("train", 4, seed=1)]
    assert len({digest(world, 0) for world in worlds}) == 4
    worlds += [Objects("train", 5), Objects("train", 4, 64, 80), Objects("train", 4, num_classes=9)]
    worlds += [Objects("train", 4, detector=level) for level in (1, 3)]
    assert len({world.fingerprint for world in worlds}) == 9
    assert Objects("train", 4).fingerprint == worlds[0].fingerprint


@pytest.mark.parametrize("factor", [3, 5])
def test_another_size_shows_the_same_scene(factor: int) -> None:
    small, large = Objects("test", 4, 32, 48), Objects("test", 4, 32 * factor, 48 * factor)
    middle = slice(factor // 2, None, factor)
    for index in range(4):
        one, other = small.picture(index), large.picture(index)
        assert (one.mask != other.mask[middle, middle]).mean() < 0.002  # rounding on an edge
        assert (one.parts != other.parts[middle, middle]).mean() < 0.002
        average = other.image.reshape(3, 32, factor, 48, factor).mean((2, 4))
        assert np.abs(average - one.image).mean() < 6
        maps = large.saliency(index, other).reshape(32, factor, 48, factor).mean((1, 3))
        assert np.abs(maps - small.saliency(index, one)).mean() < 0.02


def test_tags_say_what_is_in_the_mask(samples: list[dict]) -> None:
    for sample in samples:
        seen = {int(label) - 1 for label in sample["mask"].unique() if label > 0}
        assert seen == set(sample["tags"].nonzero()[:, 0].tolist())
        assert 1 <= len(seen) <= 3
    assert torch.stack([sample["tags"] for sample in samples]).sum(0).min() >= 5  # every class occurs


def test_a_toy_is_a_head_and_a_larger_body(samples: list[dict]) -> None:
    shares = []
    for sample in samples:
        mask, kinds = sample["mask"], sample["parts"]
        assert set(kinds.unique().tolist()) <= {0, 1, 2} and torch.equal(kinds > 0, mask > 0)
        for label in mask.unique()[1:]:
            assert (kinds[mask == label] == 1).sum() > 40  # no head is hidden
        shares.append(float((kinds == 1).sum() / (kinds > 0).sum()))
    assert max(shares) < 0.5 and 0.2 < np.mean(shares) < 0.4


def test_one_to_three_toys_that_may_hide_one_another_but_not_wholly() -> None:
    world = Objects("train", 120, 48, 48)
    counts, overlaps = np.zeros(4, int), 0
    for index in range(len(world)):
        picture = world.picture(index)
        counts[len(picture.scene.toys)] += 1
        assert set(np.unique(picture.owner)) - {0} == set(range(1, len(picture.scene.toys) + 1))
        alone = [np.hypot(a.centre[0] - b.centre[0], a.centre[1] - b.centre[1]) < 0.3 * (a.size + b.size)
                 for a in picture.scene.toys for b in picture.scene.toys if a is not b]  # fmt: skip
        overlaps += any(alone)
    assert counts[0] == 0 and (counts[1:] > 15).all() and overlaps > 10


def test_bodies_and_floors_say_a_little_about_the_class_and_never_all() -> None:
    toys, floors = [], []
    for index in range(800):
        scene = draw_scene(Draw(7, index), index % 8, 8, 1.0, 1.0)
        floors.append((index % 8, scene.floor))
        toys += scene.toys
    for usual, names, found, chance in (
        (usual_form, FORMS, [(toy.label, toy.form) for toy in toys], 0.4),
        (usual_coat, COATS, [(toy.label, toy.coat) for toy in toys], 0.4),
        (usual_floor, FLOORS, floors, 0.5),
    ):
        expected = chance + (1 - chance) / len(names)
        assert np.mean([names[usual(label)] == name for label, name in found]) == pytest.approx(expected, abs=0.06)
        assert {(label, name) for label, name in found} == {(label, name) for label in range(8) for name in names}
    # Two classes at least have a coat more often than others have it.
    assert {usual_coat(2 * pair) for pair in range(10)} == {usual_coat(2 * pair + 1) for pair in range(10)}


def test_a_toy_has_a_usual_companion() -> None:
    pairs = []
    for index in range(800):
        labels = [toy.label for toy in draw_scene(Draw(8, index), index % 8, 8, 1.0, 1.0).toys]
        if len(labels) == 2 and index % 8 in labels:
            labels.remove(index % 8)
            pairs.append((labels[0] - index % 8) % 8)
    assert np.mean(np.array(pairs) == 1) == pytest.approx(0.5 + 0.5 / 8, abs=0.08)


def test_the_detector_changes_the_saliency_only() -> None:
    sets = [parts(variant, 32, 32, {"train": 6})["train"] for variant in ("sal1", "", "sal2", "sal3")]
    assert [data.name for data in sets] == ["objects-sal1", "objects", "objects", "objects-sal3"]
    for index in range(6):
        rows = [data[index] for data in sets]
        for row in rows[1:]:
            assert all(torch.equal(row[key], rows[0][key]) for key in ("image", "mask", "parts", "tags"))
        assert torch.equal(rows[1]["saliency"], rows[2]["saliency"])
        assert not torch.equal(rows[0]["saliency"], rows[1]["saliency"])
        assert not torch.equal(rows[3]["saliency"], rows[1]["saliency"])


@pytest.fixture(scope="module")
def judged() -> dict[int, tuple[float, float, float]]:
    """By level: share of missed toys, share of pictures with a false alarm, mean error."""
    world = Objects("test", 300, 32, 32)
    pictures = [world.picture(index) for index in range(len(world))]
    found = {}
    for level in LEVELS:
        missed, alarms, errors = [], [], []
        for index, picture in enumerate(pictures):
            saliency = saliency_map(Draw(0, 2, index, 2), picture, level)
            toy = picture.mask > 0
            assert not np.array_equal(saliency, toy) and not np.array_equal(saliency > 0.5, toy)
            errors.append(np.abs(saliency - toy).mean())
            if len(picture.scene.toys) == 1:
                missed.append(saliency[toy].mean() < 0.2)
            near = toy.copy()
            for _ in range(3):
                near[1:] |= near[:-1]
                near[:-1] |= near[1:]
                near[:, 1:] |= near[:, :-1]
                near[:, :-1] |= near[:, 1:]
            alarms.append((saliency[~near] > 0.4).any())
        found[level] = float(np.mean(missed)), float(np.mean(alarms)), float(np.mean(errors))
    return found


@pytest.mark.parametrize("level", list(LEVELS))
def test_saliency_misses_and_false_alarms_are_as_stated(judged: dict, level: int) -> None:
    missed, alarms, error = judged[level]
    assert missed == pytest.approx(LEVELS[level].miss, abs=0.08)
    assert alarms == pytest.approx(LEVELS[level].false_alarm, abs=0.08)
    assert error > 0.05 and (level == 1 or error > judged[level - 1][2])


def test_parts_of_a_run_file() -> None:
    found = parts("", 64, 64, {"train": 12, "val": 3, "test": 4})
    assert {part: (len(world), world.split) for part, world in found.items()} == {
        "train": (12, "train"), "val": (3, "val"), "test": (4, "test"),
    }  # fmt: skip
    named = parts("20-sal3", 48, 64, {"train": 1})["train"]
    assert (named.name, len(named.classes), named.detector) == ("objects-20-sal3", 21, 3)
    assert named[0]["tags"].shape == (20,) and named[0]["mask"].shape == (48, 64)
    assert parts("8", 32, 32, {"train": 1})["train"].name == "objects"


@pytest.mark.parametrize("variant", ["night", "1", "21", "08", "sal0", "sal4", "20sal1", "20-", "-sal1", "sal1-20"])
def test_a_variant_that_does_not_exist_is_refused(variant: str) -> None:
    with pytest.raises(
        ValueError, match=rf"objects has no variant '{variant}': a number of classes from 2 to 20, sal1"
    ):
        parts(variant, 32, 32, {"train": 1})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"split": "trian"}, "split is 'trian', expected one of train, val, test"),
        ({"length": 0}, "length is 0, expected an integer of at least 1"),
        ({"height": 8}, "height is 8, expected an integer of at least 16"),
        ({"seed": -1}, "seed is -1"),
        ({"num_classes": 21}, "num_classes is 21, expected an integer from 2 to 20"),
        ({"num_classes": 1}, "num_classes is 1, expected an integer of at least 2"),
        ({"detector": 4}, "detector is 4, expected one of 1, 2, 3"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Objects(**arguments)


def test_an_index_outside_ends_the_iteration() -> None:
    world = Objects("val", 3, 32, 32)
    assert len(list(world)) == 3
    for index in (3, -1):
        with pytest.raises(IndexError, match=r"outside 0\.\.2"):
            world[index]
