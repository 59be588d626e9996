"""What is known of the future, as channels of the past: covariates, moved by the horizon."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["moved_by_horizon", "n_copies", "window_of_known"]

Array = NDArray[Any]


def n_copies(lookback: int, horizon: int) -> int:
    """Return how many moved copies of a covariate let a window see the last step and all ahead.

    Parameters
    ----------
    lookback, horizon : int
        Steps read, and steps predicted.

    Returns
    -------
    int
        Copy m of a window that ends at step t holds the `lookback` steps to
        ``t + horizon - m * lookback``; together they reach back to t at least.
    """
    return horizon // lookback + 1


def moved_by_horizon(known: Array, lookback: int, horizon: int) -> Array:
    """Return covariates as channels: row t of copy m holds row ``t + horizon - m * lookback``.

    Parameters
    ----------
    known : ndarray of shape (n_rows, n_covariates)
        Rows of all series, one series after the other, as they are laid for windows.
    lookback, horizon : int
        Steps read, and steps predicted.

    Returns
    -------
    ndarray of shape (n_rows, n_copies * n_covariates)
        Zero where there is no such row. Some rows are those of the next series: a window with
        `horizon` rows of its series behind it reads none of them.
    """
    copies = n_copies(lookback, horizon)
    n_covariates = known.shape[1]
    moved = np.zeros((len(known), copies * n_covariates), known.dtype)
    for copy in range(copies):
        by = horizon - copy * lookback
        columns = slice(copy * n_covariates, (copy + 1) * n_covariates)
        moved[: max(0, len(known) - by), columns] = known[by:]
    return moved


def window_of_known(known: Array, lookback: int, horizon: int) -> Array:
    """Return the channels of one window from the covariates around it.

    Parameters
    ----------
    known : ndarray of shape (n, lookback + horizon, n_covariates)
        Covariates of the window's steps and of those ahead.
    lookback, horizon : int
        Steps read, and steps predicted.

    Returns
    -------
    ndarray of shape (n, n_copies * n_covariates, lookback)
        As windows over the rows of `moved_by_horizon` would hold them.
    """
    ends = [lookback + horizon - copy * lookback for copy in range(n_copies(lookback, horizon))]
    parts = [known[:, end - lookback : end] for end in ends]
    return np.concatenate(parts, axis=2).swapaxes(1, 2)
