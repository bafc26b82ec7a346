"""DSRG (Huang, Wang, Wang, Liu, Wang; CVPR 2018): the segmentation stage that FickleNet takes over.

Read against the authors' Caffe code, speedinghzl/DSRG at 91efdf7. A network learns masks from a few seeds; in every
step the seeds grow into what the network, smoothed by a dense CRF, is sure of.
"""

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor, nn

from labelkit.crf.mean_field import Bilateral, Gaussian, mean_field
from labelkit.crf.unaries import negative_log, negative_probability
from labelkit.losses.cross_entropy import cross_entropy
from labelkit.losses.seeds import balanced_seed_loss, boundary_loss, floored_softmax
from labelkit.models.layers import upsample
from labelkit.pseudo_labels.region_growing import grow_seeds, one_hot_seeds

REFERENCE = 41
"""Side of the authors' maps in positions; the CRF's lengths are given for it."""


class DSRG(nn.Module):
    """A segmentation network trained on seeds that grow.

    Loss: balanced seed loss + boundary loss (+ alpha times full cross-entropy where some images have masks).

    Args:
        network: images (B, 3, H, W) to logits (B, K, H, W), background first.
        stride: seeds, CRF and losses live on maps of ceil(H / stride) x ceil(W / stride) positions.
        grow: let the seeds grow; False keeps them fixed (the control).
        foreground, background: how sure the smoothed network must be of a class, and of the background, to grow.
        log_unary: -log p as the CRF's unary; False takes -p, as the authors' code does while it trains.
        iterations: of the CRF.
        alpha: weight of the strongly labelled images. FickleNet: 2 (from memory).
    """

    def __init__(
        self,
        network: nn.Module,
        stride: int = 8,
        *,
        grow: bool = True,
        foreground: float = 0.85,
        background: float = 0.99,
        log_unary: bool = False,
        iterations: int = 10,
        alpha: float = 2.0,
    ) -> None:
        super().__init__()
        self.network, self.stride, self.grow = network, stride, grow
        self.foreground, self.background, self.log_unary = foreground, background, log_unary
        self.iterations, self.alpha = iterations, alpha

    def training_step(self, batch: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
        """One step on ``weak`` images (image, tags, and seeds as mask) and, if given, ``strong`` ones (image, mask).

        Seeds are labels 0..K-1, 255 where there is none.

        Returns:
            loss, seed, boundary, ``grown`` (share of positions with a seed after growing) and, with strong images,
            full.
        """
        weak = batch["weak"]
        probabilities, smoothed, seeds = self.targets(self.network(weak["image"]), weak)
        terms = {"seed": balanced_seed_loss(probabilities, seeds), "boundary": boundary_loss(probabilities, smoothed)}
        loss = terms["seed"] + terms["boundary"]
        if "strong" in batch:
            terms["full"] = cross_entropy(self.network(batch["strong"]["image"]), batch["strong"]["mask"])
            loss = loss + self.alpha * terms["full"]
        return {"loss": loss, **terms, "grown": (seeds > 0).any(1).float().mean()}

    def targets(self, logits: Tensor, weak: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """What the losses compare.

        Args:
            logits: (B, K, H, W) of the images.
            weak: image, tags, and seeds as mask.

        Returns:
            Probabilities, and the two targets, which carry no gradient: what the CRF makes of them, and the seeds after
            growing; (B, K, h, w) each.
        """
        size = tuple(-(-side // self.stride) for side in weak["image"].shape[-2:])
        probabilities = floored_softmax(upsample(logits, size))  # downwards, here
        smoothed = self.smooth(probabilities.detach(), weak["image"])
        seeds = one_hot_seeds(at_size(weak["mask"], size), probabilities.shape[1])
        if self.grow:
            seeds = grow_seeds(seeds, smoothed, weak["tags"], self.foreground, self.background)
        return probabilities, smoothed, seeds

    def smooth(self, probabilities: Tensor, images: Tensor) -> Tensor:
        """What the dense CRF makes of probabilities (B, K, h, w), with the images (B, 3, H, W) shrunk to their size.

        The authors' lengths, 80/12 and 3/12 of a position, belong to maps of 41 x 41; they scale with the map.
        """
        size = tuple(probabilities.shape[-2:])
        shrunk = F.interpolate(images.float(), size=size, mode="bilinear", align_corners=False, antialias=True)
        scale = max(size) / REFERENCE / 12
        unary = negative_log(probabilities) if self.log_unary else negative_probability(probabilities)
        kernels = Gaussian(sxy=3 * scale, compat=3.0), Bilateral(sxy=80 * scale, srgb=13.0, compat=10.0)
        return mean_field(unary, shrunk.clamp(0, 1), *kernels, iterations=self.iterations)

    def predict(self, images: Tensor) -> Tensor:
        """Logits (B, K, H, W)."""
        return self.network(images)


def at_size(labels: Tensor, size: tuple[int, int]) -> Tensor:
    """Label maps (B, H, W) at another size by nearest neighbour; undoes the enlarging of smaller maps the same way."""
    if tuple(labels.shape[-2:]) == size:
        return labels
    return F.interpolate(labels[:, None].float(), size=size, mode="nearest-exact")[:, 0].to(labels.dtype)
