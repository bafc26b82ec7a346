"""What the sheets publish and what the full-scale run files expect are the same numbers, and each names the other."""

import re

import pytest
import yaml

from labelkit.papers import ROOT, load_papers

PAPERS = load_papers()
FILES = {
    path: values
    for path in sorted((ROOT / "data" / "runs").glob("*/*.yaml"))
    if (values := yaml.safe_load(path.read_text(encoding="utf-8")))["budget"] == "full"
}


def same(row, expected):
    return row.value == pytest.approx(expected["value"], abs=1e-9) and row.unit == expected["unit"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_expected_number_is_one_of_the_sheet(path):
    values = FILES[path]
    for expected in values["about"]["expected"]:
        assert expected.keys() == {"arm", "metric", "value", "unit", "status"}
        assert expected["arm"] in values["arms"]
        published = [row for row in PAPERS[values["paper"]].published if same(row, expected)]
        meant = [row for row in published if row.arm in (None, expected["arm"])]
        assert any(row.status == expected["status"] for row in meant), f"{expected} is not in the sheet"
    # "a: b" without quotes is a mapping to YAML, and no page could print it.
    assert values["about"]["differs"] and all(isinstance(text, str) for text in values["about"]["differs"])
    assert path.read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize("paper", PAPERS.values(), ids=PAPERS)
def test_every_run_of_the_sheet_is_there_and_expects_the_number(paper):
    for row in paper.published:
        if row.run is None:
            continue
        path = ROOT / "data" / "runs" / paper.paper / f"{row.run}.yaml"
        assert path in FILES, f"{row.label} names the run {row.run}"
        assert row.arm in FILES[path]["arms"], row.label
        expected = [each for each in FILES[path]["about"]["expected"] if each["arm"] == row.arm]
        assert any(same(row, each) for each in expected), f"{path} does not expect {row.label}"


@pytest.mark.parametrize("paper", PAPERS.values(), ids=PAPERS)
def test_records_are_looked_up_under_the_protocol_that_the_run_file_evaluates(paper):
    """A name in the sheet that no run writes would leave a cell at "not yet run" for ever."""
    for row in paper.published:
        if row.record is None:
            continue
        values = FILES[ROOT / "data" / "runs" / paper.paper / f"{row.run}.yaml"]
        protocol = row.record.partition(":")[0]
        if match := re.fullmatch(r"test/sliding-window-(\d+)x(\d+)", protocol):
            assert values["evaluation"] == "sliding-window"
            assert [int(side) for side in match.groups()] == [values["height"], values["width"]]
        elif match := re.fullmatch(r"test/original-points-(\d+)-votes", protocol):
            assert int(match[1]) == values["votes"]
        elif protocol == "test/whole-image":
            assert values["evaluation"] == "whole-image"
        elif protocol == "test/whole-image-postprocessed":
            assert values["test_scales"]
        else:
            assert protocol in ("test/upright", "test/by-stage", "train/pseudo-labels-by-stage"), protocol
