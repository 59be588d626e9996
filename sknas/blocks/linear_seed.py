"""The linear model that a network is at birth: window -> horizon, one affine map."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sknas.blocks.channels import target_windows
from sknas.blocks.initialization import zero_parameter
from sknas.blocks.shape import NetworkShape

__all__ = ["LinearSeed"]


class LinearSeed(nn.Module):
    """An affine map from the normalised window to the outputs.

    Of embedded codes it reads the newest step alone: then its logits are a log-bilinear model of
    which class follows which code, whose size does not grow with the lookback.

    Parameters
    ----------
    shape : NetworkShape
        Sizes.
    channel_mode : {"independent", "mixed"}
        ``"independent"`` maps each target's own channel, and the covariates, by weights that all
        targets share; ``"mixed"`` maps all channels to all targets at once.
    dtype : torch.dtype
        Floating type.
    """

    def __init__(self, shape: NetworkShape, channel_mode: str, *, dtype: torch.dtype) -> None:
        super().__init__()
        self.shape = shape
        self.is_shared = channel_mode == "independent"
        if self.is_shared:
            sizes = ((1 + shape.n_covariates) * shape.lookback, shape.n_outputs)
        else:
            n_steps = 1 if shape.is_embedded else shape.lookback
            sizes = (shape.n_features * n_steps, shape.n_targets * shape.n_outputs)
        self.weight = zero_parameter(*sizes, dtype=dtype)
        self.bias = zero_parameter(sizes[1], dtype=dtype)

    def assign(self, weight: NDArray[np.float64], bias: NDArray[np.float64]) -> None:
        """Take over the weights of a solved linear model.

        Parameters
        ----------
        weight : ndarray of shape (n_features, n_outputs)
            Coefficients.
        bias : ndarray of shape (n_outputs,)
            Intercepts.
        """
        with torch.no_grad():
            self.weight.copy_(torch.from_numpy(np.ascontiguousarray(weight)))
            self.bias.copy_(torch.from_numpy(np.ascontiguousarray(bias)))

    def features(self, normed: Tensor) -> Tensor:
        """Return the rows of the linear model's design matrix.

        Parameters
        ----------
        normed : Tensor of shape (batch, channels, lookback)
            Normalised windows.

        Returns
        -------
        Tensor of shape (batch, targets, (1 + covariates) * lookback), \
                (batch, channels * lookback) or (batch, channels)
            A row a target in independent mode, a row a window in mixed mode; of an embedding the
            newest step.
        """
        if self.is_shared:
            return target_windows(normed, self.shape).flatten(2)
        if self.shape.is_embedded:
            return normed[..., -1]  # (batch, embedding_size)
        return normed.flatten(1)  # (batch, channels * lookback)

    def forward(self, normed: Tensor) -> Tensor:
        """Predict.

        Parameters
        ----------
        normed : Tensor of shape (batch, channels, lookback)
            Normalised windows.

        Returns
        -------
        Tensor of shape (batch, targets, n_outputs)
            The linear prediction in normalised units.
        """
        output = self.features(normed) @ self.weight + self.bias
        return output.view(-1, self.shape.n_targets, self.shape.n_outputs)
