"""What turns estimators into forecasts that can be trusted: scores and intervals."""

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
    "ConformalResiduals",
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
