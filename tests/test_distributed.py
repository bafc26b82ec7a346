"""Several processes: what they train is what one would, what they count is what one would, and none waits for ever."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jobs_of_processes as jobs
import pytest
import torch
import yaml
from torch import nn

from labelkit import distributed, runs
from labelkit.batch_statistics import SynchronisedBatchNorm, synchronise

HERE = Path(__file__).parent
NORMS = {"group": 1e-12, "batch": 1e-10, "involved": 1e-10}
"""Method to how far its weights may be from those of one process, after six steps in double precision."""


def launch(processes, *arguments, **options):
    """The call of torchrun, and how it is run."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return {"args": [*command, *map(str, arguments)], "env": environment, **options}


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Folder and results of two processes."""
    folder = tmp_path_factory.mktemp("pair")
    done = subprocess.run(**launch(2, HERE / "jobs_of_processes.py", folder), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in (0, 1)]


@pytest.fixture(scope="module")
def one():
    return {"whole": jobs.everything(1), "parts": jobs.everything(2)}


def assert_near(found, expected, tolerance):
    """Weights and series of two trainings; sizes and pools are those of a share."""
    for name, value in expected["state"].items():
        if not name.startswith("pool."):
            torch.testing.assert_close(found["state"][name], value, rtol=0, atol=tolerance, msg=name)
    for name in {"loss", "supervised"} & set(expected["series"]):
        steps, values = zip(*expected["series"][name])
        assert [step for step, _ in found["series"][name]] == list(steps)
        assert [value for _, value in found["series"][name]] == pytest.approx(values, abs=tolerance)


@pytest.mark.parametrize("name", NORMS)
def test_two_processes_are_one_with_the_joined_batch(name, pair, one):
    """Also with normalisation over the joined batch, gradients within a step, and parameters that are never used."""
    for found in pair[1]:
        assert_near(found["whole"][name], one["whole"][name], NORMS[name])


def test_parts_are_the_joined_batch_where_normalisation_knows_none(pair, one):
    for found in (one["parts"], *(each["parts"] for each in pair[1])):
        assert_near(found["group"], one["whole"]["group"], 1e-12)
    sizes = [found["group"]["series"]["size"][0][1] for found in (one["whole"], one["parts"], pair[1][0]["parts"])]
    assert sizes == [8, 4, 2], "the shares were not what was asked for"


def test_a_method_that_counts_steps_counts_them_once(pair, one):
    assert [int(found["involved"]["state"]["steps"]) for found in (one["whole"], one["parts"])] == [6, 6]
    assert int(pair[1][1]["parts"]["involved"]["state"]["steps"]) == 6


def test_all_processes_end_with_the_same_weights_and_series(pair):
    first, second = (each["whole"] for each in pair[1])
    for name in NORMS:
        assert first[name]["series"] == second[name]["series"]
        for key, value in first[name]["state"].items():
            assert key == "pool.items" or torch.equal(value, second[name]["state"][key]), key
    pools = [each["involved"]["state"]["pool.items"] for each in (first, second)]
    assert not torch.equal(*pools), "the pool of one process was handed to the other"


def test_a_signal_to_one_stops_all_after_one_step_and_they_resume_as_if_nothing_had_been(pair):
    """Each with its own random numbers and its own pool."""
    for found in pair[1]:
        assert found["resumed"]["after"] == 4
        assert found["resumed"]["series"] == found["whole"]["involved"]["series"]
        for name, value in found["whole"]["involved"]["state"].items():
            assert torch.equal(found["resumed"]["state"][name], value), name


def test_another_number_of_processes_goes_on_and_says_so(pair):
    with pytest.warns(UserWarning, match=r"group\.pt: written by 2 process\(es\), resumed by 1"):
        method, history = jobs.trained("group", steps=8, checkpoint=pair[0] / "group.pt")
    whole, expected = jobs.trained("group", steps=8)
    found = {"state": method.state_dict(), "series": history.series}
    assert_near(found, {"state": whole.state_dict(), "series": expected.series}, 1e-12)


def test_shared_evaluation_is_that_of_one_process(pair):
    """Thirteen images in batches of four, three in batches of two, and fewer images than processes."""
    expected = jobs.evaluated() | {"maps": jobs.accumulated()}
    assert int(expected["whole"].sum()) == jobs.IMAGES * 64
    for found in pair[1]:
        for name, value in expected.items():
            pair_of = [each if isinstance(each, tuple) else (each,) for each in (found["evaluation"][name], value)]
            assert all(torch.equal(a, b) and a.dtype == b.dtype for a, b in zip(*pair_of, strict=True)), name


def test_processes_tell_each_other_what_they_know(pair):
    alike = {
        "shards": [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9]],
        "first": 0,
        "any": True,
        "highest": 1,
        "sum": [2**63 + 2 - 2**64, 1],
        "list": ["0", "1", "2"],
        "rows": [[1], [1]],
    }
    for rank, found in enumerate(each["talk"] for each in pair[1]):
        assert found == alike | {"gathered": [0, 1] if rank == 0 else None, "alone": ((0, 1), [rank], 10)}


def test_one_process_needs_no_others():
    counts = torch.tensor([3])
    assert distributed.place() == (0, 1) and distributed.add_up(counts) is counts
    assert distributed.gather("x") == distributed.all_of("x") == ["x"] and distributed.first_of("x") == "x"
    assert list(distributed.shard(3)) == distributed.list_of([0, 1, 2]) == [0, 1, 2] and not distributed.any_of(False)
    distributed.barrier()
    with distributed.joined("cpu"):
        assert distributed.place() == (0, 1)


def test_synchronising_keeps_parameters_names_and_shared_layers():
    shared = nn.BatchNorm2d(4)
    network = nn.ModuleDict({"a": nn.Sequential(nn.Conv2d(3, 4, 1), shared), "b": shared, "c": nn.BatchNorm1d(2)})
    network["c"].eval()
    before, state = dict(network.named_parameters()), {k: v.clone() for k, v in network.state_dict().items()}
    images = torch.rand(2, 3, 4, 4)
    expected = network["a"].eval()(images)
    synchronise(network, torch.device("cpu"))
    synchronise(network, torch.device("cpu"))
    assert all(isinstance(network[key], SynchronisedBatchNorm) for key in ("b", "c"))
    assert network["a"][1] is network["b"] and not network["c"].training
    assert all(parameter is before[name] for name, parameter in network.named_parameters())
    assert network.state_dict().keys() == state.keys()
    assert torch.equal(network["a"](images), expected)


def test_a_layer_that_is_more_than_normalisation_is_refused():
    class WithActivation(nn.BatchNorm2d):
        pass

    with pytest.raises(TypeError, match=r"1 is a WithActivation; expected a plain batch normalisation"):
        synchronise(nn.Sequential(nn.ReLU(), WithActivation(2)), torch.device("cpu"))


SMALL = {
    "paper": "cps", "run": "test", "budget": "smoke", "data": ["streets"], "arms": ["cutmix-1/4"], "seeds": [0],
    "steps": 12, "batch_size": 3, "learning_rate": 0.05, "height": 32, "width": 48, "images": 24, "test_images": 5,
    "evaluate_every": 6, "checkpoint_every": 2,
}  # fmt: skip


def run_file(folder, **changes):
    folder.mkdir()
    (folder / "run.yaml").write_text(yaml.safe_dump(SMALL | changes | {"results": str(folder / "records")}))
    return folder / "run.yaml"


def workers_of(parent):
    """Rank to process id of the workers of torchrun."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]) == parent:
                lines = (entry / "environ").read_text().split("\0")
                found |= {int(line[5:]): int(entry.name) for line in lines if line.startswith("RANK=")}
    return found


def test_a_run_that_loses_a_worker_leaves_the_record_of_an_undisturbed_one(tmp_path):
    """CutMix draws its masks in the step: each of three processes goes on with its own random numbers."""
    whole, killed = run_file(tmp_path / "whole"), run_file(tmp_path / "killed")
    command = ["-m", "labelkit.cli", "run"]
    subprocess.run(**launch(3, *command, whole), check=True, capture_output=True)
    with open(tmp_path / "said", "w") as said:
        job = subprocess.Popen(**launch(3, "--max-restarts=1", *command, killed), stdout=said, stderr=said)
        while not list(tmp_path.glob("killed/records/cells/*/checkpoint.pt")) and job.poll() is None:
            time.sleep(0.01)
        workers = workers_of(job.pid)
        assert sorted(workers) == [0, 1, 2], (tmp_path / "said").read_text()[-3000:]
        os.kill(workers[1], signal.SIGKILL)
        assert job.wait() == 0, (tmp_path / "said").read_text()[-3000:]
    first, second = (
        json.loads(next((tmp_path / name / "records").glob("*.json")).read_text()) for name in ("whole", "killed")
    )
    for record in (first, second):
        del record["measured"], record["code"]
    assert first == second
    assert first["device"]["processes"] == 3 and len(first["series"]["loss"]) == 12
    assert "processes_before" not in first["device"]
    left = [path.name for path in tmp_path.glob("killed/records/cells/*/*")]
    assert left == ["weights.pt"], "logs and checkpoints of the lost worker stayed"


@pytest.mark.parametrize(
    ("processes", "changes", "shares"),
    [
        (2, {}, "2 process.es.$"),
        (1, {"accumulate": 2}, "1 process.es. with 2 parts each$"),
        (3, {"batch_size": 6, "accumulate": 4}, "3 process.es. with 4 parts each$"),
    ],
)
def test_a_batch_that_cannot_be_shared_out_is_refused_before_anything_runs(
    tmp_path, monkeypatch, processes, changes, shares
):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", str(processes))
    settings = runs.load(run_file(tmp_path / "run", **changes))
    sentence = f"^batch_size {settings.batch_size} cannot be shared out evenly over {shares}"
    with pytest.raises(ValueError, match=sentence):
        runs.execute(settings, show_progress=False)
    assert not (tmp_path / "run" / "records").exists()
