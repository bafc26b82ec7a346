"""Point clouds on a page: a view that a reader can turn, with layers to choose from, and a still picture of the same.

The view needs plotly to be made and a browser with WebGL to be seen. Its script lies beside the book's pages, in
``_static/plotly.min.js``, and is loaded only by pages that hold a view; where it cannot be loaded a sentence stands in
its place. Whatever a view shows, a still picture drawn with matplotlib shows as well.
"""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from labelkit.figures.cloud_layers import (
    MOST_POINTS,
    UNSHOWN,
    Layer,
    checked,
    class_layer,
    colour_layer,
    thinned,
    value_layer,
)
from labelkit.figures.cloud_panels import cloud_panels
from labelkit.figures.page import Html

__all__ = [
    "MARK",
    "MOST_POINTS",
    "UNSHOWN",
    "Layer",
    "class_layer",
    "cloud_panels",
    "cloud_view",
    "colour_layer",
    "thinned",
    "value_layer",
]

MARK = "data-labelkit-plotly"
"""Attribute of a view's element: a page that holds it needs the script."""
SCRIPT = "../_static/plotly.min.js"
"""Where a page looks for the script, as seen from ``notebooks/``."""
TOP, BAR = 44, 60  # pixels of the menu and of a bar of shades


def cloud_view(
    xyz: Any, layers: Mapping[str, Layer], caption: str, number: int | str | None = None, height: int = 460
) -> Html:
    """A cloud that a reader can turn, with buttons that choose the layer.

    Args:
        xyz: (N, 3) metres; drawn to the centimetre.
        layers: name to layer; the first is shown at first.
        caption, number: as for `figure_html`.
        height: pixels, without a bar of shades.

    Returns:
        HTML for a notebook; where plotly is not installed, a paragraph that says so.

    Raises:
        ValueError: more than `MOST_POINTS` points (use `thinned`), or a layer of another length.
    """
    xyz = checked(xyz, layers)
    if len(xyz) > MOST_POINTS:
        raise ValueError(f"{len(xyz)} points in a view; expected at most {MOST_POINTS}: choose some with `thinned`.")
    try:
        from plotly.graph_objects import Figure as View
    except ImportError:
        return Html("<p>A cloud that can be turned needs plotly (pip install plotly); see the still picture.</p>")
    centred = np.round(100 * (xyz - xyz.mean(0))).astype(np.int16)
    view = View([_trace(centred, name, layer, not place) for place, (name, layer) in enumerate(layers.items())])
    hidden = {"visible": False}
    bar = BAR if any(layer.scale for layer in layers.values()) else 0  # under the cloud, not on it
    view.update_layout(
        template=None,
        height=height + bar,
        margin={"l": 0, "r": 0, "t": TOP, "b": 0},
        paper_bgcolor="white",
        font={"color": "#222222", "size": 12},
        showlegend=False,
        scene={"domain": {"y": [bar / (height + bar - TOP), 1]}, "aspectmode": "data",
               "xaxis": hidden, "yaxis": hidden, "zaxis": hidden,
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
