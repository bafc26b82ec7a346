"""Released checkpoints load into our OCR head at any width: every key once, and what does not fit is named."""

import re

import pytest
import torch

from labelkit.models import ocr_convert
from labelkit.models.ocr import OCRBlock, OCRHead

BLOCK = {  # official module -> (out, in) of its convolution, for 8 pixel channels and key width 4
    "f_pixel.0": (4, 8), "f_pixel.2": (4, 4), "f_object.0": (4, 8), "f_object.2": (4, 4), "f_down.0": (4, 8),
    "f_up.0": (8, 4),
}  # fmt: skip


def convolution(name, out, inside, kernel=1, bias=True):
    state = {f"{name}.weight": torch.randn(out, inside, kernel, kernel)}
    return state | ({f"{name}.bias": torch.randn(out)} if bias else {})


def normalisation(name, width, counter=True):
    leaves = {"weight": torch.randn(width), "bias": torch.randn(width)}
    leaves |= {"running_mean": torch.randn(width), "running_var": torch.rand(width)}
    leaves |= {"num_batches_tracked": torch.tensor(7)} if counter else {}
    return {f"{name}.{leaf}": value for leaf, value in leaves.items()}


def official(layout, bias=True, counter=True):
    """A random head under official names: 10 channels in, 12 under the coarse head of the ResNet, 3 classes."""
    torch.manual_seed(0)
    top, norm = {"openseg ResNet": ("spatial_ocr_head", "1.0")}.get(layout, ("ocr_distri_head", "1.0"))
    state = {}
    for name, (out, inside) in BLOCK.items():
        stem, index = name.split(".")
        state |= convolution(f"{top}.object_context_block.{name}", out, inside, bias=bias)
        state |= normalisation(f"{top}.object_context_block.{stem}.{int(index) + 1}.0", out, counter)
    state |= convolution(f"{top}.conv_bn_dropout.0", 8, 16, bias=bias)
    state |= normalisation(f"{top}.conv_bn_dropout.1.0", 8, counter)
    pixel, pixel_norm, coarse, norm, last, classifier = {
        "openseg ResNet": ("conv_3x3", "1.0", "dsn_head", "1.0", "3", "head"),
        "openseg HRNet": ("conv3x3", "1.0", "aux_head", "1.0", "2", "cls_head"),
        "HRNet repository": ("conv3x3_ocr", "1", "aux_head", "1", "3", "cls_head"),
    }[layout]
    coarse_in = 12 if layout == "openseg ResNet" else 10
    kernel = 1 if layout == "HRNet repository" else 3
    state |= convolution(f"{pixel}.0", 8, 10, 3) | normalisation(f"{pixel}.{pixel_norm}", 8, counter)
    state |= convolution(f"{coarse}.0", 6, coarse_in, kernel) | normalisation(f"{coarse}.{norm}", 6, counter)
    state |= convolution(f"{coarse}.{last}", 3, 6) | convolution(classifier, 3, 8)
    return state


def head(layout, bias=True):
    coarse_in = 12 if layout == "openseg ResNet" else 10
    kernel = 1 if layout == "HRNet repository" else 3
    return OCRHead(
        10, coarse_in, 3, pixel_channels=8, key_channels=4, coarse_channels=6, coarse_kernel=kernel, bias=bias
    )


@pytest.mark.parametrize("layout", ["openseg ResNet", "openseg HRNet", "HRNet repository"])
@pytest.mark.parametrize("prefix", ["", "module.", "model.", "module.model."])
def test_every_value_arrives_exactly_once(layout, prefix):
    bias = layout != "HRNet repository"
    state = official(layout, bias=bias)
    network = head(layout, bias=bias)
    ocr_convert.load_head(network, {prefix + name: value for name, value in state.items()})
    ours = network.state_dict()
    assert len(ours) == len(state)
    remaining = list(ours.values())
    for value in state.values():  # random values identify themselves; counters are all 7
        matches = [i for i, v in enumerate(remaining) if v.shape == value.shape and torch.equal(v, value)]
        assert matches
        remaining.pop(matches[0])
    assert not remaining


def test_query_key_value_and_output_are_not_confused():
    state = official("openseg ResNet")
    network = head("openseg ResNet")
    ocr_convert.load_head(network, state)
    top = "spatial_ocr_head.object_context_block"
    attention = network.block.attention
    assert torch.equal(attention.query[1][1].running_var, state[f"{top}.f_pixel.3.0.running_var"])
    assert torch.equal(attention.key[0][0].weight, state[f"{top}.f_object.0.weight"])
    assert torch.equal(attention.value[0].bias, state[f"{top}.f_down.0.bias"])
    assert torch.equal(attention.output[1].weight, state[f"{top}.f_up.1.0.weight"])
    assert torch.equal(network.coarse[4].weight, state["dsn_head.3.weight"])


def test_checkpoints_without_batch_counters_load():
    network = head("openseg HRNet")
    ocr_convert.load_head(network, official("openseg HRNet", counter=False))
    assert network.pixel[1].num_batches_tracked == 0


def test_unknown_missing_and_misshapen_keys_are_named_and_nothing_is_loaded():
    network = head("openseg ResNet")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = official("openseg ResNet")
    with pytest.raises(ValueError, match=r"1 tensor is unknown, the first is 'spatial_ocr_head.f_extra.weight'"):
        ocr_convert.load_head(network, state | {"spatial_ocr_head.f_extra.weight": torch.zeros(1)})
    name = "spatial_ocr_head.object_context_block.f_up.0.bias"
    with pytest.raises(ValueError, match=f"1 tensor is missing, the first is '{re.escape(name)}'"):
        ocr_convert.load_head(network, {k: v for k, v in state.items() if k != name})
    with pytest.raises(ValueError, match=r"'head.weight' has shape \(4, 8, 1, 1\); expected \(3, 8, 1, 1\)"):
        ocr_convert.load_head(network, state | {"head.weight": torch.zeros(4, 8, 1, 1)})
    with pytest.raises(ValueError, match=r"tensors are unknown, the first is .*bias"):
        ocr_convert.load_head(head("openseg ResNet", bias=False), state)
    with pytest.raises(ValueError, match=r"none of conv_3x3\.0\.weight, conv3x3\.0\.weight.*'a\.weight'"):
        ocr_convert.load_head(network, {"a.weight": torch.zeros(1)})
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("layout", ["openseg ResNet", "openseg HRNet"])
def test_in_place_activated_normalisation(layout):
    """One module where there were two, no counters; |weight| + eps, and a leaky ReLU after it."""
    state = official(layout, counter=False)
    parts = {"conv_3x3.1.0", "conv3x3.1.0", "dsn_head.1.0", "aux_head.1.0"}
    joined = {}
    for name, value in state.items():
        module, _, leaf = name.rpartition(".")
        inside = module in parts or "_ocr_head" in module or "ocr_distri_head" in module
        joined[f"{module.removesuffix('.0')}.{leaf}" if inside and module.endswith((".1.0", ".3.0")) else name] = value
    assert joined.keys() != state.keys()
    network, plain = head(layout).eval(), head(layout).eval()
    ocr_convert.load_head(plain, state)
    ocr_convert.load_head(network, joined)
    ours, theirs = network.state_dict(), plain.state_dict()
    norms = {name for name, module in network.named_modules() if isinstance(module, torch.nn.BatchNorm2d)}
    for name, value in ours.items():
        activated = name.rpartition(".")[0] in norms and name.endswith("weight")
        assert torch.equal(value, theirs[name].abs() + 1e-5 if activated else theirs[name])
    features = torch.randn(1, 10, 4, 4)
    expected = torch.nn.functional.leaky_relu(network.pixel[1](network.pixel[0](features)), 0.01)
    torch.testing.assert_close(network.pixel(features), expected)
    assert (expected < 0).any()


def test_block_alone():
    state = official("openseg ResNet")
    inner = {k.removeprefix("spatial_ocr_head."): v for k, v in state.items() if k.startswith("spatial_ocr_head.")}
    block = OCRBlock(8, 4, 8, 3)
    ocr_convert.load_block(block, inner)
    assert torch.equal(block.fusion[0].weight, state["spatial_ocr_head.conv_bn_dropout.0.weight"])
