"""Clouds on a page: the view and the still picture show the same points in the same colours."""

import base64
import json
import re
import sys

import numpy as np
import pytest
from mpl_toolkits.mplot3d import proj3d

from labelkit.figures import points3d

PALETTE = np.array([[200, 0, 0], [0, 200, 0], [0, 0, 200]], np.uint8)
CLASSES = ["chair", "table", "lamp"]
XYZ = np.array([[0.0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 0.5]])
LABELS = np.array([0, 2, 2, 255])


def drawn(page):
    """What the page hands to the script."""
    text = re.search(r"cloud=(\{.*\});\nfunction", page, re.S).group(1)
    return json.loads(text.replace("<\\/", "</"))


def array(packed):
    return np.frombuffer(base64.b64decode(packed["bdata"]), packed["dtype"])


def test_classes_left_out_points_and_the_key():
    layer = points3d.class_layer(LABELS, CLASSES, PALETTE)
    assert layer.index.tolist() == [0, 2, 2, -1] and layer.names == {0: "chair", 2: "lamp"}
    shown = points3d.class_layer(LABELS, CLASSES, PALETTE, shown=[True, False, True, True])
    assert shown.index.tolist() == [0, -1, 2, -1]
    with pytest.raises(ValueError, match="as many of each"):
        points3d.class_layer(LABELS, CLASSES[:2], PALETTE)


def test_values_become_shades_between_the_ends():
    layer = points3d.value_layer([0.0, 1.0, 5.0, np.nan], low=0.0, high=2.0)
    assert layer.index.tolist() == [0, 32, 63, -1] and set(layer.names.values()) == {"0", "2"}
    assert points3d.value_layer([3.0, 3.0]).index.tolist() == [0, 0]


def test_colours_of_few_points_are_kept():
    rgb = np.array([[255, 0, 0], [0, 255, 0], [255, 0, 0], [10, 20, 30]], np.uint8)
    layer = points3d.colour_layer(rgb)
    assert (layer.palette[layer.index] == rgb).all()
    assert (points3d.colour_layer(rgb / 255).index == layer.index).all()


def test_a_view_holds_every_layer_once_and_shows_the_first():
    pytest.importorskip("plotly")
    layers = {"truth": points3d.class_layer(LABELS, CLASSES, PALETTE), "height": points3d.value_layer(XYZ[:, 2])}
    page = points3d.cloud_view(XYZ, layers, "a < b", 3)
    assert points3d.MARK in page and "<strong>Figure 3.</strong> a &lt; b</figcaption>" in page
    found = drawn(page)
    assert [trace["name"] for trace in found["data"]] == ["truth", "height"]
    assert [trace["visible"] for trace in found["data"]] == [True, False]
    first = found["data"][0]
    steps = first["marker"]["colorscale"]
    for point, place in enumerate(array(first["marker"]["color"])):
        expected = points3d.UNSHOWN if LABELS[point] == 255 else PALETTE[LABELS[point]]
        assert steps[2 * place][1] == "rgb({},{},{})".format(*expected)
    centimetres = np.stack([array(first[axis]) for axis in "xyz"], 1)
    np.testing.assert_allclose(centimetres / 100, XYZ - XYZ.mean(0), atol=0.0051)
    menu = found["layout"]["updatemenus"][0]["buttons"]
    assert [button["args"][0]["visible"] for button in menu] == [[True, False], [False, True]]
    assert points3d.cloud_view(XYZ, layers, "a < b", 3) == page  # no random name in what is committed


def test_names_cannot_end_the_script():
    pytest.importorskip("plotly")
    page = points3d.cloud_view(XYZ, {"</script><b>": points3d.value_layer(XYZ[:, 2])}, "caption")
    assert page.count("</script>") == 1 and drawn(page)["data"][0]["name"] == "</script><b>"


def test_without_plotly_a_sentence_stands_in_its_place(monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)
    page = points3d.cloud_view(XYZ, {"height": points3d.value_layer(XYZ[:, 2])}, "caption")
    assert "needs plotly" in page and points3d.MARK not in page


def test_the_still_picture_has_a_panel_a_layer_and_one_key():
    layers = {
        "truth": points3d.class_layer(LABELS, CLASSES, PALETTE),
        "labelled": points3d.class_layer(LABELS, CLASSES, PALETTE, shown=[True, False, False, False]),
        "height": points3d.value_layer(XYZ[:, 2]),
    }
    figure = points3d.cloud_panels(XYZ, layers)
    *panels, bar = figure.axes
    assert [axes.get_title() for axes in panels] == list(layers)
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == ["chair", "lamp"]  # shades stand on a bar of their own
    assert bar.get_xlabel() == "value" and [text.get_text() for text in bar.get_xticklabels()] == ["0", "0.5"]


def test_words_stand_at_their_values_along_the_shades_in_view_and_still():
    layer = points3d.value_layer([-2.0, -1.0, 0.0], -2.0, 0.0, "pull", {-2.0: "1/100", -1.0: "1/10", 0.0: "1"})
    assert dict(layer.names) == {0: "1/100", 32: "1/10", 63: "1"}
    figure = points3d.cloud_panels(XYZ[:3], {"one": layer, "other": layer})
    assert len(figure.axes) == 3 and figure.axes[2].get_xlabel() == "pull" and not figure.legends
    pytest.importorskip("plotly")
    page = points3d.cloud_view(
        XYZ[:3], {"one": layer, "classes": points3d.class_layer([0, 1, 2], CLASSES, PALETTE)}, "c"
    )
    shades, classes = (trace["marker"] for trace in drawn(page)["data"])
    assert shades["colorbar"]["ticktext"] == ["1/100", "1/10", "1"] and shades["colorbar"]["tickvals"] == [1, 33, 64]
    assert array(shades["color"])[1] == 33 and "colorbar" not in classes


def test_no_point_of_a_still_touches_its_title():
    rng = np.random.default_rng(0)
    for stretch in ([8, 5, 3], [1, 1, 9], [9, 0, 0]):
        xyz = rng.random((200, 3)) * stretch
        figure = points3d.cloud_panels(xyz, {name: points3d.value_layer(xyz[:, 2]) for name in "abc"}, columns=3)
        figure.draw_without_rendering()
        for axes in figure.axes[:3]:
            top = axes.get_window_extent().y1
            title = axes.title.get_window_extent()
            assert top <= title.y0 and title.y1 <= figure.bbox.y1
            across, up, _ = proj3d.proj_transform(*xyz.T, axes.get_proj())
            places = axes.transData.transform(np.stack([across, up], 1))
            assert places[:, 1].max() < top and places[:, 1].max() > axes.get_window_extent().y0


def test_too_many_points_and_layers_of_another_length_are_refused():
    many = np.zeros((points3d.MOST_POINTS + 1, 3))
    with pytest.raises(ValueError, match="choose some with `thinned`"):
        points3d.cloud_view(many, {"x": points3d.value_layer(many[:, 0])}, "caption")
    for draw in (points3d.cloud_panels, lambda *a: points3d.cloud_view(*a, "caption")):
        with pytest.raises(ValueError, match="layer 'x' has 3 points"):
            draw(XYZ, {"x": points3d.value_layer(XYZ[:3, 0])})
        with pytest.raises(ValueError, match="without a layer"):
            draw(XYZ, {})
    kept = points3d.thinned(len(many))
    assert len(np.unique(kept)) == points3d.MOST_POINTS and (np.diff(kept) > 0).all()
    assert points3d.thinned(7).tolist() == list(range(7))
