"""How well a network tells which classes an image shows."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from labelkit import distributed


def tag_metrics(logits: Tensor, tags: Tensor, names: Sequence[str]) -> dict[str, Any]:
    """The numbers that a record keeps.

    Args:
        logits: (n, C); above 0 means yes.
        tags: (n, C), 1 where the image shows the class.
        names: C names.

    Returns:
        ``tag_accuracy``: share of right answers over images and classes; ``always_no``: the same for an answer that is
        always no; ``tag_f1``: harmonic mean of precision and recall over all answers; ``map``: mean of the average
        precision over the classes that occur; ``average_precision`` by class name (None where a class never occurs).

    Raises:
        ValueError: the shapes differ.
    """
    if logits.shape != tags.shape or logits.shape[1] != len(names):
        raise ValueError(f"logits {tuple(logits.shape)}, tags {tuple(tags.shape)} and {len(names)} names do not fit")
    truth, said = tags > 0.5, logits > 0
    right = float((truth & said).sum())
    precisions = {name: average_precision(logits[:, c], truth[:, c]) for c, name in enumerate(names)}
    occurring = [value for value in precisions.values() if not math.isnan(value)]
    return {
        "tag_accuracy": float((truth == said).double().mean()),
        "always_no": float((~truth).double().mean()),
        "tag_f1": 2 * right / max(float(truth.sum() + said.sum()), 1.0),
        "map": sum(occurring) / len(occurring) if occurring else math.nan,
        "average_precision": {name: None if math.isnan(value) else value for name, value in precisions.items()},
    }


def average_precision(scores: Tensor, truth: Tensor) -> float:
    """Mean of the precision at the rank of each positive: the area under the curve without interpolation.

    Args:
        scores: (n,); equal scores share the rank of the last of them, so that order does not decide.
        truth: (n,) bool.

    Returns:
        0..1, or NaN if there is no positive.
    """
    if not bool(truth.any()):
        return math.nan
    rank = (scores[None, :] >= scores[:, None]).sum(1)  # of each, counting all that score at least as high
    found = (truth[None, :] & (scores[None, :] >= scores[:, None])).sum(1)
    return float((found[truth].double() / rank[truth].double()).mean())


@torch.no_grad()
def predict_tags(predict: Any, dataset: Any, *, batch_size: int = 64, device: str = "cpu") -> tuple[Tensor, Tensor]:
    """Tag logits of every image of a data set, and its tags.

    Where processes work together each predicts its share of the batches; all must call this, and all get all logits.

    Args:
        predict: images (B, 3, H, W) to logits (B, C).
        dataset: gives samples with ``image`` and ``tags`` (C,); images of a batch go one by one where their sizes
            differ.
        batch_size: images a forward pass.
        device: where to predict.

    Returns:
        Logits and tags, (n, C) each, on the CPU.
    """
    logits, tags = [], []
    own = distributed.shard(len(dataset), batch_size)
    for start in own[::batch_size]:
        samples = [dataset[index] for index in range(start, min(start + batch_size, own.stop))]
        images = [sample["image"] for sample in samples]
        alike = len({image.shape for image in images}) == 1
        for batch in [torch.stack(images)] if alike else [image[None] for image in images]:
            logits.append(predict(batch.to(device)).float().cpu())
        tags.append(torch.stack([sample["tags"] for sample in samples]))
    found = (torch.cat(logits), torch.cat(tags)) if own else (None, None)
    return distributed.rows_of(found[0]), distributed.rows_of(found[1])
