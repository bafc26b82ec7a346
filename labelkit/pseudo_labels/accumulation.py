"""Class maps accumulated while a network trains: at each position the largest value of any epoch.

A network attends to changing parts of an object as it learns; the maximum over epochs covers more of it than any one of
them (OAA; Jiang et al., ICCV 2019). Group-WSSS takes its maps this way, and this file follows its released code,
Lixy1997/Group-WSSS at fc9ab8e: maps are kept as bytes, and a map counts only if the network finds the class likely.
Maps grow with the epochs, so methods are compared at equal numbers of them.
"""

import torch
from torch import Tensor, nn

from labelkit import distributed

UNLIKELY = 0.1


def as_bytes(maps: Tensor) -> Tensor:
    """Each map divided by its own maximum, as whole numbers.

    Args:
        maps: (..., h, w), not below 0.

    Returns:
        Same shape, uint8 0..255; a map that is 0 everywhere stays so.
    """
    return (maps / (maps.amax(dim=(-2, -1), keepdim=True) + 1e-8) * 255).round().to(torch.uint8)


class AccumulatedMaps(nn.Module):
    """The maps of all images and their present classes, as buffers: a checkpoint holds them.

    Args:
        tags: (n, C), above 0 where an image shows a class. Maps of absent classes are not kept.
        size: (h, w) of the maps.
        likely: least sigmoid of a class's logit for its map to count; 0.1 as released.

    Raises:
        ValueError: tags are not (n, C), or no image has a tag.
    """

    def __init__(self, tags: Tensor, size: tuple[int, int], likely: float = UNLIKELY) -> None:
        super().__init__()
        tags = torch.as_tensor(tags) > 0
        if tags.dim() != 2 or not bool(tags.any()):
            raise ValueError(f"tags have shape {tuple(tags.shape)}; expected (images, classes) with a tag at least")
        # One row for each tag of each image: of 80 classes an image shows three.
        rows = torch.where(tags, tags.flatten().cumsum(0).view_as(tags) - 1, -1)
        self.likely = likely
        self.register_buffer("rows", rows, persistent=False)
        self.register_buffer("maps", torch.zeros(int(tags.sum()), *size, dtype=torch.uint8))
        self.register_buffer("seen", torch.zeros(int(tags.sum()), dtype=torch.bool))

    @torch.no_grad()
    def update(self, index: Tensor, maps: Tensor, logits: Tensor, last: bool = False) -> None:
        """Take the maximum with what is kept.

        Args:
            index: (B,) of the images; one image may come twice.
            maps: (B, C, h, w), not below 0, of any scale.
            logits: (B, C); a map counts if the sigmoid is at least ``likely``.
            last: in the last epoch a map that was never kept is kept, however unlikely its class.

        Raises:
            ValueError: the maps have another size than those kept.
        """
        if maps.shape[-2:] != self.maps.shape[-2:]:
            raise ValueError(
                f"maps of size {tuple(maps.shape[-2:])} came; the kept ones are {tuple(self.maps.shape[-2:])}"
            )
        rows = self.rows[index]  # (B, C)
        counts = logits.sigmoid() >= self.likely
        if last:
            counts = counts | ~self.seen[rows]
        counts = counts & (rows >= 0)
        chosen, values = rows[counts], as_bytes(maps[counts])
        self.maps.scatter_reduce_(0, chosen.view(-1, 1, 1).expand_as(values), values, "amax")
        self.seen[chosen] = True

    @torch.no_grad()
    def merge(self) -> None:
        """Take the maximum over all processes that work together, which see different images; all must call it."""
        self.maps.copy_(distributed.highest_of(self.maps))
        self.seen.copy_(distributed.highest_of(self.seen.to(torch.uint8)))

    def of(self, index: Tensor) -> Tensor:
        """Kept maps (B, C, h, w) uint8 of some images (B,); 0 for classes that are absent or were never kept."""
        rows = self.rows[index]
        return torch.where((rows >= 0)[..., None, None], self.maps[rows], 0)
