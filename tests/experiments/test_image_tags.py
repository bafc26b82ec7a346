"""One recipe for image tags: the same trunk, steps and last stage for every method; labels are made without masks."""

import pytest
import torch

from labelkit import runs
from labelkit.datasets.memory import InMemory
from labelkit.experiments import ficklenet, image_tags, tagging

VALUES = {
    "paper": "image_tags", "run": "t", "budget": "smoke", "data": ["objects"], "arms": list(image_tags.ARMS),
    "seeds": [3], "steps": 4, "batch_size": 6, "learning_rate": 0.05, "height": 32, "width": 32, "images": 18,
    "test_images": 4, "segmentation_steps": 2, "segmentation_batch_size": 4, "counts": [2], "head_width": 4,
    "device": "cpu",
}  # fmt: skip


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    settings = runs.parse(VALUES | {"results": str(tmp_path_factory.mktemp("tags") / "records")})
    return {record["arm"]: record for record in runs.execute(settings, show_progress=False)}


def test_every_method_has_its_maps_labels_and_segmentation_judged(records):
    assert set(records) == set(image_tags.ARMS)
    for arm, record in records.items():
        stages = {key.partition("/")[2]: values for key, values in record["metrics"].items()}
        for protocol, metric in image_tags.STAGES.items():
            if arm != "supervised" or protocol == "test/whole-image":
                assert 0 <= stages[protocol][metric] <= 1, (arm, protocol)


def test_every_method_takes_as_many_steps(records):
    taken = {arm: record["steps"] for arm, record in records.items()}
    assert taken.pop("supervised") == 2 and set(taken.values()) == {4 + 2}


def test_every_comparison_names_arms_and_numbers_that_records_have(records):
    for protocol, contrasts in image_tags.COMPARISONS.items():
        for contrast in contrasts:
            for arm in contrast.weights:
                held = next(v for key, v in records[arm]["metrics"].items() if key.endswith(protocol))
                assert contrast.metric in held


def test_the_recipe_reaches_the_papers_settings_and_their_defaults_do_not_replace_it():
    settings = runs.parse(VALUES)
    here = image_tags._settings(ficklenet.Settings, settings, paper="ficklenet")
    assert here.paper == "ficklenet" and here.kernel_size == 5 and here.counts == [2]
    for key in tagging.TagSettings.model_fields:
        if key not in ("paper", "arms"):
            assert getattr(here, key) == getattr(settings, key), key


def test_labels_do_not_depend_on_masks(tmp_path, monkeypatch):
    """The same labels whether the training masks are the truth or noise."""
    settings = runs.parse(VALUES | {"steps": 2})
    context = runs.context(settings)
    data = tagging.load_data("objects", settings, context)

    class Noise(InMemory):
        def __getitem__(self, index):
            sample = super().__getitem__(index)
            drawn = torch.Generator().manual_seed(index)  # training draws from the global one
            return sample | {"mask": torch.randint(0, 9, sample["mask"].shape, generator=drawn)}

    noisy = tagging.TagData(Noise(data.train.dataset), data.val, data.test, data.rarest)
    for arm in ("_cam", "_ficklenet", "_group", "_auxsegnet"):
        made = []
        for number, parts in enumerate((data, noisy)):
            monkeypatch.setattr(tagging, "load_data", lambda *_, parts=parts: parts)
            folder = tmp_path / f"{arm}{number}"
            folder.mkdir()
            here = type(context)("cpu", folder, folder)
            made.append(getattr(image_tags, arm)("objects", parts, 0, settings, here)[1])
        assert torch.equal(*made), arm
