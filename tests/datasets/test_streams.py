"""Streams and augmentation: a batch is a function of the step alone."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labelkit.datasets.augment import RandomScaleCropFlip
from labelkit.datasets.memory import InMemory
from labelkit.datasets.streams import Joined, Stream, stack


class Numbers:
    classes, ignore_index, fingerprint = ("a", "b"), 255, "f"

    def __len__(self):
        return 10

    def __getitem__(self, index):
        value = index * 25 / 255
        return {"image": torch.full((3, 4, 5), value), "mask": torch.full((4, 5), index % 2), "name": str(index)}


def names(stream, steps):
    return [name for step in range(steps) for name in stream[step]["name"]]


@given(batch=st.integers(1, 7), seed=st.integers(0, 1000), epochs=st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_every_sample_is_seen_once_an_epoch_across_batch_borders(batch, seed, epochs):
    seen = names(Stream(Numbers(), range(10), batch, seed=seed), -(-10 * epochs // batch))
    for epoch in range(epochs):
        assert sorted(seen[epoch * 10 : epoch * 10 + 10]) == sorted(map(str, range(10)))


def test_a_batch_does_not_depend_on_what_was_asked_before():
    jitter = lambda sample, rng: sample | {"image": sample["image"] + rng.random()}  # noqa: E731
    first, second = (Stream(Numbers(), range(10), 3, jitter, seed=5) for _ in range(2))
    first[0], first[1]
    assert torch.equal(first[7]["image"], second[7]["image"])
    assert not torch.equal(first[7]["image"], Stream(Numbers(), range(10), 3, jitter, seed=6)[7]["image"])


def test_processes_share_out_the_joined_batch():
    whole = names(Stream(Numbers(), range(10), 4, seed=2), 5)
    shares = [Stream(Numbers(), range(10), 4, seed=2, rank=rank, world_size=2) for rank in range(2)]
    joined = [name for step in range(5) for share in shares for name in share[step]["name"]]
    assert joined == whole


@pytest.mark.parametrize(("processes", "parts"), [(1, 1), (1, 4), (2, 2), (4, 1), (2, 1), (1, 2)])
def test_parts_draw_what_the_joined_batch_draws(processes, parts):
    """Images and augmentation: both depend on the place in the joined batch, whoever computes it and when."""
    jitter = lambda sample, rng: sample | {"image": sample["image"] + rng.random()}  # noqa: E731
    whole = Stream(Numbers(), range(10), 4, jitter, seed=2)
    shares = [
        Stream(Numbers(), range(10), 4, jitter, seed=2, rank=rank, world_size=processes, parts=parts)
        for rank in range(processes)
    ]
    for step in (0, 3, 7):
        found = [share[step * parts + part] for share in shares for part in range(parts)]
        assert torch.equal(torch.cat([batch["image"] for batch in found]), whole[step]["image"])
        assert [name for batch in found for name in batch["name"]] == whole[step]["name"]


def test_joined_streams_are_nested_and_independent():
    batch = Joined(labelled=Stream(Numbers(), [1, 2], 2), unlabelled=Stream(Numbers(), [5], 3))[4]
    assert sorted(batch["labelled"]["name"]) == ["1", "2"] and batch["unlabelled"]["name"] == ["5"] * 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], 2), "indices is empty"),
        (([1], 0), "batch_size 0"),
        (([1], 3, None, 0, 0, 2), "batch_size 3 .* 2 process"),
        (([1], 6, None, 0, 1, 2, 2), r"batch_size 6 .* 2 process\(es\) with 2 parts each$"),
    ],
)
def test_bad_streams(arguments, message):
    with pytest.raises(ValueError, match=message):
        Stream(Numbers(), *arguments)


def test_stack_gathers_what_cannot_be_stacked():
    batch = stack([{"xyz": torch.zeros(n, 3), "label": torch.tensor(n)} for n in (4, 6)])
    assert batch["label"].tolist() == [4, 6] and [len(x) for x in batch["xyz"]] == [4, 6]


@given(
    height=st.integers(3, 40),
    width=st.integers(3, 40),
    scale=st.floats(0.4, 2.5),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=60, deadline=None)
def test_image_and_mask_stay_together(height, width, scale, seed):
    # The image shows its own label, so any parting of the two is visible; padding is 255 in the mask.
    mask = torch.randint(0, 2, (height, width))
    sample = {"image": mask.float().expand(3, -1, -1).clone(), "mask": mask}
    augment = RandomScaleCropFlip(16, 20, scales=[1.0, 1.0] if scale < 1 else [1.0], fill=(0.5, 0.5, 0.5))
    out = augment(sample, np.random.default_rng(seed))
    assert out["image"].shape == (3, 16, 20) and out["mask"].shape == (16, 20)
    inside = out["mask"] != 255
    assert torch.equal(out["image"][0][inside], out["mask"][inside].float())
    assert (out["image"][0][~inside] == 0.5).all()
    assert int((~inside).sum()) == 320 - min(16, height) * min(20, width)


def test_scales_come_from_the_list_or_the_range():
    image = torch.zeros(3, 20, 20)
    listed = RandomScaleCropFlip(4, 4, scales=[0.5, 2.0])
    ranged = RandomScaleCropFlip(4, 4, scales=[0.5, 2.0], continuous=True)
    assert {listed._size(image, along)[0] for along in np.linspace(0, 0.999, 50)} == {10, 40}
    assert len({ranged._size(image, along)[0] for along in np.linspace(0, 0.999, 50)}) > 20
    with pytest.raises(ValueError, match="two ends"):
        RandomScaleCropFlip(4, 4, scales=[1.0], continuous=True)


def test_half_of_the_samples_are_flipped():
    image = torch.arange(4.0).expand(3, 4, 4).clone()
    augment = RandomScaleCropFlip(4, 4)
    flipped = sum(bool(augment({"image": image}, np.random.default_rng(i))["image"][0, 0, 0] == 3) for i in range(400))
    assert 160 < flipped < 240


def test_in_memory_gives_the_same_samples_and_pickles():
    import pickle

    held = InMemory(Numbers())
    for index in (3, 3, 7):
        assert torch.equal(held[index]["image"], Numbers()[index]["image"])
        assert torch.equal(held[index]["mask"], Numbers()[index]["mask"].long())
    again = pickle.loads(pickle.dumps(held))
    assert again.fingerprint == "f" and len(again) == 10
