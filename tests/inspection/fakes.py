"""A forecaster that repeats the last season, with bounds that widen."""

import numpy as np
import pandas as pd


class SeasonalNaive:
    """Hold rows and repeat their last `season` ones; panels have a (series, time) index."""

    def __init__(self, history, season=4, horizon=6, width=1.0):
        self.history_ = history
        self.season, self.horizon, self.width = season, horizon, width
        self.calls = []

    def predict(self, horizon=None, X=None):
        self.calls.append(("predict", horizon, X))
        n_steps = self.horizon if horizon is None else horizon
        if self.history_.index.nlevels == 1:
            return self._continued(self.history_, n_steps)
        parts = {
            series: self._continued(rows.droplevel(0), n_steps)
            for series, rows in self.history_.groupby(level=0, sort=False)
        }
        return pd.concat(parts, names=self.history_.index.names)

    def predict_interval(self, horizon=None, X=None, coverage=0.9):
        self.calls.append(("predict_interval", horizon, X, coverage))
        point = self.predict(horizon, X)
        n_steps = self.horizon if horizon is None else horizon
        steps = np.tile(np.arange(1, n_steps + 1), len(point) // n_steps)[:, np.newaxis]
        reach = self.width * np.sqrt(steps)
        ends = {"lower": point - reach, "upper": point + reach}
        columns = {
            (target, coverage, end): bound[target]
            for target in point.columns
            for end, bound in ends.items()
        }
        return pd.DataFrame(columns)

    def _continued(self, rows, n_steps):
        index = continued_index(rows.index, n_steps)
        places = len(rows) - self.season + np.arange(n_steps) % self.season
        return pd.DataFrame(rows.to_numpy()[places], index=index, columns=rows.columns)


def continued_index(index, n_steps):
    """Return the next `n_steps` entries of an index."""
    if isinstance(index, pd.RangeIndex):
        return pd.RangeIndex(index[-1] + 1, index[-1] + 1 + n_steps, name=index.name)
    if isinstance(index, pd.PeriodIndex):
        return pd.period_range(index[-1] + 1, periods=n_steps, name=index.name)
    frequency = index.freq or pd.infer_freq(index)
    times = pd.date_range(index[-1], periods=n_steps + 1, freq=frequency, name=index.name)
    return times[1:]


def make_frame(index, n_targets=1, seed=0, scale=1.0):
    """Draw waves with noise over an index."""
    rng = np.random.default_rng(seed)
    steps = np.arange(len(index))[:, np.newaxis]
    waves = np.sin(2 * np.pi * steps / 24 + rng.uniform(0, 6, n_targets)) * rng.uniform(
        1, 3, n_targets
    )
    noise = rng.normal(size=(len(index), n_targets)).cumsum(axis=0) * 0.2
    return pd.DataFrame(
        scale * (waves + noise), index=index, columns=[f"y{j}" for j in range(n_targets)]
    )


def make_panel(n_series, n_rows, n_targets=1, start="2024-01-01"):
    """Draw series over the same days."""
    days = pd.date_range(start, periods=n_rows, freq="D", name="time")
    parts = {f"shop {i}": make_frame(days, n_targets, seed=i) for i in range(n_series)}
    return pd.concat(parts, names=["series"])
