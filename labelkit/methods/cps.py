"""Cross Pseudo Supervision (Chen, Yuan, Zeng, Wang; CVPR 2021), its CutMix form, and the arms of its ablations.

Read against the authors' code, charlesCXK/TorchSemiSeg at 5e0c29c.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from labelkit.losses.cross_entropy import cross_entropy
from labelkit.losses.cross_pseudo import (
    cross_probability_consistency,
    cross_pseudo_supervision,
    cross_pseudo_supervision_mixed,
    hard_labels,
    self_pseudo_supervision,
)
from labelkit.losses.cutmix import box_masks, mix

SupervisedLoss = Callable[[Tensor, Tensor], Tensor]
Batch = Mapping[str, Mapping[str, Tensor]]


class CPS(nn.Module):
    """Two networks of one architecture; each is trained on the labels and on what the other one predicts.

    Total loss: CE(p1, y) + CE(p2, y) + weight * (CE(p1, y2) + CE(p2, y1)), y1 and y2 the hard labels of the two
    networks. Inference uses network a alone.

    Args:
        network_a, network_b: images (B, 3, H, W) to logits (B, C, H, W); same backbone weights, heads drawn apart.
        weight: of the cross pseudo supervision; constant, without a ramp. Paper: 1.5 on VOC, 6 on Cityscapes.
        acts_on: where the pseudo labels supervise: "both" (the paper), "labelled" or "unlabelled" images.
        target: "hard" labels of the other network (the paper) or its "soft" probabilities.
        supervised_loss: of logits and masks; the authors use OHEM cross-entropy on Cityscapes.

    Raises:
        ValueError: an option is none of those named.
    """

    def __init__(
        self,
        network_a: nn.Module,
        network_b: nn.Module,
        weight: float = 1.5,
        acts_on: str = "both",
        target: str = "hard",
        supervised_loss: SupervisedLoss = cross_entropy,
    ):
        super().__init__()
        if acts_on not in ("both", "labelled", "unlabelled"):
            raise ValueError(f"acts_on is {acts_on!r}; expected 'both', 'labelled' or 'unlabelled'")
        if target not in ("hard", "soft"):
            raise ValueError(f"target is {target!r}; expected 'hard' or 'soft'")
        self.network_a, self.network_b = network_a, network_b
        self.weight, self.acts_on, self.supervised_loss = weight, acts_on, supervised_loss
        self.consistency = cross_pseudo_supervision if target == "hard" else cross_probability_consistency

    def training_step(self, batch: Batch) -> dict[str, Tensor]:
        """One step on ``labelled`` (image, mask) and ``unlabelled`` (image); returns loss, supervised and cps."""
        labelled, unlabelled = batch["labelled"], batch["unlabelled"]
        labelled_a, labelled_b = self.network_a(labelled["image"]), self.network_b(labelled["image"])
        supervised = self.supervised_loss(labelled_a, labelled["mask"]) + self.supervised_loss(
            labelled_b, labelled["mask"]
        )
        # The two halves go through the networks one after the other, so batch normalisation never mixes them.
        unlabelled_a, unlabelled_b = self.network_a(unlabelled["image"]), self.network_b(unlabelled["image"])
        if self.acts_on == "both":
            # One mean over the pixels of both halves, not the sum of two means; weighing the halves by their number of
            # images gives it without a copy of the logits.
            n, m = len(labelled_a), len(unlabelled_a)
            halves = n * self.consistency(labelled_a, labelled_b) + m * self.consistency(unlabelled_a, unlabelled_b)
            cps = halves / (n + m)
        elif self.acts_on == "labelled":
            cps = self.consistency(labelled_a, labelled_b)
        else:
            cps = self.consistency(unlabelled_a, unlabelled_b)
        return {"loss": supervised + self.weight * cps, "supervised": supervised, "cps": cps}

    def predict(self, images: Tensor) -> Tensor:
        """Logits (B, C, H, W) of network a."""
        return self.network_a(images)


class CutMixCPS(nn.Module):
    """CPS with CutMix: the networks teach each other on two unlabelled batches and learn on their mixture.

    Unlabelled images only. The teachers' passes run without gradient but, as in the authors' code, in training mode, so
    batch statistics are used and the running statistics are updated; ``teacher_mode="eval"`` uses running statistics.

    Args:
        network_a, network_b: as for :class:`CPS`.
        weight: paper: 1 on VOC, 5 on Cityscapes.
        teacher_mode: "train" (the authors' code) or "eval".
        supervised_loss: of logits and masks.
    """

    def __init__(
        self,
        network_a: nn.Module,
        network_b: nn.Module,
        weight: float = 1.0,
        teacher_mode: str = "train",
        supervised_loss: SupervisedLoss = cross_entropy,
    ):
        super().__init__()
        if teacher_mode not in ("train", "eval"):
            raise ValueError(f"teacher_mode is {teacher_mode!r}; expected 'train' or 'eval'")
        self.network_a, self.network_b = network_a, network_b
        self.weight, self.teacher_mode, self.supervised_loss = weight, teacher_mode, supervised_loss

    def training_step(self, batch: Batch) -> dict[str, Tensor]:
        """One step on ``labelled`` (image, mask) and two independent sets ``unlabelled``, ``unlabelled_2`` (image)."""
        labelled, first, second = batch["labelled"], batch["unlabelled"]["image"], batch["unlabelled_2"]["image"]
        mask = box_masks(len(first), *first.shape[-2:]).to(first.device)
        labels_a = self._teach(self.network_a, first, second, mask)
        labels_b = self._teach(self.network_b, first, second, mask)
        mixed = mix(first, second, mask)
        cps = cross_pseudo_supervision_mixed(self.network_a(mixed), self.network_b(mixed), labels_a, labels_b)
        labelled_a, labelled_b = self.network_a(labelled["image"]), self.network_b(labelled["image"])
        supervised = self.supervised_loss(labelled_a, labelled["mask"]) + self.supervised_loss(
            labelled_b, labelled["mask"]
        )
        return {"loss": supervised + self.weight * cps, "supervised": supervised, "cps": cps}

    @torch.no_grad()
    def _teach(self, network: nn.Module, first: Tensor, second: Tensor, mask: Tensor) -> Tensor:
        """Hard labels (B, H, W) of the mixture of a network's scores on the two sets."""
        was_training = network.training
        network.train(self.teacher_mode == "train" and was_training)
        labels = hard_labels(mix(network(first), network(second), mask))
        network.train(was_training)
        return labels

    def predict(self, images: Tensor) -> Tensor:
        """Logits (B, C, H, W) of network a."""
        return self.network_a(images)


class SelfPseudo(nn.Module):
    """Control: one network learns from its own hard labels, on labelled and unlabelled images together.

    Args:
        network: images to logits.
        weight: of the pseudo labels; 0 gives the supervised baseline (and then no unlabelled image is needed).
        supervised_loss: of logits and masks.
    """

    def __init__(self, network: nn.Module, weight: float = 1.5, supervised_loss: SupervisedLoss = cross_entropy):
        super().__init__()
        self.network_a, self.weight, self.supervised_loss = network, weight, supervised_loss

    def training_step(self, batch: Batch) -> dict[str, Tensor]:
        """One step on ``labelled`` (image, mask) and, if the weight is not 0, ``unlabelled`` (image)."""
        labelled = batch["labelled"]
        logits = self.network_a(labelled["image"])
        supervised = self.supervised_loss(logits, labelled["mask"])
        if self.weight == 0:
            return {"loss": supervised, "supervised": supervised}
        unlabelled = self.network_a(batch["unlabelled"]["image"])
        n, m = len(logits), len(unlabelled)
        own = (n * self_pseudo_supervision(logits) + m * self_pseudo_supervision(unlabelled)) / (n + m)
        return {"loss": supervised + self.weight * own, "supervised": supervised, "own": own}

    def predict(self, images: Tensor) -> Tensor:
        """Logits (B, C, H, W)."""
        return self.network_a(images)
