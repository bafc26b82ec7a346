"""The builder's warnings are errors, a book that could not be built does not replace the one that is there, and an
unfit notebook does not keep the rest of the book from being built."""

import shutil

import pytest
import yaml
from synthetic import code, executed_chapter, notebook, repository, save

from labelkit.papers import load_papers
from labelkit.publish import book

CHAPTER = next(iter(load_papers()))
START = f"# Start\n\n[The chapter](../notebooks/{CHAPTER}.ipynb).\n"


@pytest.fixture
def root(tmp_path):
    """A miniature repository with one chapter, two pages and next to no library, so that building takes seconds."""
    repository(tmp_path, with_records=False, chapters=(CHAPTER,))
    for path in (tmp_path / "labelkit").iterdir():
        if path.name not in ("worlds", "__init__.py"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    chapters = [{"caption": "Chapters", "chapters": [{"glob": "notebooks/*"}]}]
    reference = [{"caption": "Reference", "chapters": [{"file": "book/bibliography"}]}]
    toc = {"format": "jb-book", "root": "book/index", "parts": chapters + reference}
    (tmp_path / "_toc.yml").write_text(yaml.safe_dump(toc))
    (tmp_path / "book" / "index.md").write_text(START)
    return tmp_path


def test_a_good_book_is_published_and_a_bad_one_leaves_it_alone(root, monkeypatch, capsys):
    built = book.build(root)
    start = built.page
    assert built.staged.chapters == [CHAPTER] and built.complaint == ""
    chapter = start.parent / "notebooks" / f"{CHAPTER}.html"
    assert start.name == "index.html" and "three steps" in chapter.read_text(encoding="utf-8")
    before = {path: path.read_bytes() for path in start.parent.rglob("*.html")}

    page = root / "book" / "index.md"
    for text, words in (
        ("# Start\n\n{ref}`nowhere`\n", "undefined label: 'nowhere'"),
        ("# Start\n\n{cite}`nobody2020`\n", "nobody2020"),
        ('# Start\n\n<a href="../nowhere.html">x</a>\n', "../nowhere.html leads nowhere"),
    ):
        page.write_text(text)
        for _ in range(2):  # a second attempt must not pass because the builder has read the page already
            with pytest.raises(RuntimeError, match=words):
                book.build(root)
    assert {path: path.read_bytes() for path in start.parent.rglob("*.html")} == before

    page.write_text(START)
    broken = {"output_type": "error", "ename": "ValueError", "evalue": "no\nclass", "traceback": []}
    save(notebook(code("x = 1", ["parameters"], [broken], 1)), root / "notebooks" / f"{CHAPTER}.ipynb")
    save(executed_chapter("<p>another table</p>"), root / "notebooks" / "few_words.ipynb")
    monkeypatch.setattr(book, "ROOT", root)
    assert book.main([]) == 1
    said = capsys.readouterr()
    assert "(chapters: none; comparisons: few_words)" in said.out
    reason = f"notebooks/{CHAPTER}.ipynb (cell 1 ended in ValueError: no class)"
    assert said.err == f"Left out of the book: {reason}.\n"
    assert not chapter.exists() and "The chapter" in start_page(start)
    assert "another table" in (start.parent / "notebooks" / "few_words.html").read_text(encoding="utf-8")
    assert "Comparisons" in start_page(start)


def start_page(start):
    return (start.parent / "book" / "index.html").read_text(encoding="utf-8")
