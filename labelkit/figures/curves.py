"""Curves with the spread of their seeds: quality against labels or steps, cost against size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from labelkit.figures.style import COLOURS, MARKERS, light_grid, new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))


def seed_curve(
    curves: Mapping[str, tuple[Sequence[float], np.ndarray]],
    xlabel: str,
    ylabel: str,
    *,
    ticks: Mapping[float, str] | None = None,
    logarithmic: bool = False,
    band: str = "range",
    scale: float = 1.0,
    markers: bool | None = None,
    reference: tuple[float, str] | None = None,
    title: str = "",
    height: float = 3.4,
) -> Figure:
    """A mean line for each curve, with a band that shows its seeds.

    Args:
        curves: name to (x of shape (P,), values of shape (S, P): one row a seed). A value may be nan.
        xlabel, ylabel: what the axes show, with units.
        ticks: x to its label, e.g. ``{1 / 16: "1/16"}``.
        logarithmic: equal distances for equal ratios along x.
        band: ``"range"`` from the smallest to the largest seed, ``"interval"`` the 95 % t-interval of the mean.
        scale: factor for all values, e.g. 100 for mIoU in points.
        markers: draw a marker at each x; by default where there are at most 12.
        reference: a value (before scaling) with its name, drawn as a horizontal line.
        title: above the axes.
        height: inches.
    """
    if band not in ("range", "interval"):
        raise ValueError(f"band is {band!r}; expected 'range' or 'interval'.")
    with style():
        figure, [[axes]] = new_figure(height)
        for index, (name, (x, values)) in enumerate(curves.items()):
            x, values = np.asarray(x, float), np.atleast_2d(np.asarray(values, float)) * scale
            if values.shape[1] != len(x):
                raise ValueError(f"curve {name!r}: values of shape {values.shape} for {len(x)} points.")
            colour = COLOURS[index % len(COLOURS)]
            low, high = _band(values, band)
            axes.fill_between(x, low, high, color=colour, alpha=0.16, linewidth=0)
            dots = len(x) <= 12 if markers is None else markers
            axes.plot(x, np.nanmean(values, axis=0), color=colour, linestyle=LINES[index % len(LINES)],
                      marker=MARKERS[index % len(MARKERS)] if dots else None, label=name)  # fmt: skip
        if reference is not None:
            level = reference[0] * scale
            axes.axhline(level, color="#555555", linewidth=1, linestyle=(0, (2, 2)), label=reference[1])
        if logarithmic:
            axes.set_xscale("log")
            axes.minorticks_off()
        if ticks is not None:
            axes.set_xticks(list(ticks), list(ticks.values()))
        axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
        light_grid(axes)
        if len(curves) > 1 or reference is not None:
            longest = max(map(len, [*curves, reference[1] if reference else ""]))
            figure.legend(loc="outside lower center", ncols=max(1, int(6 / (0.09 * longest + 0.75))), handlelength=2.4)
    return figure


def cost_curve(
    sizes: Sequence[float],
    panels: Mapping[str, Mapping[str, Sequence[float]]],
    xlabel: str = "grid size (positions)",
    height: float = 3.0,
) -> Figure:
    """Cost against size on logarithmic axes, one panel a cost, e.g. time and memory.

    Args:
        sizes: (P,) sizes, shared by all curves.
        panels: panel title with its unit to {curve name: (P,) values}; nan leaves a point out (it did not fit).
        xlabel: what a size is.
        height: inches.
    """
    with style():
        figure, [row] = new_figure(height, 1, len(panels))
        names = list(dict.fromkeys(name for curves in panels.values() for name in curves))
        for axes, (title, curves) in zip(row, panels.items()):
            for name, values in curves.items():
                index = names.index(name)
                axes.plot(sizes, values, color=COLOURS[index % len(COLOURS)], linestyle=LINES[index % len(LINES)],
                          marker=MARKERS[index % len(MARKERS)], label=name)  # fmt: skip
            axes.set(xscale="log", yscale="log", title=title, xlabel=xlabel)
            axes.set_xticks(list(sizes), [_thousands(size) for size in sizes])
            axes.minorticks_off()
            light_grid(axes)
        handles, labels = row[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(names), handlelength=2.4)
    return figure


def _band(values: np.ndarray, band: str) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper edge of the band, each (P,)."""
    if band == "range":
        return np.nanmin(values, axis=0), np.nanmax(values, axis=0)
    from labelkit.contrasts import t_interval

    edges = [t_interval(list(column[~np.isnan(column)]))[1:] for column in values.T]
    return np.array([low for low, _ in edges]), np.array([high for _, high in edges])


def _thousands(size: float) -> str:
    return f"{size / 1000:g}k" if size >= 10_000 and size % 1000 == 0 else f"{size:g}"
