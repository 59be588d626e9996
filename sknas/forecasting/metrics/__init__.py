"""Errors of forecasts that were made at several origins, as plain functions of arrays.

Arrays have the shape (n_origins, horizon, n_targets). Where the truth is NaN nothing was observed,
and the entry is left out; a score over no entry is NaN.
"""

from sknas.forecasting.metrics.points import mae, mase, mse, rmse
from sknas.forecasting.metrics.probabilistic import coverage, interval_width, pinball_loss
from sknas.forecasting.metrics.relative import corr, rse

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
