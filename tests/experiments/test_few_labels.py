"""One recipe: every method starts from the same segmentation network and sees the same labelled images."""

import pytest
import torch

from labelkit import runs
from labelkit.experiments import cps, few_labels

VALUES = {
    "paper": "few_labels", "run": "t", "budget": "smoke", "data": ["streets"], "arms": list(few_labels.ARMS),
    "seeds": [3], "steps": 3, "batch_size": 2, "learning_rate": 0.05, "height": 32, "width": 48, "images": 32,
    "test_images": 4, "pretraining": "none", "painter_width": 4, "painter_blocks": 1, "discriminator_width": 4,
    "evaluate_every": 3, "device": "cpu",
}  # fmt: skip


@pytest.fixture
def settings(tmp_path):
    return runs.parse(VALUES | {"results": str(tmp_path / "records")})


def predictor(method):
    """The network that predicts, whatever the method calls it."""
    return next(getattr(method, name) for name in ("network_a", "segmenter", "network") if hasattr(method, name))


def test_every_method_starts_from_the_same_segmentation_network(settings):
    wanted = predictor(few_labels.build("supervised-1/8", 16, settings, 5)).state_dict()
    for method in few_labels.METHODS:
        found = predictor(few_labels.build(f"{method}-1/8", 16, settings, 5)).state_dict()
        assert found.keys() == wanted.keys()
        for name, value in found.items():
            torch.testing.assert_close(value, wanted[name], rtol=0, atol=0, msg=f"{method}: {name}")


def test_every_method_sees_the_same_split_for_as_many_steps_and_its_labels_are_judged(settings):
    arms = [f"{method}-1/8" for method in few_labels.METHODS]
    records = runs.execute(settings.model_copy(update={"arms": arms}), show_progress=False)
    assert len({record["split"]["hash"] for record in records}) == 1
    assert {record["steps"] for record in records} == {3}
    for record in records:
        quality = record["metrics"]["streets-real/unlabelled/pseudo-labels"]
        shares = [each["share"] for each in quality["bins"].values()]
        assert sum(shares) == pytest.approx(1) and 0 <= quality["ece"] <= 1
        gaps = [
            each["share"] * abs(each["accuracy"] - each["confidence"])
            for each in quality["bins"].values()
            if each["share"]
        ]
        assert sum(gaps) == pytest.approx(quality["ece"])


def test_labels_alone_are_those_of_the_cps_chapter(settings, tmp_path):
    ours = runs.execute(settings.model_copy(update={"arms": ["supervised-1/4"]}), show_progress=False)[0]
    shared = {key: value for key, value in VALUES.items() if key in cps.Settings.model_fields}
    chapter = runs.parse(shared | {"paper": "cps", "arms": ["supervised-1/4"], "results": str(tmp_path / "cps")})
    theirs = runs.execute(chapter, show_progress=False)[0]
    key = "streets-real/test/whole-image"
    assert ours["metrics"][key] == theirs["metrics"][key] and ours["series"] == theirs["series"]


def test_the_recipe_reaches_dars_whole(settings):
    there = few_labels.settings_of_dars(settings.model_copy(update={"scales": [0.5, 2.0], "ratios": [0.3, 0.6]}))
    assert there.ratios == [0.3, 0.6] and there.scales == [0.5, 2.0]
    for key in ("steps", "batch_size", "learning_rate", "height", "width", "weight_decay", "pretraining", "device"):
        assert getattr(there, key) == getattr(settings, key)


def test_what_is_compared_names_arms_that_exist_and_equal_fractions():
    for fraction, contrasts in few_labels.COMPARISONS.items():
        for contrast in contrasts:
            assert set(contrast.weights) <= set(few_labels.ARMS)
            assert {few_labels.ARMS[arm][1] for arm in contrast.weights} == {fraction}
