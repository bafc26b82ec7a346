"""Every chapter runs from top to bottom at the smoke budget and leaves the records that its run file names."""

import contextlib
import json
import subprocess
import sys
import time

import nbformat
import psutil
import pytest
import yaml

from labelkit import runs
from labelkit.publish import chapters, execution

ROOT = runs.ROOT
NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
PAPERS = [name for name in NOTEBOOKS if (ROOT / "data" / "papers" / f"{name}.yaml").is_file()]


@pytest.mark.chapter
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_smoke_execution(name):
    assert any('class="provenance"' in page for page in html(executed(name))), "no provenance strip"


@pytest.mark.chapter
@pytest.mark.parametrize("paper", PAPERS)
def test_records_pictures_and_verdicts_of_a_smoke_execution(paper):
    chapter = executed(paper)
    settings = runs.parse(chapter.values)
    records = runs.records(settings)
    cells = {(r["data"], r["arm"], r["seed"]) for r in records}
    assert cells == {(d, a, s) for d in settings.data for a in settings.arms for s in settings.seeds}
    for record in records:
        assert record["budget"] == "smoke" and record["paper"] == paper and record["metrics"]
    pages = html(chapter)
    pictures = [page for page in pages if "<img" in page]
    assert len(pictures) >= 5
    assert all('alt="' in page and "<figcaption" in page for page in pictures)
    assert any("labelkit-verdicts" in page for page in pages), "the card of verdicts was not filled"


def executed(name: str) -> execution.Chapter:
    """A chapter with its smoke execution: at once if `make reproduce` or another test has just done it."""
    (chapter,) = chapters.find(ROOT, "smoke", [name])
    outcome = execution.execute(chapter)
    assert outcome.outcome in ("executed", "unchanged"), outcome.note
    return chapter


def html(chapter: execution.Chapter) -> list[str]:
    """The HTML outputs of a chapter's last execution."""
    outputs = [o for c in nbformat.read(chapter.executed, 4).cells for o in c.get("outputs", [])]
    return [o["data"]["text/html"] for o in outputs if "text/html" in o.get("data", {})]


@pytest.mark.parametrize("paper", PAPERS)
def test_a_mistyped_parameter_is_refused_before_anything_runs(tmp_path, monkeypatch, capsys, paper):
    for name in (f"notebooks/{paper}.ipynb", f"data/runs/{paper}/smoke.yaml"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    run_file = tmp_path / "data" / "runs" / paper / "smoke.yaml"
    run_file.write_text(yaml.safe_dump(yaml.safe_load(run_file.read_text()) | {"stepz": 3}))
    monkeypatch.setattr(chapters, "ROOT", tmp_path)
    assert chapters.main(["--budget", "smoke"]) == 2
    said = capsys.readouterr().err.strip()
    assert f"`stepz` is not a parameter of {paper}.ipynb" in said and len(said.splitlines()) == 1
    assert not (tmp_path / "build").exists()


CODE = """
from labelkit import runs

settings = runs.parse({
    "paper": "cps", "run": "kill", "budget": "smoke", "data": ["streets"], "arms": ["cps-1/4"], "seeds": [0],
    "steps": 60, "batch_size": 2, "learning_rate": 0.05, "height": 32, "width": 48, "images": 24, "test_images": 4,
    "checkpoint_every": 5, "evaluate_every": 20, "pretraining": "none", "results": results,
})
runs.execute(settings)
"""


@pytest.mark.chapter
def test_kill_9_through_papermill_then_again_equals_undisturbed(tmp_path):
    from nbformat.v4 import new_code_cell, new_notebook

    cells = [new_code_cell('results: str = ""', metadata={"tags": ["parameters"]}), new_code_cell(CODE)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    source, log = tmp_path / "in.ipynb", tmp_path / "log.txt"
    nbformat.write(new_notebook(cells=cells, metadata=kernel), source)
    killed, whole = tmp_path / "killed", tmp_path / "whole"

    def papermill() -> subprocess.Popen:
        command = [sys.executable, "-m", "papermill", str(source), str(tmp_path / "out.ipynb")]
        command += ["-p", "results", str(killed), "--no-progress-bar"]
        with open(log, "w") as file:
            return subprocess.Popen(command, stdout=file, stderr=file)

    job = papermill()
    try:
        deadline = time.monotonic() + 120
        while not list(killed.glob("cells/*/checkpoint.pt")):
            assert job.poll() is None, f"papermill ended before there was a checkpoint:\n{log.read_text()[-2000:]}"
            assert time.monotonic() < deadline, "no checkpoint within two minutes"
            time.sleep(0.02)
    finally:
        processes = kill_tree(job)
    assert len(processes) >= 2, "papermill and its kernel"
    assert not list(killed.glob("*.json")), "the cell was finished before it could be killed"

    job = papermill()
    try:
        assert job.wait(timeout=120) == 0, log.read_text()[-2000:]
    finally:
        kill_tree(job)
    names: dict = {"results": str(whole)}
    exec(CODE, names)  # undisturbed, without papermill
    first, second = (json.loads(next(folder.glob("*.json")).read_text()) for folder in (killed, whole))
    for record in (first, second):
        del record["measured"], record["code"], record["parameters"]
    assert first == second


def kill_tree(job: subprocess.Popen) -> list[psutil.Process]:
    """Kills a process and all below it at once, as a power cut would, and waits until they are gone.

    A kernel leads a session of its own, so killing papermill's process group or session would spare it; it would then
    notice that its parent is gone, up to a second of training later.
    """
    try:
        parent = psutil.Process(job.pid)
        processes = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    job.wait(timeout=30)
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert not alive, f"could not be killed: {alive}"
    return processes
