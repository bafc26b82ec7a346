"""Curves, dots, the forest plot and diagrams show the numbers they are given."""

import math

import numpy as np
import pytest

from labelkit import figures
from labelkit.figures.style import VERDICT_STYLE, png
from labelkit.verdicts import STATUSES, Effect, Verdict


def test_seed_curve_draws_mean_and_range():
    values = np.array([[0.1, 0.3], [0.3, 0.4]])
    figure = figures.seed_curve({"one": ([1, 2], values)}, "step", "mIoU", scale=100)
    axes = figure.axes[0]
    assert axes.lines[0].get_ydata() == pytest.approx([20, 35])
    band = axes.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == pytest.approx((10, 40))


def test_seed_curve_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="curve 'one'"):
        figures.seed_curve({"one": ([1, 2, 3], np.zeros((2, 2)))}, "x", "y")
    with pytest.raises(ValueError, match="'std'"):
        figures.seed_curve({}, "x", "y", band="std")


def test_curves_differ_in_more_than_colour():
    curves = {name: ([1, 2], np.zeros((2, 2))) for name in "abcde"}
    lines = figures.seed_curve(curves, "x", "y").axes[0].lines
    assert len({line.get_marker() for line in lines}) == len({line.get_color() for line in lines}) == 5


def test_paired_dots_joins_the_seeds():
    arms = {"a": {0: 0.4, 1: 0.5, 2: 0.6}, "b": {0: 0.41, 1: 0.52}}
    axes = figures.paired_dots(arms).axes[0]
    joined = [line.get_xdata() for line in axes.lines[:3]]
    assert [list(map(float, x)) for x in joined] == [
        pytest.approx([40, 41]),
        pytest.approx([50, 52]),
        pytest.approx([60]),
    ]
    assert [text.get_text() for text in axes.texts] == ["50.0", "46.5"]


def test_class_bars_are_paired_means():
    before, after = np.array([[0.5, np.nan], [0.7, np.nan]]), np.array([[0.52, np.nan], [0.68, np.nan]])
    axes = figures.class_delta_bars(before, after + np.array([[0.01, 0]]), ["road", "car"]).axes[0]
    assert axes.patches[0].get_width() == pytest.approx(1.0)
    assert [text.get_text().strip() for text in axes.texts] == ["absent"]
    with pytest.raises(ValueError, match="must both be"):
        figures.class_delta_bars(before, after[:1], ["road", "car"])


def test_attention_bars_mark_the_truth():
    palette = np.array([[0, 0, 0], [255, 0, 0]], np.uint8)
    figure = figures.attention_bars({"a pixel": [0.25, 0.75]}, ["road", "car"], palette, truth="car")
    assert [bar.get_width() for bar in figure.axes[0].patches] == [0.25, 0.75]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["road", "▸ car"]


def test_attention_bars_mark_the_truth_of_each_panel():
    palette, weights = np.zeros((3, 3), np.uint8), [0.2, 0.7, 0.1]
    panels = {"first": weights, "second": weights, "third": weights}
    classes = ["road", "car", "sky"]
    figure = figures.attention_bars(panels, classes, palette, truth={"first": "car", "second": np.int64(2)})
    arrows = [[(text.get_text(), text.xy) for text in axes.texts] for axes in figure.axes]
    assert arrows == [[("◂", (0.7, 1))], [("◂", (0.1, 2))], []]
    bold = [[bar.get_linewidth() > 1 for bar in axes.patches] for axes in figure.axes]
    assert bold == [[False, True, False], [False, False, True], [False, False, False]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["◂  the pixel's true class"]
    assert all("▸" not in label.get_text() for label in figure.axes[0].get_yticklabels())


@pytest.mark.parametrize("truth", ["bus", {"a pixel": "bus"}, {"a pixel": 2}, {"a pixel": -1}, {"other": 0}])
def test_attention_bars_refuse_a_truth_that_is_not_there(truth):
    with pytest.raises(ValueError, match="truth names"):
        figures.attention_bars({"a pixel": [0.25, 0.75]}, ["road", "car"], np.zeros((2, 3), np.uint8), truth)


def test_labels_follow_the_unit():
    times = {"a": {0: 12.0, 1: 14.0}}
    axes = figures.paired_dots(times, metric="time of a frame", unit="ms").axes[0]
    assert axes.get_xlabel() == "time of a frame (ms)" and axes.texts[0].get_text() == "13.0"
    assert axes.lines[0].get_xdata()[0] == 12.0
    assert figures.paired_dots({"a": {0: 0.5}}).axes[0].get_xlabel() == "mIoU (points)"
    assert figures.paired_dots(times, "own words", 1.0).axes[0].get_xlabel() == "own words"
    bars = figures.class_delta_bars(np.array([[3.0]]), np.array([[5.0]]), ["car"], metric="depth error", unit="m").axes[
        0
    ]
    assert bars.patches[0].get_width() == 2 and bars.get_xlabel() == "depth error difference (m)"
    default = figures.class_delta_bars(np.zeros((1, 1)), np.zeros((1, 1)), ["car"]).axes[0]
    assert default.get_xlabel() == "IoU difference (points)"


def test_confusion_is_in_percent_of_the_truth():
    axes = figures.confusion_heatmap(np.array([[3, 1], [0, 0]]), ["road", "car"]).axes[0]
    assert axes.images[0].get_array()[0].tolist() == [75, 25]
    assert [text.get_text() for text in axes.texts] == ["no true pixels", "75", "25"]
    with pytest.raises(ValueError, match="for 3 classes"):
        figures.confusion_heatmap(np.zeros((2, 2)), ["a", "b", "c"])


def test_cost_curves_share_sizes():
    figure = figures.cost_curve([16, 64], {"ms": {"a": [1, 2], "b": [1, 4]}, "MiB": {"a": [3, math.nan]}})
    assert [axes.get_title() for axes in figure.axes] == ["ms", "MiB"]
    assert len(figure.legends[0].get_texts()) == 2


def effect(name, mean, half, status="supported"):
    return Effect(name, status, mean, mean - half, mean + half, 5)


def verdict(claim, *effects):
    return Verdict("supported", effects, claim=claim)


def intervals(axes):
    """Horizontal segments of two points: one for each interval drawn."""
    segments = [line for line in axes.lines if len(line.get_xdata()) == 2 and line.get_zorder() == 2]
    return [tuple(map(float, line.get_xdata())) for line in segments]


def test_forest_draws_one_interval_for_each_effect():
    world = [verdict("C1", effect("a", 0.01, 0.005), effect("b", -0.01, 0.002, "contradicted")), verdict("C2")]
    real = [verdict("C1", effect("a", 0.02, 0.01)), verdict("C2", Effect.absent("c", "not yet run"))]
    figure = figures.forest({"CPS": {"world": world, "real": real}})
    assert [axes.get_title() for axes in figure.axes] == ["world", "real"]
    assert intervals(figure.axes[0]) == [pytest.approx((0.5, 1.5)), pytest.approx((-1.2, -0.8))]
    assert intervals(figure.axes[1]) == [pytest.approx((1.0, 3.0))]
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["CPS", "C1  a", "C1  b"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["supported", "contradicted"]


def test_forest_shows_a_huge_effect_as_an_arrow():
    effects = [effect(str(i), 0.01 + 0.001 * i, 0.002) for i in range(7)] + [effect("huge", 0.4, 0.01)]
    figure = figures.forest({"OCR": {"world": [verdict("O1", *effects)]}})
    axes = figure.axes[0]
    assert len(intervals(axes)) == 7
    assert "+40" in [text.get_text() for text in axes.texts]
    assert axes.get_xlim()[1] < 10
    assert len(intervals(figures.forest({"OCR": {"w": [verdict("O1", *effects)]}}, limit=50).axes[0])) == 8


def test_forest_puts_only_differences_in_points_on_its_axis():
    milliseconds = Effect("time", "supported", -8.0, -9.0, -7.0, 5, {}, "ms")
    level = Effect("level", "supported", 0.92, 0.91, 0.93, 5, {}, "points", 0.9, "above 90", False)
    axes = figures.forest({"X": {"w": [verdict("A", milliseconds, level, effect("a", 0.01, 0.005))]}}).axes[0]
    assert intervals(axes) == [pytest.approx((0.5, 1.5))] and axes.get_xlabel() == "effect (points)"
    assert [text.get_text() for text in axes.get_yticklabels()] == ["X", "A  a"]
    with pytest.raises(ValueError, match="nothing to draw"):
        figures.forest({"X": {"w": [verdict("A", milliseconds, level)]}})


def test_forest_marks_the_bar_of_a_margin():
    margin = Effect("as good", "supported", -0.001, -0.002, 0.0, 5, {}, "points", -0.005, "above −0.5")
    figure = figures.forest({"X": {"w": [verdict("A", margin, effect("a", 0.01, 0.005))]}})
    strokes = [list(map(float, line.get_xdata())) for line in figure.axes[0].lines]
    assert [-0.5, -0.5] in strokes and figure.axes[0].get_xlim()[0] < -0.5
    assert "bar asked for" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_forest_without_effects_says_so():
    ratio = Effect("time", "supported", 7.0, math.nan, math.nan, 1, {}, "times", 5)
    with pytest.raises(ValueError, match="nothing to draw"):
        figures.forest({"OCR": {"world": [verdict("O4b", ratio)]}})


def test_every_verdict_has_its_own_look():
    assert set(VERDICT_STYLE) == set(STATUSES)
    assert len({marker for _, marker, _ in VERDICT_STYLE.values()}) == len(STATUSES)
    assert len({symbol for _, _, symbol in VERDICT_STYLE.values()}) == len(STATUSES)


def test_diagram_names_what_is_missing():
    boxes = {"x": figures.Box(1, 1, "images", "data"), "f": figures.Box(3, 1, "network", "network")}
    figure = figures.diagram(boxes, [figures.Arrow("x", "f", "goes in")], 2)
    assert {"images", "network", "goes in"} <= {text.get_text() for text in figure.axes[0].texts}
    with pytest.raises(ValueError, match="names box 'g'; there are x, f"):
        figures.diagram(boxes, [figures.Arrow("x", "g")], 2)
    with pytest.raises(ValueError, match="'cloud'"):
        figures.diagram({"x": figures.Box(1, 1, "x", "cloud")}, [], 2)


def test_drawing_leaves_global_settings_alone_and_is_repeatable():
    import matplotlib

    before = dict(matplotlib.rcParams)
    drawn = [png(figures.paired_dots({"a": {0: 0.4, 1: 0.5}})) for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert dict(matplotlib.rcParams) == before


def test_large_pictures_are_reduced():
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    data = png(figures.image_row({"a": noise, "b": noise[::-1]}))
    assert data.startswith(b"\x89PNG") and len(data) < 400_000
