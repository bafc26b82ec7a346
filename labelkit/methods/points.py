"""Dense Supervision Propagation on point clouds (Wei, Lin, Yap, Liu, Hung; arXiv 2107.11267, TCSVT 2024).

No code of the authors was found in public. The equations are those that a public note on version 3 restates; what they
leave open is our reading, named where it is decided: how the squared difference is normalised, that its weight rises
over the first steps, and that a decoder's batch statistics of reallocated features do not enter its running ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from labelkit.losses.labelled_points import labelled_cross_entropy, squared_difference
from labelkit.models.feature_reallocation import CrossSampleReallocation, IntraSampleReallocation, pad, unpad
from labelkit.models.kpconv import KPConv
from labelkit.models.kpconv_blocks import deformation_penalty

Batch = Mapping[str, Any]
DETACH = ("none", "mixture", "plain")


class DensePropagation(nn.Module):
    """An encoder-decoder on points; in training, what labels teach is carried to points without one.

    Without both modules this is the baseline: cross-entropy of the labelled points. With ``cross`` it is stage 1, with
    ``intra`` stage 2, with both the joint training that the paper warns of. Inference is the plain network. Where the
    network has deformable convolutions their penalty is added, whatever the stage.

    Args:
        network: ``encode(batch) -> (features (N', D), skips)`` and ``decode(features, skips, batch) -> logits (N, C)``.
        cross: the clouds of each pair write each other's features; no label is applied to what is decoded from them.
        intra: each cloud writes its own features anew; labels are applied to what is decoded from them.
        weight: of the squared differences of predictions, L_CR and L_SR.
        ramp: steps in which that weight rises from 0 in a straight line.
        of, entries: see :func:`labelkit.losses.labelled_points.squared_difference`.
        skips: reallocated features are decoded with the "receiver"'s skip connections, or with zeros ("none").
        detach: "none"; "mixture": no gradient reaches the features through a mixture; "plain": in the squared
            difference the plain prediction is a constant.

    Raises:
        ValueError: an option is none of those named.

    Attributes:
        last_part: whether a batch is the last of its step; the training loop says so. The ramp counts steps.
    """

    last_part = True

    def __init__(
        self,
        network: nn.Module,
        cross: CrossSampleReallocation | None = None,
        intra: IntraSampleReallocation | None = None,
        weight: float = 1.0,
        ramp: int = 0,
        of: str = "probabilities",
        entries: str = "mean",
        skips: str = "receiver",
        detach: str = "none",
    ) -> None:
        super().__init__()
        if skips not in ("receiver", "none") or detach not in DETACH:
            raise ValueError(
                f"skips is {skips!r}, detach {detach!r}; expected 'receiver' or 'none', and one of {', '.join(DETACH)}"
            )
        self.network, self.cross, self.intra = network, cross, intra
        self.weight, self.ramp, self.of, self.entries = weight, ramp, of, entries
        self.skips, self.detach = skips, detach
        self.deformable = any(isinstance(each, KPConv) and each.offsets is not None for each in network.modules())
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))  # steps; in the state, so a resume goes on

    def training_step(self, batch: Batch) -> dict[str, Tensor]:
        """One step on stacked clouds, pairs side by side (0 and 1, 2 and 3, ...), with ``label`` and ``labelled``."""
        features, skips = self.network.encode(batch)
        losses = self.losses(features, skips, batch)
        if self.deformable:
            losses["deformation"] = deformation_penalty(self.network)
            losses["loss"] = losses["loss"] + losses["deformation"]
        if self.last_part:
            self.seen += 1
        return losses

    def losses(self, features: Tensor, skips: list[Tensor], batch: Batch) -> dict[str, Tensor]:
        """The named losses of coarse features (N', D)."""
        label, labelled = batch["label"], batch["labelled"]
        logits = self.network.decode(features, skips, batch)  # (N, C)
        losses = {"supervised": labelled_cross_entropy(logits, label, labelled)}
        total = losses["supervised"]
        if self.cross is not None:
            other = self._decode_mixture(self.across(features, batch), skips, batch)
            losses["cross"] = self._difference(logits, other)
            total = total + self._weight() * losses["cross"]
        if self.intra is not None:
            other = self._decode_mixture(self.within(features, batch), skips, batch)
            losses["intra_supervised"] = labelled_cross_entropy(other, label, labelled)
            losses["intra"] = self._difference(logits, other)
            total = total + losses["intra_supervised"] + self._weight() * losses["intra"]
        return {"loss": total, **losses}

    def across(self, features: Tensor, batch: Batch) -> Tensor:
        """F_{j->i} of every cloud, stacked as the features are, (N', D)."""
        clouds, valid = pad(self._clouds(features, batch))
        if len(clouds) % 2:
            raise ValueError(f"a batch of {len(clouds)} clouds has no pairs; expected an even number")
        moved = self.cross(clouds[0::2], clouds[1::2], valid[0::2], valid[1::2])
        moved = torch.stack(moved, 1).flatten(0, 1)  # the two clouds of a pair side by side again
        return torch.cat(unpad(moved, valid))

    def within(self, features: Tensor, batch: Batch) -> Tensor:
        """F_self of every cloud, stacked as the features are, (N', D)."""
        clouds, valid = pad(self._clouds(features, batch))
        return torch.cat(unpad(self.intra(clouds, valid), valid))

    def _clouds(self, features: Tensor, batch: Batch) -> list[Tensor]:
        if self.detach == "mixture":
            features = features.detach()
        return list(features.split(batch["lengths"][self.network.coarse_level].tolist()))

    def _decode_mixture(self, moved: Tensor, skips: list[Tensor], batch: Batch) -> Tensor:
        """Logits on the receiver's geometry, by the shared decoder."""
        if self.skips == "none":
            skips = [torch.zeros_like(skip) for skip in skips]
        with running_statistics_kept(self.network):
            return self.network.decode(moved, skips, batch)

    def _difference(self, plain: Tensor, moved: Tensor) -> Tensor:
        return squared_difference(plain.detach() if self.detach == "plain" else plain, moved, self.of, self.entries)

    def _weight(self) -> Tensor | float:
        if not self.ramp:
            return self.weight
        return self.weight * (self.seen.float() / self.ramp).clamp(max=1.0)

    def predict(self, batch: Batch) -> Tensor:
        """Logits (N, C) of the plain network."""
        features, skips = self.network.encode(batch)
        return self.network.decode(features, skips, batch)

    def feature_gradient(self, batch: Batch) -> Tensor:
        """How strongly the loss pulls at each coarse feature, (N',): the norm of its gradient.

        The full weight counts, whatever the ramp says, and batch normalisation takes its running statistics: otherwise
        it would spread a little of each gradient over all points.
        """
        training, seen = self.training, self.seen.clone()
        self.eval()
        self.seen.fill_(max(self.ramp, 1))
        with torch.no_grad():
            features, skips = self.network.encode(batch)
        with torch.enable_grad():
            features = features.detach().requires_grad_()
            loss = self.losses(features, skips, batch)["loss"]
            (gradient,) = torch.autograd.grad(loss, features)
        self.seen.copy_(seen)
        self.train(training)
        return gradient.norm(dim=1)


@contextmanager
def running_statistics_kept(module: nn.Module) -> Iterator[None]:
    """Within the block batch normalisation uses the statistics of its batch and leaves its running ones alone."""
    layers = [each for each in module.modules() if isinstance(each, nn.modules.batchnorm._BatchNorm)]
    before = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    try:
        yield
    finally:
        for layer, momentum in zip(layers, before):
            layer.momentum = momentum
