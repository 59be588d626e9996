"""Other packages' N-HiTS with their own defaults, where they are installed.

Both stop at what their defaults say, or when the budget is over. Their training reads the rows of
training and validation, as they do when nobody tells them how to stop early.
"""

from __future__ import annotations

import importlib.util
import logging
import warnings

import numpy as np
import pandas as pd
from _data import Series

PACKAGES = ("neuralforecast", "darts")


def is_installed(name: str) -> bool:
    """Say whether a package can be imported."""
    return importlib.util.find_spec(name) is not None


def forecasts(
    name: str, series: Series, lookback: int, horizon: int, seed: int, budget: float
) -> np.ndarray:
    """Train a package's model and return its forecasts of all test windows."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    trainer = {
        "max_time": {"seconds": int(budget)},
        "accelerator": "cpu",
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
        "logger": False,
    }
    run = {"neuralforecast": _neuralforecast, "darts": _darts}[name]
    return run(series, lookback, horizon, seed, trainer)


def _neuralforecast(
    series: Series, lookback: int, horizon: int, seed: int, trainer: dict[str, object]
) -> np.ndarray:
    from neuralforecast import NeuralForecast
    from neuralforecast.models import NHITS

    n_rows, n_channels = series.values.shape
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat(np.arange(n_channels), n_rows),
            "ds": np.tile(np.arange(n_rows), n_channels),
            "y": series.values.T.ravel(),
        }
    )
    model = NHITS(h=horizon, input_size=lookback, random_seed=seed, **trainer)
    found = NeuralForecast(models=[model], freq=1).cross_validation(
        frame, test_size=n_rows - series.n_known, n_windows=None, step_size=1
    )
    found = found.sort_values(["unique_id", "cutoff", "ds"])
    return found["NHITS"].to_numpy().reshape(n_channels, -1, horizon).transpose(1, 2, 0)


def _darts(
    series: Series, lookback: int, horizon: int, seed: int, trainer: dict[str, object]
) -> np.ndarray:
    from darts import TimeSeries
    from darts.models import NHiTSModel

    values = series.values.astype(np.float32)
    model = NHiTSModel(lookback, horizon, random_state=seed, pl_trainer_kwargs=trainer)
    model.fit(TimeSeries.from_values(values[: series.n_known]))
    found = model.historical_forecasts(
        TimeSeries.from_values(values[series.n_known - lookback :]),
        forecast_horizon=horizon,
        retrain=False,
        last_points_only=False,
        verbose=False,
    )
    return np.stack([one.values() for one in found])
