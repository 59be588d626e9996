"""What tells channels apart where they share all other weights: a gain for each unit they read."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

__all__ = ["ChannelGains"]

_SPREAD = 0.25


class ChannelGains(nn.Module):
    """Multiply the last states of channel c by ``1 + e_c``, unit by unit, before the shared head.

    A branch with independent channels is one network for all of them. With a gain e_c for each
    channel and unit its head reads ``(1 + e_c) * h``, a Hadamard product of a state and a learned
    embedding of the channel: every channel has a head of its own, of which only a diagonal is its
    own. SegRNN (Lin et al. 2023, arXiv:2308.11200) puts an embedding of the channel into the
    recurrent steps of its decoder; to multiply the state by it instead is ours, and costs no step.

    Gains start at random, small and different for each channel, so that they have a gradient as
    soon as the head, which starts at zero, has one. Weight decay draws them back to zero, which is
    the network that all channels share.

    Parameters
    ----------
    n_channels : int
        Channels that share the head.
    n_units : int
        Units of the state.
    generator : torch.Generator
        Source of the initial gains.
    dtype : torch.dtype
        Floating type.
    """

    def __init__(
        self, n_channels: int, n_units: int, *, generator: Generator, dtype: torch.dtype
    ) -> None:
        super().__init__()
        drawn = torch.randn(n_channels, n_units, generator=generator, dtype=dtype)
        self.weight = nn.Parameter(_SPREAD * drawn)

    def forward(self, states: Tensor) -> Tensor:
        """Weigh units.

        Parameters
        ----------
        states : Tensor of shape (batch * channels, units)
            Last states, the channels of one window next to each other.

        Returns
        -------
        Tensor of shape (batch * channels, units)
            The weighed states.
        """
        by_channel = states.view(-1, *self.weight.shape)  # (batch, channels, units)
        return (by_channel + by_channel * self.weight).flatten(0, 1)
