"""Saliency maps from files stand beside their pictures, or their absence is said."""

import numpy as np
import pytest
import torch
from PIL import Image

from labelkit.datasets.saliency_maps import SaliencyMaps, folder_of


class Pictures:
    names = ("a", "b é")
    classes = ("background", "cat")

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return {"image": torch.zeros(3, 4, 6), "name": self.names[index]}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "saliency" / "voc2012"
    folder.mkdir(parents=True)
    for number, name in enumerate(Pictures.names):
        values = np.full((4, 6), 51 * (number + 1), np.uint8)
        Image.fromarray(values).save(folder / f"{name}.png")
    return folder


def test_variants_of_a_data_set_share_a_folder(folder, tmp_path):
    assert folder_of(tmp_path, "voc2012-official") == folder_of(tmp_path, "voc2012") == folder
    assert folder_of(tmp_path, "coco") is None and folder_of(None, "voc2012") is None


def test_samples_gain_their_map_and_keep_the_rest(folder):
    found = SaliencyMaps(Pictures(), folder)
    assert len(found) == 2 and found.classes == Pictures.classes
    assert torch.allclose(found[1]["saliency"], torch.full((1, 4, 6), 0.4)) and found[1]["name"] == "b é"


def test_a_map_follows_the_size_at_which_its_picture_is_delivered(folder):
    ramp = np.tile(np.arange(0, 240, 20, dtype=np.uint8), (8, 1))
    Image.fromarray(ramp).save(folder / "a.png")
    saliency = SaliencyMaps(Pictures(), folder)[0]["saliency"]
    assert saliency.shape == (1, 4, 6) and (saliency.diff(dim=-1) > 0).all()
    assert saliency.mean().item() == pytest.approx(ramp.mean() / 255, abs=1e-3)


def test_a_missing_map_is_named_where_all_are_needed(folder):
    (folder / "a.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"a\.png does not exist, nor do 0 other .* each of 2 pictures"):
        SaliencyMaps(Pictures(), folder)
    assert "saliency" not in SaliencyMaps(Pictures(), folder, needed=False)[0]


@pytest.mark.parametrize(("change", "sentence"), [("colour", "has the mode RGB: 8 bits"), ("cut", "is not a readable")])
def test_what_is_no_map_is_refused(folder, change, sentence):
    path = folder / "a.png"
    if change == "colour":
        Image.new("RGB", (6, 4)).save(path)
    else:
        path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(ValueError, match=rf"a\.png {sentence}"):
        SaliencyMaps(Pictures(), folder)[0]


def test_the_fingerprint_knows_every_byte(folder):
    before = SaliencyMaps(Pictures(), folder).maps_fingerprint
    assert SaliencyMaps(Pictures(), folder).maps_fingerprint == before
    Image.fromarray(np.zeros((4, 6), np.uint8)).save(folder / "a.png")
    assert SaliencyMaps(Pictures(), folder).maps_fingerprint != before
