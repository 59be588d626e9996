"""How far points lie from the truth: in its unit, its square, or that of a naive forecast."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sknas.forecasting.metrics.entries import errors_of, mean_of_known

__all__ = ["mae", "mase", "mse", "rmse"]


def mae(truth: NDArray[np.floating], forecast: NDArray[np.floating]) -> float:
    """Average the absolute errors over all observed origins, steps and targets alike.

    Parameters
    ----------
    truth : ndarray of shape (n_origins, horizon, n_targets)
        What happened; NaN where nothing was observed.
    forecast : ndarray of shape (n_origins, horizon, n_targets)
        What was said, in the unit of `truth`.

    Returns
    -------
    float
        Mean absolute error, in the unit of `truth`.

    Raises
    ------
    ValueError
        If the shapes differ, or `forecast` is NaN where `truth` is not.

    Examples
    --------
    >>> truth = np.array([[[1.0], [2.0]], [[3.0], [np.nan]]])
    >>> mae(truth, np.zeros((2, 2, 1)))
    2.0
    """
    return mean_of_known(np.abs(errors_of(truth, forecast)))


def mse(truth: NDArray[np.floating], forecast: NDArray[np.floating]) -> float:
    """Average the squared errors over all observed origins, steps and targets alike.

    Parameters
    ----------
    truth : ndarray of shape (n_origins, horizon, n_targets)
        What happened; NaN where nothing was observed.
    forecast : ndarray of shape (n_origins, horizon, n_targets)
        What was said, in the unit of `truth`.

    Returns
    -------
    float
        Mean squared error, in the squared unit of `truth`.

    Raises
    ------
    ValueError
        If the shapes differ, or `forecast` is NaN where `truth` is not.

    Examples
    --------
    >>> truth = np.array([[[1.0], [3.0]], [[np.nan], [2.0]]])
    >>> mse(truth, np.ones((2, 2, 1))) == (0 + 4 + 1) / 3
    True
    """
    return mean_of_known(errors_of(truth, forecast) ** 2)


def rmse(truth: NDArray[np.floating], forecast: NDArray[np.floating]) -> float:
    """Take the root of the squared error's mean over all observed entries, once at the end.

    It is not the mean of the steps' or the targets' own roots.

    Parameters
    ----------
    truth : ndarray of shape (n_origins, horizon, n_targets)
        What happened; NaN where nothing was observed.
    forecast : ndarray of shape (n_origins, horizon, n_targets)
        What was said, in the unit of `truth`.

    Returns
    -------
    float
        Root mean squared error, in the unit of `truth`.

    Raises
    ------
    ValueError
        If the shapes differ, or `forecast` is NaN where `truth` is not.

    Examples
    --------
    >>> rmse(np.array([[[1.0]], [[7.0]]]), np.zeros((2, 1, 1)))
    5.0
    """
    return float(np.sqrt(mse(truth, forecast)))


def mase(
    truth: NDArray[np.floating],
    forecast: NDArray[np.floating],
    history: NDArray[np.floating],
    *,
    season: int = 1,
) -> float:
    """Average absolute errors in units of the error that the naive forecast makes in the history.

    The unit of a target is the mean of ``|history[t] - history[t - season]|`` over the pairs of
    rows that are both observed. Scaled errors are averaged over all observed origins, steps and
    targets alike: below 1 a forecast errs less, at its horizon, than one step (or season) of the
    naive one did. Errors of a target whose history repeats itself exactly, or holds no such pair,
    have no unit and are left out.

    Parameters
    ----------
    truth : ndarray of shape (n_origins, horizon, n_targets)
        What happened; NaN where nothing was observed.
    forecast : ndarray of shape (n_origins, horizon, n_targets)
        What was said, in the unit of `truth`.
    history : ndarray of shape (n_timepoints, n_targets) or (n_origins, n_timepoints, n_targets)
        What the forecasts were learnt from, oldest row first, in common or for each origin (as
        in a panel, where an origin belongs to a series). NaN are left out.
    season : int, default=1
        Time steps that the naive forecast looks back; 1 repeats the last value.

    Returns
    -------
    float
        Mean absolute scaled error; NaN where no entry is left.

    Raises
    ------
    ValueError
        If the shapes differ, `forecast` is NaN where `truth` is not, or `season` is not positive
        or leaves no pair of rows in `history`.

    Notes
    -----
    Hyndman, R. J. and Koehler, A. B. (2006), Another look at measures of forecast accuracy,
    International Journal of Forecasting 22(4), section 3; the seasonal unit is that of the M4
    competition. Leaving out what has no unit is ours.

    Examples
    --------
    >>> history = np.array([[0.0], [2.0], [4.0]])  # the naive forecast errs by 2
    >>> mase(np.array([[[5.0], [6.0]]]), np.array([[[4.0], [4.0]]]), history)
    0.75
    """
    errors = np.abs(errors_of(truth, forecast))
    unit = _naive_error(history, season, errors.shape)
    return mean_of_known(np.divide(errors, unit, out=np.full_like(errors, np.nan), where=unit > 0))


def _naive_error(
    history: NDArray[np.floating], season: int, shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Return the naive forecast's mean absolute error, to broadcast over errors of that shape."""
    rows = np.asarray(history, dtype=np.float64)
    n_origins, _, n_targets = shape
    fits = rows.ndim == 2 or (rows.ndim == 3 and rows.shape[0] == n_origins)
    if not fits or rows.shape[-1] != n_targets:
        raise ValueError(
            f"history must have the shape (n_timepoints, {n_targets}) or ({n_origins}, "
            f"n_timepoints, {n_targets}); got {rows.shape}."
        )
    n_rows = rows.shape[-2]
    if not 1 <= season < n_rows:
        raise ValueError(
            f"season must be at least 1 and below the {n_rows} rows of history; got {season!r}."
        )
    steps = np.abs(rows[..., season:, :] - rows[..., :-season, :])
    n_known = (~np.isnan(steps)).sum(axis=-2, keepdims=True)
    total = np.nansum(steps, axis=-2, keepdims=True)
    unit = np.divide(total, n_known, out=np.zeros_like(total), where=n_known > 0)
    # (1, n_targets) or (n_origins, 1, n_targets) -> (n_origins or 1, 1, n_targets)
    return np.asarray(np.broadcast_to(unit, (n_origins, 1, n_targets)))
