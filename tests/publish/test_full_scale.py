"""What full-scale run files promise, what rehearsals computed, and which records stand beside a published number."""

import json

import pytest

from labelkit.papers import Published
from labelkit.publish.full_scale import costs, full_runs, measured
from tests.publish.synthetic import record

FILE = """# A paper at the paper's scale: some data, 1/8 of the labels.
paper: tiny
run: big
budget: full
data: [voc2012-official]
arms: [one, two]
seeds: [0, 1]
steps: 40000
about:
  expected:
    - {arm: one, metric: mIoU, value: 73.20, unit: "%", status: quoted}
  hardware: 4 GPUs
  gpu_hours: null
  differs: [something]
"""
ROW = {
    "label": "x", "metric": "mIoU", "value": 73.2, "decimals": 2, "unit": "%", "protocol": "val", "status": "quoted",
    "source": "s", "run": "big", "arm": "one", "record": "test/whole-image:miou",
}  # fmt: skip


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "data" / "runs" / "tiny"
    folder.mkdir(parents=True)
    (folder / "big.yaml").write_text(FILE)
    (folder / "lesson.yaml").write_text("budget: lesson\n")
    found = full_runs("tiny", tmp_path)
    assert list(found) == ["big"] and full_runs("other", tmp_path) == {}
    return found["big"]


def records(mious, **changes):
    made = [record("tiny", "one", "voc2012-official", seed, m, run="big") for seed, m in enumerate(mious)]
    return [each | changes for each in made]


def test_a_run_file_is_read_for_a_page(run):
    assert run.title == "some data, 1/8 of the labels"
    assert run.command == "labelkit run data/runs/tiny/big.yaml" and run.anchor == "run-big"
    assert run.expected == (("one", 73.2),) and run.differs == ("something",)


def test_mean_and_spread_are_those_of_the_full_records_in_the_published_unit(run):
    row = Published(**ROW)
    found = measured(row, run, records([0.72, 0.74]))
    assert (found.mean, found.seeds) == (pytest.approx(73.0), 2) and found.spread == pytest.approx(2**0.5)
    assert measured(row, run, records([0.72])).spread is None
    iou = Published(**ROW | {"record": "test/whole-image:iou:road"})
    assert measured(iou, run, records([0.7, 0.8])).mean == pytest.approx(90)
    other = Published(**ROW | {"unit": "clips", "decimals": None})
    assert measured(other, run, records([0.5])).mean == 0.5


@pytest.mark.parametrize("change", [{"budget": "lesson"}, {"arm": "two"}, {"run": "small"}, {"data": "streets"}])
def test_records_of_another_run_do_not_count(run, change):
    assert measured(Published(**ROW), run, records([0.7], **change)) is None


def test_what_does_not_compare_is_refused_with_its_reason(run):
    windows = Published(**ROW | {"record": "test/sliding-window-512x512:miou"})
    assert "no result under test/sliding-window-512x512" in measured(windows, run, records([0.7])).refused
    absent = Published(**ROW | {"record": "test/whole-image:vpq"})
    assert "vpq of arm one, seed 0 is absent" in measured(absent, run, records([0.7])).refused
    mixed = records([0.7, 0.8])
    mixed[1] = mixed[1] | {"dataset": {"fingerprint": "other"}}
    assert "fingerprints" in measured(Published(**ROW), run, mixed).refused
    without = Published(**ROW | {"record": None, "unlike": "another protocol"})
    assert measured(without, run, records([0.7])) is None


def rehearsal(*cells):
    return {"schema": 1, "machine": "A GPU", "tflops": 100.0, "runs": {"big": {"seeds": 5, "cells": list(cells)}}}


def cell(hours, how="computed", arm="one"):
    return {"arm": arm, "hours": hours, "trainings": [{"hours_are": how}] if hours else []}


def test_costs_are_told_with_what_they_rest_on(tmp_path):
    folder = tmp_path / "data" / "results" / "tiny"
    folder.mkdir(parents=True)
    assert costs("tiny", tmp_path) == {}
    for cells, text in (
        ([cell(10.0), cell(20.5)], "152 GPU hours, computed for 100 TFLOP/s"),
        ([cell(0.01, "measured")], "0.05 GPU hours, from the measured time of a step on A GPU"),
        ([cell(10.0), cell(1.0, "measured")], "55 GPU hours, in part from measured steps on A GPU, in part computed"),
        ([cell(10.0), cell(None, arm="two")], "50 GPU hours, computed for 100 TFLOP/s; without two"),
        ([cell(None)], "not computed"),
    ):
        (folder / "rehearsals.json").write_text(json.dumps(rehearsal(*cells)))
        assert costs("tiny", tmp_path)["big"].startswith(text)
    for broken in ("{", "[]", "{}", '{"tflops": 1, "machine": "x", "runs": {"big": {}}}'):
        (folder / "rehearsals.json").write_text(broken)
        with pytest.raises(ValueError, match=r"rehearsals\.json: not what a rehearsal writes"):
            costs("tiny", tmp_path)
