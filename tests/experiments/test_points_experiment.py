"""The arms of the points chapter: what they share, what a record holds, that stages are kept and resumed."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from cells import context, same_weights, without_time

from labelkit import runs
from labelkit.contrasts import value
from labelkit.datasets.gridded import Gridded, WholeClouds, coarse_index, coarse_labels
from labelkit.datasets.sphere_clouds import SphereClouds, covering
from labelkit.experiments import points
from labelkit.experiments.points_data import load_data, masks_of
from labelkit.experiments.points_measures import confusion_of, gradient_coverage, marked, numbers
from labelkit.experiments.points_training import MODULES, Stage, build
from labelkit.metrics.confusion import ConfusionMatrix
from labelkit.papers import load_paper
from labelkit.training import Interrupted

SMALL = {
    "paper": "points",
    "run": "test",
    "budget": "smoke",
    "data": ["rooms"],
    "arms": ["baseline-1/10"],
    "seeds": [0],
    "steps": 4,
    "batch_size": 4,
    "learning_rate": 0.05,
    "clouds": 5,
    "test_clouds": 4,
    "points": 500,
    "voxel": 0.3,
    "neighbours": 8,
    "width": 8,
    "evaluate_every": 1,
    "checkpoint_every": 1,
}


def settings(**changes):
    return runs.parse(SMALL | changes)


def run(arm, folder, **changes):
    return points.run(arm, "rooms", 0, settings(**changes), context(folder))


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    arms = ("baseline-1/10", "csfr-1/10", "csfr-isfr-1/10", "joint-1/10")
    folder = tmp_path_factory.mktemp("cells")
    return {arm: run(arm, folder / arm.replace("/", "_")) for arm in arms}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return load_data("rooms", settings(), context(tmp_path_factory.mktemp("data")))


def test_all_arms_of_a_seed_start_from_the_same_network_and_labels(data):
    first = points.build_network(data, settings(), 3).state_dict()
    assert same_weights(first, points.build_network(data, settings(), 3).state_dict())
    assert not same_weights(first, points.build_network(data, settings(), 4).state_dict())
    for kind, (cross, intra) in MODULES.items():
        method = build(Stage(kind), points.build_network(data, settings(), 3), settings())
        assert same_weights(first, method.network.state_dict())
        assert (method.cross is not None, method.intra is not None) == (cross, intra)


def test_arms_train_for_equal_steps_on_the_same_labelled_points(outcomes):
    assert {outcome.steps for outcome in outcomes.values()} == {4}
    assert len({outcome.split["hash"] for outcome in outcomes.values()}) == 1
    assert len({outcome.images_seen for outcome in outcomes.values()}) == 1


def test_modules_change_what_is_learnt_and_a_stage_has_its_own_losses(outcomes):
    weights = [outcome.weights for outcome in outcomes.values()]
    networks = [{name: w[name] for name in w if name.startswith("network.")} for w in weights]
    assert not any(same_weights(networks[0], other) for other in networks[1:])
    series = outcomes["csfr-isfr-1/10"].series
    assert {step for step, _ in series["cross"]} <= {1, 2} and {step for step, _ in series["intra"]} <= {3, 4}
    assert [step for step, _ in series["supervised"]] == sorted({step for step, _ in series["supervised"]})
    assert "cross" not in outcomes["baseline-1/10"].series
    assert "cross.weight" not in outcomes["csfr-isfr-1/10"].weights  # CSFR is removed
    assert outcomes["csfr-1/10"].series["attention_excess"][0][0] == 0


def test_a_record_holds_every_number_that_the_claims_ask_for(outcomes):
    kinds = {arm.removesuffix("-1/10"): outcome for arm, outcome in outcomes.items()}
    checked = 0
    for claim in load_paper("points").claims:
        for contrast in claim.contrasts:
            for arm in contrast.weights:
                outcome = kinds.get(arm.rsplit("-", 1)[0])
                if outcome is not None:
                    record = {"arm": arm, "seed": 0, "metrics": outcome.metrics, "series": outcome.series}
                    assert isinstance(value(record, contrast.metric, f"rooms/{contrast.protocol}"), float)
                    checked += 1
    assert checked > 20


def test_stages_that_arms_share_are_trained_once_and_change_nothing(tmp_path, outcomes):
    here = context(tmp_path / "shared")
    for arm in ("csfr-1/10", "csfr-isfr-1/10"):
        workspace = tmp_path / arm.replace("/", "_")
        workspace.mkdir()
        found = points.run(arm, "rooms", 0, settings(), replace(here, workspace=workspace))
        assert without_time(found) == without_time(outcomes[arm])
        assert same_weights(found.weights, outcomes[arm].weights)
    assert len(list(here.shared.glob("first-*.pt"))) == 1
    next(here.shared.glob("first-*.pt")).write_bytes(b"cut")
    with pytest.raises(ValueError, match="not a readable first stage"):
        points.run("csfr-1/10", "rooms", 0, settings(), here)


@pytest.mark.parametrize("at", [1, 3])
def test_a_stop_in_either_stage_resumes_to_the_same_numbers(tmp_path, outcomes, at):
    def stop(label, step, steps):
        if step == at + 1:
            raise Interrupted(step, None)

    here = context(tmp_path)
    with pytest.raises(Interrupted):
        points.run("csfr-isfr-1/10", "rooms", 0, settings(), replace(here, on_step=stop))
    resumed = points.run("csfr-isfr-1/10", "rooms", 0, settings(), here)
    assert without_time(resumed) == without_time(outcomes["csfr-isfr-1/10"])
    assert same_weights(resumed.weights, outcomes["csfr-isfr-1/10"].weights)


def test_labelled_points_are_stored_and_nested(data, tmp_path):
    few, about = masks_of(data, "1/100", 0, tmp_path)
    again, same = masks_of(data, "1/100", 0, tmp_path)
    assert about == same and all((a == b).all() for a, b in zip(few, again))
    more, _ = masks_of(data, "1/10", 0)
    assert all((few <= more).all() for few, more in zip(few, more))
    assert masks_of(data, "1/100", 1)[1]["hash"] != about["hash"]
    everything, _ = masks_of(data, "1", 0)
    assert all(mask.all() for mask in everything)


def test_a_grid_point_has_the_label_of_one_of_its_points_and_the_way_back_covers_all(data):
    sample, grid = data.train.dataset[0], data.train.grid(0)
    nearest, truth = data.train.original(0)
    assert len(nearest) == len(truth) == 500 and (truth.numpy() == sample["label"].numpy()).all()
    away = np.linalg.norm(grid["xyz"][nearest] - sample["xyz"].numpy(), axis=1)
    assert (away < 0.3 * 3**0.5).all()
    every = np.linalg.norm(grid["xyz"][None] - sample["xyz"].numpy()[:, None], axis=2)
    assert np.allclose(every.min(1), away, atol=1e-5)


def test_numbers_are_for_original_points_and_for_classes_that_the_truth_holds(data):
    class Oracle:
        """Knows each grid point's label."""

        def predict(self, batch):
            return torch.nn.functional.one_hot(batch["label"], 13).float()

    confusion = confusion_of(Oracle(), data.test, "cpu")
    assert int(confusion.matrix.sum()) == 500 * len(data.test)
    assert confusion.accuracy() < 1  # what the grid lost is charged
    one = ConfusionMatrix(3)
    one.update(torch.tensor([0, 0, 2]), torch.tensor([0, 1, 0]))
    found = numbers(one, ["a", "b", "c"], [1])
    assert found["iou"] == {
        "a": pytest.approx(1 / 3),
        "b": 0.0,
        "c": None,
    }  # b never found: 0; c not in the truth: left out
    assert found["miou"] == pytest.approx(1 / 6)


def test_coverage_of_a_plain_network_is_nil_and_of_modules_is_not(data):
    masks, _ = masks_of(data, "1/100", 0)
    load = WholeClouds(data.train, masks)
    for kind, reaches in {"plain": False, "csfr": True, "isfr": True}.items():
        # Predictions of an untrained network hardly differ, and so pull at little: hence the weight.
        method = build(Stage(kind), points.build_network(data, settings(norm_momentum=1.0), 0), settings(weight=1.0e5))
        method.predict(load([0, 1]))  # running statistics, without which an untrained network says nothing
        found = gradient_coverage(method, [load([0, 1])], "cpu")
        assert (found["by_threshold"]["0.001"] > 0) is reaches
        assert 0 < found["labelled"] < 0.7


def test_coarse_points_and_what_lies_under_them(data):
    batch = WholeClouds(data.train, masks_of(data, "1/10", 0)[0])([0, 1])
    index = coarse_index(batch, 2)
    by_hand = batch["upsamples"][1][batch["upsamples"][0]]
    assert torch.equal(index, by_hand) and int(index.max()) < len(batch["points"][2])
    assert set(marked(batch, 2).nonzero()[:, 0].tolist()) == set(by_hand[batch["labelled"]].tolist())
    labels = coarse_labels(batch, 2, 13)
    for place in (0, 5, len(labels) - 1):
        under = batch["label"][by_hand == place]
        assert int(labels[place]) == (int(under.mode().values) if len(under) else 255)


def test_spheres_cover_all_points_and_stay_in_their_cloud(data):
    masks, _ = masks_of(data, "1/10", 0)
    load = SphereClouds(data.train, masks, 1.2, scale=0.1, noise=0.001)
    seen = [np.zeros(len(label), bool) for label in data.train.labels]
    for sphere, label, marks in zip(load.spheres, load.labels, load.marks):
        seen[sphere.cloud][sphere.indices] = True
        assert (label == data.train.labels[sphere.cloud][sphere.indices]).all() and len(marks) == len(label)
    assert all(each.all() for each in seen)
    still, moved = load([0, 3]), load([0, 3], np.random.default_rng(0))
    lengths = still["lengths"][0].tolist()
    assert lengths == [len(load.labels[0]), len(load.labels[3])]
    assert (
        still["points"][0].norm(dim=1).max() <= 1.2 + 1e-4 and moved["points"][0].norm(dim=1).max() <= 1.2 * 1.1 + 0.02
    )
    assert len(moved["label"]) == len(moved["labelled"]) == len(moved["features"])


def test_votes_of_spheres_give_every_original_point_a_class(data, tmp_path):
    chosen = settings(sampling="spheres", sphere_radius=1.5, votes=2, steps=2, evaluate_every=0, noise=0.001)
    found = points.run("csfr-isfr-1/10", "rooms", 0, chosen, context(tmp_path))
    assert {"rooms/test/original-points-2-votes", "rooms/train/gradient"} <= set(found.metrics)
    spheres = [sphere for index in range(len(data.test)) for sphere in covering(data.test, index, 1.5, 2)]
    counts = [np.zeros(len(label), int) for label in data.test.labels]
    for sphere in spheres:
        counts[sphere.cloud][sphere.indices] += 1
    assert min(int(each.min()) for each in counts) >= 2


def test_the_paper_sized_network_fits_the_modules(data):
    chosen = settings(blocks=2, levels=5, deformable_from=2)
    deep = type(data)(*(Gridded(part.dataset, 0.3, 5, 8) for part in (data.train, data.val, data.test)))
    method = build(Stage("joint"), points.build_network(deep, chosen, 0), chosen)
    batch = WholeClouds(deep.train, masks_of(deep, "1/10", 0)[0])([0, 1])
    losses = method.training_step(batch)
    assert losses["deformation"].detach() > 0
    losses["loss"].backward()
    assert all(torch.isfinite(p.grad).all() for p in method.parameters() if p.grad is not None)


def test_plain_networks_beside_other_pairs_see_the_same_batches(data, tmp_path):
    masks, _ = masks_of(data, "1/100", 0)
    for partner, arm in {"random": "random-pairs", "swapped": "swapped-pairs"}.items():
        pair = [points.ARMS[f"{name}-1/100"] for name in (arm, f"baseline-{partner}")]
        one, other = (points.stream_of(arm, data, masks, 0, settings(), context(tmp_path)) for arm in pair)
        usual = points.stream_of(points.ARMS["baseline-1/100"], data, masks, 0, settings(), context(tmp_path))
        assert [one.indices(step) for step in range(9)] == [other.indices(step) for step in range(9)]
        assert [one.indices(step) for step in range(9)] != [usual.indices(step) for step in range(9)]
        assert torch.equal(one[0]["points"][0], other[0]["points"][0])
        assert {stage.kind for stage in pair[1].stages} == {"plain"}


def test_arms_of_our_readings_differ_in_one_option_of_both_stages():
    usual = points.ARMS["csfr-isfr-1/100"]
    for arm, option in {"teacher": {"detach": "plain"}, "logits": {"compare": "logits"}}.items():
        chosen = points.ARMS[f"{arm}-1/100"]
        assert chosen == replace(usual, stages=tuple(replace(stage, **option) for stage in usual.stages))


def test_real_rooms_are_put_on_the_grid_once_for_all_cells(tmp_path):
    rng, root = np.random.default_rng(0), tmp_path / "data"
    for area, rooms in ((1, 12), (5, 2)):
        for number in range(rooms):
            folder = root / "s3dis" / f"Area_{area}" / f"office_{number}" / "Annotations"
            folder.mkdir(parents=True)
            for name in ("floor_1", "chair_1"):
                rows = np.concatenate([rng.random((60, 3)) * 2, rng.integers(0, 256, (60, 3))], axis=1)
                np.savetxt(folder / f"{name}.txt", rows, "%.3f %.3f %.3f %d %d %d")
    chosen, here = settings(data=["s3dis"], steps=2), replace(context(tmp_path / "run"), data_root=root)
    points.fingerprint("s3dis", chosen, here)
    assert not (here.shared / "grids").exists()  # a fingerprint needs no room
    points.prepare(chosen, here)
    shutil.rmtree(root / "s3dis" / "Area_1" / "office_0")  # no cell reads a room again
    found = load_data("s3dis", chosen, here)
    assert sum(len(labels) for labels in found.train.labels) > 0 and len(found.test.original(0)[0]) == 120
    outcome = points.run("csfr-isfr-1/10", "s3dis", 0, chosen, here)
    assert outcome.metrics["s3dis/test/original-points"]["iou"]["wall"] is None


def test_modules_on_a_finer_level(tmp_path):
    assert "rooms/test/original-points" in run("joint-1/10", tmp_path, coarse_level=1, steps=2).metrics


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 3}, "batch_size is 3"),
        ({"steps": 5}, "steps is 5"),
        ({"coarse_level": 3}, "coarse_level is 3"),
        ({"noise": 0.01}, "scale and noise act only"),
        ({"arms": ["csfr-2"]}, "csfr-2"),
        ({"voxel": 0.0}, "voxel"),
    ],
)
def test_bad_values_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        settings(**changes)


def test_every_run_file_names_arms_and_keys_that_exist():
    for path in sorted((Path(__file__).parents[2] / "data" / "runs" / "points").glob("*.yaml")):
        assert runs.load(path).paper == "points"
