"""Still pictures of a cloud, drawn with matplotlib: a panel for each layer, one key, a bar for shades."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from labelkit.figures.cloud_layers import UNSHOWN, Layer, checked
from labelkit.figures.style import WIDTH, new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS_OF_KEY = 5
FILLED = 0.94  # share of a panel's half height or width that the cloud takes


def cloud_panels(
    xyz: Any,
    layers: Mapping[str, Layer],
    *,
    columns: int = 2,
    size: float | None = None,
    view: tuple[float, float] = (52, -60),
) -> Figure:
    """The same cloud once for each layer, as a still picture.

    Args:
        xyz: (N, 3) metres.
        layers: panel title to layer.
        columns: panels side by side.
        size: of a point, in squared points of type; by default so that clouds of any length fill the panel alike.
        view: elevation and azimuth of the eye, degrees.

    Raises:
        ValueError: a layer has another length than the cloud.
    """
    from matplotlib.lines import Line2D

    xyz = checked(xyz, layers)
    columns = min(columns, len(layers))
    size = float(np.clip(26_000 / max(len(xyz), 1) / columns, 0.6, 14)) if size is None else size
    names = {
        word: layer.palette[place]
        for layer in layers.values()
        if not layer.scale
        for place, word in layer.names.items()
    }
    bars = {(layer.scale, *layer.names.values()): layer for layer in layers.values() if layer.scale}
    keyed = min(len(names), COLUMNS_OF_KEY) or 1
    rows, lines = -(-len(layers) // columns), -(-len(names) // keyed)
    with style():
        height = rows * (0.95 * WIDTH / columns + 0.1) + 0.75 * len(bars) + 0.22 * lines + 0.1
        figure, grid = new_figure(height, rows, columns, subplot_kw={"projection": "3d"})
        panels = [axes for row in grid for axes in row]
        for axes, (title, layer) in zip(panels, layers.items()):
            shown = layer.index >= 0
            colours = np.where(shown[:, None], layer.palette[np.maximum(layer.index, 0)], UNSHOWN) / 255
            partly = not shown.all()
            for part, scale in ((~shown, 0.5), (shown, 2.5 if partly and shown.mean() < 0.3 else 1.0)):
                axes.scatter(*xyz[part].T, c=colours[part], s=size * scale, depthshade=False, linewidths=0)
            axes.view_init(*view)
            axes.set_axis_off()
            axes.set_title(title, pad=4)
            fit(axes, xyz, axes.transAxes)
        for axes in panels[len(layers) :]:
            axes.remove()
        for layer in bars.values():
            _bar(figure, panels[: len(layers)], layer)
        if bars:  # the layout with a bar forgets the titles of the first row
            figure.get_layout_engine().set(rect=(0, 0, 1, 1 - 0.12 / height))
        keys = [
            Line2D([], [], marker="o", linestyle="", color=np.asarray(colour) / 255, label=word)
            for word, colour in names.items()
        ]
        if keys:
            figure.legend(handles=keys, loc="outside lower center", ncols=keyed, handletextpad=0.1)
    return figure


def fit(axes: Any, xyz: np.ndarray, within: Any, filled: float = FILLED) -> None:
    """Zoom so that all points lie within a panel, clear of its title. In perspective it is found in a few steps.

    Args:
        axes: of matplotlib, 3D.
        xyz: (N, 3).
        within: what to fill, as a transform from 0..1: ``axes.transAxes`` or ``figure.transFigure``.
        filled: share of its half height or width that the cloud takes.
    """
    from mpl_toolkits.mplot3d import proj3d

    zoom, sides = 1.0, np.maximum(np.ptp(xyz, axis=0), 1e-3)
    for _ in range(4):
        axes.set_box_aspect(sides, zoom=zoom)
        axes.apply_aspect()
        across, up, _ = proj3d.proj_transform(*xyz.T, axes.get_proj())
        places = (axes.transData - within).transform(np.stack([across, up], 1))
        zoom = float(np.clip(zoom * filled / max(2 * np.abs(places - 0.5).max(), 1e-3), 0.2, 3))
    axes.set_box_aspect(sides, zoom=zoom)


def _bar(figure: Figure, panels: Sequence[Any], layer: Layer) -> None:
    """The shades of a value under all panels."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    shades = ScalarMappable(Normalize(-0.5, len(layer.palette) - 0.5), ListedColormap(layer.palette / 255))
    bar = figure.colorbar(shades, ax=panels, location="bottom", shrink=0.6, aspect=36, pad=0.02)
    bar.set_ticks(list(layer.names), labels=list(layer.names.values()))
    bar.set_label(layer.scale)
    bar.outline.set_visible(False)
