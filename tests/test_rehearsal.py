"""A rehearsal goes through the cells of a run file and leaves nothing behind."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from labelkit import runs
from labelkit.cli import app
from labelkit.experiments import cps
from labelkit.rehearsal import Known, adapted, rehearse
from labelkit.rehearsal_report import as_values, table, verdict

RUNS = Path(__file__).resolve().parents[1] / "data" / "runs"
SMOKE = sorted(RUNS.glob("*/smoke.yaml"))


@pytest.mark.parametrize("path", SMOKE, ids=lambda path: path.parent.name)
def test_the_first_arm_of_every_smoke_file_passes(path):
    settings = runs.load(path)
    settings = settings.model_copy(update={"arms": settings.arms[:1], "data": settings.data[:1]})
    (arm,) = rehearse(settings, patience=0.5)
    assert not arm.problem, arm.trace
    first = arm.trainings[0]
    assert first.way == "computed" and first.cost.flops > 0 and first.cost.step_seconds > 0 and first.images > 0


FULL = {
    "cps/voc_1_16_r50": ("supervised-1/16", "SelfPseudo", 39680, 8),
    "cyclegan/acdc_1_10": ("cyclegan-1/10", "CycleGAN", 116400, 10),
}


@pytest.mark.parametrize("name", FULL)
def test_full_scale_steps_are_counted_without_data_and_without_a_gpu(name, monkeypatch):
    monkeypatch.delenv("LABELKIT_DATA", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    chosen, method, steps, images = FULL[name]
    settings = runs.load(RUNS / f"{name}.yaml")
    (arm,) = rehearse(settings.model_copy(update={"arms": [chosen]}), patience=0.01)
    assert not arm.problem, arm.trace
    (training,) = arm.trainings
    assert (training.method, training.way, training.cost.step_seconds) == (method, "counted", None)
    assert (training.steps, training.images) == (steps, images)
    assert training.hours(200) == pytest.approx(training.hours(100) / 2)


def smoke(**update):
    settings = runs.load(RUNS / "cps" / "smoke.yaml")
    return settings.model_copy(update={"arms": ["supervised-1/8"]} | update)


def test_an_arm_that_differs_in_fraction_and_steps_is_not_looked_at_again():
    known = Known()
    (first,) = rehearse(smoke(arms=["self-1/8"]), known=known)
    (second,) = rehearse(smoke(arms=["self-1/4"], steps=12), known=known)
    assert second.trainings[0].steps == 2 * first.trainings[0].steps
    assert second.trainings[0].cost is first.trainings[0].cost
    (third,) = rehearse(smoke(arms=["self-1/4"], height=32), known=known)
    assert third.trainings[0].cost.flops < first.trainings[0].cost.flops


def test_random_numbers_threads_and_folders_are_left_as_they_were(tmp_path):
    settings = smoke(results=str(tmp_path / "records"))
    torch.manual_seed(3), np.random.seed(3), random.seed(3)
    before = torch.rand(1), np.random.rand(), random.random()
    torch.manual_seed(3), np.random.seed(3), random.seed(3)
    threads = torch.get_num_threads()
    (arm,) = rehearse(settings)
    assert not arm.problem and not arm.note
    (hurried,) = rehearse(settings, patience=0)
    assert "left 0 seconds after training 1" in hurried.note
    assert verdict(settings, [hurried], 1.0).endswith("1 of the arms left early, so this is the least")
    assert (torch.rand(1), np.random.rand(), random.random()) == before
    assert torch.get_num_threads() == threads and torch.get_default_device() == torch.device("cpu")
    assert not (tmp_path / "records").exists()


def test_nothing_is_fetched():
    full = adapted(runs.load(RUNS / "auxsegnet" / "voc2012.yaml"))
    assert (full.pretraining, full.trunk_weights) == ("none", "")
    assert adapted(runs.load(RUNS / "cps" / "voc_1_8_r50.yaml")).pretraining == "none"
    assert adapted(smoke()).pretrain_steps == 1


def test_a_failing_arm_is_named_and_the_others_go_on(monkeypatch):
    build = cps.build

    def broken(arm, *args, **options):
        if arm.startswith("self"):
            raise ValueError("the head does not fit")
        return build(arm, *args, **options)

    monkeypatch.setattr(cps, "build", broken)
    settings = smoke(arms=["self-1/8", "supervised-1/8"])
    arms = list(rehearse(settings, patience=3))
    assert arms[0].problem == "ValueError: the head does not fit" and not arms[1].problem
    said = verdict(settings, arms, 100.0)
    assert said == "1 of 2 arms fail, first self-1/8 on streets: ValueError: the head does not fit"
    assert as_values(arms[0], 100.0)["hours"] is None
    assert any("supervised-1/8" in line for line in table(arms, 100.0))


def test_the_command_prints_a_table_and_writes_numbers(tmp_path, monkeypatch):
    file, target = tmp_path / "run.yaml", tmp_path / "numbers.json"
    text = (RUNS / "cps" / "smoke.yaml").read_text()
    arms = "[supervised-1/8, self-1/8, cps-1/8, cutmix-1/8]"
    assert arms in text
    file.write_text(text.replace(arms, "[supervised-1/8]"))
    done = CliRunner().invoke(app, ["run", str(file), "--dry-run", "--json", str(target)])
    assert done.exit_code == 0, done.output
    assert "SelfPseudo (computed)" in done.output and "cps smoke passes: 1 arms x 1 seeds" in done.output
    (cell,) = json.loads(target.read_text())
    assert cell["trainings"][0]["hours_are"] == "measured" and cell["problem"] is None

    monkeypatch.setattr(cps, "build", lambda *args, **options: 1 / 0)
    done = CliRunner().invoke(app, ["run", str(file), "--dry-run"])
    assert done.exit_code == 1 and "1 of 1 arms fail, first supervised-1/8 on streets" in done.output


def test_a_broken_run_file_gives_one_sentence(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text((RUNS / "cps" / "smoke.yaml").read_text().replace("batch_size: 2", "batch_sise: 2"))
    done = CliRunner().invoke(app, ["run", str(file), "--dry-run"])
    assert isinstance(done.exception, ValueError)
    assert str(done.exception).startswith(f"{file}: ") and "batch_si" in str(done.exception)
