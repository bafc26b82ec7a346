"""What goes on a page as HTML: captions, alternative text, tables."""

import base64
import re
from html.parser import HTMLParser

import pytest

from labelkit import figures
from labelkit.figures.style import VERDICT_STYLE
from labelkit.papers import load_paper
from labelkit.verdicts import Effect, Verdict, judge_paper


@pytest.fixture
def figure():
    return figures.paired_dots({"a": {0: 0.4, 1: 0.5}})


def test_caption_and_alternative_text_are_escaped(figure):
    page = figures.figure_html(figure, "a < b & c", 'say "hello" <b>', number=3)
    assert 'alt="say &quot;hello&quot; &lt;b&gt;"' in page
    assert "<strong>Figure 3.</strong> a &lt; b &amp; c</figcaption>" in page
    picture = re.search(r"base64,([^\"]+)", page).group(1)
    assert base64.b64decode(picture).startswith(b"\x89PNG")
    assert "Figure" not in figures.figure_html(figure, "caption", "alt")


@pytest.mark.parametrize("texts", [("", "alt"), ("caption", "  ")])
def test_empty_texts_are_refused(figure, texts):
    with pytest.raises(ValueError, match="is empty"):
        figures.figure_html(figure, *texts)


def test_outside_a_notebook_show_returns_the_figure(figure):
    assert figures.show(figure, "caption", "alt") is figure


def test_in_a_notebook_show_displays_html(figure, monkeypatch):
    import IPython
    import IPython.display

    shown = []
    monkeypatch.setattr(IPython, "get_ipython", lambda: type("Shell", (), {"kernel": object()})())
    monkeypatch.setattr(IPython.display, "display", lambda bundle, raw: shown.append((bundle, raw)))
    assert figures.show(figure, "caption", "what is seen", 1) is None
    [(bundle, raw)] = shown
    assert raw and 'alt="what is seen"' in bundle["text/html"] and bundle["text/plain"] == "[what is seen] caption"


class Tags(HTMLParser):
    """Checks that tags are closed in order and collects the text of the cells."""

    def __init__(self, page):
        super().__init__()
        self.open, self.cells = [], []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        if tag not in ("br", "img"):
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag):
        if tag != "br":
            assert self.open.pop() == tag

    def handle_data(self, data):
        if {"td", "th"} & set(self.open):
            self.cells[-1] += data


def test_verdict_card_has_symbol_and_word():
    paper = load_paper("cps")
    verdicts = judge_paper(paper, [], ["streets"])["streets"]
    effects = (Effect("at 1/8 of the labels", "supported", 0.013, 0.004, 0.022, 5),)
    verdicts[0] = Verdict("supported", effects, 'because "so"', "C1", "streets")
    page = figures.verdict_card(paper, {"streets": verdicts}, {"streets": "streets (world)"})
    cells = Tags(page).cells
    assert cells[:3] == ["Claim, and effects in points [95 %]", "streets (world)", "n"]
    assert "✓ supported" in cells
    row = cells.index("at 1/8 of the labels")
    assert cells[row + 1 : row + 3] == ["✓ +1.3 [+0.4, +2.2]", "5"]
    row = cells.index("at 1/16 of the labels")
    assert cells[row + 1 : row + 3] == ["–", "–"]
    assert 'title="because &quot;so&quot;"' in page and "overflow-x:auto" in page


def test_every_verdict_has_a_badge_that_dark_mode_does_not_change():
    for status, (_, _, symbol) in VERDICT_STYLE.items():
        page = figures.badge(status)
        assert symbol in page and status in page and "color:#1c1c1c" in page


@pytest.mark.parametrize("name", ["ocr", "cps"])
def test_published_table_gives_status_and_source_of_every_number(name):
    paper = load_paper(name)
    cells = Tags(figures.published_table(paper)).cells
    for row in paper.published:
        place = cells.index(row.label)
        assert cells[place + 1] == f"{row.metric} {row.value:g} {row.unit}"
        assert row.status_words in cells[place + 2] and cells[place + 3] == row.source
