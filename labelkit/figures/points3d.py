"""Point clouds on a page: a view that a reader can turn, with layers to choose from, and a still picture of the same.

The view needs plotly to be made and a browser with WebGL to be seen. Its script lies beside the book's pages, in
``_static/plotly.min.js``, and is loaded only by pages that hold a view; where it cannot be loaded a sentence stands in
its place. Whatever a view shows, a still picture drawn with matplotlib shows as well.
"""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from labelkit.figures.page import Html
from labelkit.figures.style import WIDTH, new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARK = "data-labelkit-plotly"
"""Attribute of a view's element: a page that holds it needs the script."""
SCRIPT = "../_static/plotly.min.js"
"""Where a page looks for the script, as seen from ``notebooks/``."""
MOST_POINTS = 5000
UNSHOWN = (225, 225, 225)
"""Points that a layer leaves out stay as pale grey context."""
SHADES = 64
COLUMNS_OF_KEY = 5
FILLED = 0.94  # share of a panel's half height or width that the cloud takes


@dataclass(frozen=True)
class Layer:
    """One way to colour the points.

    Attributes:
        index: row of the palette of each point, (N,); -1 for a point that the layer leaves out.
        palette: (K, 3) uint8.
        names: place along the palette to its name, for a key; empty for none.
        scale: what the shades of a value say; names then stand along a bar of them. Empty for classes and colours.
    """

    index: np.ndarray
    palette: np.ndarray
    names: Mapping[int, str]
    scale: str = ""


def class_layer(labels: Any, classes: Sequence[str], palette: Any, shown: Any = None) -> Layer:
    """Points in the colours of their classes.

    Args:
        labels: (N,) class of each point; one outside the palette (such as 255) is left out.
        classes: C names.
        palette: (C, 3) uint8.
        shown: (N,) bool, which points have the layer's colour; all if None.

    Raises:
        ValueError: ``classes`` and ``palette`` differ in length.
    """
    labels, palette = np.asarray(labels).astype(np.int64), np.asarray(palette, np.uint8)
    if len(classes) != len(palette):
        raise ValueError(f"{len(classes)} classes and {len(palette)} colours; expected as many of each.")
    kept = (labels >= 0) & (labels < len(palette))
    if shown is not None:
        kept &= np.asarray(shown, bool)
    there = np.unique(labels[kept])
    return Layer(np.where(kept, labels, -1), palette, {int(label): classes[label] for label in there})


def value_layer(
    values: Any,
    low: float | None = None,
    high: float | None = None,
    scale: str = "value",
    ticks: Mapping[float, str] | None = None,
    map_name: str = "viridis",
) -> Layer:
    """Points in shades of a value.

    Args:
        values: (N,); nan leaves a point out.
        low, high: values of the first and the last shade; smallest and largest value by default.
        scale: what the values are, in words, for the bar of shades.
        ticks: values to the words that stand at them; the two ends by default.
        map_name: of matplotlib.
    """
    from matplotlib import colormaps

    values = np.asarray(values, float)
    known = np.isfinite(values)
    low = float(values[known].min()) if low is None else low
    high = float(values[known].max()) if high is None else high

    def place(value: Any) -> Any:
        share = (value - low) / max(high - low, 1e-12)
        return np.clip(share * SHADES, 0, SHADES - 1).astype(np.int64)

    index = np.where(known, place(np.where(known, values, low)), -1)
    palette = (colormaps[map_name](np.linspace(0, 1, SHADES))[:, :3] * 255).round().astype(np.uint8)
    ticks = {low: f"{low:.3g}", high: f"{high:.3g}"} if ticks is None else ticks
    return Layer(index, palette, {int(place(np.float64(value))): word for value, word in ticks.items()}, scale)


def colour_layer(rgb: Any) -> Layer:
    """Points in their own colours, reduced to 64.

    Args:
        rgb: (N, 3), floats in 0..1 or uint8.
    """
    from PIL import Image

    rgb = np.asarray(rgb)
    rgb = rgb.astype(np.uint8) if rgb.dtype.kind in "ui" else (np.clip(rgb, 0, 1) * 255).round().astype(np.uint8)
    picture = Image.fromarray(rgb[None]).quantize(SHADES, dither=Image.Dither.NONE)
    palette = np.array(picture.getpalette()[: 3 * SHADES], np.uint8).reshape(-1, 3)
    return Layer(np.asarray(picture)[0].astype(np.int64), palette, {})


def thinned(count: int, most: int = MOST_POINTS, seed: int = 0) -> np.ndarray:
    """Which points of a cloud a view shows: all, or that many drawn at random; sorted indices."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, most, replace=False))


def cloud_view(
    xyz: Any, layers: Mapping[str, Layer], caption: str, number: int | str | None = None, height: int = 460
) -> Html:
    """A cloud that a reader can turn, with buttons that choose the layer.

    Args:
        xyz: (N, 3) metres; drawn to the centimetre.
        layers: name to layer; the first is shown at first.
        caption, number: as for `figure_html`.
        height: pixels.

    Returns:
        HTML for a notebook; where plotly is not installed, a paragraph that says so.

    Raises:
        ValueError: more than `MOST_POINTS` points (use `thinned`), or a layer of another length.
    """
    xyz = _checked(xyz, layers)
    if len(xyz) > MOST_POINTS:
        raise ValueError(f"{len(xyz)} points in a view; expected at most {MOST_POINTS}: choose some with `thinned`.")
    try:
        from plotly.graph_objects import Figure as View
    except ImportError:
        return Html("<p>A cloud that can be turned needs plotly (pip install plotly); see the still picture.</p>")
    centred = np.round(100 * (xyz - xyz.mean(0))).astype(np.int16)
    view = View([_trace(centred, name, layer, not place) for place, (name, layer) in enumerate(layers.items())])
    hidden = {"visible": False}
    view.update_layout(
        template=None,
        height=height,
        margin={"l": 0, "r": 0, "t": 44, "b": 0},
        paper_bgcolor="white",
        font={"color": "#222222", "size": 12},
        showlegend=False,
        scene={"aspectmode": "data", "xaxis": hidden, "yaxis": hidden, "zaxis": hidden,
               "camera": {"eye": {"x": 1.1, "y": -1.1, "z": 1.0}}},
        updatemenus=[_menu(list(layers))],
    )  # fmt: skip
    drawn = json.loads(view.to_json())
    text = json.dumps({"data": drawn["data"], "layout": drawn["layout"]}, separators=(",", ":")).replace("</", "<\\/")
    name = f"cloud-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    label = f"<strong>Figure {html.escape(str(number))}.</strong> " if number is not None else ""
    return Html(
        '<figure class="labelkit-figure" style="margin:1.2em 0">'
        f'<div id="{name}" {MARK} style="background:white;border-radius:4px;min-height:2em;color:#222"></div>'
        f"<script>{_LOADER % (json.dumps(name), text, json.dumps(SCRIPT))}</script>"
        f'<figcaption style="font-size:0.92em;margin-top:0.4em">{label}{html.escape(caption)}</figcaption></figure>'
    )


_LOADER = """(function(){var place=document.getElementById(%s),cloud=%s;
function draw(){place.textContent="";place.style.height=cloud.layout.height+"px";
Plotly.newPlot(place,cloud.data,cloud.layout,{responsive:true,displaylogo:false});}
if(window.Plotly){draw();return;}
var script=document.createElement("script");script.src=%s;script.onload=draw;
script.onerror=function(){place.textContent="The script that turns this cloud is not here; see the still picture.";};
document.head.appendChild(script);})();"""


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

    xyz = _checked(xyz, layers)
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
        height = rows * (0.95 * WIDTH / columns + 0.1) + 0.65 * len(bars) + 0.22 * lines + 0.1
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


def _checked(xyz: Any, layers: Mapping[str, Layer]) -> np.ndarray:
    xyz = np.asarray(xyz, float)
    for name, layer in layers.items():
        if len(layer.index) != len(xyz):
            raise ValueError(f"layer {name!r} has {len(layer.index)} points, the cloud {len(xyz)}.")
    if not layers:
        raise ValueError("a cloud without a layer; expected at least one.")
    return xyz


def _trace(xyz: np.ndarray, name: str, layer: Layer, visible: bool) -> dict[str, Any]:
    """A trace of plotly: colours as small integers with a scale of steps."""
    palette = np.vstack([[UNSHOWN], layer.palette])  # -1 becomes row 0
    count, steps = len(palette), []
    for row, colour in enumerate(palette.tolist()):
        word = f"rgb({colour[0]},{colour[1]},{colour[2]})"
        steps += [[row / count, word], [(row + 1) / count, word]]
    index = (layer.index + 1).astype(np.uint8)
    marker: dict[str, Any] = {
        "size": np.where(index > 0, 3, 2).astype(np.uint8) if (index == 0).any() else 3,
        "color": index,
        "cmin": -0.5,
        "cmax": count - 0.5,
        "colorscale": steps,
        "line": {"width": 0},
    }
    if layer.scale:
        title = {"text": layer.scale, "side": "top"}
        marker["showscale"] = True
        marker["colorbar"] = {"orientation": "h", "x": 0.5, "y": 0, "yanchor": "bottom", "len": 0.7, "thickness": 10,
                              "title": title, "tickvals": [1 + place for place in layer.names],
                              "ticktext": list(layer.names.values())}  # fmt: skip
    x, y, z = xyz.T
    return {"type": "scatter3d", "mode": "markers", "name": name, "hoverinfo": "skip", "visible": visible,
            "x": x.copy(), "y": y.copy(), "z": z.copy(), "marker": marker}  # fmt: skip


def _menu(names: list[str]) -> dict[str, Any]:
    buttons = [
        {"label": name, "method": "update", "args": [{"visible": [other == name for other in names]}]} for name in names
    ]
    return {"type": "dropdown", "direction": "down", "x": 0.01, "y": 1.0, "xanchor": "left", "yanchor": "bottom",
            "buttons": buttons}  # fmt: skip
