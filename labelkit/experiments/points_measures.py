"""What the chapter on 3D points measures beside accuracy: where gradients go, and what attention looks at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from labelkit import distributed
from labelkit.datasets.gridded import Gridded, coarse_index, coarse_labels
from labelkit.datasets.point_pyramids import clouds
from labelkit.datasets.point_spheres import SmoothedVotes
from labelkit.datasets.sphere_clouds import covering
from labelkit.methods.points import DensePropagation
from labelkit.metrics.confusion import ConfusionMatrix
from labelkit.training import to_device

THRESHOLDS = (0.1, 0.01, 0.001)
"""Shares of the mean gradient at labelled coarse points above which a gradient counts."""
USUAL = 0.01


@torch.no_grad()
def confusion_of(
    method: DensePropagation, part: Gridded, device: str, radius: float | None = None, votes: int = 1
) -> ConfusionMatrix:
    """Every original point takes the class of its nearest grid point.

    Where processes work together each predicts its share of the clouds; all must call this, and all get all counts.

    Args:
        method: that predicts.
        part: the clouds.
        device: where to predict.
        radius: of spheres whose probabilities are smoothed, as KPConv evaluates; None shows whole clouds.
        votes: how many spheres see each grid point, at least.

    Returns:
        The confusion matrix over all original points.
    """
    confusion, where = ConfusionMatrix(len(part.classes), part.ignore_index), torch.device(device)
    own = distributed.shard(len(part))
    if radius is None:
        whole = (to_device(part.batch(index), where) for index in own)
        guesses = (method.predict(batch).argmax(1).cpu() for batch in whole)
    else:
        guesses = _voted(method, part, own, where, radius, votes)
    for index, guess in zip(own, guesses):
        nearest, truth = part.original(index)
        confusion.update(guess[torch.from_numpy(nearest).long()], truth)
    return confusion.merge()


def _voted(
    method: DensePropagation, part: Gridded, own: Sequence[int], device: torch.device, radius: float, votes: int
) -> Iterator[torch.Tensor]:
    """The class of each grid point of one of the given clouds after the other, by smoothed votes."""
    for index in own:
        sums, grid = SmoothedVotes([len(part.labels[index])], len(part.classes)), part.grid(index)
        for sphere in covering(part, index, radius, votes):
            points = sphere.indices
            batch = part.pyramid(grid["xyz"][points] - sphere.centre, grid["features"][points])
            probabilities = method.predict(to_device(batch, device)).float().softmax(1).cpu().numpy()
            sums.add(0, points, probabilities)
        yield torch.from_numpy(sums.probabilities[0].argmax(1))


def numbers(confusion: ConfusionMatrix, classes: Sequence[str], rarest: Sequence[int]) -> dict[str, Any]:
    """What a record keeps. The mean is over the classes that the truth holds: one that is absent there and predicted
    somewhere does not count as 0, one that is there and never predicted does.

    Args:
        confusion: over all original points of a part.
        classes: C names.
        rarest: labels of the rarest third, for their own mean.

    Returns:
        As :func:`labelkit.metrics.protocols.summary`.
    """
    there = confusion.matrix.sum(1) > 0
    iou = confusion.iou().masked_fill(~there, torch.nan)
    named = {name: None if torch.isnan(value) else float(value) for name, value in zip(classes, iou)}
    rare = float(iou[list(rarest)].nanmean())
    return {"miou": float(iou.nanmean()), "accuracy": confusion.accuracy(), "miou_rarest_third": rare, "iou": named}


def marked(batch: dict[str, Any], level: int) -> Tensor:
    """Which points of a level stand for at least one labelled finest point, (N_l,) bool."""
    found = torch.zeros(len(batch["points"][level]), dtype=torch.bool, device=batch["labelled"].device)
    found[coarse_index(batch, level)[batch["labelled"]]] = True
    return found


def gradient_coverage(method: DensePropagation, batches: Iterable[dict[str, Any]], device: str) -> dict[str, Any]:
    """How far the loss of an arm reaches: the share of unlabelled coarse points at whose features it pulls.

    A coarse point is unlabelled if no labelled point lies under it. A gradient counts if its norm is above 1 % of the
    mean norm at labelled coarse points of the same batch.

    Args:
        method: trained; its own loss counts, at full weight.
        batches: of training clouds in pairs.
        device: where to compute.

    Returns:
        ``coverage``, ``by_threshold`` (0.1, 0.01 and 0.001 instead of 0.01), ``labelled`` (share of coarse points with
        a labelled point under them) and ``strength`` (mean norm at unlabelled over mean norm at labelled ones).
    """
    reached, unlabelled, total, strength, count = dict.fromkeys(THRESHOLDS, 0), 0, 0, 0.0, 0
    for batch in batches:
        batch = to_device(batch, torch.device(device))
        known = marked(batch, method.network.coarse_level)
        norm = method.feature_gradient(batch)
        total += len(known)
        if known.any() and not known.all():
            bar, others = float(norm[known].mean()), norm[~known]
            unlabelled += len(others)
            for threshold in THRESHOLDS:
                reached[threshold] += int((others > threshold * bar).sum())
            strength, count = strength + float(others.mean()) / max(bar, 1e-12), count + 1
    shares = {threshold: found / max(unlabelled, 1) for threshold, found in reached.items()}
    return {
        "coverage": shares[USUAL],
        "by_threshold": {str(threshold): share for threshold, share in shares.items()},
        "labelled": 1 - unlabelled / max(total, 1),
        "strength": strength / max(count, 1),
    }


@torch.no_grad()
def attention_quality(
    method: DensePropagation, batches: Iterable[dict[str, Any]], classes: int, device: str
) -> dict[str, float]:
    """How much of CSFR's attention rests on points of the same class in the other cloud.

    Coarse points whose class the other cloud does not have are left out: nothing right could be looked at.

    Args:
        method: with the cross-sample module.
        batches: of one pair each; dense labels are used to measure, not to choose.
        classes: C.
        device: where to compute.

    Returns:
        Means over points of both directions: ``attention_mass`` on the same class, ``attention_prior``, the share of
        points of that class in the other cloud, and ``attention_excess``, their difference.
    """
    level, masses, priors = method.network.coarse_level, [], []
    for batch in batches:
        batch = to_device(batch, torch.device(device))
        features = clouds(method.network.encode(batch)[0], batch, level)
        labels = clouds(coarse_labels(batch, level, classes), batch, level)
        for attention, here, there in zip(method.cross.attention(*features), labels, reversed(labels)):
            same = (here[:, None] == there[None]) & (here != 255)[:, None]  # (N, M)
            found = same.any(1)
            masses.append((attention * same).sum(1)[found])
            priors.append(same.float().mean(1)[found])
    mass, prior = float(torch.cat(masses).mean()), float(torch.cat(priors).mean())
    return {"attention_mass": mass, "attention_prior": prior, "attention_excess": mass - prior}
