"""Object-Contextual Representations (Yuan, Chen, Wang; ECCV 2020): training step and inference.

The idea itself, regions and attention, is in ``labelkit.models.ocr``. Read against openseg-group/openseg.pytorch
at aefc755 and HRNet/HRNet-Semantic-Segmentation.
"""

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from labelkit.losses.cross_entropy import cross_entropy, with_auxiliary


class OCR(nn.Module):
    """A network with a main and a coarse head, both supervised by the labels.

    Total loss: CE(main, y) + aux_weight * CE(coarse, y) at full resolution. The coarse loss is what makes the soft
    regions object regions; no gradient is stopped, so the main loss reaches the coarse head through the regions as
    well.

    Args:
        network: ``both_logits(images, mask=None)`` gives main and coarse logits (B, C, H, W); ``network(images)``
            the main.
        aux_weight: of the coarse loss; 0.4 in the paper's code.
        ideal: hand the truth to the network (ideal regions: an upper bound, not a method).
        main_loss: of logits and masks; the authors use OHEM on ADE20K and COCO-Stuff.
    """

    def __init__(
        self,
        network: nn.Module,
        aux_weight: float = 0.4,
        ideal: bool = False,
        main_loss: Callable[[Tensor, Tensor], Tensor] = cross_entropy,
    ):
        super().__init__()
        self.network, self.aux_weight, self.ideal, self.main_loss = network, aux_weight, ideal, main_loss

    def training_step(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """One step on ``image`` (B, 3, H, W) and ``mask`` (B, H, W); returns loss, main and coarse."""
        main, coarse = self.network.both_logits(batch["image"], batch["mask"] if self.ideal else None)
        main_loss, coarse_loss = self.main_loss(main, batch["mask"]), cross_entropy(coarse, batch["mask"])
        return {
            "loss": with_auxiliary(main_loss, coarse_loss, self.aux_weight),
            "main": main_loss,
            "coarse": coarse_loss,
        }

    def predict(self, images: Tensor, masks: Tensor | None = None) -> Tensor:
        """Main logits (B, C, H, W). The truth ``masks`` is taken by the ideal variant alone.

        Raises:
            ValueError: the ideal variant was given no truth, or another one was given it.
        """
        if self.ideal != (masks is not None):
            raise ValueError("only the ideal variant predicts from the truth; give masks to it and to nothing else")
        return self.network(images, masks) if self.ideal else self.network(images)
