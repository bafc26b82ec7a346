"""AuxSegNet's arms: what they share, what a stage may train on, what a record holds."""

from dataclasses import replace

import pytest
import torch

from labelkit.contrasts import value
from labelkit.experiments import auxsegnet as experiment
from labelkit.experiments import auxsegnet_cell as cell
from labelkit.experiments import auxsegnet_stages as stages
from labelkit.experiments.auxsegnet_optimizer import sgd
from labelkit.experiments.settings import Context, Outcome
from labelkit.models.auxsegnet import TagNetwork
from labelkit.papers import load_paper


def settings(**changed):
    values = {
        "paper": "auxsegnet", "run": "test", "budget": "smoke", "data": ["objects"], "arms": ["stages"], "seeds": [0],
        "steps": 2, "batch_size": 4, "learning_rate": 0.05, "height": 32, "width": 32, "images": 8, "test_images": 4,
        "segmentation_steps": 2, "segmentation_batch_size": 4, "segmentation_learning_rate": 0.03, "head_width": 4,
        "dilations": [1, 2, 3], "head_dropout": 0.0, "crf_scale": 5.0,
    }  # fmt: skip
    return experiment.Settings(**values | changed)


def context(tmp_path, name="cell"):
    (tmp_path / name).mkdir()
    (tmp_path / "shared").mkdir(exist_ok=True)
    return Context("cpu", tmp_path / name, tmp_path / "shared", identity=name)


@pytest.fixture
def start():
    torch.manual_seed(5)
    return TagNetwork(experiment.build_trunk(settings()), 3).state_dict()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Outcomes of three arms that share a folder, and the folder."""
    folder = tmp_path_factory.mktemp("run")
    run = {name: context(folder, name) for name in ("cross-task", "stages", "same-labels")}
    return {name: experiment.run(name, "objects", 0, settings(), here) for name, here in run.items()}, folder


def test_arms_share_the_first_weights_of_what_they_have(start):
    full = experiment.build("cross-task", 3, settings(), 1, start).state_dict()
    for arm in experiment.ARMS:
        state = experiment.build(arm, 3, settings(), 1, start).state_dict()
        assert all(torch.equal(weight, full[name]) for name, weight in state.items()), arm
    assert torch.equal(full["network.trunk.stem.0.weight"], start["trunk.stem.0.weight"])
    assert torch.equal(full["network.head.classifier.weight"], start["classifier.weight"])
    other = experiment.build("cross-task", 3, settings(), 2, start).state_dict()
    assert not torch.equal(
        full["network.head.segmentation.first.weight"], other["network.head.segmentation.first.weight"]
    )


def test_heads_of_the_arms(start):
    heads = {arm: experiment.build(arm, 3, settings(), 1, start).network.head for arm in experiment.ARMS}
    assert heads["seg"].classifier is heads["seg"].saliency is heads["seg-cls"].saliency is None
    assert heads["multi-task"].segmentation.block is heads["seg-affinity"].fusion is None
    assert heads["seg-affinity"].segmentation.block is not None
    assert experiment.build("cross-task-seg-loss", 3, settings(), 1).weights.refined_saliency == 0
    assert experiment.build("cross-task", 3, settings(), 1).weights.refined_saliency == 1


def test_learning_rates_go_by_name_and_the_fusion_has_that_of_the_trunk():
    method = experiment.build("cross-task", 3, settings(), 0)
    old, new = sgd(method, 0.001).param_groups
    rates = {id(p): group["lr"] for group in (old, new) for p in group["params"]}
    assert (old["lr"], new["lr"], old["momentum"]) == (0.001, 0.01, 0.9)
    for name, parameter in method.named_parameters():
        slow = ".trunk." in f".{name}" or "fusion" in name
        assert rates[id(parameter)] == (0.001 if slow else 0.01), name
    code = sgd(method, 0.001, "code", weight_decay=0.1).param_groups
    assert {(group["momentum"], group["weight_decay"]) for group in code} == {(1e-5, 0)}


def test_a_fixed_parameter_is_left_out_of_the_optimiser():
    method = experiment.build("seg", 3, settings(), 0)
    method.network.trunk.requires_grad_(False)
    assert len(sgd(method, 0.001).param_groups) == 1


def test_every_contrast_on_one_arm_finds_its_number(finished):
    outcomes, _ = finished
    for claim in load_paper("auxsegnet").claims:
        for contrast in claim.contrasts:
            for arm in set(contrast.weights) & set(outcomes):
                [key] = [key for key in outcomes[arm].metrics if key.partition("/")[2] == contrast.protocol]
                record = {"metrics": outcomes[arm].metrics, "arm": arm, "seed": 0}
                name = contrast.metric
                if "precision" not in name:  # two steps find no object, so there may be no precision
                    assert isinstance(value(record, name, key), float), (claim.id, contrast.name)


def test_arms_share_classifier_labels_and_first_stage(finished):
    outcomes, folder = finished
    made = sorted(path.name.rpartition("-")[0] for path in (folder / "shared").iterdir())
    assert made == ["auxsegnet-labels", "auxsegnet-stage-0-objects-2-0", "auxsegnet-tags-objects-0"]
    first = {name: outcome.metrics["objects/train/pseudo-labels"] for name, outcome in outcomes.items()}
    assert first["cross-task"] == first["stages"] == first["same-labels"]
    by_stage = {name: outcomes[name].metrics["objects/test/by-stage"]["miou"] for name in ("stages", "same-labels")}
    assert by_stage["stages"]["0"] == outcomes["cross-task"].metrics["objects/test/whole-image"]["miou"]
    assert list(by_stage["stages"]) == ["0", "1", "2", "3"]
    assert (outcomes["stages"].steps, outcomes["same-labels"].steps, outcomes["cross-task"].steps) == (8, 4, 2)


def test_a_cell_alone_gives_what_a_cell_with_shared_work_gives(finished, tmp_path):
    outcomes, _ = finished
    alone = experiment.run("same-labels", "objects", 0, settings(), context(tmp_path))
    assert all(torch.equal(weight, outcomes["same-labels"].weights[name]) for name, weight in alone.weights.items())
    assert alone.metrics == outcomes["same-labels"].metrics


def test_a_stopped_cell_goes_on_from_the_stage_it_had_finished(finished, tmp_path, monkeypatch):
    outcomes, _ = finished
    here, real = context(tmp_path), cell.train_stage

    def stopping(stage, *rest):
        if stage == 2:
            raise KeyboardInterrupt
        return real(stage, *rest)

    monkeypatch.setattr(cell, "train_stage", stopping)
    with pytest.raises(KeyboardInterrupt):
        experiment.run("stages", "objects", 0, settings(), here)
    seen = []
    monkeypatch.setattr(cell, "train_stage", lambda stage, *rest: (seen.append(stage), real(stage, *rest))[1])
    resumed = experiment.run("stages", "objects", 0, settings(), here)
    assert seen == [2, 3]
    assert all(torch.equal(weight, outcomes["stages"].weights[name]) for name, weight in resumed.weights.items())


def test_labels_of_another_stage_are_refused(tmp_path):
    source = {"data": "d", "seed": 0, "weights": "w"}
    stages.stage_labels(tmp_path, 1, source, True, None)
    with pytest.raises(ValueError, match="pseudo labels of another run: stage is 1, expected 2"):
        stages.stage_labels(tmp_path, 2, source, True, None)
    with pytest.raises(ValueError, match="weights is 'w', expected 'v'"):
        stages.stage_labels(tmp_path, 1, source | {"weights": "v"}, True, None)


def test_incomplete_labels_are_refused(tmp_path):
    labels = stages.stage_labels(tmp_path, 0, {}, False, None)
    with pytest.raises(ValueError, match="is not complete"):
        stages.StageData([], labels)


def test_samples_of_a_stage_hold_its_labels_and_no_truth(tmp_path):
    here = context(tmp_path)
    data = experiment.load_data("objects", settings(), here)
    labels = stages.stage_labels(tmp_path / "labels", 1, {}, True, None)

    def label_of(batch):
        assert not {"mask", "parts"} & set(batch)
        images = batch["image"]
        return torch.full((len(images), 32, 32), 255), torch.full((len(images), 1, 32, 32), 0.999)

    stages.fill(labels, data.train, label_of, len(data.classes), here)
    sample = stages.StageData(data.train, labels)[3]
    assert set(sample) == {"image", "mask", "tags", "saliency"}
    assert (sample["mask"] == 255).all()
    assert sample["saliency"].max() == 254 / 255  # cut off, not rounded, as the authors' files
    quality = stages.judge(stages.StageData(data.train, labels), data.classes)
    assert quality["coverage"] == 0 and quality["miou"] == 0


def test_labels_of_another_size_are_refused(tmp_path):
    here = context(tmp_path)
    data = experiment.load_data("objects", settings(), here)
    labels = stages.stage_labels(tmp_path / "labels", 0, {}, False, None)
    stages.fill(
        labels, data.train, lambda batch: (torch.zeros(len(batch["image"]), 8, 8, dtype=torch.long), None), 9, here
    )
    with pytest.raises(ValueError, match="labels of image 0 are"):
        stages.StageData(data.train, labels)[0]


def test_a_broken_file_of_a_shared_training_is_named(tmp_path):
    path = tmp_path / "shared.pt"
    path.write_bytes(b"PK cut")
    with pytest.raises(ValueError, match=r"shared\.pt: not a readable outcome"):
        stages.once(path, lambda: None, context(tmp_path))


def test_gains_by_stage():
    found = stages.by_stage([{"miou": 0.4}, {"miou": 0.5}, {"miou": 0.52}], ["miou"])
    assert found["miou"] == {"0": 0.4, "1": 0.5, "2": 0.52}
    assert found["miou_gain"] == pytest.approx({"1": 0.1, "2": 0.02})
    assert found["miou_gain_falls"] == pytest.approx(0.08)
    assert stages.by_stage([{"precision": None}, {"precision": 0.5}], ["precision"])["precision_gain"] == {"1": None}


def test_series_of_stages_are_put_end_to_end():
    first = Outcome({}, {"loss": [(2, 1.0)]}, 2, {}, {}, 1, 3.0, 8)
    both = stages.joined([first, replace(first, series={"loss": [(2, 0.5)]})])
    assert both.series == {"loss": [(2, 1.0), (4, 0.5)]}
    assert (both.steps, both.train_seconds, both.images_seen) == (4, 6.0, 16)


def test_detectors_of_three_levels(tmp_path):
    here = context(tmp_path)
    maps = {
        level: torch.stack([s["saliency"] for s in experiment.load_data("objects", settings(), here, level).train])
        for level in (1, 2, 3)
    }
    truth = torch.stack([s["mask"] > 0 for s in experiment.load_data("objects", settings(), here).train])[:, None]
    error = {level: float((each - truth.float()).abs().mean()) for level, each in maps.items()}
    assert error[1] < error[3]


def test_missing_weights_of_the_trunk(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.pth does not exist"):
        experiment.build_trunk(settings(network="resnet38", trunk_weights=str(tmp_path / "absent.pth")))
