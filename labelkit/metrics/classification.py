"""Accuracy of image classifiers, each under the protocol by which its numbers may be compared."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from labelkit import distributed

PROTOCOLS = ("upright", "four-rotations")


def classify(
    predict: Callable[[Tensor], Tensor],
    dataset: Any,
    protocol: str = "upright",
    *,
    batch_size: int = 128,
    device: str | torch.device = "cpu",
) -> tuple[Tensor, Tensor]:
    """Class scores of every image of a data set, and the truth.

    Where processes work together each predicts its share of the batches; all must call this, and all get all scores.

    Args:
        predict: images (B, 3, H, W) to logits (B, C).
        dataset: gives samples with ``image`` (all of one size) and ``label``.
        protocol: ``upright`` passes each image once; ``four-rotations`` takes the mean of the logits over rotations by
            0, 90, 180 and 270 degrees, as S4L evaluates as well.
        batch_size: images a forward pass.
        device: where to predict.

    Returns:
        Logits (n, C) and labels (n,) int64, on the CPU.

    Raises:
        ValueError: the protocol is unknown.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol is {protocol!r}; expected one of {', '.join(PROTOCOLS)}")
    turns = range(4 if protocol == "four-rotations" else 1)
    scores, labels = [], []
    own = distributed.shard(len(dataset), batch_size)
    for start in own[::batch_size]:
        samples = [dataset[index] for index in range(start, min(start + batch_size, own.stop))]
        images = torch.stack([sample["image"] for sample in samples]).to(device)
        rotated = [predict(torch.rot90(images, turn, (2, 3))).float() for turn in turns]
        scores.append(torch.stack(rotated).mean(0).cpu())
        labels += [int(sample["label"]) for sample in samples]
    found = (torch.cat(scores), torch.tensor(labels)) if own else (None, None)
    return distributed.rows_of(found[0]), distributed.rows_of(found[1])


def accuracies(logits: Tensor, labels: Tensor, classes: tuple[str, ...]) -> dict[str, Any]:
    """The numbers that a record keeps.

    Args:
        logits: (n, C).
        labels: (n,) int64.
        classes: C names.

    Returns:
        ``accuracy`` and ``accuracy_top5`` in 0..1 (top 5 is 1 if there are no more than five classes), and ``recall``
        by class name (None where a class does not occur).
    """
    top = logits.topk(min(5, logits.shape[1]), dim=1).indices
    right = top == labels[:, None]
    recall = {}
    for label, name in enumerate(classes):
        members = labels == label
        recall[name] = float(right[members, 0].double().mean()) if members.any() else None
    return {
        "accuracy": float(right[:, 0].double().mean()),
        "accuracy_top5": float(right.any(1).double().mean()),
        "recall": recall,
    }
