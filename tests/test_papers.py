"""The sheets of the papers: what is committed is valid, and what is broken is named in one sentence."""

import importlib
import re

import pytest

from labelkit.papers import ROOT, STATUS_WORDS, exact_tests, load_paper, load_papers

SHEET = """
paper: tiny
title: A Tiny Paper
short: Tiny
authors: [A. Author]
venue: Nowhere 2020
year: 2020
bibtex_key: author2020tiny
claims:
  - id: T1
    text: One is better than two.
    kind: paired
    contrasts:
      - name: one against two
        weights: {"one": 1, "two": -1}
    registered: 2026-11-22
published:
  - {label: all, metric: mIoU, value: 50.5, unit: "%", protocol: val, status: quoted, source: somewhere}
"""


def write(folder, text, name="tiny"):
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def sentence(folder, text):
    """The message for a broken sheet, checked to be one sentence that names the file."""
    with pytest.raises(ValueError) as error:
        load_paper("tiny", write(folder, text))
    message = str(error.value)
    assert message.startswith(str(folder / "tiny.yaml"))
    assert "\n" not in message and message.endswith(".")
    return message.removeprefix(str(folder / "tiny.yaml"))


def test_a_sheet_is_read_with_defaults(tmp_path):
    paper = load_paper("tiny", write(tmp_path, SHEET))
    contrast = paper.claim("T1").contrasts[0]
    assert contrast.weights == {"one": 1, "two": -1}
    assert (contrast.metric, contrast.direction, contrast.steps) == ("miou", "greater", "equal")
    assert (contrast.protocol, contrast.bar, contrast.unit, contrast.is_difference) == (None, 0, "points", True)
    assert paper.published[0].status_words == "quoted by others"
    assert load_papers(tmp_path) == {"tiny": paper}
    with pytest.raises(ValueError, match="tiny has no claim T9; it has T1"):
        paper.claim("T9")


@pytest.mark.parametrize("metric", ["vpq", "iou:road", "ap:50:traffic light", "series:loss:last"])
def test_any_number_of_a_record_can_be_a_metric(tmp_path, metric):
    sheet = SHEET.replace("        weights:", f"        metric: {metric}\n        weights:")
    assert load_paper("tiny", write(tmp_path, sheet)).claims[0].contrasts[0].metric == metric


def test_a_level_needs_a_bar(tmp_path):
    sheet = SHEET.replace(
        'weights: {"one": 1, "two": -1}', 'weights: {"one": 1}\n        bar: 0.9\n        unit: fraction'
    )
    contrast = load_paper("tiny", write(tmp_path, sheet)).claims[0].contrasts[0]
    assert (contrast.bar, contrast.unit, contrast.is_difference) == (0.9, "fraction", False)


@pytest.mark.parametrize(
    ("bars", "asked"),
    [
        ("at_least: 5", "at least 5"),
        ("at_most: 0.25, unit: s", "at most 0.25"),
        ("", None),
        ("at_least: 1, at_most: 2", None),
    ],
)
def test_a_measurement_has_one_bar(tmp_path, bars, asked):
    start, end = SHEET.index("    kind: paired"), SHEET.index("    registered:")
    measured = f"    kind: measured\n    source: bench.json\n    measurements:\n      - {{name: t, value: t, {bars}}}\n"
    sheet = SHEET[:start] + measured + SHEET[end:]
    if asked is None:
        assert "needs either at_least or at_most" in sentence(tmp_path, sheet)
    else:
        assert load_paper("tiny", write(tmp_path, sheet)).claims[0].measurements[0].asked == asked


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("venue:", "venu:", ["venu: unknown key"]),
        ("year: 2020", "year: twenty", ["year", "integer", "'twenty'"]),
        ("year: 2020", "year: true", ["year", "integer"]),
        ("value: 50.5", 'value: "50.5"', ["published[0].value", "number", "'50.5'"]),
        ("short: Tiny", "", ["short: this key is missing"]),
        ('"two": -1}', '"two": -2}', ["claims[0].contrasts[0] (id T1)", "add up to 0, or a bar must be given"]),
        ("        weights:", "        metric: series:x\n        weights:", ["series:<name>:gain", "'series:x'"]),
        ("        weights:", "        metric: 'iou:'\n        weights:", ["claims[0].contrasts[0].metric (id T1)"]),
        ("        weights:", "        bar: .inf\n        weights:", ["claims[0].contrasts[0].bar (id T1)"]),
        ("        weights:", "        unit: ''\n        weights:", ["claims[0].contrasts[0].unit (id T1)"]),
        ("kind: paired", "kind: exact", ["claims[0] (id T1)", "needs test", "not contrasts"]),
        ("        weights:", "        metric: mioU\n        weights:", ["claims[0].contrasts[0].metric (id T1)"]),
        ("status: quoted", "status: guessed", ["published[0].status", "'guessed'"]),
        ("title: A Tiny Paper", "title: A Tiny Paper\ntitle: Another", ["line 4", "'title' is given twice"]),
        ("authors: [A. Author]", "authors: [A. Author", ["not valid YAML at line"]),
        ("paper: tiny", "paper: other", ["'other'", "'tiny'"]),
        ("registered: 2026-11-22", "registered: soon", ["claims[0].registered (id T1)", "date"]),
    ],
)
def test_a_broken_sheet_gives_one_sentence_with_the_place(tmp_path, old, new, words):
    assert old in SHEET
    message = sentence(tmp_path, SHEET.replace(old, new, 1))
    for word in words:
        assert word in message


def test_other_contents_than_a_mapping(tmp_path):
    assert "expected a mapping of keys, not a list" in sentence(tmp_path, "- 1\n- 2\n")
    assert "not nothing" not in sentence(tmp_path, SHEET + "\nclaimz: []\n")
    (tmp_path / "tiny.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"tiny\.yaml"):
        load_paper("tiny", tmp_path)


def test_a_repeated_claim_id_is_refused(tmp_path):
    claim = SHEET[SHEET.index("  - id: T1") : SHEET.index("published:")]
    assert "claim id 'T1' is used more than once" in sentence(tmp_path, SHEET.replace(claim, claim + claim))


def test_a_published_number_may_not_name_an_unregistered_claim(tmp_path):
    assert "names claim 'T7'" in sentence(
        tmp_path, SHEET.replace("source: somewhere}", "source: somewhere, claims: [T7]}")
    )


def test_every_exact_claim_names_a_test_that_exists():
    for paper in load_papers().values():
        for claim, test in exact_tests(paper).items():
            file, _, name = test.partition("::")
            text = (ROOT / file).read_text(encoding="utf-8")
            assert f"def {name or 'test_'}" in text, f"{paper.paper} {claim}"


def test_a_missing_sheet_names_those_that_are_there(tmp_path):
    write(tmp_path, SHEET)
    with pytest.raises(FileNotFoundError, match=r"nothing\.yaml does not exist; sheets in that folder: tiny\."):
        load_paper("nothing", tmp_path)
    with pytest.raises(FileNotFoundError, match="absent does not exist"):
        load_papers(tmp_path / "absent")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("row: a", "has a row or a column alone"),
        ("run: big", "has a run or an arm alone"),
        ('record: "test/whole-image:miou"', "has a record, but no run"),
        ("run: big, arm: one", "expected either record or unlike"),
        ('run: big, arm: one, record: "a:b", unlike: other', "expected either record or unlike"),
        ("run: big, arm: one, record: miou", "record"),
        ("decimals: -1", "decimals"),
    ],
)
def test_a_published_number_names_its_place_and_its_run_whole(tmp_path, keys, message):
    assert message in sentence(tmp_path, SHEET.replace("{label: all, ", f"{{label: all, {keys}, "))


def test_two_numbers_do_not_share_a_cell(tmp_path):
    line = SHEET.strip().splitlines()[-1]
    again = line.replace("label: all", "label: again")
    in_place = [each.replace("label:", "row: a, column: b, label:") for each in (line, again)]
    assert "place" in sentence(tmp_path, SHEET.replace(line, "\n".join(in_place)))
    assert len(load_paper("tiny", write(tmp_path, SHEET + again + "\n")).published) == 2


def test_notes_and_disputes_have_a_source(tmp_path):
    note = "protocol_notes:\n  - {text: windows, status: verified, source: eval.py}\n"
    dispute = "disputes:\n  - {about: all, text: less, differs: batch, status: quoted, source: issue 1}\n"
    paper = load_paper("tiny", write(tmp_path, SHEET + note + dispute))
    assert paper.disputes[0].differs == "batch"
    assert paper.protocol_notes[0].status_words == "verified in the official repository"
    assert "source" in sentence(tmp_path, SHEET + note.replace(", source: eval.py", ""))
    assert "differs" in sentence(tmp_path, SHEET + dispute.replace("differs: batch, ", ""))


def test_the_committed_sheets_are_valid():
    papers = load_papers()
    assert papers
    for paper in papers.values():
        for claim in paper.claims:
            assert claim.registered.isoformat() >= "2026-11-22"
        for row in paper.published:
            assert row.status in STATUS_WORDS
            # What is from memory says so in its source, too.
            assert (row.status == "memory") == ("from memory" in row.source), row.label


@pytest.mark.parametrize("name", sorted(load_papers()))
def test_contrasts_name_arms_of_the_experiment(name):
    if not (ROOT / "labelkit" / "experiments" / f"{name}.py").is_file():
        pytest.skip(f"the experiment of {name} is not written yet")
    arms = importlib.import_module(f"labelkit.experiments.{name}").ARMS
    for claim in load_paper(name).claims:
        for contrast in claim.contrasts:
            assert contrast.weights.keys() <= set(arms), f"{claim.id}: {contrast.name}"


def test_registered_claims_are_as_they_were():
    ocr, cps = load_paper("ocr"), load_paper("cps")
    assert [claim.id for claim in ocr.claims] == ["O1", "O2", "O3", "O4a", "O4b", "O5", "O6"]
    assert [claim.id for claim in cps.claims] == ["C1", "C2", "C3", "C4", "C5", "C6a", "C6b", "C7", "X1"]
    shrinking = cps.claim("C2").contrasts[0].weights
    assert shrinking == {"cps-1/16": 1, "supervised-1/16": -1, "cps-1/2": -1, "supervised-1/2": 1}
    assert {c.steps for c in cps.claim("X1").contrasts} == {"may differ"}
    bars = {m.value: m.at_least for m in ocr.claim("O4b").measurements}
    assert bars == {"attention.ratio.memory": 10, "attention.ratio.time": 5}


def test_known_numbers_keep_value_and_status():
    published = {(name, row.label): row for name, paper in load_papers().items() for row in paper.published}
    assert published["ocr", "R-101 + OCR, 40k iterations, batch 8"].value == 79.63
    assert published["cps", "VOC R50 CPS 1/8"].value == 73.20
    assert published["cps", "VOC R50 CPS 1/8"].status == "verified"
    assert published["cps", "VOC R50 CPS+CutMix 1/16"].status == "memory"
    assert published["cps", "VOC R101 CPS 1/8"].status == "memory"
    # An ablation that was found in no readable text is not printed at all.
    assert not {75.80, 77.31, 79.58, 79.01, 78.02} & {row.value for row in load_paper("ocr").published}


def test_exact_tests_are_paths_of_tests():
    for paper in load_papers().values():
        for test in exact_tests(paper).values():
            assert re.fullmatch(r"tests/[\w/]+/test_\w+\.py(::test_\w+)?", test)
