"""Blank data have the kind, the classes and the size of the data that they stand for."""

from pathlib import Path

import pytest
import torch

from labelkit.datasets.blank import classes_of, parts
from labelkit.experiments.data import find
from labelkit.validated import read_yaml

RUNS = Path(__file__).resolve().parents[2] / "data" / "runs"
REAL = sorted(
    {name for path in RUNS.glob("*/*.yaml") for name in read_yaml(path)["data"] if not find(name).drawn}
)  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_every_data_set_of_a_run_file_has_a_blank(name):
    classes, palette = classes_of(name.partition("-")[0])
    assert len(classes) == len(palette) > 1
    assert find(f"blank-{name}").module == "labelkit.datasets.blank"


def test_images_come_at_the_size_of_the_files_or_at_the_one_asked_for():
    own = parts(Path(), "cityscapes-official")
    assert own["train"][0]["image"].shape == (3, 1024, 2048) and own["test"][0]["mask"].shape == (256, 512)
    assert len(own["train"].classes) == 19
    asked = parts(Path(), "voc2012-official", height=96, width=128)["train"]
    sample = asked[3]
    assert sample["image"].shape == (3, 96, 128) and 0 <= sample["image"].min() < sample["image"].max() <= 1
    assert set(sample["mask"].unique().tolist()) == {*range(21), 255}
    assert sample["tags"].sum() == 2 and torch.equal(sample["tags"], asked[2]["tags"])
    with pytest.raises(IndexError, match="sample 8"):
        asked[8]


def test_whole_images_with_a_class_are_cropped_for_the_test_alone():
    found = parts(Path(), "ilsvrc2012", height=224, width=224)
    assert len(found["train"].classes) == 1000 and found["train"][0]["image"].shape == (3, 375, 500)
    assert found["test"][1]["image"].shape == found["train"].centred(224, 224)[0]["image"].shape == (3, 224, 224)


def test_clips_have_flow_and_test_small():
    found = parts(Path(), "viper_vps", height=128, width=256, frames=4)
    clip = found["target_train"][1]
    assert clip["frames"].shape == (4, 3, 128, 256) and clip["flow"].shape == (3, 2, 128, 256)
    assert found["source_train"].classes[0] == "road" and len(found["clip"].classes) == 15
    assert found["target_test"][0]["masks"].shape == (4, 32, 64)


def test_scenes_have_objects_that_their_map_shows():
    scene = parts(Path(), "isaid")["train"][0]
    assert len(scene["labels"]) == len(scene["boxes"]) == int(scene["instances"].max()) == 234
    left, top, right, bottom = scene["boxes"][9].int().tolist()
    assert (scene["instances"][top:bottom, left:right] == 10).all()


def test_rooms_fill_a_grid_of_four_centimetres():
    room = parts(Path(), "s3dis")["val"][0]
    assert room["xyz"].shape == room["rgb"].shape and len(room["label"]) == len(room["xyz"])
    cells = torch.unique((room["xyz"] / 0.04).floor().long(), dim=0)
    assert len(cells) > 0.8 * 6 / 0.04**2  # of the cells of six sides of a square metre


def test_a_name_without_a_reader_is_refused():
    with pytest.raises(ValueError, match="'nowhere' has no reader"):
        parts(Path(), "nowhere-official")
    with pytest.raises(ValueError, match="does not say its classes"):
        parts(Path(), "streams")
