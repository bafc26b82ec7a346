"""The forest plot: every claim's effect with its interval, one row each, coloured and shaped by its verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING

from labelkit.figures.style import GREY, INK, VERDICT_STYLE, light_grid, new_figure, style
from labelkit.verdicts import Effect, Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BAR = (0, (1.5, 1))
"""Line style of a bar other than 0."""


def forest(
    papers: Mapping[str, Mapping[str, Sequence[Verdict]]],
    *,
    limit: float | None = None,
    xlabel: str = "effect (points)",
    row_names: Mapping[tuple[str, str], str] | None = None,
) -> Figure:
    """Draws the effects of claims, grouped by paper, one panel for each data set.

    Differences in points that have an interval are drawn; effects of other units, levels, exact and measured claims,
    and those without records are left to the table beside the plot. An effect beyond the limit is drawn as an arrow at
    the edge with its number. Where a claim asks for another bar than 0, a dotted stroke marks it in the effect's row.

    Args:
        papers: paper's short name to {name of the data set as shown: verdicts, as `judge_paper` gives them}.
        limit: largest effect on the axis, in points; by default chosen so that a few huge effects do not hide the rest.
        xlabel: what an effect is.
        row_names: label of a row by (claim id, effect name); by default the two together.

    Raises:
        ValueError: no verdict has an effect that can be drawn.
    """
    panels = list(dict.fromkeys(data for by_data in papers.values() for data in by_data))
    rows: list[tuple[str, tuple[str, str] | None]] = []
    effects: dict[tuple[str, str, tuple[str, str]], Effect] = {}
    for paper, by_data in papers.items():
        keys = []
        for data, verdicts in by_data.items():
            for verdict in verdicts:
                for effect in verdict.effects:
                    if effect.fits_forest:
                        key = verdict.claim, effect.name
                        keys += [key] if key not in keys else []
                        effects[paper, data, key] = effect
        if keys:
            order = [(v.claim, e.name) for verdicts in by_data.values() for v in verdicts for e in v.effects]
            rows += [(paper, None)] + [(paper, key) for key in sorted(keys, key=order.index)]
    if not rows:
        raise ValueError("no verdict has an effect with an interval, so there is nothing to draw.")
    limit = _limit(list(effects.values())) if limit is None else limit

    labels = [
        paper
        if key is None
        else fill((row_names or {}).get(key, f"{key[0]}  {key[1]}"), 36, subsequent_indent="      ")
        for paper, key in rows
    ]
    heights = [1 + 0.65 * label.count("\n") for label in labels]
    centres = [sum(heights[:i]) + 0.5 * (heights[i] - 1) for i in range(len(heights))]
    left, right = _sides(list(effects.values()), limit)
    with style():
        figure, [columns] = new_figure(0.245 * sum(heights) + 1.1, 1, len(panels), sharey=True)
        for axes, data in zip(columns, panels):
            axes.axvline(0, color=INK, linewidth=1, zorder=1)
            for (paper, key), centre in zip(rows, centres):
                if key is not None:
                    axes.axhline(centre, color="#ececec", linewidth=0.7, zorder=0)
                if (paper, data, key) in effects:
                    _draw(axes, effects[paper, data, key], centre, left, right)
            axes.set(xlim=(left, right), ylim=(sum(heights) - 0.3, -0.7), title=data, xlabel=xlabel)
            light_grid(axes, "x")
            axes.spines["left"].set_visible(False)
        columns[0].set_yticks(centres, labels, ha="left")
        for label, (_, key) in zip(columns[0].get_yticklabels(), rows):
            label.set(fontsize=10 if key is None else 9, fontweight="bold" if key is None else "normal",
                      linespacing=1.05)  # fmt: skip
        _flush_left(figure, columns[0])
        _verdict_legend(figure, list(effects.values()))
    return figure


def _draw(axes: Axes, effect: Effect, y: float, left: float, right: float) -> None:
    """One interval with its mean; an arrow with the number where the mean lies beyond the axis."""
    colour, marker, _ = VERDICT_STYLE[effect.status]
    mean, low, high = (100 * value for value in (effect.mean, effect.low, effect.high))
    if not left < mean < right:
        edge, inwards = (right, -1) if mean > 0 else (left, 1)
        reach = inwards * (right - left)
        arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.6}
        axes.annotate("", (edge + 0.01 * reach, y), (edge + 0.11 * reach, y), arrowprops=arrow)
        number = f"{mean:+.0f}".replace("-", "−")
        side = "right" if mean > 0 else "left"
        axes.text(edge + 0.13 * reach, y, number, va="center", fontsize=9, color=colour, ha=side)
        return
    if effect.bar:
        axes.plot([100 * effect.bar] * 2, [y - 0.4, y + 0.4], color=INK, linewidth=1.2, linestyle=BAR, zorder=1)
    axes.plot([low, high], [y, y], color=colour, linewidth=1.8, solid_capstyle="butt", zorder=2)
    hollow = effect.status in ("inconclusive", "not judged")
    axes.plot([mean], [y], marker=marker, color=colour, markersize=6.5, zorder=3, linestyle="none",
              markerfacecolor="white" if hollow else colour, markeredgewidth=1.4 if hollow else 0.6)  # fmt: skip


def _limit(effects: Sequence[Effect]) -> float:
    """All of the effects, or 1.5 times the third quartile if the largest would squeeze the others, in points."""
    reach = sorted(100 * max(abs(effect.low), abs(effect.high), abs(effect.bar)) for effect in effects)
    third_quartile = reach[(3 * (len(reach) - 1)) // 4]
    limit = reach[-1] if reach[-1] <= 3 * third_quartile or third_quartile == 0 else 1.5 * third_quartile
    return max(limit, 0.1)


def _sides(effects: Sequence[Effect], limit: float) -> tuple[float, float]:
    """Ends of the axis in points: no wider than the effects need, but never without some room on both sides of 0."""
    left = min(limit, max(-100 * min(effect.low, effect.bar) for effect in effects))
    right = min(limit, max(100 * max(effect.high, effect.bar) for effect in effects))
    least = 0.2 * max(left, right)
    return -1.08 * max(left, least), 1.08 * max(right, least)


def _flush_left(figure: Figure, axes: Axes) -> None:
    """Labels begin at the left edge: constrained layout needs the width of the longest one as padding."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    renderer = FigureCanvasAgg(figure).get_renderer()
    widest = max(label.get_window_extent(renderer).width for label in axes.get_yticklabels())
    axes.tick_params(axis="y", pad=widest * 72 / figure.dpi + 4)


def _verdict_legend(figure: Figure, effects: Sequence[Effect]) -> None:
    from matplotlib.lines import Line2D

    handles, statuses = [], [effect.status for effect in effects]
    for status, (colour, marker, _) in VERDICT_STYLE.items():
        if status in statuses:
            hollow = status in ("inconclusive", "not judged")
            handles.append(
                Line2D([], [], color=colour, marker=marker, markersize=6.5, linewidth=1.8, label=status,
                       markerfacecolor="white" if hollow else colour)
            )  # fmt: skip
    if any(effect.bar for effect in effects):
        handles.append(Line2D([], [], color=INK, linewidth=1.2, linestyle=BAR, label="bar asked for"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), labelcolor=GREY)
