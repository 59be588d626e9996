"""How far bounds and quantiles keep what they say, and how much that costs in width."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sknas.forecasting.metrics.entries import (
    check_same_shape,
    checked,
    errors_of,
    mean_of_known,
)

__all__ = ["coverage", "interval_width", "pinball_loss"]


def coverage(
    truth: NDArray[np.floating], lower: NDArray[np.floating], upper: NDArray[np.floating]
) -> float:
    """Count the share of all observed entries that lie between the bounds, these included.

    Parameters
    ----------
    truth : ndarray of shape (n_origins, horizon, n_targets)
        What happened; NaN where nothing was observed.
    lower : ndarray of shape (n_origins, horizon, n_targets)
        Lower bounds, in the unit of `truth`.
    upper : ndarray of shape (n_origins, horizon, n_targets)
        Upper bounds, in the unit of `truth`.

    Returns
    -------
    float
        Share in [0, 1].

    Raises
    ------
    ValueError
        If the shapes differ, or a bound is NaN where `truth` is not.

    Notes
    -----
    The PI coverage probability of Khosravi, A., Nahavandi, S., Creighton, D. and Atiya, A. F.
    (2011), Comprehensive review of neural network-based prediction intervals, IEEE Transactions
    on Neural Networks 22(9), equation 1.

    Examples
    --------
    >>> truth = np.array([[[1.0], [2.0], [5.0], [np.nan]]])
    >>> coverage(truth, np.zeros((1, 4, 1)), np.full((1, 4, 1), 2.0)) == 2 / 3
    True
    """
    above_lower = errors_of(truth, lower, "lower")
    below_upper = -errors_of(truth, upper, "upper")
    is_inside = ((above_lower >= 0) & (below_upper >= 0)).astype(np.float64)
    return mean_of_known(np.where(np.isnan(above_lower), np.nan, is_inside))


def interval_width(lower: NDArray[np.floating], upper: NDArray[np.floating]) -> float:
    """Average the distance of the bounds over all origins, steps and targets that have both.

    Read it beside `coverage`: wide intervals cover easily.

    Parameters
    ----------
    lower : ndarray of shape (n_origins, horizon, n_targets)
        Lower bounds.
    upper : ndarray of shape (n_origins, horizon, n_targets)
        Upper bounds, in the unit of `lower`.

    Returns
    -------
    float
        Mean width, in the unit of the bounds; negative where bounds cross.

    Raises
    ------
    ValueError
        If the shapes differ.

    Notes
    -----
    Khosravi et al. (2011), equation 3.

    Examples
    --------
    >>> interval_width(np.zeros((2, 3, 1)), np.ones((2, 3, 1)))
    1.0
    """
    low, high = checked(lower, "lower"), checked(upper, "upper")
    check_same_shape(low, high, "lower", "upper")
    return mean_of_known(high - low)


def pinball_loss(
    truth: NDArray[np.floating], quantile: NDArray[np.floating], alpha: float
) -> float:
    """Average the quantile's loss over all observed origins, steps and targets alike.

    An error costs `alpha` times its size where the truth lies above the quantile and
    ``1 - alpha`` times where it lies below.

    Parameters
    ----------
    truth : ndarray of shape (n_origins, horizon, n_targets)
        What happened; NaN where nothing was observed.
    quantile : ndarray of shape (n_origins, horizon, n_targets)
        Forecasts of the quantile, in the unit of `truth`.
    alpha : float
        Probability of the quantile, in (0, 1).

    Returns
    -------
    float
        Mean loss, in the unit of `truth`.

    Raises
    ------
    ValueError
        If the shapes differ, `quantile` is NaN where `truth` is not, or `alpha` is outside (0, 1).

    Notes
    -----
    Koenker, R. and Bassett, G. (1978), Regression quantiles, Econometrica 46(1).

    Examples
    --------
    >>> truth = np.array([[[1.0], [-1.0]]])
    >>> pinball_loss(truth, np.zeros((1, 2, 1)), alpha=0.75)
    0.5
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must be in (0, 1); got {alpha!r}.")
    errors = errors_of(truth, quantile, "quantile")
    return mean_of_known(np.maximum(alpha * errors, (alpha - 1) * errors))
