"""skforecast drives the regressor: recursive, direct, many series, grids and backtests."""

import numpy as np
import pytest

pytest.importorskip("skforecast", reason="tested by `make clients`")

from skforecast.direct import ForecasterDirect, ForecasterDirectMultiVariate
from skforecast.model_selection import (
    TimeSeriesFold,
    backtesting_forecaster,
    grid_search_forecaster,
)
from skforecast.recursive import ForecasterRecursive, ForecasterRecursiveMultiSeries

from tests.clients.air import DAY, air, flat, mean_error, regressor

pytestmark = pytest.mark.filterwarnings("ignore")


def split(n_ahead=DAY):
    frame = air()
    return frame[:-n_ahead], frame[-n_ahead:]


def test_a_recursive_forecast_beats_the_last_value():
    known, truth = split(6)
    forecaster = ForecasterRecursive(regressor(), lags=48)
    forecaster.fit(known["temperature"])
    forecast = forecaster.predict(6)
    assert list(forecast.index) == list(truth.index)
    naive = flat(known["temperature"], 6)
    assert mean_error(truth["temperature"], forecast) < mean_error(truth["temperature"], naive)


def test_covariates_that_are_known_ahead_are_read():
    known, truth = split()
    forecaster = ForecasterRecursive(regressor(genotype="product"), lags=6)
    forecaster.fit(known["temperature"], exog=known[["dew_point"]])
    told = forecaster.predict(DAY, exog=truth[["dew_point"]])
    other = forecaster.predict(DAY, exog=truth[["dew_point"]] + 5.0)
    assert np.abs(told - other).max() > 0.1


def test_direct_forecasts_are_a_model_a_step():
    known, truth = split(6)
    forecaster = ForecasterDirect(regressor(genotype="product"), lags=24, steps=6, n_jobs=1)
    forecaster.fit(known["temperature"])
    forecast = forecaster.predict()
    naive = flat(known["temperature"], 6)
    assert mean_error(truth["temperature"], forecast) < mean_error(truth["temperature"], naive)


def test_many_series_make_one_forecast():
    known, truth = split(3)
    forecaster = ForecasterDirectMultiVariate(
        regressor(genotype="product"), level="temperature", lags=12, steps=3, n_jobs=1
    )
    forecaster.fit(known)
    forecast = forecaster.predict()
    assert list(forecast.index.unique()) == list(truth.index)
    assert np.isfinite(forecast["pred"]).all()


def test_one_model_learns_from_several_series():
    known, _ = split(6)
    forecaster = ForecasterRecursiveMultiSeries(
        regressor(genotype="product"), lags=12, encoding="ordinal"
    )
    forecaster.fit(known)
    forecast = forecaster.predict(6)
    assert set(forecast["level"]) == set(known.columns)
    assert np.isfinite(forecast["pred"]).all()


@pytest.mark.parametrize("refit", [False, True])
def test_a_backtest_scores_every_fold(refit):
    series = air()["temperature"]
    found = regressor().fit(*_first_table(series)).genotype_
    forecaster = ForecasterRecursive(regressor(genotype=found), lags=24)
    cv = TimeSeriesFold(steps=DAY, initial_train_size=500, refit=refit, verbose=False)
    scores, forecasts = backtesting_forecaster(
        forecaster, series, cv, "mean_absolute_error", n_jobs=1, show_progress=False
    )
    assert len(forecasts) == len(series) - 500
    naive = [
        mean_error(series[start : start + DAY], flat(series[:start], len(series[start:][:DAY])))
        for start in range(500, len(series), DAY)
    ]
    assert scores["mean_absolute_error"].iloc[0] < np.mean(naive)


def test_intervals_of_a_backtest_hold_the_forecast():
    series = air()["temperature"]
    forecaster = ForecasterRecursive(regressor(genotype="linear"), lags=24)
    cv = TimeSeriesFold(steps=DAY, initial_train_size=500, verbose=False)
    _, forecasts = backtesting_forecaster(
        forecaster,
        series,
        cv,
        "mean_absolute_error",
        interval=[0.05, 0.95],
        n_boot=20,
        n_jobs=1,
        show_progress=False,
    )
    assert (forecasts["lower_bound"] < forecasts["upper_bound"]).all()


def test_a_grid_over_our_parameters_and_its_lags():
    series = air()["temperature"]
    forecaster = ForecasterRecursive(regressor(genotype="linear"), lags=2)
    cv = TimeSeriesFold(steps=6, initial_train_size=560, verbose=False)
    table = grid_search_forecaster(
        forecaster,
        series,
        cv,
        param_grid={"genotype": ["linear", "product"], "linear_seed": [False]},
        lags_grid=[2, 24],
        metric="mean_absolute_error",
        n_jobs=1,
        show_progress=False,
        verbose=False,
    )
    assert len(table) == 4
    assert table["mean_absolute_error"].nunique() == 4


def _first_table(series, n_lags=24):
    windows = np.lib.stride_tricks.sliding_window_view(series.to_numpy()[:500], n_lags + 1)
    return windows[:, :-1][:, ::-1], windows[:, -1]
