"""What each target reads where channels are independent: its own channel, and the covariates."""

from __future__ import annotations

import torch
from torch import Tensor

from sknas.blocks.shape import NetworkShape

__all__ = ["target_windows"]


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
    own = normed[:, list(shape.target_channels or ())].unsqueeze(2)
    if not shape.n_covariates:
        return own
    covariates = normed[:, None, shape.n_channels - shape.n_covariates :]
    return torch.cat([own, covariates.expand(-1, own.shape[1], -1, -1)], dim=2)
