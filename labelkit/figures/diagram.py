"""Boxes and arrows at given places: enough for the idea of a method in one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labelkit.figures.style import BLUE, GREY, INK, VERMILION, WIDTH, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FILLS = {"plain": "#f4f4f4", "data": "#e3eef6", "network": "#fdf0dc", "loss": "#fbe4da", "label": "#e2f2ec"}
"""What a box may stand for, and its colour."""


@dataclass(frozen=True)
class Box:
    """A box of a diagram: centre and size in inches, from the lower left corner of the figure."""

    x: float
    y: float
    text: str
    kind: str = "plain"
    width: float = 1.15
    height: float = 0.5


@dataclass(frozen=True)
class Arrow:
    """An arrow from box to box. `dashed`: no gradient flows back along it. `bend` curves it; `shift` moves its text."""

    start: str
    end: str
    text: str = ""
    dashed: bool = False
    bend: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)


def diagram(boxes: Mapping[str, Box], arrows: Sequence[Arrow], height: float, width: float = WIDTH) -> Figure:
    """Draws boxes and arrows.

    Args:
        boxes: name to box; the names are what arrows refer to.
        arrows: in drawing order.
        height, width: size of the figure in inches.

    Raises:
        ValueError: an arrow names a box that is not there, or a box has an unknown kind.
    """
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(width, height))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, width), ylim=(0, height))
        axes.axis("off")
        patches = {name: _draw_box(axes, name, box) for name, box in boxes.items()}
        for arrow in arrows:
            for end in (arrow.start, arrow.end):
                if end not in boxes:
                    raise ValueError(f"an arrow names box {end!r}; there are {', '.join(boxes)}.")
            _draw_arrow(axes, arrow, boxes, patches)
    return figure


def _draw_box(axes: Axes, name: str, box: Box):
    from matplotlib.patches import FancyBboxPatch

    if box.kind not in FILLS:
        raise ValueError(f"box {name!r} is of kind {box.kind!r}; expected one of {', '.join(FILLS)}.")
    corner = box.x - box.width / 2, box.y - box.height / 2
    patch = FancyBboxPatch(corner, box.width, box.height, boxstyle="round,pad=0,rounding_size=0.07",
                           facecolor=FILLS[box.kind], edgecolor=GREY, linewidth=0.9, zorder=2)  # fmt: skip
    axes.add_patch(patch)
    axes.text(box.x, box.y, box.text, ha="center", va="center", fontsize=9.5, zorder=3, linespacing=1.15)
    return patch


def _draw_arrow(axes: Axes, arrow: Arrow, boxes: Mapping[str, Box], patches: Mapping) -> None:
    start, end = boxes[arrow.start], boxes[arrow.end]
    colour = VERMILION if arrow.dashed else BLUE
    axes.annotate(
        "", (end.x, end.y), (start.x, start.y), zorder=1,
        arrowprops={
            "arrowstyle": "-|>", "color": colour, "linewidth": 1.4, "linestyle": "--" if arrow.dashed else "-",
            "connectionstyle": f"arc3,rad={arrow.bend}", "patchA": patches[arrow.start], "patchB": patches[arrow.end],
            "shrinkA": 1, "shrinkB": 2,
        },
    )  # fmt: skip
    if arrow.text:
        # The middle of a bent arrow lies beside the straight line, by half the bend.
        dx, dy = end.x - start.x, end.y - start.y
        x = (start.x + end.x) / 2 + arrow.bend * dy / 2 + arrow.shift[0]
        y = (start.y + end.y) / 2 - arrow.bend * dx / 2 + arrow.shift[1]
        level = abs(dy) < 0.25 * abs(dx) and not arrow.bend
        # Above a level arrow, which is often shorter than its text; on the line otherwise.
        axes.text(x, y + (0.06 if level else 0), arrow.text, ha="center", va="bottom" if level else "center",
                  fontsize=9, color=INK, zorder=4,
                  bbox=None if level else {"facecolor": "white", "edgecolor": "none", "pad": 1.2})  # fmt: skip
