"""A pool of earlier fakes, so that a discriminator does not forget what a generator used to draw."""

import torch
from torch import Tensor, nn


class HistoryPool(nn.Module):
    """Keeps whole batches; once full, it answers every other time with an old one.

    Until the pool is full a batch is stored and returned as it is. Afterwards, with probability 0.5, a random stored
    batch is returned and the new one takes its place; otherwise the new one is returned and forgotten. Shrivastava et
    al. (CVPR 2017) pool single images; the CycleGAN segmentation code (see `labelkit.models.cyclegan`) pools batches.

    The batches lie in buffers, so that a checkpoint holds them and a resumed run goes on as an uninterrupted one would.
    Draws come from torch's global generator, whose state is in the checkpoint as well.

    Args:
        size: batches that are kept; 0 returns every batch as it is.

    Attributes:
        items: (size * B, C, H, W); empty before the first batch, since its shape is not known earlier.
        filled: number of batches stored, int64.
    """

    def __init__(self, size: int = 50) -> None:
        super().__init__()
        if size < 0:
            raise ValueError(f"size of the pool is {size}; expected 0 or more batches")
        self.size = size
        self.register_buffer("items", torch.empty(0))
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def exchange(self, batch: Tensor) -> Tensor:
        """Hand in the newest batch, get that batch or an older one of the same shape.

        Args:
            batch: (B, C, H, W); it is copied.

        Returns:
            (B, C, H, W), without gradient and of its own memory where it is an old one.

        Raises:
            ValueError: the batch has another shape than the stored ones.
        """
        batch = batch.detach()
        if self.size == 0:
            return batch
        count = len(batch)
        if self.items.numel() == 0:
            self.items = batch.new_zeros((self.size * count, *batch.shape[1:]))
        if self.items.shape != (self.size * count, *batch.shape[1:]):
            kept = (len(self.items) // self.size, *self.items.shape[1:])
            raise ValueError(f"the pool holds batches of shape {kept} and was given one of {tuple(batch.shape)}")
        filled = int(self.filled)
        if filled < self.size:
            self.items[filled * count : (filled + 1) * count] = batch
            self.filled += 1
            return batch
        if torch.rand(()) <= 0.5:
            return batch
        start = int(torch.randint(self.size, ())) * count
        old = self.items[start : start + count].clone()
        self.items[start : start + count] = batch
        return old

    def _load_from_state_dict(self, state_dict, prefix, *arguments) -> None:
        """Take the shape of the stored batches before they are copied in: a fresh pool does not know it yet."""
        stored = state_dict.get(prefix + "items")
        if stored is not None and stored.shape != self.items.shape:
            self.items = torch.empty(stored.shape, dtype=stored.dtype, device=self.items.device)
        super()._load_from_state_dict(state_dict, prefix, *arguments)
