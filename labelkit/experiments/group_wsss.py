"""Group-WSSS: its arms differ in how many images a group has, who is in it, how long they talk, and what is dropped.

Every arm of a seed starts from one trunk and head, sees as many images a step, and takes as many steps.
"""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from labelkit.datasets.augment import RandomScaleCropFlip
from labelkit.datasets.groups import Indexed, Partners, group_stream, tags_of
from labelkit.datasets.streams import Stream
from labelkit.experiments import tagging
from labelkit.experiments.group_wsss_maps import judge
from labelkit.experiments.group_wsss_networks import build, optimizer, warm_start
from labelkit.experiments.group_wsss_settings import ALL_ARMS, Arm, Settings
from labelkit.experiments.settings import Context, Outcome
from labelkit.experiments.tagging import TagData, fingerprint, prepare
from labelkit.methods.group_wsss import Collection, GroupWSSS, SingleImage
from labelkit.methods.supervised import Supervised
from labelkit.models.group_network import GroupNetwork
from labelkit.pseudo_labels.accumulation import AccumulatedMaps
from labelkit.training import Schedule

__all__ = ["ARMS", "Arm", "Settings", "batches", "build", "classify", "fingerprint", "optimizer", "prepare", "run"]

ARMS = ALL_ARMS


def batches(
    arm: str, data: TagData, partners: Partners, settings: Settings, seed: int, context: Context, number: int = 0
) -> Any:
    """Training batches of an arm; the images that groups begin with come in the order of the single images.

    Args:
        arm: a key of ``ARMS``.
        data: whose training part is drawn from.
        partners: who may join whom there.
        settings: of the run.
        seed: of the cell.
        context: of the cell.
        number: of the stream within the cell, 0 to 2.
    """
    # Images move neither sideways nor in size, so that the maps of all epochs lie on each other.
    jitter = RandomScaleCropFlip(settings.height, settings.width, flip=0.0, brightness=settings.brightness)
    size = ARMS[arm].group_size
    options = {"augment": jitter, "seed": 3 * seed + number, **context.place}
    if size == 1:
        return Stream(Indexed(data.train), range(len(data.train)), settings.batch_size, **options)
    return group_stream(data.train, partners, settings.batch_size // size, size, **options)


def _schedule(settings: Settings) -> Schedule | None:
    if not settings.decay_at:
        return None
    return lambda step, steps: 0.1 ** sum(step >= share * steps for share in settings.decay_at)


def run(arm: str, data: str, seed: int, settings: Settings, context: Context) -> Outcome:
    """Train and judge one cell."""
    outcome, labels = classify(arm, data, seed, settings, context)
    if arm not in settings.segment:
        return outcome
    parts = tagging.load_data(data, settings, context)
    tested = _segmentation(arm, labels, parts, data, seed, settings, context)
    return replace(outcome, metrics=outcome.metrics | tested.metrics)


def classify(arm: str, data: str, seed: int, settings: Settings, context: Context) -> tuple[Outcome, Tensor]:
    """Train the classifier of a cell, judge its maps, and label the training images by them.

    Each of several processes accumulates the maps of the images that it sees; the largest of all are judged.

    Returns:
        The outcome, and pseudo labels (n, H, W) uint8.
    """
    parts = tagging.load_data(data, settings, context)
    tags = tags_of(parts.train)
    partners = Partners(tags, ARMS[arm].partners, untagged=True)
    network = build(arm, len(parts.foreground), settings, seed)
    parts.start(network.trunk)
    warm_seconds = 0.0
    if settings.warm_steps:
        singles = batches("single", parts, partners, settings, seed, context, number=1)
        warm_seconds = warm_start(network, singles, parts.fingerprint, settings, context, seed)
    epoch = -(-len(tags) // settings.batch_size)
    steps = settings.steps
    collection = Collection(
        AccumulatedMaps(torch.from_numpy(tags), _map_size(network, settings), settings.likely),
        first_step=epoch if steps > epoch else 0,
        last_from=max(0, steps - epoch),
        parts=context.parts,
    )
    if ARMS[arm].group_size == 1:
        method: nn.Module = SingleImage(network, collection)
    else:
        method = GroupWSSS(network, settings.single_weight, collection, first_only=settings.first_only)
    outcome = tagging.train_tagger(
        method,
        batches(arm, parts, partners, settings, seed, context),
        label=f"{data} {arm} seed {seed}",
        data=parts,
        settings=settings,
        context=context,
        seed=seed,
        images_a_step=settings.batch_size,
        network=network if ARMS[arm].rounds else nn.ModuleList([network.trunk, network.head]),
        optimizer=optimizer(method, settings),
        schedule=_schedule(settings),
    )
    collection.accumulated.merge()
    found, labels = judge(method, parts, partners, ARMS[arm].group_size, seed, context)
    # The accumulated maps of the whole training part would take more room beside a record than the network.
    weights = {name: value for name, value in outcome.weights.items() if not name.startswith("collection.")}
    seconds = warm_seconds + outcome.train_seconds
    return replace(outcome, metrics=outcome.metrics | found, weights=weights, train_seconds=seconds), labels


def _map_size(network: GroupNetwork, settings: Settings) -> tuple[int, int]:
    with torch.no_grad():
        height, width = network.eval().nodes(torch.zeros(1, 3, settings.height, settings.width)).shape[-2:]
    return height, width


def _segmentation(
    arm: str, labels: Tensor, parts: TagData, data: str, seed: int, settings: Settings, context: Context
) -> Outcome:
    """Train a segmentation network on the pseudo labels of an arm, and test it."""
    method = None
    if settings.segmentation_network != "lesson":
        from labelkit.models.deeplab_v2 import DeepLabV2

        torch.manual_seed(seed)
        method = Supervised(DeepLabV2(len(parts.classes), pretrained=settings.pretraining == "imagenet"))
    return tagging.train_segmentation(
        labels,
        label=f"{data} {arm} segmentation seed {seed}",
        data=parts,
        settings=settings,
        context=context,
        seed=seed,
        method=method,
    )
