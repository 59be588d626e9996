"""How far the truth strays from forecasts that went on from forecasts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["carried_on", "strayed"]

Array = NDArray[Any]


def strayed(offsets: Array, horizon: int) -> NDArray[np.float64]:
    """Add the errors of blocks as though they were independent of each other.

    Each block starts from the error at the last step of the one before. At block b (0 is the
    first) and step s of it an end lies at ``sign * sqrt(q[0]**2 + ... + q[b - 1]**2 + q_s**2)``,
    with the ends q of the blocks' last steps and that of the step itself. Squares are subtracted
    where the signs differ, so that ends keep their order.

    Parameters
    ----------
    offsets : ndarray of shape (..., n_steps, n_targets)
        Ends of each step by itself, as if what was before it had come out as forecast.
    horizon : int
        Steps of a block.

    Returns
    -------
    ndarray of the same shape
        Equal to `offsets` within the first block.
    """
    if offsets.shape[-2] <= horizon:
        return offsets
    squares = offsets * np.abs(offsets)
    before = np.cumsum(squares[..., horizon - 1 :: horizon, :], axis=-2)
    block = np.arange(offsets.shape[-2]) // horizon
    square = squares[..., horizon:, :] + before[..., block[horizon:] - 1, :]
    further = np.sign(square) * np.sqrt(np.abs(square))
    return np.concatenate([offsets[..., :horizon, :], further], axis=-2)


def carried_on(offsets: Array, n_steps: int) -> Array:
    """Carry the ends of the steps that were calibrated to a number of steps, fewer or more.

    Parameters
    ----------
    offsets : ndarray of shape (n_alphas, n_calibrated, n_targets)
        Their ends.
    n_steps : int
        How many steps.

    Returns
    -------
    ndarray of shape (n_alphas, n_steps, n_targets)
        The first steps as they are, those behind the calibrated ones as further blocks of them.
    """
    n_calibrated = offsets.shape[1]
    return strayed(offsets[:, np.arange(n_steps) % n_calibrated], n_calibrated)
