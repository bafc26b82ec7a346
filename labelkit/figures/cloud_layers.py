"""Ways to colour the points of a cloud: by class, by a value, in their own colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

MOST_POINTS = 5000
UNSHOWN = (225, 225, 225)
"""Points that a layer leaves out stay as pale grey context."""
SHADES = 64


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


def checked(xyz: Any, layers: Mapping[str, Layer]) -> np.ndarray:
    """Coordinates as floats.

    Raises:
        ValueError: there is no layer, or one has another length than the cloud.
    """
    xyz = np.asarray(xyz, float)
    for name, layer in layers.items():
        if len(layer.index) != len(xyz):
            raise ValueError(f"layer {name!r} has {len(layer.index)} points, the cloud {len(xyz)}.")
    if not layers:
        raise ValueError("a cloud without a layer; expected at least one.")
    return xyz
