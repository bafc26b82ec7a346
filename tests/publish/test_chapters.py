"""Chapters are executed from checked parameters, published on success, and kept apart with a log on failure."""

import json
import subprocess
import sys

import pytest
import yaml
from synthetic import PARAMETERS, code, markdown, notebook, record, save

from labelkit.publish import chapters, execution, notebooks, parameters

VALUES = {"paper": "tiny", "run": "smoke", "budget": "smoke", "steps": 2, "learning_rate": 0.5, "seeds": [0]}


@pytest.fixture
def root(tmp_path):
    """A repository with one chapter that was not executed yet."""
    cells = [
        markdown("# Tiny"),
        code(PARAMETERS, ["parameters"]),
        code("assert steps > 0, 'there must be at least one step'\nprint('steps', steps)"),
    ]
    save(notebook(*cells), tmp_path / "notebooks" / "tiny.ipynb")
    write_run_file(tmp_path, "tiny", "smoke", VALUES)
    return tmp_path


def write_run_file(root, paper, run, values):
    path = root / "data" / "runs" / paper / f"{run}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(values), encoding="utf-8")


def test_a_chapter_is_executed_with_its_parameters_and_skipped_until_something_changes(root):
    committed = (root / "notebooks" / "tiny.ipynb").read_bytes()
    [chapter] = chapters.find(root, "smoke")
    assert execution.execute(chapter).outcome == "executed"
    cell = notebooks.code_cells(notebooks.read(chapter.executed))[1]
    assert "".join(cell["outputs"][0]["text"]) == "steps 2\n"
    assert (root / "notebooks" / "tiny.ipynb").read_bytes() == committed, "smoke must not touch the committed chapter"
    assert not chapter.working.exists()
    assert execution.execute(chapter).outcome == "unchanged"


def test_the_key_follows_code_parameters_and_library_but_not_prose(root):
    def key():
        return execution.key(chapters.find(root, "smoke")[0])

    path, before = root / "notebooks" / "tiny.ipynb", None
    before = key()
    content = json.loads(path.read_text())
    content["cells"][0]["source"] = "# Tiny, in other words"
    content["cells"][2]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "steps 2\n"}]
    save(content, path)
    assert key() == before
    seen = {before}
    content["cells"][2]["source"] += "\nprint('more')"
    save(content, path)
    seen.add(key())
    write_run_file(root, "tiny", "smoke", VALUES | {"steps": 3})
    seen.add(key())
    (root / "labelkit").mkdir()
    (root / "labelkit" / "new.py").write_text("VALUE = 1\n")
    seen.add(key())
    assert len(seen) == 4


def test_a_failing_chapter_leaves_a_log_and_stops_no_other(root, monkeypatch, capsys):
    content = json.loads((root / "notebooks" / "tiny.ipynb").read_text())
    save(content, root / "notebooks" / "broken.ipynb")
    write_run_file(root, "broken", "smoke", VALUES | {"paper": "broken", "steps": 0})
    monkeypatch.setattr(chapters, "ROOT", root)
    assert chapters.main(["--budget", "smoke"]) == 1
    printed = capsys.readouterr().out
    assert "broken       smoke    failed" in printed and "there must be at least one step" in printed
    assert "tiny         smoke    executed" in printed
    failed = root / "build" / "failed" / "broken-smoke"
    assert "AssertionError" in (failed / "log.txt").read_text()
    assert not (root / "build" / "chapters" / "smoke" / "broken.ipynb").exists()
    assert chapters.interrupted(root) == {"smoke": ["broken"]}

    write_run_file(root, "broken", "smoke", VALUES | {"paper": "broken"})
    assert chapters.main(["--resume"]) == 0
    assert not failed.exists() and chapters.interrupted(root) == {}


def lesson(root, notebook_code):
    """The chapter `cps` with a code cell in place of training, ready for a lesson run."""
    values = {
        "paper": "cps", "run": "lesson", "budget": "lesson", "data": ["streets"], "arms": ["cps-1/8"], "seeds": [0, 1],
        "steps": 2, "batch_size": 2, "learning_rate": 0.1, "height": 48, "width": 64, "images": 8, "test_images": 4,
        "results": "build/records",
    }  # fmt: skip
    cells = [
        code("\n".join(f"{name} = {value!r}" for name, value in values.items()), ["parameters"]),
        code(notebook_code),
        code("print('trained')"),
    ]
    save(notebook(*cells), root / "notebooks" / "cps.ipynb")
    write_run_file(root, "cps", "lesson", values)
    records = [record("cps", "cps-1/8", "streets", seed, 0.4) for seed in (1, 0)]
    folder = root / "build" / "records"
    folder.mkdir(parents=True)
    for r in records:
        (folder / f"{r['seed']}.json").write_text(json.dumps(r))
    [chapter] = chapters.find(root, "lesson", ["cps"])
    return chapter


def test_a_lesson_replaces_chapter_and_records_without_volatile_metadata(tmp_path):
    chapter = lesson(tmp_path, "pass")
    outcome = execution.execute(chapter)
    assert (outcome.outcome, outcome.note) == ("executed", "2 records")
    lines = (tmp_path / "data" / "results" / "cps" / "lesson.jsonl").read_text().splitlines()
    assert [json.loads(line)["seed"] for line in lines] == [0, 1]
    first = chapter.notebook.read_bytes()
    committed = notebooks.read(chapter.notebook)
    assert notebooks.execution_problem(committed) is None
    assert not any("injected-parameters" in notebooks.tags(cell) for cell in committed["cells"])
    assert execution.execute(chapter).outcome == "executed", "a lesson is executed whenever it is asked for"
    assert chapter.notebook.read_bytes() == first


@pytest.mark.parametrize("broken", ["raise RuntimeError('no data')", "import os; os.remove('build/records/1.json')"])
def test_a_lesson_that_fails_or_is_incomplete_replaces_nothing(tmp_path, broken):
    chapter = lesson(tmp_path, broken)
    before = chapter.notebook.read_bytes()
    outcome = execution.execute(chapter)
    assert outcome.outcome == "failed" and "log.txt" in outcome.note
    assert chapter.notebook.read_bytes() == before
    assert not (tmp_path / "data" / "results").exists()
    assert (tmp_path / "build" / "records" / "0.json").exists(), "finished records survive"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stepz": 4}, "`stepz` is not a parameter of tiny.ipynb"),
        ({"steps": "4"}, "`steps` is '4', but tiny.ipynb expects a whole number"),
        ({"steps": 4.5}, "`steps` is 4.5"),
        ({"learning_rate": "1e-3"}, "write 1.0e-3, not 1e-3"),
        ({"seeds": "[0, 1]"}, "expects a list"),
        ({"steps": True}, "`steps` is True"),
        ({"paper": "other"}, "`paper` is 'other'; in this file it must be 'tiny'"),
        ({"budget": "lesson"}, "`budget` is 'lesson'; in this file it must be 'smoke'"),
    ],
)
def test_a_mistyped_parameter_is_one_sentence_and_exit_2(root, monkeypatch, capsys, change, words):
    write_run_file(root, "tiny", "smoke", VALUES | change)
    monkeypatch.setattr(chapters, "ROOT", root)
    assert chapters.main([]) == 2
    said = capsys.readouterr().err.strip()
    assert words in said and "tiny/smoke.yaml" in said and "\n" not in said
    assert not (root / "build").exists()


@pytest.mark.parametrize("count", [0, 2])
def test_exactly_one_parameters_cell(root, count):
    cells = [code("x = 1", ["parameters"])] * count + [code("print(x)")]
    path = save(notebook(*cells), root / "notebooks" / "tiny.ipynb")
    with pytest.raises(ValueError, match=f"{count} code cells tagged"):
        parameters.check({}, path, root / "run.yaml")


def test_unknown_chapter_and_missing_run_file(root):
    with pytest.raises(FileNotFoundError, match=r"no notebook notebooks/nowhere.ipynb; there are: tiny"):
        chapters.find(root, "smoke", ["nowhere"])
    (root / "data" / "papers").mkdir()
    (root / "data" / "papers" / "tiny.yaml").write_text("paper: tiny\n")
    with pytest.raises(FileNotFoundError, match=r"tiny/lesson.yaml"):
        chapters.find(root, "lesson", ["tiny"])


def test_a_run_file_that_repeats_a_key_is_refused(root):
    path = root / "data" / "runs" / "tiny" / "smoke.yaml"
    path.write_text("paper: tiny\nsteps: 2\nsteps: 3\n")
    with pytest.raises(ValueError, match=r"smoke.yaml: not valid YAML at line 3, column 1: key 'steps' is given twice"):
        parameters.read(path)


@pytest.mark.parametrize("with_parameters", [False, True])
def test_a_comparison_needs_neither_sheet_nor_run_file(root, with_parameters):
    cells = [code("paper: str = 'few_words'", ["parameters"])] * with_parameters
    cells += [markdown("# Few words\n\n@@WORDS@@"), code("print('compared')")]
    save(notebook(*cells), root / "notebooks" / "few_words.ipynb")
    [chapter] = chapters.find(root, "lesson", ["few_words"])
    before = execution.key(chapter)
    outcome = execution.execute(chapter)
    # Records and prose do not keep it from being published; the book waits for the words.
    assert (outcome.outcome, outcome.note) == ("executed", "still to be written: @@WORDS@@")
    committed = notebooks.read(chapter.notebook)
    assert notebooks.execution_problem(committed, draft=True) is None
    assert notebooks.execution_problem(committed) == "it is not written to the end: @@WORDS@@"
    assert not (root / "data" / "results").exists()
    (root / "data" / "results" / "tiny").mkdir(parents=True)
    (root / "data" / "results" / "tiny" / "lesson.jsonl").write_text("{}\n")
    assert execution.key(chapter) != before, "a comparison is made of the records"


DEFAULTS = "steps: int = 3  # steps\nrate: float = 0.1"


@pytest.mark.parametrize(
    ("cells", "strays"),
    [
        (["", "boxes = {}\nn = 3", DEFAULTS], []),
        (["", DEFAULTS, "# Parameters\nsteps = 5\n"], []),
        (["", DEFAULTS, "# Parameters\nsteps = 5\nstepz = 3\n"], ["stepz"]),
        (["", DEFAULTS + "\nratee = 0.2"], ["ratee"]),
        (["", DEFAULTS, "import torch\nn, k = 3, 4\nstepz = n", "%%time\nx = 3", "count = 7"], []),
        (["", DEFAULTS + "\nratee = 0.2", DEFAULTS], []),
        (["", "# Parameters\nstepz = 3\n", DEFAULTS, "n = 1"], []),
    ],
    ids=["defaults", "injected", "stray injected", "stray written", "other cells", "mended", "kernel used before"],
)
def test_strays_are_found_from_inside_a_chapter(cells, strays):
    assert parameters.given(cells, ["steps", "rate"]) == ["steps", "rate", *strays]


def test_papermill_by_hand_with_a_mistyped_parameter_fails(tmp_path):
    cells = [
        code("number = 3\nempty = {}"),
        code(DEFAULTS, ["parameters"]),
        code("from labelkit.publish.parameters import given"),
        code(
            "values = {name: globals()[name] for name in given(In, ['steps', 'rate'])}\nassert len(values) == 2, values"
        ),
    ]
    path = save(notebook(*cells), tmp_path / "in.ipynb")
    command = [sys.executable, "-m", "papermill", str(path), str(tmp_path / "out.ipynb"), "--no-progress-bar"]
    assert subprocess.run([*command, "-p", "steps", "5"], capture_output=True, timeout=120).returncode == 0
    failed = subprocess.run([*command, "-p", "stepz", "5"], capture_output=True, text=True, timeout=120)
    assert failed.returncode != 0 and "{'steps': 3, 'rate': 0.1, 'stepz': 5}" in failed.stderr


def test_defaults_equal_to_the_run_file_are_recognised(root):
    path = root / "notebooks" / "tiny.ipynb"
    assert parameters.equal_defaults({"steps": 3, "seeds": [0, 1]}, path)
    assert not parameters.equal_defaults({"steps": 4}, path)
