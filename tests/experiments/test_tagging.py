"""The frame of the image-tag papers: truth stays out of training, stages share what they must share."""

import pytest
import torch
from torch import nn

from labelkit.datasets.relabelled import Relabelled
from labelkit.experiments import saliency, segmentation, tagging
from labelkit.experiments.settings import Context
from labelkit.methods.supervised import Supervised, TagClassifier
from labelkit.models.lesson_tags import LessonTagger, LessonTrunk

SETTINGS = tagging.TagSettings(
    paper="any", run="test", budget="smoke", data=["objects"], arms=["any"], seeds=[0], steps=3, batch_size=4,
    learning_rate=0.05, height=32, width=32, images=12, test_images=8, segmentation_steps=3,
    segmentation_batch_size=4,
)  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tagging.load_data(
        "objects", SETTINGS, Context("cpu", tmp_path_factory.mktemp("w"), tmp_path_factory.mktemp("s"))
    )


def context(folder):
    return Context("cpu", folder, folder)


def tagger(data, folder):
    torch.manual_seed(0)
    method = TagClassifier(LessonTagger(len(data.foreground), width=4))
    stream = segmentation.stream_of(data, range(len(data.train)), 0, 0, SETTINGS, context(folder))
    outcome = tagging.train_tagger(
        method, stream, label="test", data=data, settings=SETTINGS, context=context(folder), seed=0,
        images_a_step=4, network=method.network,
    )  # fmt: skip
    return method, outcome


def test_tags_belong_to_the_classes_after_background(data):
    assert data.classes[0] == "background" and data.foreground == data.classes[1:]
    sample = data.train[0]
    shown = set(sample["mask"].unique().tolist()) - {0, 255}
    assert shown <= {c + 1 for c in range(len(data.foreground)) if sample["tags"][c] > 0}


def test_a_classifier_is_tested_by_its_tags(data, tmp_path):
    method, outcome = tagger(data, tmp_path)
    assert outcome.steps == 3 and outcome.images_seen == 12
    values = outcome.metrics[f"{data.test.name}/test/tags"]
    assert 0 <= values["tag_accuracy"] <= 1 and set(values["average_precision"]) == set(data.foreground)
    assert not method.training and "val_map" in outcome.series


def test_labels_are_made_without_the_truth(data, tmp_path):
    seen = []

    def label_of(batch):
        seen.append(set(batch))
        return torch.zeros(len(batch["image"]), *batch["image"].shape[-2:], dtype=torch.long)

    labels = tagging.label_all(label_of, data, context(tmp_path))
    assert labels.shape == (12, 32, 32) and labels.dtype == torch.uint8
    assert all(not keys & {"mask", "parts", "instances"} and {"image", "tags", "saliency"} <= keys for keys in seen)
    assert set(Relabelled(data.train, labels)[0]) == {"image", "mask"}
    judged = tagging.judge_labels(labels, data)
    assert judged["coverage"] == 1.0 and judged["recall"] == 0.0


def test_maps_that_are_the_truth_are_judged_perfect(data, tmp_path):
    order = iter(range(12))

    def maps_of(images, tags):
        truth = torch.stack([data.train[next(order)]["mask"] for _ in images])
        return torch.stack([(truth == c + 1).float() for c in range(len(data.foreground))], 1)

    judged = tagging.judge_maps(maps_of, data, context(tmp_path))
    assert judged["miou_best"] == pytest.approx(1.0) and judged["recall_part"] == judged["recall_body"] == 1.0


def test_the_last_stage_learns_from_labels_and_not_from_masks(data, tmp_path):
    labels = torch.full((12, 32, 32), 255, dtype=torch.uint8)
    labels[:, 0, 0] = 3
    method = Supervised(nn.Conv2d(3, len(data.classes), 1))
    before = method.network.bias.detach().clone()
    tagging.train_segmentation(
        labels, label="test", data=data, settings=SETTINGS, context=context(tmp_path), seed=0, method=method
    )
    raised = (method.network.bias.detach() - before) > 0
    assert raised.nonzero().flatten().tolist() == [3]  # the one label that there was


def test_all_arms_of_a_seed_start_the_last_stage_alike(data, tmp_path):
    labels = torch.zeros(12, 32, 32, dtype=torch.uint8)
    settings = SETTINGS.model_copy(update={"segmentation_steps": 1, "segmentation_learning_rate": 1.0e-12})

    def run(name, seed):
        place = context(tmp_path / name)
        return tagging.train_segmentation(labels, label=name, data=data, settings=settings, context=place, seed=seed)

    for name in "abc":
        (tmp_path / name).mkdir()
    first, again, other = (run(*each).weights for each in (("a", 0), ("b", 0), ("c", 1)))
    key = "network.decoder.classifier.weight"
    assert torch.equal(first[key], again[key]) and not torch.allclose(first[key], other[key])


def test_unequal_numbers_of_labels_are_refused(data):
    with pytest.raises(ValueError, match="3 labels were given for 12 samples"):
        Relabelled(data.train, torch.zeros(3, 32, 32, dtype=torch.uint8))


def test_data_without_tags_are_refused(tmp_path, monkeypatch):
    streets = segmentation.load_data("streets", SETTINGS, context(tmp_path))
    with pytest.raises(ValueError, match="'camvid' has no image tags"):
        tagging._with_saliency("camvid", 32, 32, 1, tmp_path, None, "cpu", streets)


def test_saliency_is_predicted_once_and_travels_with_the_sample(data):
    calls = []

    class Half(nn.Module):
        def forward(self, images):
            calls.append(len(images))
            return images.new_zeros(len(images), 2, *images.shape[-2:])

    added = saliency.WithSaliency(data.train, Half())
    for _ in range(2):
        assert added[1]["saliency"].shape == (1, 32, 32) and float(added[1]["saliency"].mean()) == 0.5
    assert calls == [1] and added.classes == data.classes and len(added) == 12
    narrow = saliency.WithSaliency(data.train, Half(), room=32 * 32 * 4 + 1)  # for one map
    for index in (0, 1, 0, 1):
        assert torch.equal(narrow[index]["saliency"], added[index]["saliency"])
    assert calls == [1] * 5  # 0 of `added`; of `narrow` 0 once, 1 twice


def test_the_trunk_keeps_stride_four():
    trunk = LessonTrunk(width=4)
    assert trunk(torch.zeros(2, 3, 64, 48)).shape == (2, trunk.channels, 16, 12)
