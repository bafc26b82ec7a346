"""Films and heat maps of the video chapter."""

import base64
import io
import re

import numpy as np
import pytest
import torch
from PIL import Image

from labelkit.figures.clips import animation, film, heat

PALETTE = np.array([[255, 0, 0], [0, 0, 255]], np.uint8)


def frames(number):
    masks = torch.zeros(number, 4, 6, dtype=torch.int64)
    for t in range(number):
        masks[t, :, t] = 1
    return film({"picture": list(torch.rand(number, 3, 4, 6)), "classes": list(masks)}, PALETTE, width=60)


def test_an_animation_has_all_frames_and_a_still_and_says_what_it_shows():
    page = str(animation(frames(5), 0.1, "Five <moments>.", 'A "film".', 3))
    moving = Image.open(io.BytesIO(base64.b64decode(re.search(r"image/gif;base64,([^\"]+)", page)[1])))
    still = Image.open(io.BytesIO(base64.b64decode(re.search(r"image/png;base64,([^\"]+)", page)[1])))
    assert moving.n_frames == 5 and moving.info["loop"] == 0 and moving.info["duration"] == 100
    assert moving.size == still.size == (124, 58)
    assert "prefers-reduced-motion" in page and "<figcaption" in page and "Figure 3." in page
    assert 'alt="A &quot;film&quot;."' in page and "Five &lt;moments&gt;." in page


def test_masks_keep_their_colours():
    picture = frames(3)[2]
    panel = picture[18:, 64:]
    assert tuple(panel[20, 25]) == (0, 0, 255) and tuple(panel[20, 5]) == (255, 0, 0)


def test_panels_of_unequal_length_and_figures_without_words_are_refused():
    with pytest.raises(ValueError, match="expected as many"):
        film({"a": [np.zeros((4, 6, 3), np.uint8)], "b": []})
    with pytest.raises(ValueError, match="caption"):
        animation(frames(2), 0.1, " ", "alt")


def test_heat_is_brighter_for_more_and_white_for_nothing():
    colours = heat(torch.tensor([[0.0, 0.5, 1.0, float("nan")]])).astype(int)
    assert colours[0, 0].sum() < colours[0, 1].sum() < colours[0, 2].sum() < colours[0, 3].sum() == 765
