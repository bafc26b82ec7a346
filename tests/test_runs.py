"""Run files in, records out: validation, records written whole, resumed, repeated, and what a failure leaves."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml

from labelkit import cli, provenance, runs
from labelkit.experiments import cps
from labelkit.experiments.segmentation import load_data
from labelkit.metrics.protocols import whole_image
from labelkit.publish import parameters

FILES = sorted((runs.ROOT / "data" / "runs").glob("*/*.yaml"))

SMALL = {
    "paper": "cps",
    "run": "test",
    "budget": "smoke",
    "data": ["streets"],
    "arms": ["supervised-1/4", "cps-1/4"],
    "seeds": [0],
    "steps": 4,
    "batch_size": 2,
    "learning_rate": 0.05,
    "height": 32,
    "width": 48,
    "images": 24,
    "test_images": 4,
    "evaluate_every": 2,
}


def settings(folder, **changes):
    return runs.parse(SMALL | {"results": str(folder)} | changes)


def without_times(record):
    return {key: value for key, value in record.items() if key not in ("measured", "code")}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    return settings(folder), runs.execute(settings(folder), show_progress=False)


def test_two_runs_of_one_seed_give_identical_records_apart_from_times(finished, tmp_path):
    again = runs.execute(settings(tmp_path), show_progress=False)
    assert [without_times(r) for r in again] == [without_times(r) for r in finished[1]]
    assert again[0]["measured"]["seconds"] > 0


def test_arms_of_a_seed_share_data_split_and_steps(finished):
    first, second = finished[1]
    for key in ("dataset", "split", "steps", "versions", "device", "parameters"):
        assert first[key] == second[key]
    assert set(first["metrics"]) == set(second["metrics"])
    protocols = sorted(first["metrics"])
    assert protocols == ["streets-real/test/whole-image", "streets-real/test/whole-image/best-on-val"]


def test_finished_cells_are_not_computed_again(finished, monkeypatch):
    monkeypatch.setattr(runs, "_run_cell", lambda *_: pytest.fail("a finished cell ran again"))
    assert runs.execute(finished[0], show_progress=False) == finished[1]


def test_other_parameters_leave_the_old_record_aside(tmp_path):
    runs.execute(settings(tmp_path, arms=["supervised-1/4"]), show_progress=False)
    old = list(tmp_path.glob("*.json"))
    runs.execute(settings(tmp_path, arms=["supervised-1/4"], steps=5), show_progress=False)
    assert len(list(tmp_path.glob("*.json"))) == 1
    assert [path.name for path in (tmp_path / "superseded").iterdir()] == [path.name for path in old]


def test_a_failing_cell_costs_no_finished_one_and_leaves_its_log(tmp_path, monkeypatch):
    right = cps.run
    monkeypatch.setattr(cps, "run", lambda arm, *rest: 1 / 0 if arm == "cps-1/4" else right(arm, *rest))
    with pytest.raises(
        runs.RunFailed, match=r"1 of 2 cells failed, first streets--cps-1_4--s0: division by zero; log: "
    ):
        runs.execute(settings(tmp_path), show_progress=False)
    assert len(list(tmp_path.glob("streets--supervised*.json"))) == 1
    assert "ZeroDivisionError" in next(tmp_path.glob("cells/*cps*/error.log")).read_text()
    monkeypatch.undo()
    assert len(runs.execute(settings(tmp_path), show_progress=False)) == 2
    assert not list(tmp_path.glob("cells/*/error.log"))


def test_weights_of_a_cell_predict_what_its_record_says(finished):
    run, records = finished
    data = load_data("streets", run, runs.context(run))
    method = cps.build("cps-1/4", len(data.classes), run, 0)
    method.load_state_dict(runs.weights(run, "cps-1/4", "streets", 0))
    with torch.no_grad():
        miou = whole_image(method.eval().predict, data.test).miou()
    assert miou == pytest.approx(records[1]["metrics"]["streets-real/test/whole-image"]["miou"], abs=1e-12)
    with pytest.raises(ValueError, match="no cell with arm 'ocr'"):
        runs.weights(run, "ocr", "streets", 0)


def test_kill_9_in_a_run_then_the_same_command_equals_an_undisturbed_run(tmp_path):
    changes = {"arms": ["cps-1/4"], "steps": 60, "checkpoint_every": 5, "evaluate_every": 20}
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(SMALL | changes | {"results": str(tmp_path / "killed")}))
    command = [sys.executable, "-m", "labelkit.cli", "run", str(file)]
    job = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    deadline = time.time() + 120
    while not list(tmp_path.glob("killed/cells/*/checkpoint.pt")) and time.time() < deadline:
        time.sleep(0.02)
    os.killpg(job.pid, signal.SIGKILL)
    assert job.wait() == -signal.SIGKILL
    assert not list((tmp_path / "killed").glob("*.json")), "a record of an unfinished cell"
    subprocess.run(command, check=True, capture_output=True)
    undisturbed = runs.execute(settings(tmp_path / "whole", **changes), show_progress=False)
    resumed = runs.records(runs.load(file))
    assert [without_times(r) for r in resumed] == [without_times(r) for r in undisturbed]
    assert not list(tmp_path.glob("killed/cells/*/checkpoint.pt"))


def test_processes_give_the_same_records_as_one(finished, tmp_path):
    parallel = runs.execute(settings(tmp_path, jobs=2), show_progress=False)
    assert [without_times(r) for r in parallel] == [without_times(r) for r in finished[1]]


def test_workers_end_with_their_parent_and_keep_what_they_can(tmp_path):
    """kill -9 of the parent alone: no worker goes on in the background, and the same command continues."""
    file = tmp_path / "run.yaml"
    changes = {"steps": 400, "checkpoint_every": 5, "jobs": 2, "arms": ["cps-1/4", "cps-1/2"]}
    file.write_text(yaml.safe_dump(SMALL | changes | {"results": str(tmp_path / "r")}))
    job = subprocess.Popen([sys.executable, "-m", "labelkit.cli", "run", str(file)], stderr=subprocess.DEVNULL)
    deadline = time.time() + 120
    while len(list(tmp_path.glob("r/cells/*/checkpoint.pt"))) < 2 and time.time() < deadline:
        time.sleep(0.02)
    workers = _children(job.pid)
    assert len(workers) >= 2
    job.send_signal(signal.SIGKILL)
    job.wait()
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.time() < deadline:
        time.sleep(0.1)
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers), "a worker outlived its parent"
    assert not list(tmp_path.glob("r/*.json")) and not list(tmp_path.glob("r/**/*.partial"))


def _children(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(entry.read_text().rsplit(")", 1)[1].split()[1]) == parent:
                found.append(int(entry.parent.name))
    return found


def test_sigterm_ends_a_run_with_a_checkpoint_and_one_sentence(tmp_path):
    file = tmp_path / "run.yaml"
    changes = {"steps": 4000, "checkpoint_every": 5, "arms": ["cps-1/4"]}
    file.write_text(yaml.safe_dump(SMALL | changes | {"results": str(tmp_path / "r")}))
    command = [sys.executable, "-m", "labelkit.cli", "run", str(file)]
    job = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.time() + 120
    while not list(tmp_path.glob("r/cells/*/checkpoint.pt")) and time.time() < deadline:
        time.sleep(0.02)
    job.terminate()
    _, said = job.communicate(timeout=60)
    assert job.returncode == 143
    assert re.search(r"labelkit: stopped after step \d+; resume from .*checkpoint.pt", said.splitlines()[-1])


def test_two_processes_of_torchrun_leave_the_records_of_one(tmp_path):
    """No pixel of these crops is ignored, so the mean of the shares' means is that of the joined batch, and batch
    normalisation takes both shares together: what is left is rounding, which changes no pixel of the test here."""
    changes = {"pretraining": "sim", "pretrain_steps": 2}
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(SMALL | changes | {"results": str(tmp_path / "r")}))
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node=2",
        "-m",
        "labelkit.cli",
    ]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, "run", str(file)], capture_output=True, text=True, env=environment, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    found = [json.loads(path.read_text()) for path in (tmp_path / "r").glob("*.json")]
    found.sort(key=lambda record: SMALL["arms"].index(record["arm"]))
    shutil.copytree(tmp_path / "r" / "shared", tmp_path / "one" / "shared")
    for record, alone in zip(found, runs.execute(settings(tmp_path / "one", **changes), False), strict=True):
        assert (record["device"]["processes"], alone["device"]["processes"]) == (2, 1)
        for key in ("key", "arm", "metrics", "steps", "dataset", "split", "parameters"):
            assert record[key] == alone[key], key
        for name, values in alone["series"].items():
            assert [step for step, _ in record["series"][name]] == [step for step, _ in values]
            assert [x for _, x in record["series"][name]] == pytest.approx([x for _, x in values], rel=1e-4), name


def test_an_infinite_number_is_named_and_a_missing_one_is_null():
    record = {"metrics": {"p": {"miou": float("nan"), "iou": {"car": float("inf")}}}}
    with pytest.raises(ValueError, match=r"record\.metrics\.p\.iou\.car is infinite"):
        runs._finite(record)
    record["metrics"]["p"]["iou"]["car"] = 0.5
    assert runs._finite(record)["metrics"]["p"] == {"miou": None, "iou": {"car": 0.5}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learing_rate": 0.1}, "unknown key 'learing_rate'; did you mean 'learning_rate'[?] expected some of paper"),
        ({"stepz": 3, "steps": None}, "unknown key 'stepz'; did you mean 'steps'"),
        ({"learning_rate": "1e-3"}, r"key 'learning_rate' is '1e-3'; .*number.*write 1\.0e-3"),
        ({"steps": 0}, "key 'steps' is 0"),
        ({"steps": 10.5}, "key 'steps' is 10.5"),
        ({"seeds": "[0, 1]"}, "key 'seeds' is"),
        ({"arms": ["cps-1/3"]}, "arms names 'cps-1/3'; did you mean 'cps-1/.'[?] expected some of supervised-1/16"),
        ({"arms": ["cps-1/4", "cps-1/4"]}, "arms names an entry twice"),
        ({"budget": "huge"}, "key 'budget' is 'huge'"),
        ({"paper": "cpz"}, "paper 'cpz' has no experiment; there are: .*cps"),
        ({"pretraining": "imagenet"}, "pretraining is 'imagenet', which the network 'lesson' does not have"),
        ({"device": "cuda"}, "torch sees no GPU"),
    ],
)
def test_bad_run_files_are_one_sentence_from_the_command_line(tmp_path, capsys, monkeypatch, change, message):
    if change.get("device") == "cuda" and torch.cuda.is_available():
        pytest.skip("a GPU is there")
    file = tmp_path / "bad.yaml"
    file.write_text(yaml.safe_dump(SMALL | {"results": str(tmp_path / "r")} | change))
    monkeypatch.setattr(sys, "argv", ["labelkit", "run", str(file)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    printed = capsys.readouterr()
    assert stopped.value.code == 2 and printed.out == ""
    assert len(printed.err.strip().splitlines()) == 1 and re.search(message, printed.err), printed.err
    assert not list(tmp_path.glob("r/*.json"))


def test_missing_and_broken_run_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.yaml: no such run file"):
        runs.load(tmp_path / "none.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("paper: [cps")
    with pytest.raises(ValueError, match=r"broken\.yaml: not valid YAML"):
        runs.load(broken)
    broken.write_text("just text")
    with pytest.raises(ValueError, match="expected keys and values"):
        runs.load(broken)


def test_a_results_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"file/records: the results folder cannot be made"):
        runs.execute(settings(tmp_path / "file" / "records"), show_progress=False)


def test_a_full_disk_leaves_no_half_record(tmp_path, monkeypatch):
    """The size limit of a process stands in for a full disk: the write of the weights fails in the middle."""
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(SMALL | {"arms": ["cps-1/4"], "results": str(tmp_path / "r")}))
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)); "
        "from labelkit.cli import main; sys.argv = ['labelkit', 'run', sys.argv[1]]; main()"
    )
    done = subprocess.run([sys.executable, "-c", script, str(file)], capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert "weights.pt: could not be written" in done.stderr and "Traceback" not in done.stderr
    assert not list(tmp_path.glob("r/*.json")) and not list(tmp_path.glob("r/**/*.partial"))
    assert len(runs.execute(runs.load(file), show_progress=False)) == 1


def test_a_corrupt_record_is_named(finished, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(finished[0].results, folder)
    copied = settings(folder)
    path = runs.record_path(copied, runs.cells(copied)[0])
    path.write_text(path.read_text()[:200])
    with pytest.raises(ValueError, match=r"\.json: not a readable record"):
        runs.records(copied)


@pytest.mark.parametrize("file", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_committed_run_files_validate(file):
    loaded = runs.load(file)
    assert loaded.paper == file.parent.name and loaded.run == file.stem
    if loaded.budget == "full":
        assert {"expected", "hardware", "gpu_hours"} <= set(loaded.about)


@pytest.mark.parametrize("file", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_shell_and_notebook_make_the_same_run_of_a_file(file):
    """A key that the file leaves out must mean the same in the notebook's parameters cell and in the settings."""
    notebook = runs.ROOT / "notebooks" / f"{file.parent.name}.ipynb"
    values = yaml.safe_load(file.read_text())
    shell, page = runs.parse(values), runs.parse(parameters.defaults(notebook) | values)
    unread = {"jobs", "results"}  # they shape no number
    assert shell.model_dump(exclude=unread) == page.model_dump(exclude=unread)


def test_code_digest_ignores_comments_and_follows_imports(tmp_path):
    reached = {str(path.relative_to(provenance.PACKAGE)) for path in provenance.sources("cps")}
    assert {"experiments/cps.py", "methods/cps.py", "losses/cutmix.py", "training.py", "models/lesson.py"} <= reached
    assert not {"methods/ocr.py", "verdicts.py", "cli.py", "runs.py"} & reached
    assert {"worlds/streets/dataset.py"} <= {
        str(path.relative_to(provenance.PACKAGE)) for path in provenance.sources("cps", "labelkit.worlds.streets")
    }
    file = tmp_path / "a.py"

    def meaning(text):
        file.write_text(text)
        return provenance._meaning(file)

    plain = meaning("def f(x):\n    return x + 1\n")
    assert meaning('"""Doc."""\ndef f(x):\n    """Doc."""\n\n    return (x + 1)  # why\n') == plain
    assert meaning("def f(x):\n    return x + 2\n") != plain


def test_records_are_plain_json(finished):
    for path in Path(finished[0].results).glob("*.json"):
        record = json.loads(path.read_text())
        assert record["schema"] == runs.SCHEMA and "NaN" not in path.read_text()
