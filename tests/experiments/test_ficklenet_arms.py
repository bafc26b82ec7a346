"""The arms of FickleNet: what they share, what a record holds, and that several stages resume."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from cells import context

from labelkit import runs
from labelkit.contrasts import value
from labelkit.experiments import ficklenet, ficklenet_stages, tagging
from labelkit.papers import load_paper
from labelkit.training import Interrupted

SMALL = {
    "paper": "ficklenet",
    "run": "test",
    "budget": "smoke",
    "data": ["objects"],
    "arms": ["deterministic", "fickle-0.9"],
    "seeds": [0],
    "steps": 3,
    "batch_size": 2,
    "learning_rate": 0.003,
    "height": 32,
    "width": 32,
    "images": 16,
    "test_images": 8,
    "kernel_size": 3,
    "counts": [1, 3, 10],
    "segmentation_steps": 2,
    "segmentation_batch_size": 2,
    "crf_iterations": 1,
    "strong_fraction": "3/4",
    "checkpoint_every": 1,
}


def settings(**changes):
    return runs.parse(SMALL | changes)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cells")
    arms = ("supervised", "deterministic", "fickle-0.9", "semi-supervised")
    return {arm: ficklenet.run(arm, "objects", 0, settings(), context(folder / arm)) for arm in arms}


@pytest.mark.parametrize("arm", sorted(set(ficklenet.ARMS) - {"supervised"}))
def test_all_arms_of_a_seed_start_from_the_same_weights(arm):
    first = ficklenet.build("deterministic", 5, settings(), seed=3).state_dict()
    other = ficklenet.build(arm, 5, settings(), seed=3).state_dict()
    assert first.keys() == other.keys() and all(torch.equal(first[name], other[name]) for name in first)


def test_a_record_holds_every_number_that_the_claims_ask_for(outcomes):
    needed = [
        (arm, contrast)
        for claim in load_paper("ficklenet").claims
        for contrast in claim.contrasts
        for arm in contrast.weights
        if arm in outcomes
    ]
    assert len(needed) > 15
    for arm, contrast in needed:
        record = {"arm": arm, "seed": 0, "metrics": outcomes[arm].metrics, "series": outcomes[arm].series}
        assert isinstance(value(record, contrast.metric, f"objects/{contrast.protocol}"), float)


def test_arms_of_equal_steps(outcomes):
    assert {outcome.steps for outcome in outcomes.values()} == {3}


def test_an_arm_is_judged_by_its_own_way_to_infer(outcomes):
    deterministic = outcomes["deterministic"].metrics["objects/train/maps"]
    fickle = outcomes["fickle-0.9"].metrics["objects/train/maps"]
    assert deterministic["miou_best"] == deterministic["deterministic"]["miou_best"]
    assert fickle["miou_best"] == fickle["stochastic"]["miou_best"] == fickle["union"]["10"]["miou_best"]
    for maps in (deterministic, fickle):
        best = {count: values["miou_best"] for count, values in maps["union"].items()}
        assert maps["inference_gain"] == pytest.approx(best["10"] - maps["deterministic"]["miou_best"])
        assert maps["union_gain"] == pytest.approx(best["10"] - best["1"])
        assert maps["late_gain"] == pytest.approx(best["10"] - best["1"])  # 1 is nearest to a tenth of 10
        assert maps["part_gap"] == pytest.approx(maps["recall_part"] - maps["recall_body"])
        cover = [maps["union"][count]["coverage"] for count in ("1", "3", "10")]
        assert cover == sorted(cover)


def test_fixed_seeds_and_grown_ones_are_told_apart(outcomes):
    found = outcomes["fickle-0.9"].metrics["objects/test/whole-image"]
    assert found["growing_gain"] == pytest.approx(found["miou"] - found["fixed"]["miou"])
    assert {"grown_seed", "fixed_seed", "grown_boundary", "fixed_grown"} <= set(outcomes["fickle-0.9"].series)
    semi = outcomes["semi-supervised"]
    assert "fixed" not in semi.metrics["objects/test/whole-image"] and "grown_full" in semi.series
    assert semi.split["labelled"] == 12


def test_judging_and_seeds_draw_the_same_maps(tmp_path):
    chosen, here = settings(), context(tmp_path)
    data = tagging.load_data("objects", chosen, here)
    method = ficklenet.build("fickle-0.9", len(data.foreground), chosen, 0).eval()
    first, second = (ficklenet_stages.judge(method, 0.9, data, 0, chosen, here) for _ in range(2))
    assert first == second
    labels = []
    for _ in range(2):
        generator = ficklenet_stages.generator_of(0, here)
        of = lambda batch, g=generator: ficklenet_stages.seeds_of(method, True, batch, g, chosen)  # noqa: E731
        labels.append(tagging.label_all(of, data, here))
    assert torch.equal(*labels) and labels[0].shape == (16, 32, 32)
    tags = torch.stack([data.train[i]["tags"] for i in range(16)])
    for label, present in zip(labels[0], tags):
        allowed = {0, 255, *(present.nonzero()[:, 0] + 1).tolist()}
        assert set(label.unique().tolist()) <= allowed


def test_seeds_see_no_mask(tmp_path):
    chosen, here = settings(), context(tmp_path)
    data = tagging.load_data("objects", chosen, here)
    method = ficklenet.build("deterministic", len(data.foreground), chosen, 0).eval()
    seen = []

    def label_of(batch):
        seen.append(set(batch))
        return ficklenet_stages.seeds_of(method, False, batch, None, chosen)

    seeds = tagging.label_all(label_of, data, here)
    assert not seen[0] & {"mask", "parts"}
    sample = ficklenet_stages.Weak(data.train, seeds)[3]
    assert set(sample) == {"image", "tags", "mask"} and torch.equal(sample["mask"], seeds[3].long())


def test_a_stop_between_the_stages_resumes_to_the_same_numbers(tmp_path, outcomes):
    def stop(label, step, steps):
        if label.endswith("grown") and step == 1:
            raise Interrupted(step, None)

    here = context(tmp_path)
    with pytest.raises(Interrupted):
        ficklenet.run("fickle-0.9", "objects", 0, settings(), replace(here, on_step=stop))
    resumed = ficklenet.run("fickle-0.9", "objects", 0, settings(), here)
    assert resumed.metrics == outcomes["fickle-0.9"].metrics
    without_time = {name: values for name, values in resumed.series.items() if "seconds" not in name}
    assert without_time == {name: outcomes["fickle-0.9"].series[name] for name in without_time}


def test_the_last_training_on_predictions(tmp_path):
    found = ficklenet.run("deterministic", "objects", 0, settings(retrain_steps=2), context(tmp_path))
    assert "miou" in found.metrics["objects/test/whole-image"]["retrained"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernel_size": 4}, "kernel_size is 4"),
        ({"counts": [5, 1]}, "counts is"),
        ({"counts": [0, 1]}, "counts is"),
        ({"pretraining": "imagenet"}, "pretraining is 'imagenet'"),
        ({"arms": ["fickle-1"]}, "fickle-1"),
    ],
)
def test_bad_values_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        settings(**changes)


def test_the_paper_sized_networks_fit_together():
    """At a small width: VGG-16 trunk under the stochastic layer, and each segmentation network in DSRG's step."""
    chosen = settings(network="vgg16", segmentation_network="deeplab-vgg16", seed_stride=8)
    with torch.device("meta"):
        method = ficklenet.build("fickle-0.9", 20, chosen, 0)
        assert method.trunk.channels == method.head.conv.in_channels == 512
        for name in ("deeplab-vgg16", "deeplabv2-resnet101"):
            whole = ficklenet_stages.segmentation_method(
                21, 0, chosen.model_copy(update={"segmentation_network": name}), grow=True
            )
            assert sum(p.numel() for p in whole.parameters()) > 3e7


def test_every_run_file_names_arms_and_keys_that_exist():
    for path in sorted((Path(__file__).parents[2] / "data" / "runs" / "ficklenet").glob("*.yaml")):
        assert runs.load(path).paper == "ficklenet"
