"""How points follow the truth within each series, beside how much that varies."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sknas.forecasting._origins import Origins
from sknas.forecasting.metrics.entries import errors_of, mean_of_known

__all__ = ["corr", "rse"]


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
    errors = errors_of(truth, forecast)
    observed = np.where(np.isnan(errors), np.nan, truth).ravel()
    of_origins = Origins.of(series, len(errors)).number
    each = Origins.of(of_origins.repeat(errors.shape[1] * errors.shape[2]), errors.size)
    varies = each.vary(observed)
    if not varies.any():
        return float("nan")
    means = each.sums(observed) / np.maximum(each.sums(~np.isnan(observed)), 1)
    deviations = np.where(varies[each.number], observed - means[each.number], 0.0 * observed)
    return float(np.sqrt(mean_of_known(errors**2) / mean_of_known(deviations**2)))


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
    unknown = np.isnan(errors_of(truth, forecast))
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
    return mean_of_known(np.where(truth_varies, correlations, np.nan))
