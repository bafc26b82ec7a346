"""OCR: which loss reaches which head, and who may see the truth."""

import pytest
import torch

from labelkit.methods.ocr import OCR
from labelkit.models.lesson_ocr import LessonContextNet

CLASSES = 5


def network(**options):
    torch.manual_seed(0)
    return LessonContextNet(CLASSES, width=4, dropout=0.0, **options)


def batch():
    generator = torch.Generator().manual_seed(0)
    mask = torch.randint(0, CLASSES, (2, 32, 40), generator=generator)
    mask[:, :3] = 255
    return {"image": torch.rand(2, 3, 32, 40, generator=generator), "mask": mask}


def coarse_gradient(method):
    method.training_step(batch())["loss"].backward()
    return sum(float(p.grad.abs().sum()) for p in method.network.coarse.parameters() if p.grad is not None)


def test_main_loss_alone_reaches_the_coarse_head_through_the_regions():
    assert coarse_gradient(OCR(network(), aux_weight=0.0)) > 0


@pytest.mark.parametrize("context", ["conv", "self-attention"])
def test_without_regions_only_the_coarse_loss_reaches_it(context):
    assert coarse_gradient(OCR(network(context=context), aux_weight=0.0)) == 0
    assert coarse_gradient(OCR(network(context=context), aux_weight=0.4)) > 0


def test_total_is_main_plus_weighted_coarse():
    losses = OCR(network(), aux_weight=0.4).training_step(batch())
    assert losses["loss"].item() == pytest.approx(losses["main"].item() + 0.4 * losses["coarse"].item(), rel=1e-6)


def test_only_the_ideal_variant_sees_the_truth():
    made = batch()
    ideal, plain = OCR(network(use_ground_truth=True), ideal=True).eval(), OCR(network()).eval()
    with pytest.raises(ValueError, match="only the ideal variant"):
        ideal.predict(made["image"])
    with pytest.raises(ValueError, match="only the ideal variant"):
        plain.predict(made["image"], made["mask"])
    other = made["mask"].clone()
    other[:, 10:20] = 0
    assert not torch.equal(ideal.predict(made["image"], made["mask"]), ideal.predict(made["image"], other))


def test_arms_share_encoder_and_are_of_one_size():
    nets = {name: network(context=name) for name in ("conv", "ocr", "self-attention")}
    sizes = {name: sum(p.numel() for p in net.parameters()) for name, net in nets.items()}
    assert sizes["conv"] >= sizes["ocr"] and sizes["conv"] >= sizes["self-attention"]
    for name, value in nets["conv"].backbone.state_dict().items():
        assert torch.equal(value, nets["ocr"].backbone.state_dict()[name])
