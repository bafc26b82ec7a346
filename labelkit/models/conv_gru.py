"""A gated recurrent unit on feature maps: the state of each position is updated by the message that reaches it."""

import torch
from torch import Tensor, nn


class ConvGRU(nn.Module):
    """One update of a state by a message, with convolutions in place of matrices.

    u = sigmoid(update(m, h)), r = sigmoid(reset(m, h)), n = tanh(candidate(m, r * h)), h' = (1 - u) h + u n: an update
    gate near 1 takes the new value. Group-WSSS uses kernel 1, so a state sees its neighbours through the messages only.

    Args:
        message_channels: M.
        state_channels: C.
        kernel_size: odd; the size of the maps stays.

    Raises:
        ValueError: the kernel size is even.
    """

    def __init__(self, message_channels: int, state_channels: int, kernel_size: int = 1):
        super().__init__()
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size is {kernel_size}; an odd number was expected, which keeps the size of a map")
        both = message_channels + state_channels
        self.state_channels = state_channels
        self.update = nn.Conv2d(both, state_channels, kernel_size, padding=kernel_size // 2)
        self.reset = nn.Conv2d(both, state_channels, kernel_size, padding=kernel_size // 2)
        self.candidate = nn.Conv2d(both, state_channels, kernel_size, padding=kernel_size // 2)

    def forward(self, message: Tensor, state: Tensor | None = None) -> Tensor:
        """The new state.

        Args:
            message: (B, M, H, W).
            state: (B, C, H, W); zeros if None.

        Returns:
            (B, C, H, W).
        """
        if state is None:
            state = message.new_zeros(len(message), self.state_channels, *message.shape[-2:])
        both = torch.cat([message, state], dim=1)
        update, reset = torch.sigmoid(self.update(both)), torch.sigmoid(self.reset(both))
        candidate = torch.tanh(self.candidate(torch.cat([message, reset * state], dim=1)))
        return state * (1 - update) + candidate * update
