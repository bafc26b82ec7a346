"""The look that all figures share: colours that colour-blind readers can tell apart, sizes that a phone can show.

A figure is 6 inches wide and saved at 120 dots per inch (720 pixels), so that its 10-point text is still about 9 pixels
high on a phone of 390 pixels. The background is white, in dark mode too. No figure uses pyplot's global state: a figure
belongs to whoever asked for it, and is shown once, by `labelkit.figures.show`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 6.0
"""Width of a figure in inches."""
DOTS_PER_INCH = 120
LARGEST_PNG = 300_000
"""A PNG with more bytes than this is reduced to 256 colours."""

INK, GREY, PALE = "#222222", "#6e6e6e", "#dcdcdc"
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, YELLOW = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#F0E442",
)
"""The palette of Okabe and Ito (2008), made for readers with any kind of colour vision."""
COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, INK)
"""Colours of curves, in order."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""Markers of curves, in order, so that colour is never the only sign."""

VERDICT_STYLE: dict[str, tuple[str, str, str]] = {
    "supported": (BLUE, "o", "✓"),
    "contradicted": (VERMILION, "X", "✗"),
    "inconclusive": (GREY, "D", "?"),
    "exact": (GREEN, "s", "="),
    "not judged": ("#9a9a9a", "v", "○"),
    "not yet run": ("#9a9a9a", "_", "…"),
    "refused": (PURPLE, "P", "!"),
}
"""Colour, marker and text symbol of every verdict."""

_SETTINGS = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titleweight": "normal",
    "axes.labelsize": 10,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": False,
    "grid.color": PALE,
    "grid.linewidth": 0.7,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "lines.linewidth": 1.8,
    "lines.markersize": 5.5,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
    "text.color": INK,
}


@contextmanager
def style() -> Iterator[None]:
    """Draws with the shared settings inside the block and leaves the caller's settings as they were."""
    import matplotlib

    with matplotlib.rc_context(_SETTINGS):
        yield


def new_figure(height: float, rows: int = 1, columns: int = 1, width: float = WIDTH, **options) -> tuple[Figure, list]:
    """An empty figure and its axes.

    Args:
        height, width: size in inches.
        rows, columns: grid of axes.
        **options: passed to ``Figure.subplots``.

    Returns:
        The figure and a list of rows, each a list of axes.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, [list(row) for row in axes]


def light_grid(axes: Axes, axis: str = "y") -> None:
    """Thin lines behind the data, along one axis."""
    axes.grid(True, axis=axis)
    axes.tick_params(length=0, axis="both")


def png(figure: Figure) -> bytes:
    """The figure as PNG, without a time stamp; reduced to 256 colours if it would be larger than `LARGEST_PNG`."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    if buffer.tell() <= LARGEST_PNG:
        return buffer.getvalue()
    from PIL import Image

    image = Image.open(buffer).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    smaller = io.BytesIO()
    image.save(smaller, format="png", optimize=True)
    return smaller.getvalue()
