"""Colours of masks, rows of panels, errors."""

import numpy as np
import pytest
import torch

from labelkit import figures

PALETTE = np.array([[10, 20, 30], [200, 0, 0], [0, 0, 250]], np.uint8)
MASK = np.array([[0, 1], [2, 255]])


def test_colourise():
    expected = [[[10, 20, 30], [200, 0, 0]], [[0, 0, 250], [255, 255, 255]]]
    assert figures.colourise(MASK, PALETTE).tolist() == expected
    assert figures.colourise(torch.from_numpy(MASK), PALETTE).tolist() == expected


def test_colourise_with_another_ignored_label():
    assert figures.colourise([[0, 1]], PALETTE, ignore=1).tolist() == [[[10, 20, 30], [255, 255, 255]]]


@pytest.mark.parametrize("label", [3, -1, 254])
def test_colourise_refuses_labels_without_a_colour(label):
    with pytest.raises(ValueError, match=f"label {label} in the mask, but the palette has 3 classes"):
        figures.colourise([[0, label]], PALETTE)


def test_overlay_mixes_labels_and_leaves_the_rest():
    image = torch.full((3, 2, 2), 100 / 255)
    mixed = figures.overlay(image, MASK, PALETTE, opacity=0.5)
    assert mixed[0, 1].tolist() == [150, 50, 50]
    assert mixed[1, 1].tolist() == [100, 100, 100]


@pytest.mark.parametrize("shape", [(3, 4, 5), (4, 5, 3), (1, 4, 5), (4, 5)])
def test_pictures_of_any_layout(shape):
    picture = figures.as_picture(np.full(shape, 0.5, np.float32))
    assert picture.shape == (4, 5, 3) and picture.dtype == np.uint8 and set(picture.ravel()) == {128}


def test_pictures_are_clipped_and_odd_shapes_refused():
    assert figures.as_picture(np.array([[-1.0, 2.0]])).tolist() == [[[0, 0, 0], [255, 255, 255]]]
    with pytest.raises(ValueError, match=r"\(2, 4, 5\)"):
        figures.as_picture(np.zeros((2, 4, 5)))


def test_errors_count_labelled_pixels_only():
    truth, prediction = np.array([[0, 1], [2, 255]]), np.array([[0, 0], [2, 1]])
    picture, share = figures.errors(np.zeros((3, 2, 2)), truth, prediction)
    assert share == pytest.approx(1 / 3)
    coloured = [tuple(p) == (213, 94, 0) for p in picture.reshape(-1, 3)]
    assert coloured == [False, True, False, False]
    with pytest.raises(ValueError, match="differ in shape"):
        figures.errors(np.zeros((3, 2, 2)), truth, prediction[:1])


def test_rows_have_titles_and_a_legend_of_the_classes_that_occur():
    image, mask = np.zeros((3, 6, 8)), np.zeros((6, 8), int)
    mask[0] = 2
    figure = figures.image_rows([[image, mask]] * 2, ["image", "truth"], ["a", "b"], ["sky", "car", "road"], PALETTE)
    assert [axes.get_title() for axes in figure.axes] == ["image", "truth", "", ""]
    assert [axes.get_ylabel() for axes in figure.axes] == ["a", "", "b", ""]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["sky", "road"]


def test_rows_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="as many panels"):
        figures.image_rows([[MASK], [MASK, MASK]], palette=PALETTE)


def test_error_map_writes_the_share_above_the_panel():
    figure = figures.error_map(np.zeros((3, 2, 2)), [[0, 1], [1, 255]], {"plain": np.zeros((2, 2), int)})
    assert figure.axes[1].get_title() == "plain: 66.7 % wrong"


def test_legend_of_all_classes():
    figure = figures.legend(["sky", "car", "road"], PALETTE)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["sky", "car", "road"]
