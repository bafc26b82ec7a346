"""The papers' own networks: parameter counts, strides, dilations, and one small forward pass of each."""

import pytest
import torch
from torch import nn

from labelkit.models import resnet, weights
from labelkit.models.deeplab import AtrousPyramid, DeepLabV3Plus
from labelkit.models.ocr_networks import HRNetOCR, ResNetOCR


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(
    ("build", "count"),
    [
        (lambda: resnet.ResNet(50), 23_631_808),
        (lambda: resnet.ResNet(101), 42_623_936),
        (lambda: DeepLabV3Plus(21), 40_475_957),  # the CPS authors' branch
        (lambda: DeepLabV3Plus(21, depth=101), 59_468_085),
        (lambda: ResNetOCR(19), 57_988_838),  # openseg's SpatialOCRNet
        (lambda: HRNetOCR(19), 74_522_182),
        (lambda: HRNetOCR(19, coarse_kernel=1), 70_374_982),
        (lambda: HRNetOCR(19, coarse_kernel=1, bias=False), 70_372_678),  # the HRNet repository's network
    ],
)
def test_parameter_counts(build, count):
    with torch.device("meta"):
        assert parameters(build()) == count


def test_cps_backbone_strides_and_dilations():
    with torch.device("meta"):
        network = DeepLabV3Plus(21)
        stages = network.backbone(torch.empty(1, 3, 64, 96))
    assert [tuple(s.shape[1:]) for s in stages] == [(256, 16, 24), (512, 8, 12), (1024, 4, 6), (2048, 4, 6)]
    assert [block.conv2.dilation[0] for block in network.backbone.layer4] == [2, 4, 8]
    assert {block.conv2.dilation[0] for block in network.backbone.layer3} == {1}
    assert not [m for m in network.modules() if isinstance(m, (nn.Dropout, nn.Dropout2d))]


def test_ocr_backbone_strides_and_dilations():
    with torch.device("meta"):
        network = ResNetOCR(19)
        fine, coarse = network.features(torch.empty(1, 3, 64, 96))
    assert fine.shape == (1, 2048, 9, 13)  # one more than 64 / 8: the stem's pooling rounds up, as in openseg
    assert coarse.shape == (1, 1024, 9, 13)
    assert [block.conv2.dilation[0] for block in network.backbone.layer3][:3] == [1, 2, 2]
    assert [block.conv2.dilation[0] for block in network.backbone.layer4] == [2, 4, 4]


def test_unknown_depth_and_wrong_dilations_are_named():
    with pytest.raises(ValueError, match=r"depth is 34.*50, 101"):
        ResNetOCR(19, depth=34)
    with pytest.raises(ValueError, match="Stage 4 has 3 blocks but 2"):
        resnet.ResNet(50, dilations=(1, 1, 1, (2, 4)))


@pytest.mark.parametrize("build", [lambda: DeepLabV3Plus(5), lambda: ResNetOCR(5, depth=50), lambda: HRNetOCR(5)])
def test_forward_at_a_size_that_no_stride_divides(build):
    torch.manual_seed(0)
    network = build().eval()
    images = torch.rand(2, 3, 65, 50)
    with torch.no_grad():
        logits = network(images)
        assert logits.shape == (2, 5, 65, 50)
        assert logits.isfinite().all()
        if hasattr(network, "both_logits"):
            main, coarse = network.both_logits(images)
            torch.testing.assert_close(main, logits)
            assert coarse.shape == logits.shape


def test_deeplab_trains_in_bfloat16_and_channels_last():
    torch.manual_seed(0)
    network = DeepLabV3Plus(5).to(memory_format=torch.channels_last)
    images = torch.rand(2, 3, 64, 64).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = network(images)
    logits.float().square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_pooled_branch_of_the_pyramid_is_added():
    torch.manual_seed(0)
    pyramid = AtrousPyramid(8, 4).eval()
    x = torch.randn(2, 8, 6, 6)
    before = pyramid(x)
    nn.init.zeros_(pyramid.pooled_reduce.weight)
    without = pyramid(x)
    assert not torch.allclose(before, without)
    nn.init.zeros_(pyramid.reduce.weight)
    assert torch.allclose(pyramid(x), torch.zeros_like(x[:, :4]))


def test_pretrained_without_a_network_is_one_sentence(monkeypatch):
    import timm

    def offline(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(RuntimeError, match=r"resnet50s.gluon_in1k.*pretrained=False"):
        weights.load_imagenet_weights(nn.Identity(), "resnet50s.gluon_in1k")


def test_pretrained_weights_fit_by_name(monkeypatch):
    import timm

    with torch.device("meta"):
        theirs = timm.create_model("resnet50s")
        ours = resnet.ResNet(50)
    shapes = {name: value.shape for name, value in theirs.state_dict().items()}
    assert all(shapes[name] == value.shape for name, value in ours.state_dict().items())
