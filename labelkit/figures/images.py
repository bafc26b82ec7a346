"""Pictures of images and masks: colours for labels, rows of panels, legends, errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from labelkit.figures.style import PALE, VERMILION, WIDTH, new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

IGNORE_COLOUR = (255, 255, 255)
"""Pixels without a label are white: no world and no data set that we read uses white for a class."""


def colourise(mask: Any, palette: np.ndarray, ignore: int = 255) -> np.ndarray:
    """Labels as colours.

    Args:
        mask: class index of each pixel, (H, W), array or tensor.
        palette: colour of each class, (C, 3) uint8.
        ignore: label that becomes white.

    Returns:
        (H, W, 3) uint8.

    Raises:
        ValueError: a label is neither `ignore` nor a row of the palette.
    """
    mask, palette = _array(mask), np.asarray(palette, dtype=np.uint8)
    if mask.ndim != 2:
        raise ValueError(f"a mask is (H, W), not of shape {mask.shape}.")
    known = (mask >= 0) & (mask < len(palette))
    stray = mask[~known & (mask != ignore)]
    if stray.size:
        raise ValueError(f"label {int(stray[0])} in the mask, but the palette has {len(palette)} classes.")
    coloured = np.empty((*mask.shape, 3), np.uint8)
    coloured[...] = IGNORE_COLOUR
    labelled = known & (mask != ignore)
    coloured[labelled] = palette[mask[labelled].astype(np.int64)]
    return coloured


def overlay(image: Any, mask: Any, palette: np.ndarray, opacity: float = 0.55, ignore: int = 255) -> np.ndarray:
    """The coloured mask laid over the image; unlabelled pixels show the image.

    Args:
        image: (3, H, W) or (H, W, 3), floats in 0..1 or uint8, array or tensor.
        mask: (H, W).
        palette: (C, 3) uint8.
        opacity: share of the mask's colour, 0..1.
        ignore: label that stays transparent.

    Returns:
        (H, W, 3) uint8.
    """
    picture = as_picture(image).astype(np.float32)
    share = np.where(_array(mask) == ignore, 0.0, opacity)[..., None]
    return np.rint((1 - share) * picture + share * colourise(mask, palette, ignore)).astype(np.uint8)


def as_picture(image: Any) -> np.ndarray:
    """Any image as (H, W, 3) uint8: (3, H, W), (1, H, W), (H, W) or (H, W, 3); floats are taken as 0..1."""
    image = _array(image)
    if image.ndim == 3 and image.shape[0] in (1, 3) and image.shape[-1] != 3:
        image = np.moveaxis(image, 0, -1)
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[-1] not in (1, 3):
        raise ValueError(f"an image is (3, H, W), (H, W, 3) or (H, W), not of shape {image.shape}.")
    if image.dtype != np.uint8:
        image = np.rint(np.clip(image.astype(np.float64), 0, 1) * 255).astype(np.uint8)
    return np.broadcast_to(image, (*image.shape[:2], 3))


def image_rows(
    rows: Sequence[Sequence[Any]],
    titles: Sequence[str] = (),
    row_titles: Sequence[str] = (),
    classes: Sequence[str] = (),
    palette: np.ndarray | None = None,
    largest_width: float = WIDTH,
) -> Figure:
    """Rows of panels, such as image | truth | prediction, with a class legend below.

    Args:
        rows: panels of each row: images, or masks (integers of shape (H, W)), which are coloured by `palette`.
        titles: one above each column.
        row_titles: one left of each row.
        classes, palette: names and colours; with both, the legend shows the classes that occur.
        largest_width: width in inches.
    """
    if not rows or len({len(row) for row in rows}) != 1:
        raise ValueError("image_rows needs at least one row, and as many panels in each.")
    present: set[int] = set()
    pictures = []
    for row in rows:
        pictures.append([])
        for panel in row:
            array = _array(panel)
            if array.ndim == 2 and array.dtype.kind in "iu" and palette is not None:
                present |= {int(label) for label in np.unique(array) if label != 255}
                array = colourise(array, palette)
            pictures[-1].append(as_picture(array))
    names = [(classes[i], palette[i]) for i in sorted(present)] if len(classes) and palette is not None else []
    columns = len(rows[0])
    panel_width = (largest_width - (0.3 if row_titles else 0)) / columns
    height = sum(panel_width * max(p.shape[0] / p.shape[1] for p in row) for row in pictures)
    legend_height = 0.2 * -(-len(names) // _legend_columns(names)) + 0.06 if names else 0
    with style():
        figure, grid = new_figure(height + 0.26 * bool(titles) + legend_height + 0.04 * len(rows), len(rows), columns,
                                  largest_width)  # fmt: skip
        for r, row in enumerate(pictures):
            for c, picture in enumerate(row):
                axes = grid[r][c]
                axes.imshow(picture, interpolation="nearest")
                axes.set(xticks=[], yticks=[])
                for spine in axes.spines.values():
                    spine.set(visible=True, color=PALE)
                if r == 0 and c < len(titles):
                    axes.set_title(titles[c], pad=4)
                if c == 0 and r < len(row_titles):
                    axes.set_ylabel(row_titles[r], labelpad=4)
        figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.015, hspace=0.015)
        if names:
            _class_legend(figure, names, "outside lower center")
    return figure


def image_row(panels: Mapping[str, Any], classes: Sequence[str] = (), palette: np.ndarray | None = None) -> Figure:
    """One row of panels with their titles: ``image_row({"image": x, "truth": y}, classes, palette)``."""
    return image_rows([list(panels.values())], list(panels), (), classes, palette)


def legend(classes: Sequence[str], palette: np.ndarray) -> Figure:
    """The colour of every class, on its own."""
    names = list(zip(classes, palette))
    with style():
        from matplotlib.figure import Figure

        lines = -(-len(names) // _legend_columns(names))
        figure = Figure(figsize=(WIDTH, 0.2 * lines + 0.12), layout="constrained")
        _class_legend(figure, names, "center")
    return figure


def error_map(image: Any, truth: Any, predictions: Mapping[str, Any], ignore: int = 255) -> Figure:
    """The image, and for each prediction the wrong pixels in vermilion on a faded grey image.

    Args:
        image: (3, H, W) or (H, W, 3).
        truth: (H, W); pixels with `ignore` are never wrong.
        predictions: title to mask (H, W). The title is followed by the share of wrong pixels.
        ignore: label of unlabelled pixels.
    """
    panels = {"image": as_picture(image)}
    for name, prediction in predictions.items():
        panel, share = errors(image, truth, prediction, ignore)
        panels[f"{name}: {100 * share:.1f} % wrong"] = panel
    return image_row(panels)


def errors(image: Any, truth: Any, prediction: Any, ignore: int = 255) -> tuple[np.ndarray, float]:
    """Wrong pixels in vermilion on a faded grey image, (H, W, 3) uint8, and their share of the labelled pixels."""
    truth, prediction = _array(truth), _array(prediction)
    if truth.shape != prediction.shape:
        raise ValueError(f"truth {truth.shape} and prediction {prediction.shape} differ in shape.")
    grey = as_picture(image).astype(np.float32).mean(-1, keepdims=True)
    picture = np.repeat(np.rint(0.45 * grey + 0.55 * 255), 3, axis=-1).astype(np.uint8)
    labelled = truth != ignore
    wrong = labelled & (truth != prediction)
    picture[wrong] = [int(VERMILION[i : i + 2], 16) for i in (1, 3, 5)]
    return picture, float(wrong.sum() / max(int(labelled.sum()), 1))


def _legend_columns(names: Sequence[tuple[str, Any]]) -> int:
    """As many columns as fit beside each other in the figure's width."""
    longest = max(len(name) for name, _ in names)
    return max(1, min(len(names), int(WIDTH / (0.085 * longest + 0.5))))


def _class_legend(figure: Figure, names: Sequence[tuple[str, Any]], place: str) -> None:
    from matplotlib.patches import Patch

    patches = [Patch(facecolor=np.asarray(colour) / 255, edgecolor="#888888", linewidth=0.5) for _, colour in names]
    figure.legend(
        patches, [name for name, _ in names], loc=place, ncols=_legend_columns(names), handlelength=1.1,
        handleheight=1.0, columnspacing=1.2, handletextpad=0.5, borderaxespad=0.0, labelspacing=0.35,
    )  # fmt: skip


def _array(values: Any) -> np.ndarray:
    """Array of an array, a list or a tensor on any device."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    return np.asarray(values)
