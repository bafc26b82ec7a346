"""What a chapter says about claims: verdicts at a glance, verdicts in lines, and the paper's published numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Any

from labelkit.figures.page import Html
from labelkit.figures.style import VERDICT_STYLE
from labelkit.papers import Claim, Paper, Published
from labelkit.verdicts import Effect, IncomparableRecords, Verdict, judge

_VERDICT_FILL = {"supported": "#d3e6f4", "contradicted": "#fadccb", "exact": "#d2eee4", "refused": "#f3dfe9"}
_STATUS_LOOK = {"verified": ("✓", "#d2eee4"), "quoted": ("“", "#d3e6f4"), "memory": ("?", "#fadccb")}
_PADDING = "text-align:left;vertical-align:top;padding:0.3em 0.55em"
_LINE = "border-top:1px solid rgba(128,128,128,0.4)"


def badge(status: str) -> str:
    """A verdict as a small label: symbol and word, dark on light, readable in light and dark mode."""
    return _badge(VERDICT_STYLE[status][2], status, _VERDICT_FILL.get(status, "#e6e6e6"), "white-space:nowrap")


def verdict_card(
    paper: Paper, verdicts_by_data: Mapping[str, Sequence[Verdict]], labels: Mapping[str, str] | None = None
) -> Html:
    """Claims and verdicts at a glance: a row for each claim and one for each of its contrasts.

    For each data set there is the verdict on the claim and, below it, the effect of each contrast with the symbol of
    its own verdict. The reason of a verdict, where there is one, shows when the pointer rests on it.

    Args:
        paper: the paper's sheet.
        verdicts_by_data: data set to verdicts in the order of the claims, as `judge_paper` gives them.
        labels: how to call a data set on the page, e.g. ``{"streets": "streets (world)"}``.
    """
    labels = labels or {}
    head = _cell("th", f"Claim, and effects{_unit_words(paper)}")
    for data in verdicts_by_data:
        head += _cell("th", escape(labels.get(data, data))) + _cell("th", "n")
    body = ""
    for index, claim in enumerate(paper.claims):
        verdicts = [verdicts[index] for verdicts in verdicts_by_data.values()]
        body += f"<tr>{_claim_cell(claim)}{''.join(map(_verdict_cell, verdicts))}</tr>"
        for name in [part.name for part in [*claim.contrasts, *claim.measurements]]:
            row = _cell("td", escape(name), look="padding-left:1.6em")
            for verdict in verdicts:
                effect = next((e for e in verdict.effects if e.name == name), None)
                row += _cell("td", _effect(effect)) + _cell("td", str(effect.n) if effect and effect.n else "–")
            body += f"<tr>{row}</tr>"
    return _table("labelkit-verdicts", f"Claims and verdicts of {paper.short}", head, body, 560)


def published_table(paper: Paper) -> Html:
    """The paper's numbers under their protocols, each with its source and how far it is verified."""
    head = "".join(_cell("th", text) for text in ("What", "Value", "Status", "Source"))
    body = ""
    for protocol, rows in groupby(paper.published, key=lambda row: row.protocol):
        body += f'<tr><th colspan="4" scope="rowgroup" style="{_PADDING};{_LINE}">{escape(protocol)}</th></tr>'
        body += "".join(_published_row(row) for row in rows)
    return _table("labelkit-published", f"Published numbers of {paper.short}", head, body, 480)


def verdict_lines(
    paper: Paper,
    records: Sequence[Mapping[str, Any]],
    data: str | Sequence[str],
    claims: str | Sequence[str] | None = None,
    **options: Any,
) -> str:
    """The verdicts on some claims as lines of plain text, for ``print`` beside the figure that they belong to.

    A claim that rests on no data set (a test or a benchmark) is told once. Where records must not be compared, the line
    says "refused" and why.

    Args:
        paper: the paper's sheet.
        records: records of one run of the paper.
        data: data sets in the order wanted.
        claims: ids of the claims; by default all.
        **options: passed on to `labelkit.verdicts.judge`, e.g. ``run`` or ``checkpoint``.

    Raises:
        ValueError: the paper has no such claim, or two records describe the same run.
    """
    data = [data] if isinstance(data, str) else list(data)
    wanted = [claims] if isinstance(claims, str) else [c.id for c in paper.claims] if claims is None else list(claims)
    lines = []
    for claim in map(paper.claim, wanted):
        lines.append(f"{claim.id}  {claim.text}")
        for name in data if claim.kind == "paired" else [""]:
            try:
                verdict = judge(claim, records, name, **options)
            except IncomparableRecords as refusal:
                verdict = Verdict("refused", (), str(refusal), claim.id, name)
            place = f"{name}: " if name else ""
            lines.append(
                f"    {place}{verdict.status}" + (f" ({verdict.reason.rstrip('.')})" if verdict.reason else "")
            )
            for effect in verdict.effects:
                seeds = f", {effect.n} seeds" if effect.n and claim.kind == "paired" else ""
                lines.append(f"        {effect.name}: {effect.text(name_points=True)}{seeds}, {effect.status}")
    return "\n".join(lines)


def _unit_words(paper: Paper) -> str:
    """What the head of the card says about units: points are written without their name below it."""
    units = {contrast.unit for claim in paper.claims for contrast in claim.contrasts}
    if units <= {"points"}:
        return " in points [95 %]"
    return " [95 %], in points where no unit is named" if "points" in units else " [95 %]"


def _claim_cell(claim: Claim) -> str:
    where = f' <span style="opacity:0.75">({escape(claim.where)})</span>' if claim.where else ""
    test = f'<br/><code style="overflow-wrap:anywhere">{escape(claim.test)}</code>' if claim.test else ""
    return _cell(
        "td", f"<strong>{escape(claim.id)}</strong> {escape(claim.text)}{where}{test}", look=f"{_LINE};min-width:13em"
    )


def _verdict_cell(verdict: Verdict) -> str:
    reason = f' title="{escape(verdict.reason, quote=True)}"' if verdict.reason else ""
    return _cell("td", f"<span{reason}>{badge(verdict.status)}</span>", columns=2, look=_LINE)


def _effect(effect: Effect | None) -> str:
    if effect is None or effect.n == 0:
        return "–"
    symbol = VERDICT_STYLE[effect.status][2]
    word = f'<span title="{effect.status}" aria-label="{effect.status}">{escape(symbol)}</span>'
    number, bracket, asked = effect.text().partition(" (")  # what was asked for may stand on a line of its own
    return f'<span style="white-space:nowrap">{word} {escape(number)}</span>{bracket}{escape(asked)}'


def _published_row(row: Published) -> str:
    value = f'<span style="white-space:nowrap">{escape(row.metric)} {row.value:g} {escape(row.unit)}</span>'
    status = _badge(_STATUS_LOOK[row.status][0], row.status_words, _STATUS_LOOK[row.status][1])
    return (
        "<tr>" + "".join(_cell("td", text) for text in (escape(row.label), value, status, escape(row.source))) + "</tr>"
    )


def _badge(symbol: str, words: str, fill: str, extra: str = "") -> str:
    look = f"background:{fill};color:#1c1c1c;border-radius:0.6em;padding:0.05em 0.5em;display:inline-block;{extra}"
    return f'<span style="{look}"><span aria-hidden="true">{escape(symbol)}</span> {escape(words)}</span>'


def _cell(tag: str, content: str, columns: int = 1, look: str = "") -> str:
    span = f' colspan="{columns}"' if columns > 1 else ""
    scope = ' scope="col"' if tag == "th" else ""
    return f'<{tag}{scope}{span} style="{_PADDING};{look}">{content}</{tag}>'


def _table(css_class: str, name: str, head: str, body: str, least_width: int) -> Html:
    """A table inside a box that scrolls sideways, so that the page itself does not on a phone."""
    return Html(
        f'<div class="{css_class}" role="region" aria-label="{escape(name, quote=True)}" tabindex="0" '
        'style="overflow-x:auto">'
        f'<table style="border-collapse:collapse;font-size:0.9em;min-width:{least_width}px">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
