"""Runs as jobs: which are chosen, what each calls, what Snakemake, a pretended SLURM and Kubernetes make of them."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from labelkit import kubernetes_jobs, workflow
from labelkit.workflow import ROOT, Run, chosen, command

RUN = Run("cps", "voc_1_8_r50", "full", (0, 1), ROOT / "data/runs/cps/voc_1_8_r50.yaml")


def test_runs_are_chosen_by_budget_or_by_name():
    full = chosen({})
    assert {run.budget for run in full} == {"full"}
    assert len(full) == sum(
        "\nbudget: full\n" in path.read_text() for path in (ROOT / "data" / "runs").glob("*/*.yaml")
    )
    [named] = chosen({"papers": "cps", "runs": "lesson"})
    assert (named.paper, named.name, named.budget) == ("cps", "lesson", "lesson")
    assert named.seeds == tuple(yaml.safe_load(named.path.read_text())["seeds"])
    assert [run.paper for run in chosen({"papers": "cps, ocr", "budget": "smoke"})] == ["cps", "ocr"]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"papers": "csp"}, "papers names 'csp'; there are: auxsegnet"),
        ({"papers": "cps", "runs": "voc"}, "runs names 'voc'; there are: cityscapes_1_16_r101"),
        ({"budget": "all"}, "budget is 'all'; expected smoke, lesson or full"),
        ({"papers": "few_labels"}, "no run file has the budget 'full' among few_labels"),
    ],
)
def test_an_unknown_name_is_refused_with_those_there_are(config, expected):
    with pytest.raises(ValueError, match=expected):
        chosen(config)


def test_a_run_file_without_seeds_is_named(tmp_path):
    path = tmp_path / "data" / "runs" / "cps" / "odd.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("paper: cps\nbudget: full\n")
    with pytest.raises(ValueError, match=r"odd.yaml: key 'seeds' is None; expected a list of numbers"):
        chosen({}, tmp_path)


def test_a_job_calls_labelkit_or_torchrun_or_one_torchrun_a_node():
    run = "-m labelkit.cli run data/runs/cps/voc_1_8_r50.yaml --seed 3"
    assert command(RUN, 3, gpus=1) == command(RUN, 3, gpus=0) == f"python {run}"
    several = command(RUN, 3, gpus=4)
    assert several == f"python -m torch.distributed.run --nproc-per-node 4 --max-restarts 3 --standalone {run}"
    nodes = command(RUN, 3, gpus=8, nodes=2)
    srun = "srun --jobid $SLURM_JOB_ID --nodes 2 --ntasks 2 --ntasks-per-node 1"
    assert nodes.startswith(f"{srun} python -m torch.distributed.run --nproc-per-node 8 ")
    assert "--nnodes 2 " in nodes and "--standalone" not in nodes and nodes.endswith(run)
    with pytest.raises(ValueError, match="gpus is 0 and nodes is 2"):
        command(RUN, 3, gpus=0, nodes=2)


def snakemake(folder: Path, *options: str, **environment: str) -> subprocess.CompletedProcess:
    call = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    scripts = Path(sys.executable).parent
    path = f"{environment.pop('PATH', '')}:{scripts}:{os.environ['PATH']}"
    return subprocess.run(
        [*call, *options], env=os.environ | environment | {"PATH": path}, capture_output=True, text=True, timeout=240
    )


@pytest.mark.parametrize("profile", ["laptop", "slurm"])
def test_a_dry_run_lists_a_job_for_each_seed_of_each_run(tmp_path, profile):
    told = snakemake(tmp_path, "--profile", str(ROOT / "profiles" / profile), "-n", "--config", "papers=cps", "gpus=1")
    assert told.returncode == 0, told.stderr
    runs = chosen({"papers": "cps"})
    counts = dict(line.split() for line in told.stdout.splitlines() if line.split()[:1] in (["seed"], ["collect"]))
    assert counts == {"seed": str(sum(len(run.seeds) for run in runs)), "collect": str(len(runs))}


SBATCH = """
import json, os, pathlib, subprocess, sys
home = pathlib.Path(os.environ["FAKE_SLURM"])
number = len(list(home.glob("*.json"))) + 1
script = next(word for word in sys.argv if word.startswith("--wrap=")).removeprefix("--wrap=")
(home / f"{number}.json").write_text(json.dumps(sys.argv[1:]))
environment = dict(os.environ, SLURM_JOB_ID=str(number))
with open(home / f"{number}.log", "w") as log:
    failed = subprocess.run(["bash", "-c", script], env=environment, stdout=log, stderr=log).returncode
(home / f"{number}.state").write_text("FAILED" if failed else "COMPLETED")
print(number)
"""
SRUN = """
import os, pathlib, subprocess, sys
words = sys.argv[1:]
while words[0].startswith("-"):
    words = words[2:]
sys.exit(subprocess.run(words).returncode)
"""
SACCT = """
import os, pathlib
for path in pathlib.Path(os.environ["FAKE_SLURM"]).glob("*.state"):
    print(f"{path.stem}|{path.read_text()}")
"""
PYTHON = """
import os, pathlib, sys
calls = pathlib.Path(os.environ["FAKE_SLURM"]) / "calls"
before = calls.read_text() if calls.exists() else ""
calls.write_text(before + " ".join(sys.argv[1:]) + "\\n")
sys.exit(0 if before else 1)  # the first job is lost
"""


@pytest.fixture
def slurm(tmp_path):
    """Programs named as SLURM's that run jobs on the spot; the folder with them, and the one that they write into."""
    programs, home = tmp_path / "bin", tmp_path / "slurm"
    programs.mkdir()
    home.mkdir()
    quiet = dict.fromkeys(("sinfo", "scontrol", "scancel", "sacctmgr", "sshare", "squeue"), "")
    texts = {"sbatch": SBATCH, "srun": SRUN, "sacct": SACCT, "pretended_python": PYTHON}
    for name, text in (texts | quiet).items():
        (programs / name).write_text(f"#!{sys.executable}\n{text}")
        (programs / name).chmod(0o755)
    return programs, home


def test_slurm_is_asked_for_nodes_and_gpus_and_a_lost_job_is_started_again(tmp_path, slurm):
    programs, home = slurm
    run = ["papers=s4l", "runs=smoke", "gpus=4", "nodes=2", "python=pretended_python"]
    quick = ["--slurm-init-seconds-before-status-checks", "1", "--seconds-between-status-checks", "1"]
    profile = ["--profile", str(ROOT / "profiles" / "slurm"), "--latency-wait", "1", *quick]
    told = snakemake(tmp_path, *profile, "--config", *run, PATH=str(programs), FAKE_SLURM=str(home))
    assert told.returncode == 0, told.stderr
    [asked] = [json.loads(path.read_text()) for path in home.glob("*.json")]
    assert {"--nodes=2", "--ntasks=2", "--gres=gpu:4", "--cpus-per-task=32", "--signal=TERM@120"} < set(asked)
    assert not any(word.startswith("--ntasks-per-gpu") for word in asked)
    calls = (home / "calls").read_text().splitlines()
    assert len(calls) == 2 and calls[0] == calls[1]  # the same job, lost once
    assert calls[0].startswith("-m torch.distributed.run --nproc-per-node 4 --max-restarts 3 --nnodes 2 ")
    assert f"--rdzv-endpoint {socket.gethostname()}:29500 -m labelkit.cli run data/runs/s4l/smoke.yaml" in calls[0]
    assert (tmp_path / "build" / "workflow" / "s4l" / "smoke" / "all.done").exists()


def test_what_was_killed_goes_on_and_finished_seeds_stay(tmp_path):
    root = tmp_path / "house"
    (root / "bin").mkdir(parents=True)
    slow = root / "bin" / "slow"
    slow.write_text(
        f"#!{sys.executable}\nimport sys, time\nopen('{root}/calls', 'a').write(sys.argv[-1])\ntime.sleep(60)"
    )
    slow.chmod(0o755)
    call = [sys.executable, "-c", "import sys; from labelkit import workflow; "
            f"workflow.snakemake('laptop', sys.argv[1:], workflow.Path({str(root)!r}))"]  # fmt: skip
    words = ["papers=s4l", "runs=lesson", f"python={slow}"]
    process = subprocess.Popen([*call, *words], start_new_session=True, stdout=subprocess.DEVNULL, cwd=ROOT)
    done = root / "build" / "workflow" / "s4l" / "lesson"
    deadline = time.monotonic() + 60
    while not (root / "calls").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    begun = (root / "calls").read_text()
    assert len(begun) == 1 and not list(done.glob("*.done"))
    assert json.loads((root / workflow.LAST).read_text()) == ["laptop", words]
    done.mkdir(parents=True, exist_ok=True)
    (done / "seed-1.done").touch()
    before = (done / "seed-1.done").stat().st_mtime_ns
    assert workflow.snakemake("laptop", ["papers=s4l", "runs=lesson", "python=true"], root) == 0
    assert (done / "all.done").exists() and not (root / workflow.LAST).exists()
    assert (done / "seed-1.done").stat().st_mtime_ns == before


def test_make_resume_asks_for_what_was_left(tmp_path, monkeypatch):
    monkeypatch.setattr(workflow, "ROOT", tmp_path)
    asked = []
    monkeypatch.setattr(workflow, "snakemake", lambda profile, words: asked.append((profile, words)) or 0)
    assert workflow.main(["resume"]) == 0 and asked == []
    (tmp_path / workflow.LAST).parent.mkdir(parents=True)
    (tmp_path / workflow.LAST).write_text('["slurm", ["papers=cps"]]')
    assert workflow.main(["resume"]) == 0 and asked == [("slurm", ["papers=cps"])]


def test_bad_words_and_profiles_are_refused_in_a_sentence(capsys):
    for words, expected in (
        (["laptop", "cps"], "'cps' is not a key and a value such as papers=cps"),
        (["cloud", "papers=cps"], "there is no profile 'cloud'; there are: laptop, slurm"),
        ([], "give a profile"),
    ):
        assert workflow.main(words) == 2
        assert expected in capsys.readouterr().err
    assert kubernetes_jobs.main(["cpus=4"]) == 2
    assert "unknown key 'cpus'; expected some of papers, runs" in capsys.readouterr().err


def test_kubernetes_jobs_share_the_repository_and_meet_at_the_first_pod():
    parts = kubernetes_jobs.manifests({"papers": "cps", "runs": "voc_1_8_r50", "gpus": "4", "nodes": "2"})
    jobs = [part for part in parts if part["kind"] == "Job"]
    services = {part["metadata"]["name"]: part for part in parts if part["kind"] == "Service"}
    assert len(jobs) == len(services) == len(chosen({"papers": "cps", "runs": "voc_1_8_r50"})[0].seeds)
    for job in jobs:
        name, spec = job["metadata"]["name"], job["spec"]
        pod = spec["template"]["spec"]
        [container] = pod["containers"]
        assert spec["completions"] == spec["parallelism"] == 2 and spec["completionMode"] == "Indexed"
        assert pod["subdomain"] == name and services[name]["spec"]["selector"]["job"] == name
        assert spec["template"]["metadata"]["labels"]["job"] == name
        assert f"--rdzv-endpoint {name}-0.{name}:29500 " in container["command"][-1]
        assert container["resources"]["limits"]["nvidia.com/gpu"] == 4
        mounts = {mount["name"] for mount in container["volumeMounts"]}
        assert mounts == {volume["name"] for volume in pod["volumes"]} and container["workingDir"] == "/labelkit"


def test_names_of_kubernetes_jobs_are_valid_and_unique_over_all_runs():
    names = [part["metadata"]["name"] for part in kubernetes_jobs.manifests({})]
    assert len(set(names)) == len(names) == sum(len(run.seeds) for run in chosen({}))
    assert all(len(name) <= 61 and name.replace("-", "").isalnum() and name == name.lower() for name in names)
    assert list(yaml.safe_load_all(yaml.safe_dump_all(kubernetes_jobs.manifests({"papers": "ocr"}))))
