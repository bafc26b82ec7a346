"""Telling images apart under heavy augmentation: the batch-hard triplet loss (Hermans et al., 2017) as S4L uses it."""

import torch
import torch.nn.functional as F
from torch import Tensor

FLOOR = 1e-6  # of a distance; the gradient of a root is infinite at 0


def identities(images: int, copies: int, grouping: str = "correct") -> Tensor:
    """Which image each row of a batch of copies shows, the copies of an image standing together.

    Args:
        images, copies: of each image, so many copies.
        grouping: "correct" numbers rows 0 0 0 1 1 1 ...; "swapped" exchanges the two numbers, as the authors' code
            does: with 16 images of 8 copies it makes 8 groups of 16 rows, so two images share an identity.

    Returns:
        (images * copies,) int64.

    Raises:
        ValueError: the grouping is unknown.
    """
    if grouping not in ("correct", "swapped"):
        raise ValueError(f"grouping is {grouping!r}; expected 'correct' or 'swapped'")
    groups, members = (images, copies) if grouping == "correct" else (copies, images)
    return torch.arange(groups).repeat_interleave(members)


def batch_hard_triplet(embeddings: Tensor, identity: Tensor, margin: float | None = None) -> Tensor:
    """For each row: its farthest row of the same identity should be nearer than its nearest row of another.

    Args:
        embeddings: (N, D).
        identity: (N,) int64; every identity has at least two rows, and there are at least two identities.
        margin: None for the soft margin, softplus(farthest same - nearest other); a number for the hinge
            max(0, farthest same + margin - nearest other).

    Returns:
        (N,), a loss a row. Distances are Euclidean and at least 1e-6.

    Raises:
        ValueError: a row has no other of its identity, or all rows are of one identity.
    """
    same = identity[:, None] == identity[None, :]
    others = same & ~torch.eye(len(identity), dtype=torch.bool, device=identity.device)
    if not others.any(1).all() or same.all():
        raise ValueError("a triplet needs two rows of one identity and one of another; copies >= 2 of >= 2 images")
    wide = embeddings if embeddings.dtype == torch.float64 else embeddings.float()
    # Without the shortcut by matrix products, which loses digits where distances are small.
    distances = torch.cdist(wide, wide, compute_mode="donot_use_mm_for_euclid_dist").clamp(min=FLOOR)
    farthest = distances.masked_fill(~others, -torch.inf).amax(1)
    nearest = distances.masked_fill(same, torch.inf).amin(1)
    difference = farthest - nearest
    return F.softplus(difference) if margin is None else F.relu(difference + margin)


def exemplar_loss(*parts: Tensor, copies: int, grouping: str = "correct") -> Tensor:
    """Mean over parts (unlabelled, labelled) of the mean soft-margin triplet loss of L2-normalised embeddings.

    Args:
        parts: embeddings (copies * B_i, D) each, the copies of an image standing together.
        copies: of an image.
        grouping: see :func:`identities`.

    Returns:
        Scalar.

    Raises:
        ValueError: the rows are not a multiple of the copies, or there is no triplet.
    """
    losses = []
    for embeddings in parts:
        if len(embeddings) % copies:
            raise ValueError(f"{len(embeddings)} embeddings are not a multiple of {copies} copies")
        identity = identities(len(embeddings) // copies, copies, grouping).to(embeddings.device)
        # A root of 1e-12 is the floor of the length, as in the authors' library.
        losses.append(batch_hard_triplet(F.normalize(embeddings, dim=1, eps=1e-6), identity).mean())
    return torch.stack(losses).mean()
