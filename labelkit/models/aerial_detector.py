"""Mask R-CNN for aerial patches on torchvision's parts, each of PANet's three parts to be switched on alone.

torchvision's defaults suit photographs of everyday things: images resized to a shorter side of 800 pixels, anchors
from 32 pixels on, 100 detections an image. On aerial patches vehicles are 6 to 14 pixels long and there can be a
thousand of them. `OFF_THE_SHELF` are those defaults, `AERIAL` is our setting; neither resizes here, since the patches
of the data set have 800 pixels already.

Group normalisation in the pyramid and in the convolutions of the heads, as in PANet's released code, is what lets the
detector learn from scratch with two to four patches a step; the box head of two fully connected layers has none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from labelkit.models.lesson_detector import LessonTrunk
from labelkit.models.panet import AdaptivePooling, BottomUpPath, Norm, Pyramid, group_norm
from labelkit.models.panet_heads import (
    AdaptiveBoxHead,
    AdaptiveConvBoxHead,
    AggregatedMaskHead,
    FullyConnectedFusion,
    FusedMaskPredictor,
)
from labelkit.models.weights import torchvision_weights

LEVELS = ("0", "1", "2", "3")
BOX_SIZE, MASK_SIZE = 7, 14  # positions along the side of a pooled region
GROUPS, LESSON_GROUPS = 32, 8


@dataclass(frozen=True)
class Options:
    """How torchvision's detector is set.

    Attributes:
        anchors: side of the anchors on each of the five levels, in pixels of the network's input.
        detections: at most so many are given an image.
        score_threshold: a detection needs a higher score.
        proposals: of a level before, and of an image after, suppression in training.
        test_proposals: the same in evaluation.
        rpn_samples, box_samples: anchors and regions of an image that the losses see; a quarter of the regions at most
            are positive.
        mask_samples: positive regions of an image whose masks are trained; None for all.
    """

    anchors: tuple[int, ...] = (32, 64, 128, 256, 512)
    detections: int = 100
    score_threshold: float = 0.05
    proposals: tuple[int, int] = (2000, 2000)
    test_proposals: tuple[int, int] = (1000, 1000)
    rpn_samples: int = 256
    box_samples: int = 512
    mask_samples: int | None = None


OFF_THE_SHELF = Options()
AERIAL = Options(anchors=(8, 16, 32, 64, 128), detections=1000, test_proposals=(2000, 2000))


@dataclass(frozen=True)
class Aggregation:
    """Which parts of PANet are on; with none of them the network is torchvision's Mask R-CNN.

    Attributes:
        bottom_up: the path from fine to coarse levels.
        adaptive: regions pooled from all levels, with first layers of their own.
        fusion: the fully connected branch of the mask head.
        fusion_relu: its output passes a ReLU, as released.
    """

    bottom_up: bool = False
    adaptive: bool = False
    fusion: bool = False
    fusion_relu: bool = True


@dataclass(frozen=True)
class Size:
    """Widths of a detector: channels of the pyramid, units of the box head, channels of the mask head."""

    pyramid: int
    hidden: int
    mask_convs: tuple[int, ...]


PAPER = Size(256, 1024, (256, 256, 256, 256))
LESSON = Size(32, 128, (32, 32, 32, 32))
LESSON_TRUNK = (16, 32, 48, 64)
NETWORKS = ("lesson", "resnet50", "resnet101", "resnet152")


def aerial_detector(
    num_classes: int,
    network: str = "lesson",
    options: Options = OFF_THE_SHELF,
    parts: Aggregation = Aggregation(),
    *,
    norm: str = "group",
    box_head: str = "fc",
    pretrained: bool = False,
) -> nn.Module:
    """Build a detector with freshly drawn weights (or a pretrained trunk).

    Args:
        num_classes: with the background.
        network: "lesson", or the ResNet of a paper-size network: "resnet50", "resnet101", "resnet152".
        options: anchors, numbers and sizes.
        parts: of PANet.
        norm: "group", or "none" as in torchvision's first Mask R-CNN; the trunk of a ResNet has frozen batch
            normalisation, that of the lesson always group normalisation.
        box_head: "fc", two fully connected layers; "convs", four convolutions and one layer, as in PANet's released
            configurations.
        pretrained: ImageNet weights for a ResNet, from torchvision.

    Returns:
        torchvision's ``MaskRCNN``. In training it takes images (3, H, W) in 0..1 and targets with boxes, labels and
        ``instances``; it does not resize (the method does, one draw a step).

    Raises:
        ValueError: an option is none of those named, or the lesson trunk is asked to be pretrained.
        RuntimeError: `pretrained` weights cannot be fetched.
    """
    from torchvision.models.detection import MaskRCNN
    from torchvision.models.detection.anchor_utils import AnchorGenerator

    from labelkit.models.aerial_rcnn import AerialRoIHeads, NoResizing

    for name, value, known in (("network", network, NETWORKS), ("norm", norm, ("group", "none")),
                               ("box_head", box_head, ("fc", "convs"))):  # fmt: skip
        if value not in known:
            raise ValueError(f"{name} is {value!r}; expected one of {', '.join(known)}")
    if len(options.anchors) != len(LEVELS) + 1:
        raise ValueError(f"anchors are {options.anchors}; expected one side for each of {len(LEVELS) + 1} levels")
    size = LESSON if network == "lesson" else PAPER
    layer_norm = group_norm(LESSON_GROUPS if network == "lesson" else GROUPS) if norm == "group" else None
    shared = dict(
        rpn_anchor_generator=AnchorGenerator(
            tuple((side,) for side in options.anchors), ((0.5, 1.0, 2.0),) * len(options.anchors)
        ),
        rpn_pre_nms_top_n_train=options.proposals[0],
        rpn_post_nms_top_n_train=options.proposals[1],
        rpn_pre_nms_top_n_test=options.test_proposals[0],
        rpn_post_nms_top_n_test=options.test_proposals[1],
        rpn_batch_size_per_image=options.rpn_samples,
        box_batch_size_per_image=options.box_samples,
        box_score_thresh=options.score_threshold,
        box_detections_per_img=options.detections,
    )
    path = BottomUpPath(size.pyramid, len(LEVELS), layer_norm) if parts.bottom_up else None
    backbone = Pyramid(*_pyramid(network, size, layer_norm, pretrained), size.pyramid, path)
    detector = MaskRCNN(backbone, **shared, **_heads(num_classes, size, parts, layer_norm, box_head == "convs"))
    if parts.adaptive:  # torchvision's constructor insists on its own pooling
        detector.roi_heads.box_roi_pool = AdaptivePooling(LEVELS, BOX_SIZE)
        detector.roi_heads.mask_roi_pool = AdaptivePooling(LEVELS, MASK_SIZE)
    detector.roi_heads.__class__ = AerialRoIHeads  # the same state; only the way through it differs
    detector.roi_heads.mask_samples = options.mask_samples
    detector.transform.__class__ = NoResizing
    return detector


def _pyramid(network: str, size: Size, norm: Norm | None, pretrained: bool) -> tuple[nn.Module, nn.Module]:
    """Trunk and feature pyramid."""
    from torchvision.models import get_model, get_model_weights
    from torchvision.models._utils import IntermediateLayerGetter
    from torchvision.ops import FeaturePyramidNetwork, FrozenBatchNorm2d
    from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

    if network == "lesson":
        if pretrained:
            raise ValueError("the lesson trunk has no ImageNet weights; choose a ResNet or pretrained=False")
        body, widths = LessonTrunk(LESSON_TRUNK, group_norm(LESSON_GROUPS)), LESSON_TRUNK
    else:
        resnet = get_model(network, norm_layer=FrozenBatchNorm2d if pretrained else group_norm(GROUPS))
        if pretrained:
            state = torchvision_weights(network, get_model_weights(network)["IMAGENET1K_V1"])
            resnet.load_state_dict({name: state[name] for name in resnet.state_dict()})
            for name, parameter in resnet.named_parameters():
                # the stem and the first stage stay as they are, as in torchvision
                parameter.requires_grad_(name.startswith(("layer2", "layer3", "layer4")))
        stages = {f"layer{number}": level for number, level in enumerate(LEVELS, start=1)}
        body, widths = IntermediateLayerGetter(resnet, return_layers=stages), (256, 512, 1024, 2048)
    fpn = FeaturePyramidNetwork(list(widths), size.pyramid, extra_blocks=LastLevelMaxPool(), norm_layer=norm)
    return body, fpn


def _heads(num_classes: int, size: Size, parts: Aggregation, norm: Norm | None, box_convs: bool) -> dict[str, Any]:
    """Heads as torchvision's constructor takes them; those of the parts that are off are torchvision's own."""
    from torchvision.models.detection.faster_rcnn import FastRCNNConvFCHead, FastRCNNPredictor, TwoMLPHead
    from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor

    channels, hidden, widths = size.pyramid, size.hidden, size.mask_convs
    levels = len(LEVELS) if parts.adaptive else 0
    in_features = channels * BOX_SIZE**2
    if box_convs and levels:
        box_head: nn.Module = AdaptiveConvBoxHead(channels, BOX_SIZE, (channels,) * 4, hidden, levels, norm)
    elif box_convs:
        box_head = FastRCNNConvFCHead((channels, BOX_SIZE, BOX_SIZE), [channels] * 4, [hidden], norm)
    else:
        box_head = AdaptiveBoxHead(in_features, hidden, levels) if levels else TwoMLPHead(in_features, hidden)
    if levels or parts.fusion:
        fusion = FullyConnectedFusion(widths[-1], MASK_SIZE, norm, parts.fusion_relu) if parts.fusion else None
        mask_head: nn.Module = AggregatedMaskHead(channels, widths, levels, fusion, norm)
    else:
        mask_head = MaskRCNNHeads(channels, widths, 1, norm)
    predictor = FusedMaskPredictor if parts.fusion else MaskRCNNPredictor
    return {
        "box_head": box_head,
        "box_predictor": FastRCNNPredictor(hidden, num_classes),
        "mask_head": mask_head,
        "mask_predictor": predictor(widths[-1], widths[-1], num_classes),
    }


def start_from(detector: nn.Module, plain: Mapping[str, Tensor]) -> list[str]:
    """Load the weights of a plain detector wherever names and shapes agree, in place.

    A first layer that PANet has once a level starts on each level as the plain detector's one layer. What the plain
    detector does not have (bottom-up path, fully connected fusion) keeps its random weights.

    Args:
        detector: any of `aerial_detector`.
        plain: state dict of a detector of the same network with no part of PANet.

    Returns:
        Names of the weights that found no counterpart.
    """
    state, new = detector.state_dict(), []
    for name, value in state.items():
        source = plain.get(re.sub(r"\.levels\.\d+\.", ".", name))
        if source is None or source.shape != value.shape:
            new.append(name)
        else:
            value.copy_(source)
    return new
