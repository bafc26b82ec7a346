"""Class maps of the training images at the end of a Group-WSSS training, and the labels that come of them.

Two kinds of maps are judged. Those of the last weights are made in evaluation mode, unaugmented, graph dropout off;
each image is the first of a group whose partners are drawn once from a generator seeded for the image. Those
accumulated in training are the released ones; the pseudo labels are made from these.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from labelkit.datasets.groups import Partners
from labelkit.experiments import tagging
from labelkit.experiments.settings import Context
from labelkit.experiments.tagging import TagData
from labelkit.models.graph_dropout import GraphDropout
from labelkit.models.group_network import GroupNetwork, combined
from labelkit.pseudo_labels.activation_maps import normalise, resize_maps
from labelkit.pseudo_labels.composition import compose
from labelkit.pseudo_labels.map_quality import MapQuality

GROUPS = 16
"""Groups that pass the network together."""

PRECISION = 0.5
"""At which recall is compared; 0.8 is seldom reached by maps of 16 x 16."""


def judge(
    method: nn.Module, data: TagData, partners: Partners, group_size: int, seed: int, context: Context
) -> tuple[dict[str, Any], Tensor]:
    """Hold maps and pseudo labels of all training images against their masks.

    Args:
        method: trained, with ``network`` and ``collection``.
        data: whose training part is judged.
        partners: for the groups; not used if ``group_size`` is 1.
        group_size: K, or 1 for single images.
        seed: of the draw of partners.
        context: of the cell.

    Returns:
        Metrics by protocol, and the pseudo labels (n, H, W) uint8 from the accumulated maps.

        - ``<data>/train/maps``: what :class:`labelkit.pseudo_labels.map_quality.MapQuality` gives for the maps of the
          last weights, the released mean of first and last, and ``recall_at_precision_50``; ``miou_by``, that is
          ``miou_best``, for ``first``, ``last`` and ``mean``, each round by its number, and ``dropout``, the mean with
          graph dropout left on; and what the mean gains (``mean_over_first``, ``mean_over_last``).
        - ``<data>/train/accumulated-maps``: the first of these measures for the accumulated maps.
        - ``<data>/train/pseudo-labels``: of the labels from the accumulated maps.
        - ``<data>/train/pseudo-labels-last-weights``: of the labels from the maps of the last weights.
    """
    method.eval()
    classes, name = len(data.foreground), data.train.name
    qualities: dict[str, MapQuality] = {}
    accumulated, kept = MapQuality(classes), method.collection.accumulated
    labels, last_labels = [], []
    for batch, maps in final_maps(method.network, data, partners, group_size, seed, context.device):
        size, tags = batch["image"].shape[-2:], batch["tags"]
        truth = tags.cpu(), batch["mask"].cpu(), tagging.parts_of(batch)
        full = {}
        for kind, raw in maps.items():
            full[kind] = normalise(resize_maps(raw, size), tags)
            qualities.setdefault(kind, MapQuality(classes)).update(full[kind].cpu(), *truth)
        grown = resize_maps(kept.of(batch["index"]).float(), size)
        accumulated.update(normalise(grown, tags).cpu(), *truth)
        labels.append(composed(grown, batch))
        last_labels.append(composed(full["mean"], batch))
    found = _summary(qualities["mean"])
    by = {kind: quality.summary()["miou_best"] for kind, quality in qualities.items()}
    found |= {"miou_by": by} | {f"mean_over_{kind}": by["mean"] - by[kind] for kind in ("first", "last")}
    metrics = {
        f"{name}/train/maps": found,
        f"{name}/train/accumulated-maps": _summary(accumulated),
        f"{name}/train/pseudo-labels": tagging.judge_labels(torch.cat(labels), data),
        f"{name}/train/pseudo-labels-last-weights": tagging.judge_labels(torch.cat(last_labels), data),
    }
    return metrics, torch.cat(labels)


def _summary(quality: MapQuality) -> dict[str, Any]:
    """The usual summary, and the largest recall of the thresholds whose precision is at least 0.5."""
    curves = quality.curves()
    recall = curves["recall"][curves["precision"] >= PRECISION]
    return quality.summary() | {"recall_at_precision_50": float(recall.max()) if len(recall) else 0.0}


def composed(maps: Tensor, batch: dict[str, Any]) -> Tensor:
    """Pseudo labels (B, H, W) uint8 of a batch, on the CPU. An image without any tag is background throughout: its tags
    say so (ours; the rule by itself, made for images that all have tags, would give it no label)."""
    labels = compose(maps, batch["saliency"], batch["tags"])
    return torch.where(batch["tags"].any(1)[:, None, None], labels, 0).cpu()


@torch.no_grad()
def final_maps(
    network: GroupNetwork, data: TagData, partners: Partners, group_size: int, seed: int, device: str
) -> Iterator[tuple[dict[str, Any], dict[str, Tensor]]]:
    """Raw maps of all training images, in order.

    Args:
        network: in evaluation mode.
        data, partners, group_size, seed: see :func:`judge`.
        device: where to run.

    Yields:
        A batch with ``index``, and maps (B, C, h, w) of its images by kind: "first", "last", "mean", rounds "0", "1",
        .., and "dropout" where the network has a graph with dropout.
    """
    start = 0
    for batch in tagging.in_batches(data.train, device, GROUPS):
        images, indices = batch["image"], range(start, start + len(batch["image"]))
        start += len(images)
        batch["index"] = torch.tensor(indices, device=device)
        if group_size == 1:
            nodes = torch.relu(network.nodes(images))
            yield batch, dict.fromkeys(("first", "last", "mean", "0"), nodes)
            continue
        others = [partners.draw(i, group_size - 1, np.random.default_rng([seed, 4, i])) for i in indices]
        joined = torch.stack([data.train[int(i)]["image"] for row in others for i in row]).to(device)
        groups = torch.cat([images[:, None], joined.unflatten(0, (len(images), -1))], dim=1)
        nodes = network.nodes(groups.flatten(0, 1)).unflatten(0, groups.shape[:2])
        states = [state[:, 0] for state in network.graph(nodes)]
        maps = {choice: combined(states[0], states[-1], choice) for choice in ("first", "last", "mean")}
        maps |= {str(index): torch.relu(state) for index, state in enumerate(states)}
        if network.graph.dropout is not None:
            maps["dropout"] = combined(states[0], with_dropout(network, nodes)[:, 0])
        yield batch, maps


def with_dropout(network: GroupNetwork, nodes: Tensor) -> Tensor:
    """Maps after the last round with graph dropout on in evaluation, as released; (G, K, C, h, w) to the same."""
    layer: GraphDropout = network.graph.dropout
    layer.train()
    last = network.graph(nodes)[-1]
    layer.eval()
    return last
