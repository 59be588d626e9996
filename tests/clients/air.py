"""The packaged series, and estimators whose search is short, for other libraries to drive."""

import numpy as np

from sknas import GrowingDARTSClassifier, GrowingDARTSRegressor
from sknas.datasets import load_beijing_air

DAY = 24
BUDGET = {"search_epochs": 4, "max_epochs": 3, "hidden_size": 8, "random_state": 0}


def air(n_hours=600, columns=("temperature", "pressure", "dew_point")):
    """Return hours of summer days, which are much alike."""
    return load_beijing_air().loc["2014-06":, list(columns)].iloc[:n_hours]


def regressor(**parameters):
    return GrowingDARTSRegressor(**{**BUDGET, **parameters})


def classifier(**parameters):
    return GrowingDARTSClassifier(**{**BUDGET, **parameters})


def mean_error(truth, forecast):
    """Return the mean absolute error."""
    return float(np.mean(np.abs(np.asarray(truth) - np.asarray(forecast))))


def flat(series, n_ahead):
    """Return the last value, for so many steps."""
    return np.repeat(np.asarray(series)[-1:], n_ahead, axis=0)


def lagged(n_hours=600, n_lags=6):
    """Return a table: the last hours of all channels, and the temperature an hour later."""
    frame = air(n_hours)
    X = np.hstack([frame.shift(lag).to_numpy()[n_lags:-1] for lag in range(n_lags)])
    return X, frame["temperature"].to_numpy()[n_lags + 1 :]
