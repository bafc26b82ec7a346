"""Figures of benchmarks carry their origin, and a claim's file is written only from figures that it can read."""

import json

import pytest
import yaml

from labelkit.papers import ROOT, load_papers
from labelkit.publish import benchmarks

SHEET = {
    "paper": "tiny", "title": "Tiny", "short": "Tiny", "authors": ["A. Author"], "venue": "Nowhere", "year": 2020,
    "bibtex_key": "author2020tiny",
    "claims": [
        {
            "id": "T1", "text": "It is cheap.", "kind": "measured", "source": "data/results/tiny/benchmarks.json",
            "measurements": [{"name": "time", "value": "ratio.time", "at_least": 2}], "registered": "2026-11-22",
        }
    ],
}  # fmt: skip
PROGRAM = """
import sys
from labelkit.publish.benchmarks import write

figures = {figures}
if figures is None:
    sys.exit(3)
write(sys.argv[sys.argv.index("--json") + 1], figures, "cpu", 1)
"""


@pytest.fixture
def root(tmp_path, monkeypatch):
    (tmp_path / "data" / "papers").mkdir(parents=True)
    text = yaml.safe_dump(SHEET).replace("'2026-11-22'", "2026-11-22")
    (tmp_path / "data" / "papers" / "tiny.yaml").write_text(text)
    (tmp_path / "benchmarks").mkdir()
    program(tmp_path, "other_step", {"ratio": {"time": 9.0}})
    monkeypatch.setattr(benchmarks, "ROOT", tmp_path)
    return tmp_path


def program(root, name, figures):
    (root / "benchmarks" / f"{name}.py").write_text(PROGRAM.format(figures=figures))


def test_the_file_of_a_claim_comes_from_its_papers_benchmark_and_says_where_from(root, capfd):
    program(root, "tiny_attention", {"ratio": {"time": 3.0}})
    program(root, "tiny_memory", {"ratio": {"memory": 4.0}})
    assert benchmarks.main([]) == 0
    assert not (root / "data" / "results").exists()
    assert benchmarks.main(["--store"]) == 0
    stored = json.loads((root / "data" / "results" / "tiny" / "benchmarks.json").read_text())
    assert stored["ratio"] == {"time": 3.0}
    origin = stored["provenance"]
    assert origin["versions"]["torch"] and origin["device"]["name"] and origin["device"]["threads"] == 1
    assert origin["measured"].startswith("20") and set(origin["code"]) == {"commit", "dirty"}
    assert sorted(p.stem for p in (root / "build" / "benchmarks").iterdir()) == [
        "other_step", "tiny_attention", "tiny_memory",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({"ratio": {"memory": 3.0}}, "tiny.yaml: claims read ratio.time from data/results/tiny/benchmarks.json"),
        (None, "Failed: tiny_attention. Nothing was stored."),
    ],
)
def test_a_missing_figure_stores_nothing(root, capfd, figures, words):
    program(root, "tiny_attention", {"ratio": {"time": 3.0}})
    assert benchmarks.main([]) == 0
    program(root, "tiny_attention", figures)
    assert benchmarks.main(["--store"]) == 1, "figures of the earlier run must not be taken for new ones"
    assert words in capfd.readouterr().err
    assert not (root / "data" / "results").exists()


def test_several_benchmarks_of_a_paper_stand_side_by_side(root, capfd):
    measurements = [{"name": n, "value": f"{n}.ratio", "at_least": 2} for n in ("time", "memory")]
    sheet = SHEET | {"claims": [SHEET["claims"][0] | {"measurements": measurements}]}
    (root / "data" / "papers" / "tiny.yaml").write_text(yaml.safe_dump(sheet).replace("'2026-11-22'", "2026-11-22"))
    for name, ratio in (("time", 3.0), ("memory", 4.0)):
        text = PROGRAM.format(figures={"ratio": ratio}).replace('"cpu", 1)', f'"cpu", 1, part="{name}")')
        (root / "benchmarks" / f"tiny_{name}.py").write_text(text)
    assert benchmarks.main(["--store"]) == 0
    path = root / "data" / "results" / "tiny" / "benchmarks.json"
    stored = json.loads(path.read_text())
    assert {name: part["ratio"] for name, part in stored.items()} == {"time": 3.0, "memory": 4.0}
    assert all(part["provenance"]["device"]["name"] for part in stored.values())

    benchmarks.write(path, {"ratio": 5.0}, "cpu", 1, part="time")
    again = json.loads(path.read_text())
    assert again["time"]["ratio"] == 5.0 and again["memory"] == stored["memory"]

    program(root, "tiny_whole", {"time": {"ratio": 9.0}})
    (root / "benchmarks" / "tiny_time.py").unlink()
    (root / "build" / "benchmarks" / "tiny_time.json").unlink()
    program(root, "tiny_memory", {"time": {"other": 1.0}, "memory": {"ratio": 1.0}})
    before = path.read_bytes()
    assert benchmarks.main(["--store"]) == 1
    assert "two benchmarks have the key" in capfd.readouterr().err
    assert path.read_bytes() == before


@pytest.mark.parametrize("text", ['{"ratio": 3.0, "provenance": {}}', '{"time": {"ratio"', "[]"])
def test_a_part_is_not_written_into_a_file_without_parts(tmp_path, text):
    path = tmp_path / "benchmarks.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"benchmarks\.json: expected named parts"):
        benchmarks.write(path, {"ratio": 1.0}, "cpu", 1, part="time")
    assert path.read_text() == text and list(tmp_path.iterdir()) == [path]


def test_stored_files_of_measured_claims_carry_their_origin():
    for paper in load_papers().values():
        for claim in paper.claims:
            if claim.kind == "measured" and (ROOT / claim.source).is_file():
                content = json.loads((ROOT / claim.source).read_text(encoding="utf-8"))
                for part in [content] if "provenance" in content else content.values():
                    origin = part["provenance"]
                    assert origin["code"]["commit"] and origin["device"]["name"], claim.source


def test_every_benchmark_can_write_its_figures():
    for path in sorted((ROOT / "benchmarks").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        assert '"--json"' in text and "labelkit.publish.benchmarks import write" in text, path.name
