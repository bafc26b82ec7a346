"""Groups by tags: who may join, that all can be drawn and nobody joins itself, and streams that resume."""

import numpy as np
import pytest
import torch

from labelkit.datasets.augment import RandomScaleCropFlip
from labelkit.datasets.groups import Indexed, Partners, group_stream, tags_of
from labelkit.datasets.streams import Stream

TAGS = np.array(
    [[1, 0, 0], [1, 0, 0], [1, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 0], [1, 1, 1], [0, 1, 0]],
    dtype=np.float32,
)


class Pictures:
    """Picture i is grey of value i / 100."""

    def __init__(self, tags=TAGS):
        self.rows = tags

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        image = torch.full((3, 8, 8), index / 100)
        return {"image": image, "tags": torch.from_numpy(self.rows[index]), "name": f"picture-{index}"}


def drawn(partners, image, count=2, times=200):
    rng = np.random.default_rng(0)
    return [partners.draw(image, count, rng).tolist() for _ in range(times)]


def test_identical_partners_where_there_are_enough():
    groups = drawn(Partners(TAGS), 0)
    assert {index for group in groups for index in group} == {1, 2, 3}
    assert all(len(set(group)) == 2 for group in groups)


def test_the_first_and_the_last_image_are_drawn_too():
    assert {index for group in drawn(Partners(TAGS), 1) for index in group} == {0, 2, 3}
    assert {index for group in drawn(Partners(TAGS), 5) for index in group} == {6, 8}


def test_too_few_identical_images_are_joined_by_such_that_share_one_class():
    partners = Partners(TAGS)
    groups = drawn(partners, 4)  # tags of image 4 occur once; class 0 is shared by 0-3 and 7, class 1 by 5-8
    first, second = {0, 1, 2, 3, 7}, {5, 6, 7, 8}
    assert all(set(group) <= first or set(group) <= second for group in groups)
    assert {index for group in groups for index in group} == first | second
    assert all(set(group[:2]) == {6, 8} for group in drawn(partners, 5, 3)) and partners.alike(5) == 2


def test_a_class_that_no_other_image_shows_is_never_looked_for():
    groups = drawn(Partners(TAGS), 7)  # the only one with class 2
    assert all(7 not in group and len(group) == 2 for group in groups)


def test_someone_comes_twice_only_if_too_few_fit():
    tags = np.array([[1, 0], [1, 0], [0, 1], [0, 1]])
    assert drawn(Partners(tags), 0, 3, 1) == [[1, 1, 1]]


def test_shared_and_random():
    shared = drawn(Partners(TAGS, "shared"), 0)
    assert {index for group in shared for index in group} == {1, 2, 3, 4, 7}
    everyone = drawn(Partners(TAGS, "random"), 0)
    assert {index for group in everyone for index in group} == set(range(1, 9))


def test_images_that_show_nothing_join_each_other_if_asked_for():
    tags = np.array([[1, 0], [0, 0], [0, 0], [1, 0], [0, 0]])
    for mode in ("identical", "shared"):
        groups = drawn(Partners(tags, mode, untagged=True), 1)
        assert {index for group in groups for index in group} == {2, 4}
    with pytest.raises(ValueError, match="image 1 shares no class"):
        Partners(tags[[0, 1, 3]], untagged=True)


def test_bad_tags():
    with pytest.raises(ValueError, match="image 1 has no tag"):
        Partners([[1, 0], [0, 0]])
    with pytest.raises(ValueError, match="image 2 shares no class"):
        Partners([[1, 0], [1, 0], [0, 1]])
    assert Partners([[1, 0], [1, 0], [0, 1]], "random").draw(2, 1, np.random.default_rng(0))[0] in (0, 1)
    with pytest.raises(ValueError, match="at least two images"):
        Partners([[1, 0]])
    with pytest.raises(ValueError, match="mode is 'any'"):
        Partners(TAGS, "any")


def test_a_group_of_one_is_refused():
    with pytest.raises(ValueError, match="group_size is 1; a group needs at least 2"):
        group_stream(Pictures(), Partners(TAGS), 2, 1)
    with pytest.raises(ValueError, match="a group of 1 was asked for"):
        Partners(TAGS).draw(0, 0, np.random.default_rng(0))


def test_tags_of_another_data_set_are_refused():
    with pytest.raises(ValueError, match="tags of 9 images for 8"):
        group_stream(Pictures(TAGS[:8]), Partners(TAGS), 2)


def test_a_batch_and_its_index():
    batch = group_stream(Pictures(), Partners(TAGS), 4, 3)[0]
    assert batch["image"].shape == (4, 3, 3, 8, 8) and batch["tags"].shape == (4, 3, 3)
    assert batch["index"].shape == (4, 3)
    torch.testing.assert_close(batch["image"][:, :, 0, 0, 0], batch["index"] / 100)
    assert torch.equal(batch["tags"], torch.from_numpy(TAGS[batch["index"]]))
    assert tags_of(Pictures()).tolist() == TAGS.tolist()


def test_every_image_is_first_once_an_epoch_in_the_order_of_single_images():
    groups, singles = group_stream(Pictures(), Partners(TAGS), 3, 2, seed=5), Stream(Pictures(), range(9), 3, seed=5)
    firsts = [index for step in range(6) for index in groups[step]["index"][:, 0].tolist()]
    assert sorted(firsts[:9]) == sorted(firsts[9:]) == list(range(9)) and firsts[:9] != firsts[9:]
    names = [name for step in range(6) for name in singles[step]["name"]]
    assert names == [f"picture-{index}" for index in firsts]


def test_a_step_depends_on_nothing_but_seed_and_step():
    augment = RandomScaleCropFlip(8, 8, flip=0, brightness=0.3)
    make = lambda seed=1, **place: group_stream(Pictures(), Partners(TAGS), 4, 3, augment, seed, **place)  # noqa: E731
    stream, again = make(), make()
    later = again[7]
    assert torch.equal(stream[7]["image"], later["image"]) and torch.equal(stream[7]["index"], later["index"])
    assert not torch.equal(stream[7]["index"], make(2)[7]["index"])
    halves = [make(rank=rank, world_size=2)[7]["index"] for rank in (0, 1)]
    assert torch.equal(torch.cat(halves), later["index"])
    parts = make(parts=2)
    assert torch.equal(torch.cat([parts[14]["image"], parts[15]["image"]]), later["image"])
    np.random.seed(0)
    before = np.random.get_state()[2]
    make()[0]
    assert np.random.get_state()[2] == before


def test_indexed_samples():
    data = Indexed(Pictures())
    assert len(data) == 9 and int(data[4]["index"]) == 4
    assert set(data[4]) == {"image", "tags", "index"}
