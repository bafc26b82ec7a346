"""The pages of published tables: every number once, with its status, beside ours only where both may stand together."""

import json
import re

import pytest

from labelkit.papers import ROOT, STATUS_WORDS, Paper, load_papers
from labelkit.publish import paper_tables
from labelkit.publish.full_scale import Run, full_runs
from tests.publish.synthetic import record

SHEET = {
    "paper": "tiny", "title": "A Tiny Paper", "short": "Tiny", "authors": ["A"], "venue": "V", "year": 2020,
    "bibtex_key": "a2020",
    "claims": [{"id": "T1", "text": "t", "kind": "exact", "test": "tests/x.py", "registered": "2026-11-22"}],
}  # fmt: skip
RUN = Run(
    "tiny", "big_one", "a run", ("voc2012-official",), ("one", "two"), (0, 1), 40000, "4 GPUs", None, ("no <flip>",)
)


def row(label, value, **changes):
    made = {
        "label": label, "table": "Table 1", "row": label.split()[0], "column": label.split()[-1], "metric": "mIoU",
        "value": value, "unit": "%", "protocol": "val", "status": "quoted", "source": "somewhere",
    }  # fmt: skip
    return made | changes


def paper(*rows, **changes):
    return Paper.model_validate_json(json.dumps(SHEET | {"published": list(rows)} | changes))


def page(sheet, records=(), costs=None, runs=None):
    return paper_tables.page(sheet, runs or {"big_one": RUN}, list(records), costs or {}, chapter=False)


def cells(text, name):
    """The cells of the row of the first table that begins with this name."""
    block = re.search(rf"^\* - {name}\n((?:  - .*\n)*)", text, re.MULTILINE)[1]
    return [line[4:] for line in block.splitlines()]


WITH = {"run": "big_one", "arm": "one", "record": "test/whole-image:miou"}


def test_columns_stand_in_the_order_of_the_fullest_row_and_gaps_are_shown():
    text = page(paper(row("a 1/8", 1.5), row("b 1/16", 2.5), row("b 1/8", 3.5), row("b 1/4", 4.0, decimals=2)))
    head = text.index("  - 1/16\n"), text.index("  - 1/8\n"), text.index("  - 1/4\n")
    assert sorted(head) == list(head)
    first, second, third = cells(text, "a")
    assert first == third == "–" and "[1.5]{.published-quoted}" in second
    assert "[4.00]" in cells(text, "b")[2]
    assert "Numbers are mIoU, in %" in text


def test_ours_stands_below_only_when_there_is_a_comparable_record():
    sheet = paper(row("a x", 73.2, decimals=2, **WITH))
    [cell] = cells(page(sheet), "a")
    assert '<a href="#run-big-one" title="labelkit run data/runs/tiny/big_one.yaml">not yet run</a>' in cell
    full = [record("tiny", "one", "voc2012-official", s, 0.72 + s / 100, run="big_one", budget="full") for s in (0, 1)]
    [cell] = cells(page(sheet, full), "a")
    assert "[72.50 ± 0.71]{.effect} <small>2 seeds</small>" in cell
    lesson = [each | {"budget": "lesson"} for each in full]
    assert "not yet run" in cells(page(sheet, lesson), "a")[0]
    windows = paper(row("a x", 73.2, **WITH | {"record": "test/sliding-window-9x9:miou"}))
    text = page(windows, full)
    assert "refused</a><sup>†</sup>" in text and "no result under test/sliding" in text and "72.5" not in text


def test_what_has_no_number_of_ours_says_why():
    other = {"run": "big_one", "arm": "one", "unlike": "ours at one scale"}
    text = page(paper(row("a x", 1.0, **other), row("b x", 2.0, unlike="on a server"), row("c x", 3.0)))
    assert "not comparable</a><sup>†</sup>" in cells(text, "a")[0]
    assert "no run<sup>‡</sup>" in cells(text, "b")[0]
    assert "<br>" not in cells(text, "c")[0]
    assert "**Without a number of ours.** <sup>†</sup> ours at one scale; <sup>‡</sup> on a server." in text


def test_status_source_and_protocol_of_every_number_are_told():
    text = page(
        paper(
            row("a x", 1.5, status="memory", source="from memory"),
            row("b x", 2.5, status="verified", source="code", protocol="test"),
        )
    )
    assert f'title="{STATUS_WORDS["memory"]}"' in cells(text, "a")[0] and "<sup>1,a</sup>" in cells(text, "a")[0]
    assert "<sup>2,b</sup>" in cells(text, "b")[0]
    assert "**Protocol.** <sup>a</sup> val; <sup>b</sup> test." in text
    assert "**Sources.** <sup>1</sup> from memory; <sup>2</sup> code." in text


def test_runs_disputes_and_notes_are_on_the_page():
    dispute = {"about": "mIoU 1.5", "text": "less", "differs": "batch", "status": "quoted", "source": "issue <1>"}
    note = {"text": "windows", "status": "verified", "source": "eval.py"}
    sheet = paper(row("a x", 1.5, **WITH), disputes=[dispute], protocol_notes=[note])
    small = Run("tiny", "small", "b", ("d",), ("one",), (0,), 5, "a GPU", 12.0, ("seeds",))
    text = page(sheet, costs={"big_one": "152 GPU hours, computed"}, runs={"big_one": RUN, "small": small})
    assert "**mIoU 1.5.** less Otherwise there: batch." in text and "issue \\<1\\>" in text
    assert '<span id="run-big-one">' in text and "`labelkit run data/runs/tiny/big_one.yaml`" in text
    assert "4 GPUs; 152 GPU hours, computed" in text and "a GPU; 12 GPU hours, measured" in text
    assert "- no \\<flip\\> <small>(`big_one`)</small>" in text
    assert "There is none" in paper_tables.page(sheet, {}, [], {}, chapter=True)


def test_the_index_counts_numbers_runs_and_those_with_records():
    sheet = paper(row("a x", 1.5, status="memory", source="from memory"), row("b x", 2.5))
    full = [record("tiny", "one", "voc2012-official", 0, 0.7, run="big_one", budget="full")]
    text = paper_tables.index([sheet], {"tiny": {"big_one": RUN}}, full)
    assert re.findall(r"  - (\d+)", text) == ["2", "0", "1", "1", "1", "1"]
    assert "(tables/tiny.md)" in text
    assert "No paper" in paper_tables.index([], {}, [])


@pytest.mark.parametrize("sheet", load_papers().values(), ids=load_papers())
def test_every_committed_number_is_on_its_page(sheet):
    runs = full_runs(sheet.paper, ROOT)
    text = paper_tables.page(sheet, runs, [], {}, chapter=True)
    assert text.count("{.published-") == len(sheet.published)
    for each in sheet.published:
        assert f"[{each.number}" in text
    for anchor in re.findall(r'href="#([\w-]+)"', text):
        assert f'id="{anchor}"' in text
    assert "no run file" not in text
