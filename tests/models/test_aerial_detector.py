"""The aerial detector: torchvision's network with all parts off, parts switched alone, masks made late."""

from dataclasses import replace

import pytest
import torch

from labelkit.models.aerial_detector import AERIAL, OFF_THE_SHELF, Aggregation, Options, aerial_detector, start_from

CLASSES = 4
SMALL = Options(anchors=(8, 16, 32, 64, 128), proposals=(100, 80), test_proposals=(100, 80), box_samples=32)
PARTS = [
    Aggregation(),
    Aggregation(bottom_up=True),
    Aggregation(adaptive=True),
    Aggregation(fusion=True),
    Aggregation(bottom_up=True, adaptive=True, fusion=True),
]


def pictures(sizes=((64, 96), (96, 64))):
    generator = torch.Generator().manual_seed(3)
    images, targets = [], []
    for height, width in sizes:
        instances = torch.zeros(height, width, dtype=torch.int32)
        boxes = torch.tensor([[4.0, 6, 16, 14], [30, 20, 58, 60], [20, 8, 26, 12]])
        for number, (x0, y0, x1, y1) in enumerate(boxes.int().tolist(), start=1):
            instances[y0:y1, x0:x1] = number
        images.append(torch.rand(3, height, width, generator=generator))
        targets.append({"boxes": boxes, "labels": torch.tensor([1, 2, 3]), "instances": instances})
    return images, targets


def with_masks(targets):
    masks = [(t["instances"] == torch.arange(1, 4)[:, None, None]).to(torch.uint8) for t in targets]
    return [{"boxes": t["boxes"], "labels": t["labels"], "masks": m} for t, m in zip(targets, masks)]


def torchvisions_own(ours):
    """torchvision's Mask R-CNN, built from its own classes, with the weights of ours."""
    from torchvision.models.detection import MaskRCNN
    from torchvision.models.detection.anchor_utils import AnchorGenerator
    from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
    from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor

    norm = lambda channels: torch.nn.GroupNorm(8, channels)  # noqa: E731
    theirs = MaskRCNN(
        aerial_detector(CLASSES).backbone,
        rpn_anchor_generator=AnchorGenerator(tuple((side,) for side in SMALL.anchors), ((0.5, 1.0, 2.0),) * 5),
        rpn_pre_nms_top_n_train=100, rpn_post_nms_top_n_train=80,
        rpn_pre_nms_top_n_test=100, rpn_post_nms_top_n_test=80,
        box_batch_size_per_image=32, min_size=64, max_size=96, _skip_resize=True,
        box_head=TwoMLPHead(32 * 49, 128), box_predictor=FastRCNNPredictor(128, CLASSES),
        mask_head=MaskRCNNHeads(32, (32,) * 4, 1, norm), mask_predictor=MaskRCNNPredictor(32, 32, CLASSES),
    )  # fmt: skip
    theirs.load_state_dict(ours.state_dict())
    return theirs


def test_with_all_parts_off_it_is_torchvisions_network_bit_for_bit():
    torch.manual_seed(0)
    ours = aerial_detector(CLASSES, options=SMALL)
    theirs = torchvisions_own(ours)
    images, targets = pictures()
    losses, gradients = [], []
    for network, given in ((ours, targets), (theirs, with_masks(targets))):
        torch.manual_seed(1)
        losses.append(network.train()(images, given))
        sum(losses[-1].values()).backward()
        gradients.append({name: p.grad for name, p in network.named_parameters()})
    assert all(torch.equal(losses[0][name], losses[1][name]) for name in losses[1])
    assert all(torch.equal(gradients[0][name], value) for name, value in gradients[1].items())
    with torch.no_grad():
        found = [network.eval()(images) for network in (ours, theirs)]
    for a, b in zip(*found):
        assert all(torch.equal(a[key], b[key]) for key in ("boxes", "labels", "scores", "masks"))


@pytest.mark.parametrize("parts", PARTS, ids=str)
def test_every_part_trains_and_predicts_alone(parts):
    torch.manual_seed(0)
    network = aerial_detector(CLASSES, options=SMALL, parts=parts)
    images, targets = pictures()
    losses = network(images, targets)
    sum(losses.values()).backward()
    assert set(losses) == {"loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg", "loss_mask"}
    without = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert without == []
    with torch.no_grad():
        found = network.eval()(images)
    assert [each["masks"].shape[-2:] for each in found] == [image.shape[-2:] for image in images]


def test_a_patch_without_objects_is_trained_on():
    torch.manual_seed(0)
    images, _ = pictures()
    empty = [
        {
            "boxes": torch.zeros(0, 4),
            "labels": torch.zeros(0, dtype=torch.int64),
            "instances": torch.zeros(image.shape[-2:], dtype=torch.int32),
        }
        for image in images
    ]
    losses = aerial_detector(CLASSES, options=SMALL, parts=PARTS[-1])(images, empty)
    assert losses["loss_mask"] == 0 and losses["loss_box_reg"] == 0
    assert torch.isfinite(sum(losses.values()))


def test_masks_are_limited_and_objects_are_not():
    images, targets = pictures()
    losses = []
    for most in (None, 10_000, 1):
        torch.manual_seed(0)
        network = aerial_detector(CLASSES, options=replace(SMALL, mask_samples=most))
        seen = []
        network.roi_heads.mask_head.register_forward_hook(lambda _, inputs, __, seen=seen: seen.append(len(inputs[0])))
        torch.manual_seed(1)
        losses.append({name: value.item() for name, value in network(images, targets).items()} | {"regions": seen[0]})
    assert losses[0] == losses[1]
    assert losses[2]["regions"] == 2 < losses[0]["regions"]
    others = ("loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg")
    assert all(losses[2][name] == losses[0][name] for name in others)


def test_bf16_autocast_trains():
    torch.manual_seed(0)
    network = aerial_detector(CLASSES, options=SMALL, parts=PARTS[-1])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = sum(network(*pictures()).values())
    loss.backward()
    assert torch.isfinite(loss)


def test_weights_of_a_plain_detector_find_their_places():
    torch.manual_seed(0)
    plain = aerial_detector(CLASSES, options=OFF_THE_SHELF).state_dict()
    same = aerial_detector(CLASSES, options=AERIAL)
    assert start_from(same, plain) == []
    assert all(torch.equal(value, plain[name]) for name, value in same.state_dict().items())
    full = aerial_detector(CLASSES, options=AERIAL, parts=PARTS[-1])
    new = start_from(full, plain)
    assert new and all(name.startswith(("backbone.bottom_up", "roi_heads.mask_head.fusion")) for name in new)
    for level in range(4):
        weight = full.state_dict()[f"roi_heads.box_head.fc6.levels.{level}.weight"]
        assert torch.equal(weight, plain["roi_heads.box_head.fc6.weight"])


def test_paper_size_has_the_usual_number_of_parameters():
    with torch.device("meta"):
        network = aerial_detector(91, "resnet50", norm="none")
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count == 44_401_393 + 2 * (26_560)  # torchvision's, and the affine part of 53 normalisation layers


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"network": "vgg"}, "network is 'vgg'"),
        ({"norm": "batch"}, "norm is 'batch'"),
        ({"box_head": "mlp"}, "box_head is 'mlp'"),
        ({"options": Options(anchors=(8, 16))}, "one side for each of 5 levels"),
        ({"pretrained": True}, "no ImageNet weights"),
    ],
)
def test_unknown_choices_are_refused(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        aerial_detector(CLASSES, **change)


def test_targets_without_instances_are_refused():
    images, targets = pictures()
    with pytest.raises(ValueError, match="target 0 lacks instances"):
        aerial_detector(CLASSES, options=SMALL)(images, [{k: t[k] for k in ("boxes", "labels")} for t in targets])
