"""Dots and bars: arms side by side with paired seeds, classes side by side, the attention of one pixel."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, SupportsIndex

import numpy as np

from labelkit.contrasts import number, scale_of, t_interval
from labelkit.figures.style import BLUE, GREY, INK, PALE, VERMILION, light_grid, new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def paired_dots(
    arms: Mapping[str, Mapping[int, float]],
    xlabel: str | None = None,
    scale: float | None = None,
    title: str = "",
    *,
    metric: str = "mIoU",
    unit: str = "points",
) -> Figure:
    """One dot for each seed of each arm; thin lines join a seed's dots; mean and 95 % t-interval below the dots,
    and the mean in figures at the right.

    The interval is that of the arm alone. Whether two arms differ shows in the lines, not in overlapping intervals:
    what seeds share moves the arms together.

    Args:
        arms: name to {seed: value}, from top to bottom.
        xlabel: what a value is; by default metric and unit.
        scale: factor for all values; by default that of the unit.
        title: above the axes.
        metric: name of the metric, for the label.
        unit: ``"points"`` shows fractions times 100; any other word is only written.
    """
    xlabel = f"{metric} ({unit})" if xlabel is None else xlabel
    scale = scale_of(unit) if scale is None else scale
    with style():
        figure, [[axes]] = new_figure(0.44 * len(arms) + 0.95)
        names = list(arms)
        for seed in sorted({seed for values in arms.values() for seed in values}):
            points = [(arms[name][seed] * scale, i - 0.12) for i, name in enumerate(names) if seed in arms[name]]
            axes.plot(*zip(*points), color="#bdbdbd", linewidth=0.9, zorder=1)
        for i, name in enumerate(names):
            values = [value * scale for value in arms[name].values()]
            if not values:
                continue
            mean, low, high = t_interval(values)
            axes.plot(values, [i - 0.12] * len(values), "o", color=BLUE, markersize=5, alpha=0.75, zorder=2,
                      markeredgewidth=0)  # fmt: skip
            axes.plot([low, high], [i + 0.2] * 2, color=INK, linewidth=1.6, solid_capstyle="butt", zorder=3)
            axes.plot([mean], [i + 0.2], marker="D", color=INK, markersize=4.5, zorder=4)
            text = f"{mean:.1f}" if unit == "points" else number(mean, unit)
            axes.annotate(text, (1.01, i), xycoords=("axes fraction", "data"), va="center", fontsize=9.5)
        axes.set_yticks(range(len(names)), names)
        axes.set(xlabel=xlabel, title=title, ylim=(len(names) - 0.45, -0.55))
        light_grid(axes, "x")
        axes.spines["left"].set_visible(False)
    return figure


def class_delta_bars(
    before: np.ndarray,
    after: np.ndarray,
    classes: Sequence[str],
    title: str = "",
    xlabel: str | None = None,
    *,
    metric: str = "IoU",
    unit: str = "points",
) -> Figure:
    """How much each class gained or lost: bar = mean over seeds of the paired difference, dots = seeds.

    Args:
        before, after: metric of each seed and class, (S, C), paired by row; nan for a class that is absent.
        classes: (C,) names.
        title, xlabel: texts; below the axis stand, by default, metric and unit.
        metric: name of the metric, for the label.
        unit: ``"points"`` shows fractions times 100; any other word is only written.
    """
    before, after = np.atleast_2d(np.asarray(before, float)), np.atleast_2d(np.asarray(after, float))
    if before.shape != after.shape or before.shape[1] != len(classes):
        raise ValueError(f"before {before.shape} and after {after.shape} must both be (seeds, {len(classes)}).")
    difference = scale_of(unit) * (after - before)
    xlabel = f"{metric} difference ({unit})" if xlabel is None else xlabel
    with style():
        figure, [[axes]] = new_figure(0.27 * len(classes) + 0.9)
        for i, column in enumerate(difference.T):
            seeds = column[~np.isnan(column)]
            if not seeds.size:
                axes.text(0, i, " absent", va="center", color=GREY, fontsize=9)
                continue
            mean = seeds.mean()
            axes.barh(i, mean, height=0.62, color=BLUE if mean >= 0 else VERMILION, alpha=0.75, zorder=2,
                      hatch=None if mean >= 0 else "////", edgecolor="white", linewidth=0)  # fmt: skip
            axes.plot(seeds, [i] * len(seeds), "o", markersize=3.2, markerfacecolor="white", markeredgecolor=INK,
                      markeredgewidth=0.8, zorder=3)  # fmt: skip
        axes.axvline(0, color=INK, linewidth=0.9, zorder=4)
        axes.set_yticks(range(len(classes)), classes)
        axes.set(ylim=(len(classes) - 0.4, -0.6), xlabel=xlabel, title=title)
        light_grid(axes, "x")
        axes.spines["left"].set_visible(False)
    return figure


def attention_bars(
    weights: Mapping[str, Sequence[float]],
    classes: Sequence[str],
    palette: np.ndarray,
    truth: str | Mapping[str, str | SupportsIndex] | None = None,
) -> Figure:
    """How one pixel divides its attention among the regions, one panel for each pixel.

    Args:
        weights: panel title to weights (C,) that add up to 1.
        classes: (C,) names.
        palette: (C, 3) uint8.
        truth: the true class, marked with an arrow: a name if it is the same in all panels, or panel title to a name
            or an index; a panel that is not named gets no mark.

    Raises:
        ValueError: `truth` names a class or a panel that is not there.
    """
    same = truth if isinstance(truth, str) else None
    of_panel = {} if same is not None or truth is None else truth
    if unknown := [title for title in of_panel if title not in weights]:
        raise ValueError(f"truth names panel {unknown[0]!r}; there are {', '.join(weights)}.")
    marks = {title: _class_index(of_class, classes) for title, of_class in of_panel.items()}
    same_index = None if same is None else _class_index(same, classes)
    with style():
        figure, [row] = new_figure(
            0.26 * len(classes) + 0.9 + 0.2 * bool(marks), 1, len(weights), sharey=True, sharex=True
        )
        longest = max(float(np.max(values)) for values in weights.values())
        for axes, (title, values) in zip(row, weights.items()):
            colours = np.asarray(palette, float)[: len(classes)] / 255
            bars = axes.barh(range(len(classes)), values, color=colours, edgecolor="#777777", linewidth=0.6, height=0.7)
            if title in marks:
                place = marks[title]
                bars[place].set(edgecolor=INK, linewidth=1.6)
                axes.annotate("◂", (float(values[place]), place), xytext=(3, 0), textcoords="offset points",
                              va="center", fontsize=11)  # fmt: skip
                # Room for the arrow, however long the bar is.
                axes.set_xlim(0, 1.18 * longest)
            axes.set_yticks(range(len(classes)), [f"▸ {c}" if i == same_index else c for i, c in enumerate(classes)])
            axes.set(ylim=(len(classes) - 0.4, -0.6), title=title, xlabel="attention weight")
            light_grid(axes, "x")
            axes.spines["left"].set_color(PALE)
        if marks:
            from matplotlib.patches import Patch

            key = Patch(facecolor="white", edgecolor=INK, linewidth=1.6, label="◂  the pixel's true class")
            figure.legend(handles=[key], loc="outside lower center", handlelength=1.2)
    return figure


def confusion_heatmap(matrix: np.ndarray, classes: Sequence[str], title: str = "") -> Figure:
    """Where the pixels of each true class went: rows are truth, in percent of the row.

    Args:
        matrix: (C, C) counts of pixels, rows = truth.
        classes: (C,) names.
        title: above the axes.
    """
    matrix = np.asarray(matrix, float)
    if matrix.shape != (len(classes), len(classes)):
        raise ValueError(f"matrix of shape {matrix.shape} for {len(classes)} classes.")
    total = matrix.sum(axis=1, keepdims=True)
    percent = 100 * np.divide(matrix, total, out=np.full_like(matrix, np.nan), where=total > 0)
    with style():
        figure, [[axes]] = new_figure(min(5.6, 0.36 * len(classes) + 1.5))
        axes.imshow(percent, cmap="Blues", vmin=0, vmax=100, aspect="auto")
        for row in np.flatnonzero(total == 0):
            axes.text((len(classes) - 1) / 2, row, "no true pixels", ha="center", va="center", color=GREY, fontsize=9)
        for (row, column), value in np.ndenumerate(percent):
            if value >= 0.5:
                axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=8 if len(classes) > 12 else 9,
                          color="white" if value > 55 else INK)  # fmt: skip
        axes.set_xticks(range(len(classes)), classes, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(classes)), classes)
        axes.set(xlabel="predicted", ylabel="true", title=title or "percent of the true pixels")
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
    return figure


def _class_index(wanted: str | SupportsIndex, classes: Sequence[str]) -> int:
    """Place of a class that is given by name or index."""
    place = list(classes).index(wanted) if wanted in classes else wanted
    if isinstance(place, str) or not 0 <= operator.index(place) < len(classes):
        raise ValueError(f"truth names class {wanted!r}; there are {', '.join(classes)}.")
    return operator.index(place)
