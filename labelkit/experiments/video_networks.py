"""The networks of the video chapter, their first weights, and what steps them."""

from typing import Any

import torch
from torch import nn

from labelkit.experiments.pretraining import sim_backbone
from labelkit.experiments.settings import Context
from labelkit.experiments.video_settings import ALL_ARMS, Settings
from labelkit.methods.video_adversarial import VideoAdversarial
from labelkit.models.domain_discriminator import DomainDiscriminator
from labelkit.optimizers import SideBySide


def backbone(settings: Settings, context: Context) -> dict[str, Any] | None:
    """State dict of the backbone that the drawn streets of the source's kind have trained; None if it is not wanted."""
    if settings.pretraining != "sim":
        return None
    return sim_backbone(context.shared, settings.pretrain_steps, settings.height, settings.width, context.device)


def network(classes: int, settings: Settings, context: Context | None, seed: int) -> nn.Module:
    """The segmentation network, its weights drawn or the backbone's; one seed gives every arm the same."""
    torch.manual_seed(seed)
    if settings.network == "deeplab-v2":
        from labelkit.models.deeplab_v2 import DeepLabV2

        return DeepLabV2(classes, rates=(6, 12, 18, 24), pretrained=settings.pretraining == "imagenet")
    from labelkit.models.lesson import LessonNet

    made = LessonNet(classes)
    weights = backbone(settings, context) if context else None
    if weights is not None:
        made.backbone.load_state_dict(weights)
    return made


def build(arm: str, classes: int, settings: Settings, context: Context | None, seed: int) -> VideoAdversarial:
    """The first phase of an arm.

    Args:
        arm: its name.
        classes: C.
        settings: of the run.
        context: where the backbone's weights lie; None draws all weights.
        seed: of the weights.
    """
    chosen = ALL_ARMS[arm]
    segmenter = network(classes, settings, context, seed)
    torch.manual_seed(seed + 1)  # the discriminators of two arms start alike, whichever of them there are
    image = DomainDiscriminator(classes, settings.discriminator_width)
    sequence = DomainDiscriminator(settings.window * classes, settings.discriminator_width)
    return VideoAdversarial(
        segmenter,
        image if chosen.image else None,
        sequence if chosen.sequence else None,
        image_weight=settings.image_weight,
        sequence_weight=settings.sequence_weight,
        tube_weight=settings.tube_weight if chosen.tube else 0.0,
        tube_length=chosen.tube or "window",
        shown=settings.shown,
        target_statistics=chosen.statistics,
    )


def optimizer(method: nn.Module, settings: Settings, rate: float) -> torch.optim.Optimizer:
    """SGD for the segmentation network, Adam for each discriminator, stepping together.

    Args:
        method: with ``network``, and discriminators or none.
        settings: of the run.
        rate: learning rate of the network; of its classifier ``classifier_rate`` times as much.
    """
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in method.network.named_parameters():
        if parameter.requires_grad:
            groups.setdefault(("classifier" in name, parameter.dim() > 1), []).append(parameter)
    both: list[torch.optim.Optimizer] = [
        torch.optim.SGD(
            [
                {
                    "params": parameters,
                    "lr": rate * (settings.classifier_rate if head else 1.0),
                    "weight_decay": settings.weight_decay if decayed else 0.0,
                }
                for (head, decayed), parameters in groups.items()
            ],
            lr=rate,
            momentum=0.9,
        )
    ]
    judges = [getattr(method, f"{name}_discriminator", None) for name in ("image", "sequence")]
    for judge in filter(None, judges):
        both.append(torch.optim.Adam(judge.parameters(), lr=settings.discriminator_rate, betas=(0.9, 0.99)))
    return SideBySide(both) if len(both) > 1 else both[0]
