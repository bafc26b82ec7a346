"""Weights of PANet's released code (ShuLiu1993/PANet at f055f71) for our detector, whole or part by part.

Every tensor has one place. What torchvision's detector does otherwise than the released one, which follows Detectron:

- The trunk is Caffe's ResNet. It sees blue, green, red, in 0..255 without their means; `from_panet` turns the channels
  of the first convolution round, and `as_released` sets the detector's own normalisation to those means. Its strides
  are in the 1x1 convolutions, and its normalisation is a scale and a shift; `as_released` moves the strides and makes
  normalisations with mean 0 and variance 1.
- Anchors and boxes take a pixel for a point there, for a square here. Features, scores, offsets and masks of a given
  region are those of the released network; where a box comes to lie may differ by up to a pixel.

The released configuration for masks has convolutions in the box head, `box_head="convs"` of `aerial_detector`. The one
with two fully connected layers has normalisations after them, which our detector has not; its parts load by
`load_released`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from labelkit.models.aerial_detector import AERIAL, Aggregation, Options, aerial_detector
from labelkit.models.convert import blueprint, same_names, size_of, translated, unwrapped

WHOSE = "the released PANet"
PIXEL_MEANS = (122.7717, 115.9465, 102.9801)  # red, green, blue of 0..255
STAGES = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}

# Released name -> ours, by part of the network. The released lists of levels run from coarse to fine, ours from fine to
# coarse; {n} stands for a number that stays, {3-n} for one that is turned round.
LAYOUTS = {
    "pyramid": {
        r"conv_top\.(.*)": r"fpn.inner_blocks.3.\1",
        r"topdown_lateral_modules\.(\d)\.conv_lateral\.(.*)": r"fpn.inner_blocks.{2-}.\2",
        r"posthoc_modules\.(\d)\.(.*)": r"fpn.layer_blocks.{3-}.\2",
        r"panet_buttomup_conv1_modules\.(.*)": r"bottom_up.down.\1",
        r"panet_buttomup_conv2_modules\.(.*)": r"bottom_up.join.\1",
    },
    "box head": {r"fc1\.(\d\..*)": r"fc6.levels.\1", r"fc2\.(.*)": r"fc7.\1"},
    "box head of convolutions": {
        r"conv1_head\.(.*)": r"first.levels.\1",
        r"convs\.(\d+)\.(.*)": r"convs.{/3}.\2",
        r"fc\.(.*)": r"fc.\1",
    },
    "mask head": {
        r"mask_conv1\.(.*)": r"0.levels.\1",
        r"conv_fcn\.(\d+)\.(.*)": r"{1+/3}.\2",
        r"mask_conv4\.(.*)": r"3.\1",
        r"mask_conv4_fc\.(.*)": r"fusion.conv4.\1",
        r"mask_conv5_fc\.(.*)": r"fusion.conv5.\1",
        r"mask_fc\.0\.(.*)": r"fusion.fc.\1",
    },
    "mask predictor": {r"upconv\.(.*)": r"conv5_mask.\1", r"classify\.(.*)": r"mask_fcn_logits.\1"},
}

_TWO = (0, 1)  # convolution and normalisation
PARTS = (  # of the whole network: layout, what stands before the released names and before ours, released modules
    (
        "pyramid",
        "Conv_Body.",
        "backbone.",
        (
            *(f"conv_top.{k}" for k in _TWO),
            *(f"topdown_lateral_modules.{level}.conv_lateral.{k}" for level in range(3) for k in _TWO),
            *(f"posthoc_modules.{level}.{k}" for level in range(4) for k in _TWO),
            *(f"panet_buttomup_conv{n}_modules.{level}.{k}" for n in (1, 2) for level in range(3) for k in _TWO),
        ),
    ),
    (
        "box head of convolutions",
        "Box_Head.",
        "roi_heads.box_head.",
        (
            *(f"conv1_head.{level}.{k}" for level in range(4) for k in _TWO),
            *(f"convs.{k}" for k in (0, 1, 3, 4, 6, 7)),
            "fc",
        ),
    ),
    (
        "mask head",
        "Mask_Head.",
        "roi_heads.mask_head.",
        (
            *(f"mask_conv1.{level}.{k}" for level in range(4) for k in _TWO),
            *(f"conv_fcn.{k}" for k in (0, 1, 3, 4)),
            *(f"{name}.{k}" for name in ("mask_conv4", "mask_conv4_fc", "mask_conv5_fc") for k in _TWO),
            "mask_fc.0",
        ),
    ),
    ("mask predictor", "Mask_Head.", "roi_heads.mask_predictor.", ("upconv",)),
    ("mask predictor", "Mask_Outs.", "roi_heads.mask_predictor.", ("classify",)),
)

_ALONE = {
    "Conv_Body.conv_body.res1.conv1": "backbone.body.conv1",
    "Conv_Body.conv_body.res1.bn1": "backbone.body.bn1",
    "RPN.FPN_RPN_conv": "rpn.head.conv.0.0",
    "RPN.FPN_RPN_cls_score": "rpn.head.cls_logits",
    "RPN.FPN_RPN_bbox_pred": "rpn.head.bbox_pred",
    "Box_Outs.cls_score": "roi_heads.box_predictor.cls_score",
    "Box_Outs.bbox_pred": "roi_heads.box_predictor.bbox_pred",
}


def network_for(state: Mapping[str, Any], options: Options = AERIAL) -> nn.Module:
    """Our detector of the depth and the number of classes of a checkpoint, with all parts of PANet and its own weights.

    Args:
        state: the checkpoint or its weights.
        options: see `aerial_detector`.

    Raises:
        ValueError: the checkpoint is none of this network.
    """
    state = unwrapped(state, WHOSE)
    detector = aerial_detector(
        size_of(state, "Box_Outs.cls_score.weight", WHOSE),
        f"resnet{_depth(state)}",
        options,
        Aggregation(bottom_up=True, adaptive=True, fusion=True),
        box_head="convs",
    )
    as_released(detector)
    return detector


def as_released(detector: nn.Module) -> None:
    """Make the trunk of a detector on a ResNet what the released weights were trained in, in place; see above."""
    from torchvision.ops import FrozenBatchNorm2d

    body = detector.backbone.body
    for path, layer in list(body.named_modules()):
        if isinstance(layer, nn.GroupNorm | FrozenBatchNorm2d):
            owner, _, name = path.rpartition(".")
            setattr(body.get_submodule(owner), name, FrozenBatchNorm2d(layer.weight.shape[0]))
    for number in (2, 3, 4):
        first = body[f"layer{number}"][0]
        first.conv1.stride, first.conv2.stride = (2, 2), (1, 1)
    detector.transform.image_mean = [mean / 255 for mean in PIXEL_MEANS]
    detector.transform.image_std = [1 / 255] * 3


def from_panet(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """Tensors of the released network for masks under the names of :func:`labelkit.models.aerial_detector`.

    Args:
        state: the checkpoint (weights under ``model``), or its weights alone.

    Returns:
        What `network_for(state)` loads: the tensors themselves, the first convolution with its channels turned round,
        and means and variances of the trunk's normalisations, which make them a scale and a shift.

    Raises:
        ValueError: a name is missing or unknown, or a shape differs.
    """
    from torchvision.ops import FrozenBatchNorm2d

    state = unwrapped(state, WHOSE)
    with blueprint():
        network = network_for(state)
    body = network.backbone.body
    filled, names = dict(state), _names(body)
    theirs = {ours: released for released, ours in names.items()}
    for path, layer in body.named_modules():
        if isinstance(layer, FrozenBatchNorm2d):
            released = theirs[f"backbone.body.{path}"]
            filled[f"{released}.running_mean"] = torch.zeros(layer.weight.shape)
            filled[f"{released}.running_var"] = torch.full(layer.weight.shape, 1 - layer.eps)  # eps is added to it
    found = translated(filled, names, network, WHOSE)
    first = "backbone.body.conv1.weight"
    return found | {first: found[first].flip(1)}


def _depth(state: Mapping[str, Tensor]) -> int:
    stage = "Conv_Body.conv_body.res4."
    blocks = len({name.removeprefix(stage).split(".")[0] for name in state if name.startswith(stage)})
    depth = next((depth for depth, stages in STAGES.items() if stages[2] == blocks), None)
    if depth is None:
        known = ", ".join(f"{stages[2]} (depth {depth})" for depth, stages in STAGES.items())
        raise ValueError(f"{WHOSE}: {stage.rstrip('.')!r} has {blocks} blocks; expected {known}")
    return depth


def _names(body: nn.Module) -> dict[str, str]:
    """Modules of the whole network, released name to ours; `body` is our trunk."""
    names = dict(_ALONE)
    for part, theirs, ours, modules in PARTS:
        for module in modules:
            (place,) = released_names(part, {f"{module}.weight": torch.empty(0)})
            names[theirs + module] = ours + place.removesuffix(".weight")
    for number in range(1, 5):
        names |= same_names(
            body[f"layer{number}"], f"Conv_Body.conv_body.res{number + 1}.", f"backbone.body.layer{number}."
        )
    return names


def released_names(part: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of one part of the released network under our names.

    Args:
        part: a key of `LAYOUTS`.
        state: released name, without the part's own prefix, to weight. What belongs to other parts is left out.

    Raises:
        ValueError: the part is unknown.
    """
    if part not in LAYOUTS:
        raise ValueError(f"PANet has no part {part!r}; expected one of {', '.join(LAYOUTS)}")
    return {
        ours: value
        for name, value in state.items()
        for pattern, form in LAYOUTS[part].items()
        if (ours := _renamed(name, pattern, form)) is not None
    }


def _renamed(name: str, pattern: str, form: str) -> str | None:
    found = re.fullmatch(pattern, name)
    if found is None:
        return None
    first = int(found[1]) if found[1].isdigit() else 0
    # A released sequence of convolution, normalisation and ReLU counts three places a layer.
    for mark, number in {
        "{2-}": str(2 - first),
        "{3-}": str(3 - first),
        "{/3}": f"{first // 3}.{first % 3}",
        "{1+/3}": f"{1 + first // 3}.{first % 3}",
    }.items():
        form = form.replace(mark, number)
    return found.expand(form)


def load_released(module: nn.Module, part: str, state: Mapping[str, Tensor]) -> None:
    """Load one part of the released network, in place.

    Args:
        module: `Pyramid`, `AdaptiveBoxHead`, `AdaptiveConvBoxHead`, `AggregatedMaskHead` or `FusedMaskPredictor`.
        part: see `released_names`.
        state: likewise.

    Raises:
        ValueError: weights are missing or left over; names the first.
    """
    weights, wanted = released_names(part, state), dict(module.state_dict())
    wanted = {name: value for name, value in wanted.items() if not name.startswith("body.")}
    for what, names in (("lack", wanted.keys() - weights.keys()), ("hold, and ours lacks,", weights.keys() - wanted)):
        if names:
            raise ValueError(f"released weights of the {part} {what} {sorted(names)[0]!r}")
    module.load_state_dict(weights, strict=False)
