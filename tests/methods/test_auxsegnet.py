"""AuxSegNet's training step and relabelling: which loss reaches what, controls of propagation, bad input."""

import pytest
import torch

from labelkit.methods.auxsegnet import (
    AuxSegNet,
    Weights,
    propagator,
    saliency_crf,
    saliency_loss,
    segmentation_loss,
    spread_maps,
    updated_saliency,
)
from labelkit.models.auxsegnet import AuxSegHead, AuxSegNetwork
from labelkit.models.lesson_tags import LessonTrunk


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def method(weights=None, **options):
    trunk = LessonTrunk(4)
    return AuxSegNet(AuxSegNetwork(trunk, AuxSegHead(16, 3, width=4, dilations=(1, 2, 3), **options)), weights)


@pytest.fixture
def batch():
    return {
        "image": torch.rand(2, 3, 32, 24),
        "mask": torch.randint(0, 4, (2, 32, 24)),
        "tags": torch.tensor([[1.0, 0, 1], [0, 1, 0]]),
        "saliency": torch.rand(2, 1, 32, 24),
    }


def test_the_loss_is_the_sum_of_five(batch):
    losses = method().training_step(batch)
    terms = {name: value for name, value in losses.items() if name != "loss"}
    assert list(terms) == list(vars(Weights()))
    torch.testing.assert_close(losses["loss"], sum(terms.values()))


@pytest.mark.parametrize("name", vars(Weights()))
def test_each_loss_can_be_switched_off(batch, name):
    losses = method(Weights(**{name: 0.0})).training_step(batch)
    assert set(losses) == {"loss", *vars(Weights())} - {name}


def test_a_network_without_a_head_has_no_loss_for_it(batch):
    alone = method(affinity="none", classification=False, saliency=False)
    assert set(alone.training_step(batch)) == {"loss", "segmentation"}


@pytest.mark.parametrize(
    ("options", "weights"),
    [
        ({}, Weights()),
        ({}, Weights(refined_saliency=0.0)),
        ({"affinity": "segmentation"}, Weights(refined_saliency=0.0)),
        ({"affinity": "none"}, Weights()),
        ({"affinity": "none", "saliency": False}, Weights()),
        ({"affinity": "none", "classification": False, "saliency": False}, Weights()),
    ],
)
def test_every_weight_of_every_arm_learns(batch, options, weights):
    """A weight without gradient would stop training on several GPUs."""
    made = method(weights, **options)
    made.training_step(batch)["loss"].backward()
    assert [name for name, parameter in made.named_parameters() if parameter.grad is None] == []


def test_saliency_is_made_binary_after_the_resize():
    target = torch.tensor([[[[0.5, 0.51]]]])
    logits = torch.tensor([[[[30.0, -30.0]]]])
    assert saliency_loss(logits, target) == 30.0  # 0.5 itself is not salient: wrong on both
    assert saliency_loss(-logits, target) < 1e-6


def test_unsure_pixels_do_not_count(batch):
    logits = torch.randn(2, 4, 8, 6, requires_grad=True)
    labels = batch["mask"].clone()
    labels[:, 16:] = 255
    full, half = segmentation_loss(logits, batch["mask"]), segmentation_loss(logits, labels)
    assert not torch.equal(full, half)
    segmentation_loss(logits, torch.full_like(labels, 255)).backward()  # an image without any label
    assert logits.grad.abs().sum() == 0


def test_prediction_is_refined_where_there_is_an_affinity(batch):
    made = method().eval()
    with torch.no_grad():
        assert made.predict(batch["image"]).shape == (2, 4, 32, 24)
        assert not torch.equal(made.predict(batch["image"]), made.predict_unrefined(batch["image"]))
        plain = method(affinity="none").eval()
        assert torch.equal(plain.predict(batch["image"]), plain.predict_unrefined(batch["image"]))


def test_new_labels_name_present_classes_alone(batch):
    made = method().eval()
    with torch.no_grad():
        made.network.head.classifier.weight.abs_()
    new = made.relabel(batch["image"], batch["tags"], torch.ones(2, 1, 32, 24))
    assert new.labels.shape == (2, 32, 24) and new.saliency.shape == (2, 1, 32, 24) and new.maps.shape == (2, 3, 32, 24)
    assert set(new.labels[0].unique().tolist()) <= {0, 1, 3, 255}
    assert set(new.labels[1].unique().tolist()) <= {0, 2, 255}
    assert not new.maps.requires_grad


def test_image_without_tags_and_tag_without_activation(batch):
    made = method().eval()
    nothing = made.relabel(batch["image"], torch.zeros(2, 3), torch.zeros(2, 1, 32, 24))
    assert set(nothing.labels.unique().tolist()) <= {0, 255}
    with torch.no_grad():
        made.network.head.classifier.weight.copy_(-made.network.head.classifier.weight.abs())
    inactive = made.relabel(batch["image"], batch["tags"], torch.ones(2, 1, 32, 24))
    assert set(inactive.labels.unique().tolist()) <= {0, 255}
    assert inactive.maps.isfinite().all()


def test_relabelling_needs_the_affinity(batch):
    with pytest.raises(ValueError, match="needs an affinity and a saliency head"):
        method(affinity="none").relabel(batch["image"], batch["tags"], batch["saliency"])


def test_new_saliency_averages_the_original(batch):
    logits = torch.full((2, 1, 8, 6), 100.0)
    made = updated_saliency(logits, batch["saliency"], batch["image"], None)
    torch.testing.assert_close(made, (1 + batch["saliency"]) / 2)


def test_crf_of_all_zero_and_all_one_saliency(batch):
    for value in (0.0, 1.0):
        smooth = saliency_crf(batch["image"], torch.full((2, 1, 32, 24), value), scale=5.0)
        assert smooth.shape == (2, 1, 32, 24) and smooth.isfinite().all()
        assert ((smooth > 0.5) == bool(value)).all()


def test_controls_of_propagation():
    affinity = torch.randn(2, 12, 12).softmax(-1)
    maps = torch.randn(2, 3, 3, 4)
    plain = spread_maps(maps, None, (3, 4))
    assert propagator(affinity, "learned") is affinity
    torch.testing.assert_close(spread_maps(maps, propagator(affinity, "identity"), (3, 4)), plain)
    uniform = spread_maps(maps, propagator(affinity, "uniform"), (3, 4))
    torch.testing.assert_close(uniform, plain.mean((2, 3), keepdim=True).expand_as(plain))
    drawn = propagator(affinity, "random")
    torch.testing.assert_close(drawn.sum(-1), torch.ones(2, 12))
    assert not torch.equal(drawn, propagator(affinity, "random"))
    assert torch.equal(propagator(affinity, "transposed"), affinity.transpose(1, 2))
    with pytest.raises(ValueError, match="propagation is 'learnt'"):
        propagator(affinity, "learnt")


def test_autocast(batch):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = method().training_step(batch)
    assert all(value.isfinite() and value.dtype == torch.float32 for value in losses.values())
