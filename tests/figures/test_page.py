"""What goes on a page as HTML: captions, alternative text, tables."""

import base64
import re
from html.parser import HTMLParser

import pytest

from labelkit import figures
from labelkit.figures.style import VERDICT_STYLE
from labelkit.papers import load_paper, load_papers
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


def with_unit(paper, unit, only=False):
    """The sheet with the unit of its first contrast changed, and without its other claims if asked."""
    first = paper.claims[0]
    contrasts = [first.contrasts[0].model_copy(update={"unit": unit})]
    changed = first.model_copy(update={"contrasts": contrasts})
    return paper.model_copy(update={"claims": [changed] if only else [changed, *paper.claims[1:]]})


@pytest.mark.parametrize(
    ("unit", "only", "head"),
    [("points", False, "Claim, and effects in points [95 %]"), ("ms", True, "Claim, and effects [95 %]"),
     ("ms", False, "Claim, and effects [95 %], in points where no unit is named")],
)  # fmt: skip
def test_the_card_says_which_unit_its_numbers_have(unit, only, head):
    paper = with_unit(load_paper("cps"), unit, only)
    name = paper.claims[0].contrasts[0].name
    effect = Effect(name, "supported", -8.0, -9.0, -7.0, 5, {}, unit)
    verdicts = judge_paper(paper, [], ["streets"])["streets"]
    verdicts[0] = Verdict("supported", (effect,), "", "C1", "streets")
    cells = Tags(figures.verdict_card(paper, {"streets": verdicts})).cells
    assert cells[0] == head
    if unit == "ms":
        assert cells[cells.index(name) + 1] == "✓ −8.00 [−9.00, −7.00] ms"


def tiny_record(arm, seed, miou, **changes):
    """A record with only what a verdict looks at."""
    return {
        "schema": 1, "paper": "cps", "run": "lesson", "budget": "lesson", "arm": arm, "data": "streets", "seed": seed,
        "metrics": {"streets/test/whole-image": {"miou": miou}}, "series": {}, "steps": 300,
        "dataset": {"fingerprint": "abc"},
    } | changes  # fmt: skip


def test_verdicts_in_lines():
    paper = load_paper("cps")
    records = [
        tiny_record(arm, seed, miou) for arm, miou in (("cutmix-1/16", 0.5), ("cps-1/16", 0.25)) for seed in range(5)
    ]
    text = figures.verdict_lines(paper, records, ["streets", "camvid"], ["C7", "C6b"])
    c7, c6b = paper.claim("C7"), paper.claim("C6b")
    name = c7.contrasts[0].name
    lines = text.splitlines()
    assert lines[:3] == [
        f"C7  {c7.text}",
        f"    streets: supported ({name}: the effect is the same in every seed)",
        f"        {name}: +25.0 [+25.0, +25.0] points, 5 seeds, supported",
    ]
    assert lines[3].startswith("    camvid: not yet run (") and lines[4] == f"        {name}: –, not yet run"
    # A claim that a test proves is told once, not for each data set.
    assert lines[5:] == [f"C6b  {c6b.text}", f"    exact (proven by {c6b.test})"]
    assert figures.verdict_lines(paper, records, "streets", "C6b").splitlines() == lines[5:]
    assert figures.verdict_lines(paper, records, ["streets"]).count("\n") > len(paper.claims)


def test_lines_tell_a_refusal_and_its_reason():
    paper = load_paper("cps")
    records = [tiny_record("cutmix-1/16", 0, 0.5), tiny_record("cps-1/16", 0, 0.4, steps=17)]
    text = figures.verdict_lines(paper, records, ["streets"], ["C7"])
    assert "    streets: refused (" in text and "different numbers of steps (17, 300))" in text
    with pytest.raises(ValueError, match="cps has no claim C99"):
        figures.verdict_lines(paper, records, ["streets"], ["C99"])


def test_every_verdict_has_a_badge_that_dark_mode_does_not_change():
    for status, (_, _, symbol) in VERDICT_STYLE.items():
        page = figures.badge(status)
        assert symbol in page and status in page and "color:#1c1c1c" in page


@pytest.mark.parametrize("name", sorted(load_papers()))
def test_published_table_gives_status_and_source_of_every_number(name):
    paper = load_paper(name)
    cells = Tags(figures.published_table(paper)).cells
    for row in paper.published:
        number = f"{row.metric} {row.value:g} {row.unit}"
        place = next(i for i in range(len(cells)) if cells[i : i + 2] == [row.label, number])
        assert row.status_words in cells[place + 2] and cells[place + 3] == row.source
