"""Forecasters with a tiny budget, and series whose future is known."""

import numpy as np
import pandas as pd

from sknas import GrowingDARTSForecaster

GRU = {
    "genotype": "gru",
    "max_epochs": 2,
    "hidden_size": 8,
    "segment_length": 1,
    "learning_rate": 0.02,
}


def linear(lookback=6, horizon=3, **parameters):
    """Build a forecaster that stays the linear model at birth."""
    return GrowingDARTSForecaster(
        lookback=lookback, horizon=horizon, max_nodes=0, random_state=0, **parameters
    )


def recurrent(lookback=6, horizon=3, **parameters):
    """Build a forecaster of a small network, which on swinging series surely beats its seed."""
    settings = {"linear_seed": False, "random_state": 0, **GRU, **parameters}
    return GrowingDARTSForecaster(lookback=lookback, horizon=horizon, **settings)


def days(n, begin=0, freq="D", start="2024-01-01"):
    return pd.date_range(start, periods=begin + n, freq=freq, name="time")[begin:]


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def autoregressive(n, n_targets=1, coef=-0.8, seed=0):
    """Return a series (n, n_targets) that swings about zero; the last value is a bad forecast."""
    shocks, values = noise(n, n_targets, seed=seed), np.zeros((n, n_targets))
    for t in range(1, n):
        values[t] = coef * values[t - 1] + shocks[t]
    return values


def frame(values, begin=0, freq="D"):
    names = [f"y{i}" for i in range(values.shape[1])]
    return pd.DataFrame(values, index=days(len(values), begin, freq), columns=names)


def panel(parts):
    """Put frames by key, of one level or several, into one frame."""
    is_deep = isinstance(next(iter(parts)), tuple)
    names = ["region", "shop", "time"] if is_deep else ["shop", "time"]
    return pd.concat(parts, names=names)


def weighted_error(model, Y, end):
    """Return the error of the forecast at row `end`, over how much the rows before it move."""
    scale = model._scales.scale[0]
    error = (Y[end : end + 3].to_numpy() - model.predict(Y=Y[:end]).to_numpy()) / scale
    steps = np.abs(np.diff(Y[end - model.lookback_ : end].to_numpy(), axis=0)) / scale
    return error / (0.75 * steps.mean(axis=0) + 0.25 * model.calibration_.typical)
