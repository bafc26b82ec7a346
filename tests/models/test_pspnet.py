"""PSPNet and DeepLab v2: parameter counts, strides, dilations, heads, and where gradients go."""

import pytest
import torch
from torch import nn

from labelkit.experiments import dars
from labelkit.methods.dars import DARS
from labelkit.models.deeplab_v2 import DeepLabV2
from labelkit.models.pspnet import PSPNet, PyramidPooling


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(
    ("build", "count"),
    [
        (lambda: PSPNet(19), 49_080_038),
        (lambda: PSPNet(19).auxiliary, 2_364_691),
        (lambda: PSPNet(21), 49_081_578),
        (lambda: DeepLabV2(19), 43_200_614),
        (lambda: DeepLabV2(19, rates=(6, 12, 18, 24)), 43_901_068),
    ],
)
def test_parameter_counts(build, count):
    with torch.device("meta"):
        assert parameters(build()) == count


def test_psp_backbone_strides_and_dilations():
    with torch.device("meta"):
        network = PSPNet(19)
        stages = network.backbone(torch.empty(1, 3, 361, 713))
    assert [tuple(stage.shape[2:]) for stage in stages] == [(91, 179), (46, 90), (46, 90), (46, 90)]  # k + 1 of 8 k + 1
    assert {block.conv2.dilation[0] for block in network.backbone.layer3} == {2}
    assert {block.conv2.dilation[0] for block in network.backbone.layer4} == {4}
    assert [m.p for m in network.modules() if isinstance(m, nn.Dropout2d)] == [0.1, 0.1]


def test_pyramid_joins_averages_of_its_grids():
    torch.manual_seed(0)
    pyramid = PyramidPooling(8).eval()
    x = torch.randn(2, 8, 12, 18)
    joined = pyramid(x)
    assert joined.shape == (2, 16, 12, 18)
    assert torch.equal(joined[:, :8], x)
    whole = pyramid.grids[0][1](x.mean((2, 3), keepdim=True))
    torch.testing.assert_close(joined[:, 8:10], whole.expand(-1, -1, 12, 18))
    assert joined[:, 14:].std((2, 3)).max() > 0  # six bins a side are not constant


def test_deeplab_v2_is_dilated_throughout_and_frozen_where_it_normalises():
    with torch.device("meta"):
        network = DeepLabV2(19)
        features = network.backbone(torch.empty(1, 3, 321, 321))
    assert features.shape == (1, 2048, 41, 41)
    layer2, layer3, layer4 = network.backbone[5], network.backbone[6], network.backbone[7]
    assert layer2[0].conv1.stride == (2, 2) and layer2[0].conv2.stride == (1, 1)
    assert {block.conv2.dilation[0] for block in layer3} == {2} and {b.conv2.dilation[0] for b in layer4} == {4}
    frozen = {id(p) for p in network.parameters() if not p.requires_grad}
    norms = [p for m in network.modules() if isinstance(m, nn.BatchNorm2d) for p in m.parameters()]
    assert frozen == {id(p) for p in norms}


@pytest.mark.parametrize("build", [lambda: PSPNet(5), lambda: DeepLabV2(5)])
def test_forward_at_any_size(build):
    torch.manual_seed(0)
    network = build().eval()
    with torch.no_grad():
        for size in ((33, 41), (30, 44)):
            logits = network(torch.rand(1, 3, *size))
            assert logits.shape == (1, 5, *size) and logits.isfinite().all()


def test_training_step_reaches_both_heads():
    torch.manual_seed(0)
    method = DARS(PSPNet(5), aux_weight=0.4).train()
    part = {"image": torch.rand(2, 3, 33, 33), "mask": torch.randint(0, 5, (2, 33, 33))}
    losses = method.training_step({"labelled": part, "pseudo": part})
    losses["loss"].backward()
    assert all(parameter.grad is not None for parameter in method.parameters())
    images = part["image"]
    method.eval()
    with torch.no_grad():
        main, extra = method.network.both_logits(images)
        torch.testing.assert_close(main, method.predict(images))
        assert extra.shape == main.shape and not torch.allclose(extra, main)


@pytest.mark.parametrize(("network", "heads"), [("pspnet-resnet50", 10.0), ("deeplabv2-resnet101", 10.0)])
def test_new_layers_learn_faster(network, heads):
    settings = dars.Settings(
        paper="dars", run="test", budget="full", data=["cityscapes"], arms=["dars-1/8"], seeds=[0], steps=9,
        batch_size=2, learning_rate=0.01, height=33, width=33, network=network, head_rate=heads,
    )  # fmt: skip
    with torch.device("meta"):
        method = DARS(dars._network(19, settings), 0.0)
    groups = dars.optimizer(method, settings).param_groups
    assert [group["lr"] for group in groups] == [0.01, 0.1]
    assert all(group["weight_decay"] == 1e-4 for group in groups)
    counted = [sum(p.numel() for p in group["params"]) for group in groups]
    assert sum(counted) == sum(p.numel() for p in method.parameters() if p.requires_grad)


def test_pretrained_without_a_network_is_one_sentence(monkeypatch):
    import torchvision.models._api

    def offline(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", offline)
    with pytest.raises(RuntimeError, match=r"torchvision's resnet101 could not be fetched.*pretrained=False"):
        DeepLabV2(5, pretrained=True)
