"""The networks of Group-WSSS, the weights that all arms of a seed start from, and the released optimiser."""

import hashlib
import json
from typing import Any

import torch
from torch import nn

from labelkit import distributed
from labelkit.experiments import segmentation
from labelkit.experiments.group_wsss_settings import ALL_ARMS, Settings
from labelkit.experiments.settings import Context
from labelkit.files import write_whole
from labelkit.methods.group_wsss import SingleImage
from labelkit.models.graph_dropout import GraphDropout
from labelkit.models.group_network import GroupGraph, GroupNetwork, class_head
from labelkit.models.lesson_tags import LessonTrunk
from labelkit.training import train

NOT_SHARED = {"arms", "data", "seeds", "jobs", "results", "about", "workers", "checkpoint_every", "segment"}


def build(arm: str, classes: int, settings: Settings, seed: int) -> GroupNetwork:
    """The network of an arm with freshly drawn weights; one seed gives every arm the same trunk and head."""
    chosen = ALL_ARMS[arm]
    torch.manual_seed(seed)
    trunk = _trunk(settings)
    head = class_head(trunk.channels, classes, settings.head_widths, settings.initial_std)
    dropout = None
    if chosen.dropout != "none":
        dropout = GraphDropout(
            settings.dropout_rate,
            settings.dropout_threshold,
            in_evaluation=False,
            each_image=True,
            place=chosen.dropout,
        )
    size = max(2, chosen.group_size)
    return GroupNetwork(
        trunk, head, GroupGraph(classes, size, chosen.rounds, dropout=dropout, initial_std=settings.initial_std)
    )


def _trunk(settings: Settings) -> nn.Module:
    if settings.network == "lesson":
        return LessonTrunk(settings.network_width)
    from labelkit.models.vgg import VGG16Trunk

    return VGG16Trunk("2x2", pretrained=settings.pretraining == "imagenet")


def warm_start(
    network: GroupNetwork, batches: Any, fingerprint: str, settings: Settings, context: Context, seed: int
) -> float:
    """Train trunk and head on single images, or read what another arm trained; in place.

    The paper starts from a network that knows ImageNet. From random weights the maps say nothing for long, and so the
    messages, too: arms with a graph would learn more slowly for that reason alone.

    Args:
        network: with the first weights of the seed.
        batches: ``batches[step]`` of single images.
        fingerprint: of the data.
        settings, context: of the run.
        seed: of the cell.

    Returns:
        The seconds that this training took, by whichever arm.
    """
    kept = settings.model_dump(exclude=NOT_SHARED)
    digest = hashlib.sha256(json.dumps([kept, fingerprint, seed], sort_keys=True).encode()).hexdigest()[:16]
    path = context.shared / f"group-wsss-start-{digest}.pt"
    if not distributed.first_of(path.exists()):
        method = SingleImage(network)
        torch.manual_seed(seed + 1_000_003 * context.rank)
        history = train(
            method,
            batches,
            steps=settings.warm_steps,
            optimizer=optimizer(method, settings) or segmentation.sgd(method, settings),
            **context.loop(settings, "start"),
        )
        state = {key: value.cpu() for key, value in network.state_dict().items() if not key.startswith("graph.")}
        if context.rank == 0:
            write_whole(path, lambda partial: torch.save({"weights": state, "seconds": history.seconds}, partial))
        distributed.barrier()
    start: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    network.cpu().load_state_dict(network.state_dict() | start["weights"])
    return start["seconds"]


def optimizer(method: nn.Module, settings: Settings) -> torch.optim.Optimizer | None:
    """The released one if the run file asks for it: rates 1, 2, 10, 20 of the trunk's weights, its biases, the other
    weights, the other biases. None leaves the family's."""
    if not settings.released_optimizer:
        return None
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in method.named_parameters():
        factor = (1 if "trunk." in name else 10) * (1 if name.endswith("weight") else 2)
        groups.setdefault(factor, []).append(parameter)
    return torch.optim.SGD(
        [{"params": each, "lr": factor * settings.learning_rate} for factor, each in groups.items()],
        momentum=0.9,
        nesterov=True,
        weight_decay=settings.weight_decay,
    )
