"""Group-WSSS: the loss and its parts, what is collected and when, resuming, and what the baseline shares."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from labelkit.methods.group_wsss import Collection, GroupWSSS, SingleImage, group_loss
from labelkit.models.graph_dropout import GraphDropout
from labelkit.models.group_network import GroupGraph, GroupNetwork, class_head
from labelkit.pseudo_labels.accumulation import AccumulatedMaps, as_bytes
from labelkit.training import constant, train

CLASSES, IMAGES = 4, 6
TAGS = torch.eye(CLASSES)[torch.arange(IMAGES) % 2]


def network(size=3, rounds=3, seed=0, **options):
    torch.manual_seed(seed)
    trunk = nn.Sequential(nn.Conv2d(3, 8, 3, 4, 1), nn.ReLU())
    options = {"dropout": GraphDropout(each_image=True), "initial_std": 0.3, **options}
    return GroupNetwork(trunk, class_head(8, CLASSES, (), None), GroupGraph(CLASSES, size, rounds, **options))


def collection(**steps):
    return Collection(AccumulatedMaps(TAGS, (4, 4), likely=0.0), **steps)


class Batches:
    """``batches[step]`` of two groups; images 0, 2, 4 are of class 0, the others of class 1."""

    def __init__(self, size=3):
        self.size = size

    def __getitem__(self, step):
        generator = torch.Generator().manual_seed(step)
        kind = torch.randint(0, 2, (2, 1), generator=generator)
        index = 2 * torch.randint(0, 3, (2, self.size), generator=generator) + kind
        image = torch.rand(2, self.size, 3, 16, 16, generator=generator)
        return {"image": image, "tags": TAGS[index], "index": index}


def trained(method, steps=6, **options):
    torch.manual_seed(7)
    optimizer = torch.optim.SGD(method.parameters(), lr=0.05, momentum=0.9)
    train(method, Batches(), steps=steps, optimizer=optimizer, schedule=constant(), **options)
    return method


def same(first, second):
    return all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values()))


@pytest.mark.parametrize("size", [2, 3, 4])
def test_loss_is_the_sum_over_images_and_each_has_its_own_tags(size):
    generator = torch.Generator().manual_seed(0)
    group, single = (torch.randn(1, size, CLASSES, generator=generator).double() for _ in range(2))
    tags = torch.randint(0, 2, (1, size, CLASSES), generator=generator).double()
    margin = lambda logits, k: F.multilabel_soft_margin_loss(logits[:, k], tags[:, k])  # noqa: E731
    expected = sum(margin(group, k) for k in range(size)) + 0.4 * sum(margin(single, k) for k in range(size))
    torch.testing.assert_close(group_loss(group, single, tags)[0], expected / (2 * size))


def test_loss_of_groups_is_their_mean():
    logits, tags = torch.randn(2, 3, 3, CLASSES), torch.randint(0, 2, (3, 3, CLASSES)).float()
    each = [group_loss(logits[0][g : g + 1], logits[1][g : g + 1], tags[g : g + 1])[0] for g in range(3)]
    torch.testing.assert_close(group_loss(*logits, tags)[0], torch.stack(each).mean())


def test_the_group_loss_teaches_everything_and_the_single_loss_not_the_graph():
    method, batch = GroupWSSS(network()), Batches()[0]
    method.training_step(batch)["group"].backward()
    assert all(p.grad is not None for p in method.parameters())
    method.zero_grad(set_to_none=True)
    method.training_step(batch)["single"].backward()
    assert all(p.grad is None for p in method.network.graph.parameters())
    assert method.network.trunk[0].weight.grad.any()


def test_without_rounds_both_readouts_agree():
    losses = GroupWSSS(network(rounds=0)).training_step(Batches()[0])
    torch.testing.assert_close(losses["group"], losses["single"])
    torch.testing.assert_close(losses["loss"], 0.7 * losses["single"])


def test_a_single_image_is_trained_on_the_first_maps():
    grouped, single = GroupWSSS(network(rounds=0)), SingleImage(network())
    batch = Batches()[0]
    flat = {key: value.flatten(0, 1) for key, value in batch.items()}
    torch.testing.assert_close(single.training_step(flat)["loss"], grouped.training_step(batch)["single"])
    images = flat["image"]
    torch.testing.assert_close(single.predict(images), grouped.predict(images))


def test_maps_are_collected_from_the_very_pass_of_the_step():
    method, batch = GroupWSSS(network(), collection=collection()), Batches()[0]
    torch.manual_seed(3)
    method.training_step(batch)
    torch.manual_seed(3)
    maps = as_bytes(method.network(batch["image"]).maps())
    kept = method.collection.accumulated.of(torch.arange(IMAGES))
    for image in range(IMAGES):
        c = image % 2
        mine = maps[batch["index"] == image][:, c]
        expected = mine.amax(0) if len(mine) else torch.zeros(4, 4, dtype=torch.uint8)
        assert torch.equal(kept[image, c], expected)


def test_only_the_first_image_of_a_group_as_released():
    method, batch = GroupWSSS(network(), collection=collection(), first_only=True), Batches()[0]
    method.training_step(batch)
    found = method.collection.accumulated.seen.nonzero().flatten().tolist()
    assert found == sorted(set(batch["index"][:, 0].tolist()))


def test_collecting_starts_late_and_changes_no_training():
    late = trained(GroupWSSS(network(), collection=collection(first_step=6)))
    assert int(late.collection.steps) == 6 and not late.collection.accumulated.seen.any()
    collecting, plain = trained(GroupWSSS(network(), collection=collection())), trained(GroupWSSS(network()))
    assert collecting.collection.accumulated.seen.any() and same(collecting.network, plain.network)


def test_a_resumed_training_ends_with_the_same_weights_and_maps(tmp_path):
    class Stop(Exception):
        pass

    def stop(step, steps):
        if step == 3:
            raise Stop

    make = lambda: GroupWSSS(network(), collection=collection(first_step=1, last_from=4))  # noqa: E731
    whole = trained(make())
    options = {"checkpoint": tmp_path / "checkpoint.pt", "checkpoint_every": 1}
    with pytest.raises(Stop):
        trained(make(), on_step=stop, **options)
    assert same(trained(make(), **options), whole)


def test_graph_dropout_off_in_evaluation_makes_maps_repeatable():
    dropout = GraphDropout(each_image=True, in_evaluation=False)
    method, images = GroupWSSS(network(dropout=dropout)).eval(), Batches()[0]["image"]
    assert torch.equal(method.network(images).maps(), method.network(images).maps())


def test_bfloat16():
    with torch.autocast("cpu", torch.bfloat16):
        losses = GroupWSSS(network(), collection=collection()).training_step(Batches()[0])
    assert losses["loss"].isfinite()
