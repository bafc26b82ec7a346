"""Group-WSSS: group-wise semantic mining (Li, Zhou, Li, Zhou, Zhang; AAAI 2021), and its baseline on single images.

Read against the authors' code, Lixy1997/Group-WSSS at fc9ab8e.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labelkit.models.group_network import GroupNetwork
from labelkit.pseudo_labels.accumulation import AccumulatedMaps

Batch = Mapping[str, Tensor]


def group_loss(
    group_logits: Tensor, single_logits: Tensor, tags: Tensor, single_weight: float = 0.4
) -> tuple[Tensor, Tensor, Tensor]:
    """Every image is classified twice, after the messages and before, each time with its own tags.

    (sum_i MLSM(group_i, y_i) + single_weight * sum_i MLSM(single_i, y_i)) / (2 K) for a group of K, where MLSM is the
    multi-label soft margin loss, the mean binary cross-entropy over classes; the mean over groups. The released code
    divides by 6 for its groups of three.

    Args:
        group_logits, single_logits, tags: (G, K, C).
        single_weight: 0.4 as released.

    Returns:
        The loss, and the mean MLSM of the group logits and of the single ones.
    """
    flat = tags.flatten(0, -2)
    group = F.multilabel_soft_margin_loss(group_logits.flatten(0, -2), flat)
    single = F.multilabel_soft_margin_loss(single_logits.flatten(0, -2), flat)
    return (group + single_weight * single) / 2, group, single


class Collection(nn.Module):
    """Maps collected in training steps, from a step on; a checkpoint holds the maps and the number of steps.

    Args:
        accumulated: where they go; in each of several processes what it saw, until they are merged.
        first_step: steps before this one (from 0) collect nothing; as released, the first epoch.
        last_from: from this step on also maps of unlikely classes are kept, if there is none yet; the last epoch.
            Whether there is one, all processes know from here on.
        parts: calls of ``add`` that make a step.
    """

    def __init__(self, accumulated: AccumulatedMaps, first_step: int = 0, last_from: int = 0, parts: int = 1) -> None:
        super().__init__()
        self.accumulated, self.first_step, self.last_from, self.parts = accumulated, first_step, last_from, parts
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def add(self, index: Tensor, maps: Tensor, logits: Tensor) -> None:
        """Maps (B, C, h, w) of a step, or of a part of one, with logits (B, C) of the images (B,)."""
        step, part = divmod(int(self.steps), self.parts)
        if step == self.last_from and part == 0:
            self.accumulated.merge()
        if step >= self.first_step:
            self.accumulated.update(index, maps.float(), logits.float(), last=step >= self.last_from)
        self.steps += 1


class GroupWSSS(nn.Module):
    """Tags of a group's images from class maps that have exchanged messages.

    Args:
        network: trunk, head and graph.
        single_weight: of the loss before the messages.
        collection: for maps accumulated in training, from the very forward passes of the steps, with graph dropout and
            augmentation; None for none.
        choice: which maps are collected: "mean" of first and last (released), "first" or "last".
        first_only: collect the first image of each group alone (released); else all of them, so that groups of any
            size and single images are collected equally often.
    """

    def __init__(
        self,
        network: GroupNetwork,
        single_weight: float = 0.4,
        collection: Collection | None = None,
        choice: str = "mean",
        first_only: bool = False,
    ) -> None:
        super().__init__()
        self.network, self.single_weight, self.collection = network, single_weight, collection
        self.choice, self.first_only = choice, first_only

    def training_step(self, batch: Batch) -> dict[str, Tensor]:
        """One step on ``image`` (G, K, 3, H, W), ``tags`` (G, K, C) and, to collect maps, ``index`` (G, K).

        Returns:
            loss, and its two parts unweighted: group and single.
        """
        output = self.network(batch["image"])
        loss, group, single = group_loss(output.group_logits, output.single_logits, batch["tags"], self.single_weight)
        if self.collection is not None:
            kept = slice(0, 1 if self.first_only else None)
            self.collection.add(
                batch["index"][:, kept].flatten(),
                output.maps(self.choice)[:, kept].flatten(0, 1),
                output.group_logits[:, kept].flatten(0, 1),
            )
        return {"loss": loss, "group": group, "single": single}

    def predict(self, images: Tensor) -> Tensor:
        """Tag logits (B, C) of images by themselves, before any message: at test time an image has no tags by which to
        find it a group."""
        return self.network.nodes(images).mean(dim=(-2, -1))


class SingleImage(nn.Module):
    """The baseline: the same trunk and head, each image by itself; plain class activation maps.

    Args:
        network: with ``nodes(images)``, class score maps (B, C, h, w).
        collection: as for :class:`GroupWSSS`.
    """

    def __init__(self, network: GroupNetwork, collection: Collection | None = None) -> None:
        super().__init__()
        self.network, self.collection = network, collection

    def training_step(self, batch: Batch) -> dict[str, Tensor]:
        """One step on ``image`` (B, 3, H, W), ``tags`` (B, C) and, to collect maps, ``index`` (B,)."""
        maps = self.network.nodes(batch["image"])
        logits = maps.mean(dim=(-2, -1))
        if self.collection is not None:
            self.collection.add(batch["index"], torch.relu(maps), logits)
        loss = F.multilabel_soft_margin_loss(logits, batch["tags"])
        return {"loss": loss, "single": loss}

    def predict(self, images: Tensor) -> Tensor:
        """Tag logits (B, C)."""
        return self.network.nodes(images).mean(dim=(-2, -1))
