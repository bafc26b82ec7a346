"""The scoreboard judges the lesson and shows the paper's scale apart; the execution page tells when code changed."""

import platform

import pytest
from synthetic import made_up_records, record

from labelkit.papers import ROOT, load_paper, load_papers
from labelkit.provenance import code_digest
from labelkit.publish import scoreboard, tables


def pairs(gain, run="lesson", data="streets", seeds=5, **changes):
    """Records of O1's two arms in which OCR is better by `gain` in every seed."""
    return [
        record("ocr", arm, data, seed, 0.4 + 0.01 * seed + gain * (arm == "ocr") * (1 + 0.01 * seed), run, **changes)
        for arm in ("ocr", "conv")
        for seed in range(seeds)
    ]


def line_of(records, claim="O1"):
    [line] = [x for x in scoreboard.lines([load_paper("ocr")], records, ROOT) if x.claim.id == claim]
    return line


def test_of_several_lessons_the_one_called_lesson_is_judged():
    other = pairs(-0.05, "longer_lesson", budget="lesson")
    line = line_of(pairs(0.03) + other)
    assert line.status == "supported" and line.full == ()
    assert "longer_lesson" in tables.results([load_paper("ocr")], pairs(0.03) + other)
    # A single run is judged whatever it is called.
    assert line_of(other).status == "contradicted"


def test_the_papers_scale_has_lines_of_its_own():
    full = pairs(-0.05, "cityscapes_r101", "cityscapes", seeds=1) + pairs(0.04, "voc", "voc", seeds=6)
    line = line_of(pairs(0.03) + full)
    assert line.status == "supported" and line.real == ()
    assert [(big.run, big.status) for big in line.full] == [("cityscapes_r101", "not judged"), ("voc", "supported")]
    # Runs that say nothing about a claim add no line to it.
    assert line_of(pairs(0.03) + full, "O2").full == ()
    table = scoreboard.scoreboard([line], {"ocr"})
    head, _, below = table.partition("at the paper's scale, run `cityscapes_r101`")
    assert "+3.1" in head and "−5.0 points" in below and "+4.1" in below.partition("run `voc`")[2]
    drawn, alt = scoreboard.picture([line])
    assert drawn and "of 1 paired effects" in alt


def test_effects_on_the_scoreboard_carry_their_unit():
    table = scoreboard.scoreboard([line_of(pairs(0.03))], set())
    assert "+3.1 [+3.0, +3.1] points" in table.replace("\\", "")


@pytest.mark.parametrize("name", sorted(load_papers()))
def test_made_up_records_reach_every_claim(name):
    paper = load_papers()[name]
    meant = sorted({data for claim in paper.claims for data in claim.data}) or ["streets"]
    for line in scoreboard.lines([paper], made_up_records(paper, meant), ROOT):
        if line.claim.kind == "paired":
            assert line.status in ("supported", "contradicted", "inconclusive"), line.claim.id


def execution_page(**changes):
    return tables.execution([load_paper("ocr")], pairs(0.03, **changes), {"ocr"})


def test_the_execution_page_says_when_the_code_has_changed():
    here = {"python": platform.python_version()}
    same = {"commit": "a" * 40, "dirty": False, "digest": code_digest("ocr", "labelkit.worlds.streets")}
    assert "changed since" not in execution_page(versions=here, code=same)
    assert "not compared" not in execution_page(versions=here, code=same)
    assert "aaaaaaaaaa; the code has changed since" in execution_page(versions=here, code=same | {"digest": "ffff"})
    assert "the code has changed since" in execution_page(versions=here, code=same, data="gone")
    old = execution_page(versions={"python": "3.2.1"}, code=same | {"digest": "ffff"})
    assert "made under Python 3.2" in old and "changed since" not in old
