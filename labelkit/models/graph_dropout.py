"""Graph dropout of Group-WSSS: weakens what all images of a group agree on most, so that the rest is learned, too.

Read against the authors' code, Lixy1997/Group-WSSS at fc9ab8e. The name says dropout, but nothing is set to zero:
positions keep at least half of their value.
"""

import torch
from torch import Tensor, nn

PLACES = ("attended", "random")


class GraphDropout(nn.Module):
    """h becomes (h s + h) / 2, s being one of two maps; which one, a coin decides.

    a is the mean of h over channels, with its sign. With probability ``rate`` s is the drop mask, 1 where a < threshold
    * max(a) and 0 elsewhere: the most attended region is halved, the rest stays. Otherwise s is the importance map
    sigmoid(a), which keeps the more the higher a is. Where a is negative everywhere nothing is dropped, since threshold
    * max(a) then lies above max(a).

    As released there is one coin for the whole tensor of a call, the maximum is each image's own, and the layer acts in
    evaluation mode as in training.

    Args:
        rate: probability of the drop mask, and not of a unit to be dropped.
        threshold: share of the image's maximum from which on a position counts as most attended.
        in_evaluation: act in evaluation mode, too (as released); False leaves maps as they are there.
        each_image: one coin for each image, in place of one for the call. The authors call the layer image by image.
        place: "attended" (the paper), or "random": as many positions are halved, but anywhere. A control.

    Raises:
        ValueError: rate or threshold lies outside 0..1, or place is none of those.
    """

    def __init__(
        self,
        rate: float = 0.8,
        threshold: float = 0.7,
        in_evaluation: bool = True,
        each_image: bool = False,
        place: str = "attended",
    ):
        super().__init__()
        for name, value in (("rate", rate), ("threshold", threshold)):
            if not 0 <= value <= 1:
                raise ValueError(f"{name} is {value}; expected a number in 0..1")
        if place not in PLACES:
            raise ValueError(f"place is {place!r}; expected one of {', '.join(PLACES)}")
        self.rate, self.threshold, self.in_evaluation = rate, threshold, in_evaluation
        self.each_image, self.place = each_image, place

    def forward(self, features: Tensor, coins: Tensor | None = None) -> Tensor:
        """Weaken features (B, C, H, W).

        Args:
            features: of B images.
            coins: 1 for the drop mask, 0 for the importance map: one number, or one for each image (B,). Drawn from
                torch's global generator if None.

        Returns:
            (B, C, H, W).
        """
        if not (self.training or self.in_evaluation):
            return features
        if coins is None:
            coins = self.draw(len(features), features.device)
        coins = torch.as_tensor(coins, dtype=features.dtype, device=features.device).reshape(-1, 1, 1, 1)
        chosen = (1 - coins) * importance_map(features) + coins * self.mask(features)
        return (features * chosen + features) / 2

    def draw(self, images: int, device: torch.device | str = "cpu") -> Tensor:
        """Coins of a call: (images,) with ``each_image``, else (1,); 1 with probability ``rate``."""
        return (torch.rand(images if self.each_image else 1, device=device) + self.rate).floor()

    def mask(self, features: Tensor) -> Tensor:
        """What is multiplied when the coin says drop: (B, 1, H, W) of 0 and 1."""
        mask = drop_mask(features, self.threshold)
        if self.place == "random":
            order = torch.rand_like(mask, dtype=torch.float32).flatten(1).argsort(dim=1)
            mask = mask.flatten(1).gather(1, order).view_as(mask)
        return mask


def attention_of(features: Tensor) -> Tensor:
    """Mean over channels, with its sign: (B, C, H, W) -> (B, 1, H, W)."""
    return features.mean(dim=1, keepdim=True)


def importance_map(features: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, 1, H, W) in 0..1: the sigmoid of the attention; gradients pass."""
    return torch.sigmoid(attention_of(features))


def drop_mask(features: Tensor, threshold: float) -> Tensor:
    """(B, C, H, W) -> (B, 1, H, W): 0 where the attention reaches ``threshold`` times its maximum in the image, else
    1; no gradient passes."""
    attention = attention_of(features.detach())
    return (attention < threshold * attention.amax(dim=(-2, -1), keepdim=True)).to(features.dtype)
