"""Figures and tables that chapters share. Drawing functions return a matplotlib Figure; `show` puts it on a page."""

from labelkit.figures.curves import cost_curve, seed_curve
from labelkit.figures.diagram import Arrow, Box, diagram
from labelkit.figures.dots import attention_bars, class_delta_bars, confusion_heatmap, paired_dots
from labelkit.figures.forest import forest
from labelkit.figures.images import (
    as_picture,
    colourise,
    error_map,
    errors,
    image_row,
    image_rows,
    legend,
    overlay,
)
from labelkit.figures.page import Html, figure_html, show, source, table
from labelkit.figures.tables import badge, published_table, verdict_card, verdict_lines

__all__ = [
    "Arrow",
    "Box",
    "Html",
    "as_picture",
    "attention_bars",
    "badge",
    "class_delta_bars",
    "colourise",
    "confusion_heatmap",
    "cost_curve",
    "diagram",
    "error_map",
    "errors",
    "figure_html",
    "forest",
    "image_row",
    "image_rows",
    "legend",
    "overlay",
    "paired_dots",
    "published_table",
    "seed_curve",
    "show",
    "source",
    "table",
    "verdict_card",
    "verdict_lines",
]
