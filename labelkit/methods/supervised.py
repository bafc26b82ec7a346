"""Plain supervised training: one network, one loss."""

from collections.abc import Callable, Mapping

from torch import Tensor, nn
from torch.nn import functional as F

from labelkit.losses.cross_entropy import cross_entropy


class Supervised(nn.Module):
    """A network that learns masks from masks.

    Args:
        network: images (B, 3, H, W) to logits (B, C, H, W).
        loss: of logits and masks (B, H, W), 255 ignored.
    """

    def __init__(self, network: nn.Module, loss: Callable[[Tensor, Tensor], Tensor] = cross_entropy) -> None:
        super().__init__()
        self.network, self.loss = network, loss

    def training_step(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """One step on ``image`` (B, 3, H, W) and ``mask`` (B, H, W)."""
        return {"loss": self.loss(self.network(batch["image"]), batch["mask"])}

    def predict(self, images: Tensor) -> Tensor:
        """Logits (B, C, H, W)."""
        return self.network(images)


class TagClassifier(nn.Module):
    """A network that learns which classes an image shows: what plain class activation maps are read from.

    Args:
        network: images (B, 3, H, W) to logits (B, C) of the foreground classes.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def training_step(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """One step on ``image`` (B, 3, H, W) and ``tags`` (B, C): mean binary cross-entropy."""
        return {"loss": F.multilabel_soft_margin_loss(self.network(batch["image"]), batch["tags"])}

    def predict(self, images: Tensor) -> Tensor:
        """Logits of the tags (B, C)."""
        return self.network(images)
