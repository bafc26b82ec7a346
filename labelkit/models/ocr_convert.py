"""Weights of the OCR authors' networks, of openseg.pytorch (aefc755) and of the HRNet repository (0bbb288), for ours.

Three layouts: openseg on a ResNet, openseg on HRNet, HRNet repository (branch HRNet-OCR). Every tensor of a network has
one place. The names of HRNet are those of timm.

What openseg released was trained with in-place activated normalisation, which its configurations name, and which shows
in the names of a head: there a normalisation is one module with its activation, "conv_3x3.1.weight", where plain batch
normalisation is "conv_3x3.1.0.weight". Such a layer computes with |weight| + eps in place of weight, in the backbone as
well, and ends in a leaky ReLU of slope 0.01 in the head. So that our network computes the same, the weights are turned
into |weight| + eps, and `network_for` and `load` put the leaky ReLU into the head.

The HRNet repository saves its network together with the loss ("model." and "loss."); the loss is passed over.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from labelkit.models.convert import DEEP_STEM, blueprint, resnet_depth, same_names, size_of, translated, unwrapped
from labelkit.models.ocr import OCRBlock, OCRHead
from labelkit.models.ocr_networks import HRNetOCR, ResNetOCR
from labelkit.models.weights import read_state_dict

WHOSE = "an OCR network of openseg or of the HRNet repository"
SLOPE = 0.01  # of the leaky ReLU of in-place activated normalisation
EPS = 1e-5  # what such a normalisation adds to the size of its weight

# Layers of the block, released -> ours. In the released code each convolution (index 0, 2) is followed by a Sequential
# of normalisation and ReLU (index 1, 3), so its normalisation is called 1.0 or 3.0; ours are the children 0 and 1 of
# `conv_bn_relu`.
BLOCK = {
    "object_context_block.f_pixel.0": "attention.query.0.0",
    "object_context_block.f_pixel.1.0": "attention.query.0.1",
    "object_context_block.f_pixel.2": "attention.query.1.0",
    "object_context_block.f_pixel.3.0": "attention.query.1.1",
    "object_context_block.f_object.0": "attention.key.0.0",
    "object_context_block.f_object.1.0": "attention.key.0.1",
    "object_context_block.f_object.2": "attention.key.1.0",
    "object_context_block.f_object.3.0": "attention.key.1.1",
    "object_context_block.f_down.0": "attention.value.0",
    "object_context_block.f_down.1.0": "attention.value.1",
    "object_context_block.f_up.0": "attention.output.0",
    "object_context_block.f_up.1.0": "attention.output.1",
    "conv_bn_dropout.0": "fusion.0",
    "conv_bn_dropout.1.0": "fusion.1",
}


def _head_names(pixel: str, pixel_norm: str, block: str, classifier: str, coarse: str, norm: str, last: str) -> dict:
    return {
        f"{pixel}.0": "pixel.0",
        f"{pixel}.{pixel_norm}": "pixel.1",
        **{f"{block}.{theirs}": f"block.{ours}" for theirs, ours in BLOCK.items()},
        classifier: "classifier",
        f"{coarse}.0": "coarse.0",
        f"{coarse}.{norm}": "coarse.1",
        f"{coarse}.{last}": "coarse.4",
    }


LAYOUTS = {
    "openseg ResNet": _head_names("conv_3x3", "1.0", "spatial_ocr_head", "head", "dsn_head", "1.0", "3"),
    "openseg HRNet": _head_names("conv3x3", "1.0", "ocr_distri_head", "cls_head", "aux_head", "1.0", "2"),
    "HRNet repository": _head_names("conv3x3_ocr", "1", "ocr_distri_head", "cls_head", "aux_head", "1", "3"),
}
"""Modules of the three heads: released name to ours."""

MARKS = {  # each layout is known by a name that only it has
    "openseg ResNet": "conv_3x3.0.weight",
    "openseg HRNet": "conv3x3.0.weight",
    "HRNet repository": "conv3x3_ocr.0.weight",
}


def layout_of(state: Mapping[str, Any]) -> tuple[str, bool, dict[str, Tensor]]:
    """Which of the three layouts a checkpoint has.

    Args:
        state: a whole network's tensors or a head's, by released name, in any wrapper.

    Returns:
        Name of the layout; whether its normalisation is in-place activated; the tensors without wrappers, ``model.``
        and the loss.

    Raises:
        ValueError: none of the three.
    """
    state = unwrapped(state, WHOSE)
    if all(name.startswith(("model.", "loss.")) for name in state):
        state = {name.removeprefix("model."): value for name, value in state.items() if name.startswith("model.")}
    layout = next((name for name, mark in MARKS.items() if mark in state), None)
    if layout is None:
        found = f"the first of {len(state)} names is {next(iter(state))!r}" if state else "the state dict is empty"
        raise ValueError(f"{WHOSE}: none of {', '.join(MARKS.values())} is there; {found}")
    activated = layout != "HRNet repository" and f"{MARKS[layout].removesuffix('0.weight')}1.weight" in state
    return layout, activated, state


def head_names(layout: str, activated: bool) -> dict[str, str]:
    """Modules of a head, released name to ours.

    Args:
        layout: a key of `LAYOUTS`.
        activated: whether its normalisation is in-place activated: one module where otherwise there are two.
    """
    if not activated:
        return LAYOUTS[layout]
    return {
        theirs.removesuffix(".0") if theirs.endswith((".1.0", ".3.0")) else theirs: ours
        for theirs, ours in LAYOUTS[layout].items()
    }


def network_for(state: Mapping[str, Any]) -> nn.Module:
    """Our network of the layout, the depth and the number of classes of a checkpoint, with weights of its own.

    Returns:
        `labelkit.models.ocr_networks.ResNetOCR` or `HRNetOCR`.

    Raises:
        ValueError: the checkpoint is none of these networks.
    """
    layout, activated, state = layout_of(state)
    if layout == "openseg ResNet":
        depth = resnet_depth(state, "backbone.layer3.", WHOSE)
        network: nn.Module = ResNetOCR(size_of(state, "head.weight", WHOSE), depth)
    else:
        options = {} if layout == "openseg HRNet" else {"coarse_kernel": 1, "bias": False}
        network = HRNetOCR(size_of(state, "cls_head.weight", WHOSE), **options)
    if activated:
        make_leaky(network.head)
    return network


def from_ocr(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """Tensors under the names of :class:`labelkit.models.ocr_networks.ResNetOCR` or ``HRNetOCR``.

    Args:
        state: the checkpoint or its weights, of any of the three layouts.

    Returns:
        What `network_for(state)` loads. The tensors themselves, but for the weights of in-place activated
        normalisation, which are |weight| + eps.

    Raises:
        ValueError: the layout is unknown, a name is missing or unknown, or a shape differs.
    """
    with blueprint():
        network = network_for(state)
    return _translated(network, state)


def load(network: nn.Module, weights: str | Path | Mapping[str, Any]) -> None:
    """Load a checkpoint into an OCR network, in place; of in-place activated weights its head becomes leaky.

    Args:
        network: `ResNetOCR` or `HRNetOCR`, built as the checkpoint's was.
        weights: file or state dict.

    Raises:
        ValueError: as for `from_ocr`; nothing is loaded then.
        FileNotFoundError: there is no such file.
    """
    state = weights if isinstance(weights, Mapping) else read_state_dict(weights)
    network.load_state_dict(_translated(network, state))
    if layout_of(state)[1]:
        make_leaky(network.head)


def _translated(network: nn.Module, state: Mapping[str, Any]) -> dict[str, Tensor]:
    layout, activated, state = layout_of(state)
    theirs = "" if layout == "HRNet repository" else "backbone."
    names = same_names(network.backbone, theirs, "backbone.")
    if layout == "openseg ResNet":  # the stem is a part of its own with names of its own
        ours = {f"backbone.{name}" for name in DEEP_STEM.values()}
        names = {name: place for name, place in names.items() if place not in ours}
        names |= {f"backbone.resinit.{name}": f"backbone.{place}" for name, place in DEEP_STEM.items()}
    names |= {name: f"head.{place}" for name, place in head_names(layout, activated).items()}
    found = translated(state, names, network, f"{WHOSE} ({layout})")
    return _effective(network, found) if activated else found


def _effective(network: nn.Module, tensors: dict[str, Tensor], eps: float = EPS) -> dict[str, Tensor]:
    """The same tensors; the weight of every normalisation is the one with which in-place activation computes."""
    norms = {f"{name}.weight" for name, layer in network.named_modules() if isinstance(layer, nn.BatchNorm2d)}
    return {name: value.abs() + eps if name in norms else value for name, value in tensors.items()}


def make_leaky(module: nn.Module, slope: float = SLOPE) -> None:
    """Put a leaky ReLU in place of every ReLU of a module, in place."""
    for name, child in module.named_children():
        if isinstance(child, nn.ReLU):
            setattr(module, name, nn.LeakyReLU(slope, inplace=True))
        else:
            make_leaky(child, slope)


def load_head(head: OCRHead, state: Mapping[str, Any]) -> None:
    """Load the head of a checkpoint into an `OCRHead`, in place; every tensor must be one of the head's.

    Args:
        head: the target; its widths, kernels and biases must be those of the checkpoint.
        state: the head's tensors, of any of the three layouts.

    Raises:
        ValueError: the layout is unknown, a name is unknown or missing, or a shape differs; nothing is loaded then.
    """
    layout, activated, state = layout_of(state)
    found = translated(state, head_names(layout, activated), head, f"{WHOSE} ({layout})")
    head.load_state_dict(_effective(head, found) if activated else found)
    if activated:
        make_leaky(head)


def load_block(block: OCRBlock, state: Mapping[str, Any]) -> None:
    """Load a released `SpatialOCR_Module` of plain batch normalisation into an `OCRBlock`, in place.

    Args:
        block: the target.
        state: tensors under ``object_context_block.*`` and ``conv_bn_dropout.*``.

    Raises:
        ValueError: a name is unknown or missing, or a shape differs; nothing is loaded then.
    """
    block.load_state_dict(translated(unwrapped(state, WHOSE), BLOCK, block, WHOSE))
