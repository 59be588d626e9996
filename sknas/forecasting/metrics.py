"""Errors of forecasts that were made at several origins, as plain functions of arrays.

Arrays have the shape (n_origins, horizon, n_targets). Where the truth is NaN nothing was observed,
and the entry is left out; a score over no entry is NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sknas.forecasting._origins import Origins

__all__ = [
    "corr",
    "coverage",
    "interval_width",
    "mae",
    "mase",
    "mse",
    "pinball_loss",
    "rmse",
    "rse",
]

Array = NDArray[np.float64]


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
    return _mean(np.abs(_errors(truth, forecast)))


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
    return _mean(_errors(truth, forecast) ** 2)


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
    errors = np.abs(_errors(truth, forecast))
    unit = _naive_error(history, season, errors.shape)
    return _mean(np.divide(errors, unit, out=np.full_like(errors, np.nan), where=unit > 0))


def rse(
    truth: NDArray[np.floating],
    forecast: NDArray[np.floating],
    *,
    series: NDArray[Any] | None = None,
) -> float:
    """Divide the root of the squared errors by that of the deviations from the truth's mean.

    Both sums run over all observed origins, steps and targets at once, and so does the mean, but
    for each series by itself: 1 is the score of a constant for each series that knows the mean of
    everything in it. Targets of a large scale weigh most.

    Parameters
    ----------
    truth : ndarray of shape (n_origins, horizon, n_targets)
        What happened; NaN where nothing was observed.
    forecast : ndarray of shape (n_origins, horizon, n_targets)
        What was said, in the unit of `truth`.
    series : ndarray of shape (n_origins,), default=None
        Which series each origin is of; None is one series.

    Returns
    -------
    float
        Root relative squared error; NaN where the observed truth of each series is one constant.

    Raises
    ------
    ValueError
        If the shapes differ, or `forecast` is NaN where `truth` is not.

    Notes
    -----
    Lai, G., Chang, W.-C., Yang, Y. and Liu, H. (2018), Modeling long- and short-term temporal
    patterns with deep neural networks (LSTNet), SIGIR, section 4.2. There each horizon is
    forecast by its own model; the pooling over steps, and the mean of each series, are ours.

    Examples
    --------
    >>> truth = np.array([[[0.0]], [[2.0]]])
    >>> rse(truth, np.ones((2, 1, 1)))
    1.0
    """
    errors = _errors(truth, forecast)
    observed = np.where(np.isnan(errors), np.nan, truth).ravel()
    of_origins = Origins.of(series, len(errors)).number
    each = Origins.of(of_origins.repeat(errors.shape[1] * errors.shape[2]), errors.size)
    varies = each.vary(observed)
    if not varies.any():
        return float("nan")
    means = each.sums(observed) / np.maximum(each.sums(~np.isnan(observed)), 1)
    deviations = np.where(varies[each.number], observed - means[each.number], 0.0 * observed)
    return float(np.sqrt(_mean(errors**2) / _mean(deviations**2)))


def corr(
    truth: NDArray[np.floating],
    forecast: NDArray[np.floating],
    *,
    series: NDArray[Any] | None = None,
) -> float:
    """Average the correlations of truth and forecast along the origins.

    One Pearson correlation is taken for each series, step and target over its observed origins, and
    all count alike. Those whose truth does not vary are left out; where the truth varies and the
    forecast does not, the correlation counts as 0.

    Parameters
    ----------
    truth : ndarray of shape (n_origins, horizon, n_targets)
        What happened; NaN where nothing was observed.
    forecast : ndarray of shape (n_origins, horizon, n_targets)
        What was said.
    series : ndarray of shape (n_origins,), default=None
        Which series each origin is of; None is one series.

    Returns
    -------
    float
        Mean correlation in [-1, 1]; NaN where no truth varies.

    Raises
    ------
    ValueError
        If the shapes differ, or `forecast` is NaN where `truth` is not.

    Notes
    -----
    The empirical correlation coefficient of Lai et al. (2018), LSTNet, section 4.2, who average it
    over series and leave out constant ones, too. The average over steps, and the 0 of a constant
    forecast, are ours.

    Examples
    --------
    >>> truth = np.array([1.0, 2.0, 3.0]).reshape(3, 1, 1)
    >>> round(corr(truth, 5 - 2 * truth), 12)
    -1.0
    """
    unknown = np.isnan(_errors(truth, forecast))
    each = Origins.of(series, len(unknown))
    pair = [np.where(unknown, np.nan, values) for values in (truth, forecast)]
    truth_varies, forecast_varies = (each.vary(values) for values in pair)
    n_known = np.maximum(each.sums(~unknown), 1)
    deviations = [values - (each.sums(values) / n_known)[each.number] for values in pair]
    # Each divided by its own norm first: the product of two norms may leave the range of floats.
    units = [np.sqrt(each.sums(values**2)) for values in deviations]
    standard = [
        np.divide(
            values,
            unit[each.number],
            out=np.zeros_like(values),
            where=(varies & (unit > 0))[each.number],
        )
        for values, unit, varies in zip(
            deviations, units, (truth_varies, forecast_varies), strict=True
        )
    ]
    correlations = each.sums(standard[0] * standard[1])
    return _mean(np.where(truth_varies, correlations, np.nan))


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
    above_lower = _errors(truth, lower, "lower")
    below_upper = -_errors(truth, upper, "upper")
    is_inside = ((above_lower >= 0) & (below_upper >= 0)).astype(np.float64)
    return _mean(np.where(np.isnan(above_lower), np.nan, is_inside))


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
    low, high = _checked(lower, "lower"), _checked(upper, "upper")
    _check_same_shape(low, high, "lower", "upper")
    return _mean(high - low)


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
    errors = _errors(truth, quantile, "quantile")
    return _mean(np.maximum(alpha * errors, (alpha - 1) * errors))


def _checked(values: NDArray[np.floating], name: str) -> Array:
    """Return `values` in float64 if they have three axes."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 3:
        raise ValueError(
            f"{name} must have the axes (n_origins, horizon, n_targets); got shape {array.shape}."
        )
    return array


def _check_same_shape(first: Array, second: Array, first_name: str, second_name: str) -> None:
    if first.shape != second.shape:
        raise ValueError(
            f"{second_name} must have the shape of {first_name}, {first.shape}; got {second.shape}."
        )


def _errors(
    truth: NDArray[np.floating], forecast: NDArray[np.floating], name: str = "forecast"
) -> Array:
    """Return truth minus forecast, NaN where the truth is."""
    observed, said = _checked(truth, "truth"), _checked(forecast, name)
    _check_same_shape(observed, said, "truth", name)
    if np.isinf(observed).any():
        raise ValueError("truth must be finite or NaN; got an infinite entry.")
    n_missing = int((np.isnan(said) & ~np.isnan(observed)).sum())
    if n_missing:
        raise ValueError(
            f"{name} must not be NaN where truth was observed; got NaN in {n_missing} such entries."
        )
    return observed - said


def _mean(values: Array) -> float:
    """Average the entries that are not NaN; NaN, without a warning, if there are none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


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
