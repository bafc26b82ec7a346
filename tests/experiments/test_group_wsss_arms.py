"""The arms of Group-WSSS: what they share, what is judged, and that a stopped cell ends as a whole one."""

from dataclasses import replace

import pytest
import torch
from cells import context, same_weights, without_time

from labelkit import runs
from labelkit.datasets.groups import Partners, tags_of
from labelkit.experiments import group_wsss, group_wsss_maps, tagging
from labelkit.experiments.group_wsss_maps import final_maps
from labelkit.methods.group_wsss import Collection
from labelkit.pseudo_labels.accumulation import AccumulatedMaps
from labelkit.training import Interrupted

SMALL = {
    "paper": "group_wsss",
    "run": "test",
    "budget": "smoke",
    "data": ["objects"],
    "arms": ["single", "pair", "group", "group-4"],
    "seeds": [0],
    "steps": 4,
    "batch_size": 12,
    "learning_rate": 0.05,
    "height": 32,
    "width": 32,
    "images": 24,
    "test_images": 8,
    "network_width": 4,
    "brightness": 0.1,
    "warm_steps": 2,
}


def settings(**changes):
    return runs.parse(SMALL | changes)


@pytest.mark.parametrize("arm", ["single", "pair", "group-4", "rounds-0", "no-dropout", "random-partners"])
def test_all_arms_of_a_seed_start_from_one_trunk_and_head(arm):
    first, other = (group_wsss.build(name, 8, settings(), seed=3) for name in ("group", arm))
    for part in ("trunk", "head"):
        assert same_weights(getattr(first, part).state_dict(), getattr(other, part).state_dict())


def test_arms_see_as_many_images_and_begin_groups_in_one_order(tmp_path):
    data = tagging.load_data("objects", settings(), context(tmp_path))
    partners = Partners(tags_of(data.train))
    batch = lambda arm, step: group_wsss.batches(arm, data, partners, settings(), 0, context(tmp_path))[step]  # noqa: E731
    assert {arm: batch(arm, 0)["index"].numel() for arm in SMALL["arms"]} == dict.fromkeys(SMALL["arms"], 12)
    singles = batch("single", 0)["index"].tolist()
    groups = [first for step in range(3) for first in batch("group", step)["index"][:, 0].tolist()]
    assert groups == singles
    assert set(batch("group", 0)) == {"image", "tags", "index"}  # no mask comes near training


def test_what_is_judged(tmp_path):
    found = group_wsss.run("group", "objects", 0, settings(segment=["group"], segmentation_steps=2), context(tmp_path))
    assert {f"objects/train/{each}" for each in ("maps", "accumulated-maps", "pseudo-labels")} <= set(found.metrics)
    assert "objects/test/whole-image" in found.metrics and "objects/test/tags" in found.metrics
    maps = found.metrics["objects/train/maps"]
    assert set(maps["miou_by"]) == {"first", "last", "mean", "dropout", "0", "1", "2", "3"}
    assert maps["miou_by"]["0"] == maps["miou_by"]["first"] and maps["miou_by"]["3"] == maps["miou_by"]["last"]
    assert maps["miou_by"]["mean"] == maps["miou_best"]
    assert found.images_seen == 4 * 12 and not any(name.startswith("collection.") for name in found.weights)


def test_the_start_is_shared_and_a_cell_alone_makes_the_same(tmp_path):
    group_wsss.run("single", "objects", 0, settings(), context(tmp_path / "shared"))
    found = group_wsss.run("rounds-1", "objects", 0, settings(), context(tmp_path / "shared"))
    alone = group_wsss.run("rounds-1", "objects", 0, settings(arms=["rounds-1"]), context(tmp_path / "alone"))
    assert without_time(found) == without_time(alone) and same_weights(found.weights, alone.weights)
    cold = group_wsss.run("rounds-1", "objects", 0, settings(warm_steps=0), context(tmp_path / "cold"))
    assert not same_weights(found.weights, cold.weights)


def test_a_stopped_cell_resumes_to_the_same_maps(tmp_path):
    chosen = settings(checkpoint_every=1)
    whole = group_wsss.run("pair", "objects", 0, chosen, context(tmp_path / "whole"))

    def stop(label, step, steps):
        if step == 3:
            raise Interrupted(step, None)

    here = context(tmp_path / "stopped")
    with pytest.raises(Interrupted):
        group_wsss.run("pair", "objects", 0, chosen, replace(here, on_step=stop))
    resumed = group_wsss.run("pair", "objects", 0, chosen, here)
    assert without_time(whole) == without_time(resumed) and same_weights(whole.weights, resumed.weights)


def test_final_maps_depend_on_the_seed_of_the_partners_alone(tmp_path):
    data = tagging.load_data("objects", settings(), context(tmp_path))
    partners = Partners(tags_of(data.train))
    network = group_wsss.build("group", len(data.foreground), settings(initial_std=0.3), 0).eval()
    make = lambda seed: [maps["last"] for _, maps in final_maps(network, data, partners, 3, seed, "cpu")]  # noqa: E731
    first, again, other = make(0), make(0), make(1)
    assert all(torch.equal(a, b) for a, b in zip(first, again))
    assert not all(torch.equal(a, b) for a, b in zip(first, other))
    batch, maps = next(iter(final_maps(network, data, partners, 3, 0, "cpu")))
    assert not torch.equal(maps["dropout"], maps["mean"]) and network.graph.dropout.training is False
    assert batch["index"].tolist() == list(range(16))


def test_an_image_without_a_tag_is_labelled_as_background():
    batch = {"tags": torch.tensor([[0, 0], [1, 0]]), "saliency": torch.full((2, 1, 8, 8), 0.5)}
    labels = group_wsss_maps.composed(torch.zeros(2, 2, 8, 8), batch)
    assert not labels[0].any() and (labels[1] == 255).all()


def test_the_released_optimiser():
    network = group_wsss.build("group", 8, settings(), 0)
    assert group_wsss.optimizer(network, settings()) is None
    found = group_wsss.optimizer(network, settings(released_optimizer=True))
    rates = {round(group["lr"] / 0.05): group for group in found.param_groups}
    assert sorted(rates) == [1, 2, 10, 20] and all(group["nesterov"] for group in found.param_groups)
    at = lambda parameter: next(rate for rate, group in rates.items() if any(parameter is p for p in group["params"]))  # noqa: E731
    assert at(network.trunk.stem[0].weight) == 1 and at(network.trunk.stem[1].bias) == 2
    assert at(network.graph.coattention.gate.weight) == 10 and at(network.head[0].bias) == 20


def test_settings_that_do_not_fit():
    with pytest.raises(ValueError, match="batch_size 6 holds no whole number of groups of 4"):
        settings(batch_size=6)
    with pytest.raises(ValueError, match="maps that accumulate"):
        settings(scales=[0.5, 1.0])
    with pytest.raises(ValueError, match="segment names 'groups'"):
        settings(segment=["groups"])
    with pytest.raises(ValueError, match="pretraining is 'imagenet'"):
        settings(pretraining="imagenet")


@pytest.mark.parametrize("parts", [1, 3])
def test_the_last_epoch_begins_with_its_step_whatever_the_parts(parts):
    kept = AccumulatedMaps(torch.ones(1, 1), (2, 2))
    collection = Collection(kept, first_step=2, last_from=4, parts=parts)
    for call in range(5 * parts):  # an unlikely class, which is kept in the last epoch alone
        collection.add(torch.tensor([0]), torch.ones(1, 1, 2, 2), torch.full((1, 1), -9.0))
        assert bool(kept.seen) == (call >= 4 * parts)
