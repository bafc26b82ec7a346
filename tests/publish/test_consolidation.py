"""Records of a run are collected sorted and whole, or not at all."""

import json

import pytest
from synthetic import record

from labelkit.publish.files import write_if_different
from labelkit.publish.records import consolidate
from labelkit.verdicts import load_records

CELLS = [(data, arm, seed) for data in ("streets", "camvid") for arm in ("ocr", "conv") for seed in (1, 0)]


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "records"
    folder.mkdir()
    for number, (data, arm, seed) in enumerate(CELLS):
        (folder / f"{number}.json").write_text(json.dumps(record("ocr", arm, data, seed, 0.5)))
    (folder / "superseded").mkdir()
    (folder / "superseded" / "old.json").write_text("not a record of this run")
    return folder


def test_sorted_by_data_arm_and_seed_and_readable_by_the_verdicts(folder, tmp_path):
    target = tmp_path / "lesson.jsonl"
    assert consolidate(folder, target, CELLS) == 8
    found = [(r["data"], r["arm"], r["seed"]) for r in load_records(target)]
    assert found == sorted(CELLS)
    stamp = target.stat().st_mtime_ns
    consolidate(folder, target, CELLS)
    assert target.stat().st_mtime_ns == stamp, "the same records must not rewrite the file"


def add(folder, name, content):
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.json", '{"schema": 1, "paper"', "x.json is not a whole record: it is not valid JSON"),
        ("x.json", {"schema": 1}, "it lacks paper"),
        ("x.json", record("ocr", "ocr", "streets", 0, 0.6), "records of the same cell streets / ocr / seed 0"),
        ("x.json", record("ocr", "ocr", "streets", 7, 0.6), "x.json is not part of the run"),
        ("x.json", record("cps", "cps", "streets", 7, 0.6), "belongs to cps/lesson"),
    ],
)
def test_a_bad_record_is_named_and_nothing_is_written(folder, tmp_path, name, content, words):
    add(folder, name, content)
    with pytest.raises(ValueError, match=words):
        consolidate(folder, tmp_path / "lesson.jsonl", CELLS)
    assert not (tmp_path / "lesson.jsonl").exists()


def test_an_incomplete_run_is_refused(folder, tmp_path):
    (folder / "0.json").unlink()
    with pytest.raises(ValueError, match="lacks 1 of 8 records, first streets / ocr / seed 1"):
        consolidate(folder, tmp_path / "lesson.jsonl", CELLS)
    with pytest.raises(FileNotFoundError, match="no record"):
        consolidate(tmp_path / "nowhere", tmp_path / "lesson.jsonl")


def test_write_if_different_keeps_the_time_stamp_of_equal_bytes(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    assert write_if_different(path, "one")
    stamp = path.stat().st_mtime_ns
    assert not write_if_different(path, b"one") and path.stat().st_mtime_ns == stamp
    assert write_if_different(path, "two") and path.read_text() == "two"
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"]
