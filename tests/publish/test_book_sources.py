"""The staging tree holds what the book is made of, refuses what must not be shown, and follows records and chapters."""

import ast
import json
import re

import pytest
import yaml
from synthetic import code, executed_chapter, markdown, notebook, record, repository, save

from labelkit.figures.points3d import MARK, SCRIPT
from labelkit.papers import ROOT, Published, load_papers
from labelkit.publish import api, notebooks, provenance, scoreboard, stage, tables
from labelkit.publish.book import broken_links

FIRST, SECOND = list(load_papers())[:2]
ERROR = {"output_type": "error", "ename": "ValueError", "evalue": "no such class", "traceback": []}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            notebook(code("x = 1", ["parameters"], count=1), code("f()", outputs=[ERROR], count=2)),
            "ended in ValueError",
        ),
        (notebook(code("x = 1", ["parameters"]), code("print(x)")), "never executed"),
        (notebook(code("x = 1", ["parameters"], count=1), code("print(x)")), "1 of its 2 code cells were not executed"),
        (notebook(code("x = 1", ["parameters"], count=1), code("y = x", count=2)), "no outputs"),
        (notebook(code("x = 1", count=1), code("print(x)", count=2)), "0 code cells tagged"),
        (
            notebook(*executed_chapter()["cells"], markdown("We find @@DISCUSSION@@ and @@N@@, @@N@@.")),
            r"not written to the end: @@DISCUSSION@@, @@N@@$",
        ),
        ("half a notebook", "^is not a notebook: it is not valid JSON$"),
        ({"nbformat": 4, "cells": [{}]}, "a cell has no type"),
    ],
)
def test_a_notebook_that_must_not_be_shown_is_left_out_and_named(tmp_path, content, words):
    repository(tmp_path, with_records=False, chapters=(SECOND, "few_words"))
    path = tmp_path / "notebooks" / f"{FIRST}.ipynb"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    staged = stage.stage(tmp_path)
    assert re.search(words, staged.left_out[FIRST]) and len(staged.left_out) == 1
    assert staged.chapters == [SECOND] and staged.comparisons == ["few_words"]
    assert not (staged.folder / "notebooks" / path.name).exists()
    assert f"notebooks/{FIRST}" not in (staged.folder / "_toc.yml").read_text()
    generated = "".join(p.read_text() for p in (staged.folder / "book" / "_generated").glob("*.md"))
    assert f"notebooks/{FIRST}" not in generated and f"notebooks/{SECOND}" in generated


def test_a_notebook_without_a_sheet_is_a_comparison(tmp_path):
    repository(tmp_path, chapters=(FIRST,))
    cells = [cell for cell in executed_chapter()["cells"] if "parameters" not in notebooks.tags(cell)]
    path = save(notebook(*cells), tmp_path / "notebooks" / "few_words.ipynb")
    staged = stage.stage(tmp_path)
    assert staged.left_out == {} and staged.chapters == [FIRST] and staged.comparisons == ["few_words"]
    parts = {part["caption"]: part["chapters"] for part in contents(staged)["parts"]}
    names = list(parts)
    assert parts["Comparisons"] == [{"file": "notebooks/few_words"}]
    assert parts["Chapters"] == [{"file": f"notebooks/{FIRST}"}]
    assert names.index("Comparisons") == names.index("Chapters") + 1
    # With a run file it has parameters, and so a cell that papermill can replace.
    (tmp_path / "data" / "runs" / "few_words").mkdir(parents=True)
    assert "0 code cells tagged" in stage.stage(tmp_path).left_out["few_words"]
    save(executed_chapter(), path)
    assert stage.stage(tmp_path).comparisons == ["few_words"]


def test_links_to_a_notebook_that_is_left_out_become_text():
    page = (
        b"See [the *first*](../notebooks/first.ipynb#here), [it](first.ipynb), [second](second.ipynb), ![x](first.png)."
    )
    left = b"See the *first*, it, [second](second.ipynb), ![x](first.png)."
    assert stage.without_links(page, ["first"]) == left
    assert stage.without_links(page, []) == page


def contents(staged):
    return yaml.safe_load((staged.folder / "_toc.yml").read_text())


def test_staging_again_writes_nothing_and_removes_what_is_gone(tmp_path):
    repository(tmp_path, chapters=(FIRST, SECOND))
    first = stage.stage(tmp_path)
    assert first.written and set(first.chapters) == {FIRST, SECOND}
    assert stage.stage(tmp_path).written == []
    (tmp_path / "notebooks" / f"{SECOND}.ipynb").unlink()
    third = stage.stage(tmp_path)
    assert [path.name for path in third.removed] == [f"{SECOND}.ipynb"]
    listed = [c["file"] for part in contents(third)["parts"] for c in part["chapters"]]
    assert f"notebooks/{FIRST}" in listed and f"notebooks/{SECOND}" not in listed


def test_the_script_of_point_clouds_lies_in_the_book_that_needs_it_alone(tmp_path):
    repository(tmp_path, chapters=(FIRST,))
    script = tmp_path / "build" / "stage" / "book" / "_static" / SCRIPT.rpartition("/")[2]
    assert stage.stage(tmp_path) and not script.exists()
    save(executed_chapter(f"<div {MARK}></div>"), tmp_path / "notebooks" / f"{FIRST}.ipynb")
    assert script in stage.stage(tmp_path).written and b"plotly" in script.read_bytes()[:500].lower()


def test_a_new_paper_enters_by_its_files_alone(tmp_path):
    repository(tmp_path, chapters=(FIRST,))
    sheet = yaml.safe_load((tmp_path / "data" / "papers" / f"{FIRST}.yaml").read_text())
    sheet |= {"paper": "later", "short": "LATER", "year": 2100}
    (tmp_path / "data" / "papers" / "later.yaml").write_text(yaml.safe_dump(sheet))
    save(executed_chapter(), tmp_path / "notebooks" / "later.ipynb")
    folder = stage.stage(tmp_path).folder
    toc = (folder / "_toc.yml").read_text()
    assert toc.index(f"notebooks/{FIRST}") < toc.index("notebooks/later")
    assert "LATER" in (folder / "book" / "_generated" / "scoreboard.md").read_text()


def test_pages_before_there_are_records(tmp_path):
    repository(tmp_path, with_records=False)
    generated = stage.stage(tmp_path).folder / "book" / "_generated"
    assert "not yet run" in (generated / "scoreboard.md").read_text()
    assert "Not yet run" in (generated / "results.md").read_text()
    assert "not yet run" in (generated / "execution.md").read_text()
    assert not list(generated.glob("scoreboard*.png"))
    assert "not executed yet" in (generated / "chapters.md").read_text()


def test_scoreboard_separates_world_from_real_data_and_agrees_with_the_verdicts(tmp_path):
    paper = load_papers()["ocr"]
    effects = {"streets": 0.03, "camvid": -0.03}
    records = [
        record("ocr", arm, data, seed, 0.4 + 0.01 * seed + (effect + 0.001 * seed if arm == "ocr" else 0))
        for data, effect in effects.items()
        for arm in ("ocr", "conv")
        for seed in range(5)
    ]
    [line] = [x for x in scoreboard.lines([paper], records, ROOT) if x.claim.id == "O1"]
    assert [v.data for v in line.world] == ["streets"] and [v.data for v in line.real] == ["camvid"]
    assert line.status == "streets: supported; camvid: contradicted"
    table = scoreboard.scoreboard([line], {"ocr"})
    assert "\\+3.2" in table or "+3.2" in table
    assert "−2.8" in table and "(../notebooks/ocr.ipynb)" in table
    drawn, alt = scoreboard.picture([line])
    assert drawn.startswith(b"\x89PNG") and "1 supported, 1 contradicted" in alt


def test_smoke_records_reach_no_scoreboard():
    paper = load_papers()["ocr"]
    records = [record("ocr", a, "streets", s, 0.5 + s / 100, run="smoke") for a in ("ocr", "conv") for s in range(5)]
    assert {x.status for x in scoreboard.lines([paper], records, ROOT) if x.claim.id == "O1"} == {"not yet run"}


def test_published_numbers_are_written_in_the_digits_in_which_they_were_published():
    row = {"label": "x", "metric": "mIoU", "protocol": "val", "status": "quoted", "source": "s", "unit": "%"}
    assert scoreboard.value(Published(**row, value=73.2, decimals=2)) == "mIoU 73.20 %"
    assert scoreboard.value(Published(**row, value=66.1)) == "mIoU 66.1 %"
    assert Published(**row, value=-655451.0).number == "−655,451"


def test_result_rows_keep_protocol_and_checkpoint_apart():
    records = [record("ocr", "<ocr>", "streets", seed, 0.4 + seed / 10) for seed in (0, 1)]
    table = tables.rows(records)
    assert [(r["checkpoint"], r["protocol"]) for r in table[:2]] == [
        ("last", "streets/test/whole-image"),
        ("best on val", "streets/test/whole-image"),
    ]
    html = tables.results([load_papers()["ocr"]], records)
    assert "0.450 ± 0.071" in html and "0.460 ± 0.071" in html
    assert "<ocr>" not in html and "&lt;ocr&gt;" in html
    lines = tables.as_csv(records).splitlines()
    assert len(lines) == 5 and lines[0].startswith("paper,run,data,arm,seed,steps,protocol,checkpoint,miou")


def test_provenance_strip_names_every_origin():
    records = [record("ocr", "ocr", "streets", seed, 0.4) for seed in (0, 1)]
    records.append(record("ocr", "conv", "streets", 0, 0.4, code={"commit": "f" * 40, "dirty": True}))
    html = provenance.provenance(records)
    for part in ("0123456789", "ffffffffff with local changes", "A processor, 1 thread", "torch 2.15.0", "0, 1",
                 "streets/test/whole-image", "streets aaaabbbbccccdddd", "2026-11-20 to 2026-11-21",
                 "1 min 31 s over 3 runs"):  # fmt: skip
        assert part in html, part
    assert "best-on-val" not in html
    assert "Not yet run" in provenance.provenance([])
    assert provenance.strip(records).data == html
    assert provenance.duration(3599.6) == "1 h 00 min" and provenance.duration(59.4) == "59 s"


def test_volatile_metadata_is_removed_and_removal_is_stable():
    content = executed_chapter()
    content["metadata"]["papermill"] = {"duration": 3.2, "start_time": "now"}
    content["metadata"]["language_info"]["version"] = "3.11.7"
    content["cells"][1]["metadata"] |= {"papermill": {"duration": 1}, "execution": {"iopub.status.busy": "now"}}
    injected = code("steps = 9", ["injected-parameters"], count=2)
    content["cells"].insert(2, injected)
    clean = notebooks.without_volatile(content)
    text = notebooks.write(clean)
    for word in ("papermill", "iopub", "3.11.7", "injected"):
        assert word not in text
    assert [cell["execution_count"] for cell in notebooks.code_cells(clean)] == [1, 2, 3]
    assert notebooks.write(notebooks.without_volatile(clean)) == text
    kept = notebooks.without_volatile(content, drop_injected=False)
    assert any("injected-parameters" in notebooks.tags(cell) for cell in kept["cells"])


def test_the_reference_links_every_public_definition_to_its_own_lines():
    found = api.modules(ROOT)
    pages = "\n".join(api.pages(found, "HERE").values())
    links = set(re.findall(r"\(HERE/(\S+?)#L(\d+)-L(\d+)\)", pages))
    wanted = 0
    for module in found:
        for item in module.tree.body:
            if isinstance(item, ast.FunctionDef | ast.ClassDef) and not item.name.startswith("_"):
                wanted += 1
                path, end = module.path.as_posix(), str(item.end_lineno)
                [first] = [start for where, start, last in links if (where, last) == (path, end)]
                lines = module.lines[int(first) - 1 : item.end_lineno]
                assert any(re.match(rf"(class|def) {item.name}\b", line) for line in lines)
    assert wanted == len(links) > 50


def test_docstrings_are_shown_as_they_are_written():
    source = '''
def f(x: int, *, y: float = 1.0) -> int:
    """Adds *nothing* to `x` [cps, eq. 3], see <b>.

    - first
    - second

    Args:
        x: a number (B, C), or 2_000 of them
            on two lines.
        y: another.

    Returns:
        What came in.

    Raises:
        ValueError: never.
    """
'''
    item = ast.parse(source).body[0]
    text = api.docstring(item)
    assert text.startswith("Adds \\*nothing\\* to `x` \\[cps, eq. 3\\], see \\<b\\>.")
    assert "- first\n- second" in text
    assert "- `x`: a number (B, C), or 2\\_000 of them on two lines." in text
    assert "**Returns**\n\nWhat came in." in text and "- `ValueError`: never." in text


def test_broken_links_are_found(tmp_path):
    (tmp_path / "a.html").write_text('<a href="b.html#here">x</a><a href="b.html#gone">x</a><img src="no.png">')
    (tmp_path / "b.html").write_text('<p id="here"><a href="https://example.org/x">far</a><a href="#">top</a></p>')
    assert broken_links(tmp_path) == [
        "a.html: b.html#gone names no place on that page",
        "a.html: no.png leads nowhere",
    ]


def test_committed_chapters_are_fit_to_show_and_free_of_volatile_metadata():
    chapters = sorted((ROOT / "notebooks").glob("*.ipynb"))
    if not chapters:
        pytest.skip("no chapter has been committed yet")
    assert stage.refused(ROOT) == {}
    for path in chapters:
        content = notebooks.read(path)
        text = path.read_text(encoding="utf-8")
        assert '"papermill"' not in text and "iopub" not in text, path.name
        assert set(content["metadata"].get("language_info", {"name": 0})) == {"name"}, path.name
