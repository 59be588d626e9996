"""A fitted network's forecasts, and forecasts beyond its horizon that go on from its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sknas.blocks import NetworkShape
from sknas.blocks.carrying import carried_forward
from sknas.forecasting._known import window_of_known
from sknas.training import prediction_runtime

__all__ = ["roll_out"]

Array = NDArray[Any]
_N_BATCH = 512


def roll_out(
    network: Callable[[Tensor], Tensor],
    shape: NetworkShape,
    past: Array,
    known: Array,
    n_steps: int,
) -> NDArray[np.float64]:
    """Forecast a number of steps, block by block.

    A block is as long as the network's horizon. It reads the medians (of a point forecast, the
    points) of the blocks before it as if they had happened.

    Parameters
    ----------
    network : callable
        Maps windows (batch, channels, lookback) to outputs (batch, targets, n_outputs).
    shape : NetworkShape
        Sizes of the network.
    past : ndarray of shape (n, lookback, n_targets)
        Standardised values before the forecasts; NaN is missing.
    known : ndarray of shape (n, lookback + n_ahead, n_covariates)
        Standardised covariates of those steps and of at least `n_steps` after them, whole blocks.
    n_steps : int
        Steps to forecast.

    Returns
    -------
    ndarray of shape (n, n_quantiles, n_steps, n_targets), dtype=float64
        Standardised forecasts.
    """
    parts = [
        _roll_out_some(network, shape, past[batch], known[batch], n_steps)
        for batch in np.array_split(np.arange(len(past)), max(1, -(-len(past) // _N_BATCH)))
    ]
    return np.concatenate(parts)


def _roll_out_some(
    network: Callable[[Tensor], Tensor],
    shape: NetworkShape,
    past: Array,
    known: Array,
    n_steps: int,
) -> NDArray[np.float64]:
    lookback, horizon = shape.lookback, shape.horizon
    history, blocks = past.astype(np.float64), []
    if not shape.has_missing and np.isnan(history).any():  # what a short series lacks in front
        filled = carried_forward(torch.from_numpy(history.swapaxes(1, 2)))
        history = filled.numpy().swapaxes(1, 2)
    for begin in range(0, n_steps, horizon):
        window = history[:, -lookback:].swapaxes(1, 2)  # (n, targets, lookback)
        if shape.n_covariates:
            around = known[:, begin : begin + lookback + horizon]
            covariates = window_of_known(around, lookback, horizon)
            window = np.concatenate([window, covariates], axis=1)
        with prediction_runtime():
            output = network(torch.from_numpy(np.ascontiguousarray(window)))
        quantiles = output.unflatten(2, (shape.n_quantiles, horizon)).numpy()
        block = quantiles.transpose(0, 2, 3, 1)  # (n, quantiles, horizon, targets)
        blocks.append(block)
        middle = block[:, shape.quantiles.index(0.5) if shape.quantiles else 0]
        history = np.concatenate([history, middle], axis=1)
    return np.concatenate(blocks, axis=2)[:, :, :n_steps]
