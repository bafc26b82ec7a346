"""Every chapter runs from top to bottom at the smoke budget and leaves the records that its run file names."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
import yaml

from labelkit import runs
from labelkit.publish import chapters, execution

ROOT = runs.ROOT
NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.chapter
@pytest.mark.parametrize("paper", NOTEBOOKS)
def test_smoke_execution_and_its_records(paper):
    (chapter,) = chapters.find(ROOT, "smoke", [paper])
    outcome = execution.execute(chapter)  # at once if `make reproduce` has just done it
    assert outcome.outcome in ("executed", "unchanged"), outcome.note
    settings = runs.parse(chapter.values)
    records = runs.records(settings)
    cells = {(r["data"], r["arm"], r["seed"]) for r in records}
    assert cells == {(d, a, s) for d in settings.data for a in settings.arms for s in settings.seeds}
    for record in records:
        assert record["budget"] == "smoke" and record["paper"] == paper and record["metrics"]
    notebook = nbformat.read(chapter.executed, 4)
    pages = [
        o["data"]["text/html"] for c in notebook.cells for o in c.get("outputs", []) if "text/html" in o.get("data", {})
    ]
    pictures = [page for page in pages if "<img" in page]
    assert len(pictures) >= 5
    assert all('alt="' in page and "<figcaption" in page for page in pictures)
    assert any('class="provenance"' in page for page in pages), "no provenance strip"
    assert any("labelkit-verdicts" in page for page in pages), "the card of verdicts was not filled"


@pytest.mark.chapter
def test_a_mistyped_parameter_is_refused_before_anything_runs(tmp_path, monkeypatch, capsys):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "data" / "runs" / "cps").mkdir(parents=True)
    (tmp_path / "notebooks" / "cps.ipynb").write_text((ROOT / "notebooks" / "cps.ipynb").read_text())
    values = yaml.safe_load((ROOT / "data" / "runs" / "cps" / "smoke.yaml").read_text())
    (tmp_path / "data" / "runs" / "cps" / "smoke.yaml").write_text(yaml.safe_dump(values | {"stepz": 3}))
    monkeypatch.setattr(chapters, "ROOT", tmp_path)
    assert chapters.main(["--budget", "smoke"]) == 2
    said = capsys.readouterr().err.strip()
    assert "`stepz` is not a parameter of cps.ipynb" in said and len(said.splitlines()) == 1
    assert not (tmp_path / "build").exists()


CODE = """
from labelkit import runs

settings = runs.parse({
    "paper": "cps", "run": "kill", "budget": "smoke", "data": ["streets"], "arms": ["cps-1/4"], "seeds": [0],
    "steps": 60, "batch_size": 2, "learning_rate": 0.05, "height": 32, "width": 48, "images": 24, "test_images": 4,
    "checkpoint_every": 5, "evaluate_every": 20, "results": results,
})
runs.execute(settings)
"""


@pytest.mark.chapter
def test_kill_9_through_papermill_then_again_equals_undisturbed(tmp_path):
    from nbformat.v4 import new_code_cell, new_notebook

    cells = [new_code_cell('results: str = ""', metadata={"tags": ["parameters"]}), new_code_cell(CODE)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    source = tmp_path / "in.ipynb"
    nbformat.write(new_notebook(cells=cells, metadata=kernel), source)

    def papermill(folder: Path) -> subprocess.Popen:
        command = [sys.executable, "-m", "papermill", str(source), str(tmp_path / "out.ipynb")]
        command += ["-p", "results", str(folder), "--no-progress-bar"]
        return subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)

    killed, whole = tmp_path / "killed", tmp_path / "whole"
    job = papermill(killed)
    deadline = time.time() + 180
    while not list(killed.glob("cells/*/checkpoint.pt")) and time.time() < deadline:
        time.sleep(0.02)
    os.killpg(job.pid, signal.SIGKILL)  # papermill; its kernel sits in the same session
    assert job.wait() == -signal.SIGKILL
    _end_kernels(job.pid)
    assert not list(killed.glob("*.json")), "a record of an unfinished cell"
    assert papermill(killed).wait() == 0 and papermill(whole).wait() == 0
    import json

    first, second = (json.loads(next(folder.glob("*.json")).read_text()) for folder in (killed, whole))
    for record in (first, second):
        del record["measured"], record["code"], record["parameters"]
    assert first == second


def _end_kernels(session: int) -> None:
    """Kernels lead process groups of their own: end those of the killed session too, as a power cut would."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            if int(fields[3]) == session and fields[0] != "Z":
                os.kill(int(entry.name), signal.SIGKILL)
        except (OSError, IndexError, ValueError):
            continue
