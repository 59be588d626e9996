"""Forecasting: frames in, frames out, with scores and intervals that can be trusted."""

import torch  # noqa: F401 (first, while there is little else for the collector to go through)

from sknas.forecasting.backtesting import Backtest
from sknas.forecasting.forecaster import GrowingDARTSForecaster
from sknas.forecasting.intervals import ConformalResiduals
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
from sknas.forecasting.scores import score_table

__all__ = [
    "Backtest",
    "ConformalResiduals",
    "GrowingDARTSForecaster",
    "corr",
    "coverage",
    "interval_width",
    "mae",
    "mase",
    "mse",
    "pinball_loss",
    "rmse",
    "rse",
    "score_table",
]
