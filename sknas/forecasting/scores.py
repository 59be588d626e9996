"""The scores of a set of forecasts as a table: a row a step, and one for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sknas.forecasting.metrics import (
    corr,
    coverage,
    interval_width,
    mae,
    mase,
    mse,
    pinball_loss,
    rmse,
    rse,
)

__all__ = ["score_table"]


def score_table(
    truth: NDArray[np.floating],
    forecast: NDArray[np.floating],
    *,
    history: NDArray[np.floating] | None = None,
    season: int = 1,
    interval: tuple[NDArray[np.floating], NDArray[np.floating]] | None = None,
    quantiles: Mapping[float, NDArray[np.floating]] | None = None,
    series: NDArray[Any] | None = None,
) -> pd.DataFrame:
    """Score each step of the horizon and all steps together.

    The row "all" pools the entries of all steps, so that `rmse`, `rse` and the scores of
    steps with unequal numbers of observations are not the mean of the rows above it.

    Parameters
    ----------
    truth : ndarray of shape (n_origins, horizon, n_targets)
        What happened; NaN where nothing was observed.
    forecast : ndarray of shape (n_origins, horizon, n_targets)
        What was said, in the unit of `truth`.
    history : ndarray of shape (n_timepoints, n_targets) or (n_origins, n_timepoints, n_targets), \
default=None
        What the forecasts were learnt from, for the column `mase`; see `mase`.
    season : int, default=1
        Time steps that the naive forecast of `mase` looks back.
    interval : tuple of (lower, upper), default=None
        Bounds in the shape of `truth`, for the columns `coverage` and `interval_width`; both leave
        out entries that have no bounds (NaN).
    quantiles : mapping of float to ndarray of shape (n_origins, horizon, n_targets), default=None
        Forecasts by probability, for the column `pinball_loss`, their mean loss.
    series : ndarray of shape (n_origins,), default=None
        Which series of a panel each origin is of, for `rse` and `corr`; None is one series. The
        other scores pool the entries of all series.

    Returns
    -------
    pandas.DataFrame
        A column a score; rows 1 to horizon and "all", the index is named "step".

    Raises
    ------
    ValueError
        As the scores do, and if `quantiles` is empty.

    Examples
    --------
    >>> truth = np.array([[[0.0], [1.0]], [[2.0], [5.0]]])
    >>> score_table(truth, truth + [[[1.0], [2.0]]])["mae"].to_dict()
    {1: 1.0, 2: 2.0, 'all': 1.5}
    """
    if quantiles is not None and not quantiles:
        raise ValueError(f"quantiles must hold at least one probability; got {quantiles!r}.")
    mae(truth, forecast)  # so that an error names the shapes that came, not those of a step
    horizon = truth.shape[1]
    parts = {step + 1: slice(step, step + 1) for step in range(horizon)} | {"all": slice(None)}
    rows = {}
    for name, part in parts.items():
        pair = truth[:, part], forecast[:, part]
        row = {score.__name__: score(*pair) for score in (mae, mse, rmse)}
        if history is not None:
            row["mase"] = mase(*pair, history, season=season)
        row |= {score.__name__: score(*pair, series=series) for score in (rse, corr)}
        if interval is not None:
            bounds = interval[0][:, part], interval[1][:, part]
            is_bounded = ~np.isnan(bounds[0]) & ~np.isnan(bounds[1])
            row |= {
                "coverage": coverage(np.where(is_bounded, pair[0], np.nan), *bounds),
                "interval_width": interval_width(*bounds),
            }
        if quantiles is not None:
            losses = [pinball_loss(pair[0], q[:, part], alpha) for alpha, q in quantiles.items()]
            row["pinball_loss"] = float(np.mean(losses))
        rows[name] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(index="step")
