"""What each target reads where channels are independent: its own channel, and the covariates."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sknas.blocks.shape import NetworkShape

__all__ = ["of_channels", "target_windows"]


def of_channels(values: Tensor, channels: Sequence[int]) -> Tensor:
    """Return some channels.

    Parameters
    ----------
    values : Tensor of shape (batch, channels, length)
        Numbers of all channels.
    channels : sequence of int
        Which of them.

    Returns
    -------
    Tensor of shape (batch, len(channels), length)
        A view where they are the first channels, in order.
    """
    if all(channel == place for place, channel in enumerate(channels)):
        return values[:, : len(channels)]
    return values[:, list(channels)]


def target_windows(normed: Tensor, shape: NetworkShape) -> Tensor:
    """Return a window a target.

    Parameters
    ----------
    normed : Tensor of shape (batch, channels, lookback)
        Normalised windows.
    shape : NetworkShape
        Which channel each target continues, and how many covariates stand behind the channels.

    Returns
    -------
    Tensor of shape (batch, targets, 1 + covariates, lookback)
        The target's own channel first.
    """
    own = of_channels(normed, shape.target_channels or ()).unsqueeze(2)
    if not shape.n_covariates:
        return own
    covariates = normed[:, None, shape.n_channels - shape.n_covariates :]
    return torch.cat([own, covariates.expand(-1, own.shape[1], -1, -1)], dim=2)
