"""The arms of S4L: what they share, how they are trained, and that several stages add up."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from cells import context, same_weights, without_time

from labelkit import runs
from labelkit.datasets.relabelled import Relabelled
from labelkit.experiments import s4l
from labelkit.experiments.classification import labels_of, load_data
from labelkit.experiments.data import Parts
from labelkit.experiments.s4l_training import (
    kernels_decayed,
    pseudo_labels,
    split_of,
    warmup_and_steps,
)
from labelkit.training import Interrupted

SMALL = {
    "paper": "s4l",
    "run": "test",
    "budget": "smoke",
    "data": ["glyphs"],
    "arms": ["supervised-1/10", "moam-1", "moam-2", "moam-3"],
    "seeds": [0],
    "steps": 4,
    "batch_size": 2,
    "learning_rate": 0.05,
    "height": 16,
    "width": 16,
    "images": 40,
    "test_images": 8,
    "network_width": 4,
    "copies": 2,
    "embedding": 4,
    "vat_radius": 1.0,
    "moam_radius": 1.0,
    "evaluate_every": 2,
}


def settings(**changes):
    return runs.parse(SMALL | changes)


@pytest.mark.parametrize("arm", ["supervised-1/10", "rotation-none", "exemplar-swapped", "vat-entmin-1/10", "moam-1"])
def test_all_arms_of_a_seed_start_from_one_body(arm):
    first = s4l.build("rotation-1/10", 20, settings(), seed=3).network
    other = s4l.build(arm, 20, settings(), seed=3).network
    assert same_weights(first.body.state_dict(), other.body.state_dict())
    assert same_weights(first.heads["classes"].state_dict(), other.heads["classes"].state_dict())


def test_counts_of_labelled_images():
    sizes = np.array([732] + 8 * [1300] + [1680])  # 1,281.2 on average, as in ILSVRC-2012
    train = SimpleNamespace(labels=np.repeat(np.arange(10), sizes), classes=tuple("abcdefghij"))
    for fraction, changes, per_class in (("1/10", {}, 128), ("1/100", {}, 13), ("1/10", {"labelled_per_class": 7}, 7)):
        split = split_of(Parts(train, None, None), fraction, 0, settings(**changes))
        assert np.bincount(train.labels[list(split.labelled)]).tolist() == [per_class] * 10


def test_a_list_takes_the_place_of_the_draw(tmp_path):
    data = load_data("glyphs", settings(), context(tmp_path))
    chosen = [data.train.names[index] for index in range(20, 40)]  # twenty in a row show every class once
    (tmp_path / "list.txt").write_text("\n".join(chosen))
    split = split_of(data, "1/10", 0, settings(labelled_list=str(tmp_path / "list.txt")))
    assert split.labelled == tuple(range(20, 40)) and split.unlabelled == tuple(range(20)) and split.name == "list.txt"


def test_at_least_one_label_a_class(tmp_path):
    data = load_data("glyphs", settings(), context(tmp_path))
    split = split_of(data, "1/100", 0, settings())
    assert sorted(labels_of(data.train)[list(split.labelled)]) == list(range(20))


def test_schedule_rises_holds_and_falls():
    factor = warmup_and_steps(0.05, (0.7, 0.8, 0.9))
    assert [factor(step, 200) for step in (0, 5, 10, 140, 141, 161, 181)] == pytest.approx(
        [0, 0.5, 1, 1, 0.1, 0.01, 0.001]
    )
    assert warmup_and_steps(0.0, ())(0, 10) == 1


def test_weight_decay_acts_on_kernels_of_convolutions_and_heads_alone():
    method = s4l.build("moam-1", 5, settings(moam_average=3.0), seed=0)
    optimizer = kernels_decayed(method, 0.1, 1e-3)
    decayed = {id(p) for p in optimizer.param_groups[0]["params"]}
    names = {name for name, p in method.named_parameters() if id(p) in decayed}
    assert "network.heads.classes.weight" in names and "network.body.0.weight" in names
    assert not any("norm" in name or "bias" in name or "average" in name for name in names)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [1e-3, 0.0]
    covered = sum(len(group["params"]) for group in optimizer.param_groups)
    assert covered == sum(p.requires_grad for p in method.parameters())


def test_pseudo_labels_keep_the_true_ones_and_count_the_others(tmp_path):
    data = load_data("glyphs", settings(), context(tmp_path))
    split = split_of(data, "1/10", 0, settings())
    method = SimpleNamespace(predict=lambda x: torch.eye(20)[torch.full((len(x),), 7)], eval=int, train=int)
    labels, right = pseudo_labels(method, data, split, settings(), "cpu", rotations=False)
    truth = torch.tensor(labels_of(data.train))
    assert torch.equal(labels[list(split.labelled)], truth[list(split.labelled)])
    assert (labels[list(split.unlabelled)] == 7).all()
    assert right == pytest.approx(float((truth[list(split.unlabelled)] == 7).double().mean()))
    relabelled = Relabelled(data.train, labels, "label")
    assert len(relabelled) == 40 and int(relabelled[split.unlabelled[0]]["label"]) == 7


def test_stages_add_up_and_teachers_are_shared_or_trained_anew_alike(tmp_path):
    """MOAM's third step from teachers that other cells left behind equals the one that trains them itself."""
    for arm in ("moam-1", "moam-2"):
        s4l.run(arm, "glyphs", 0, settings(), context(tmp_path / "shared"))
    found = s4l.run("moam-3", "glyphs", 0, settings(), context(tmp_path / "shared"))
    alone = s4l.run("moam-3", "glyphs", 0, settings(arms=["moam-3"]), context(tmp_path / "alone"))
    assert without_time(found) == without_time(alone) and same_weights(found.weights, alone.weights)
    assert found.steps == 4 + 4 + 2
    assert {"teacher_vat", "student_classes", "pseudo_accuracy", "classes"} <= set(found.series)
    assert found.series["val_accuracy"][-1][0] == 10


def test_pretraining_takes_as_many_steps_and_images_as_joint_training(tmp_path):
    first = s4l.run("pretrain-rotation", "glyphs", 0, settings(), context(tmp_path / "a"))
    joint = s4l.run("rotation-1/10", "glyphs", 0, settings(), context(tmp_path / "b"))
    assert first.steps == joint.steps == 4
    assert "pretraining_rotation" in first.series and "rotation_accuracy" in joint.series


def test_a_stopped_training_resumes_to_the_same_weights(tmp_path):
    chosen = settings(checkpoint_every=1, moam_average=2.0)
    whole = s4l.run("moam-1", "glyphs", 0, chosen, context(tmp_path / "whole"))

    def stop(label, step, steps):
        if step == 2:
            raise Interrupted(step, None)

    here = context(tmp_path / "stopped")
    with pytest.raises(Interrupted):
        s4l.run("moam-1", "glyphs", 0, chosen, replace(here, on_step=stop))
    resumed = s4l.run("moam-1", "glyphs", 0, chosen, here)
    assert same_weights(whole.weights, resumed.weights) and without_time(whole) == without_time(resumed)


def test_exemplar_copies_reach_the_method(tmp_path):
    found = s4l.run("exemplar-1/10", "glyphs", 0, settings(), context(tmp_path))
    assert found.images_seen == 4 * (2 + 2) * 2 and "exemplar" in found.series
