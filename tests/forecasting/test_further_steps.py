"""What is known of the steps ahead is known whatever is asked for, and whoever asks."""

import numpy as np
import pandas as pd
import pytest

from sknas import GrowingDARTSForecaster
from sknas.forecasting._further_errors import further_errors

DAYS = pd.date_range("2024-01-01", periods=257)
SHORT = {"lookback": 3, "horizon": 7, "max_nodes": 0, "random_state": 0}
few_errors = pytest.mark.filterwarnings("ignore::sknas.exceptions.CalibrationWarning")


def weekly():
    noise = 0.1 * np.random.default_rng(0).normal(size=len(DAYS))
    return pd.Series(5.0 * (DAYS.day_of_week >= 5) + noise, DAYS)


@pytest.fixture(scope="module")
def calendar_model():
    return GrowingDARTSForecaster(calendar_features=["day_of_week", "is_weekend"], **SHORT).fit(
        weekly()
    )


@pytest.mark.parametrize("n_steps", [1, 2, 8])
def test_the_calendar_goes_on_behind_the_steps_asked_for(calendar_model, n_steps):
    longest = calendar_model.predict(14)
    pd.testing.assert_series_equal(
        calendar_model.predict(n_steps), longest[:n_steps], check_freq=False
    )
    pd.testing.assert_frame_equal(
        calendar_model.predict_interval(n_steps),
        calendar_model.predict_interval(14)[:n_steps],
        check_freq=False,
    )


def test_a_backtest_of_fewer_steps_scores_what_predict_says():
    y = weekly()
    model = GrowingDARTSForecaster(calendar_features=["is_weekend"], **SHORT).fit(y[:200])
    found = model.backtest(y, horizon=1).forecasts.set_index("time").forecast
    for place in (200, 230, len(y) - 1):
        assert found[DAYS[place]] == pytest.approx(model.predict(1, Y=y[:place]).iloc[0])


def test_what_is_fixed_for_a_series_goes_on_too():
    rng = np.random.default_rng(1)
    index = pd.MultiIndex.from_product([["a", "b"], DAYS[:90]], names=["shop", "day"])
    Y = pd.DataFrame({"y": rng.normal(size=180) + np.repeat([0.0, 3.0], 90)}, index)
    static = pd.DataFrame({"size": [1.0, 5.0]}, index=pd.Index(["a", "b"], name="shop"))
    model = GrowingDARTSForecaster(**SHORT).fit(Y, static=static)
    pd.testing.assert_frame_equal(
        model.predict(1), model.predict(7).groupby(level=0).head(1), check_freq=False
    )


def test_further_rows_of_covariates_are_read_where_they_are_there():
    rng = np.random.default_rng(2)
    X = pd.DataFrame({"x": rng.normal(size=len(DAYS))}, DAYS)
    y = pd.Series(X["x"].to_numpy() + np.roll(X["x"], -1), DAYS)[:240]
    model = GrowingDARTSForecaster(**{**SHORT, "horizon": 3}).fit(y, X)
    whole = model.predict(3, X)
    assert model.predict(1, X).iloc[0] == pytest.approx(whole.iloc[0])
    alone = model.predict(1, X[240:241])
    assert np.isfinite(alone).all()


# -- rows that follow a fit -------------------------------------------------------------------


@pytest.mark.parametrize("as_array", [True, False])
def test_a_backtest_on_rows_that_follow_reads_their_covariates(as_array):
    rng = np.random.default_rng(3)
    y = pd.Series(rng.normal(size=200), DAYS[:200])
    X = y.to_frame("x")
    if as_array:
        y, X = y.to_numpy(), X.to_numpy()
    model = GrowingDARTSForecaster(lookback=5, horizon=3, max_nodes=0, random_state=0)
    model.fit(y[:100], X[:100])
    after = model.backtest(y[100:], X[100:])
    assert after.scores.mae["all"] < 1e-5
    if not as_array:
        whole = model.backtest(y, X)
        pd.testing.assert_frame_equal(after.forecasts, whole.forecasts)


@few_errors
def test_a_refit_needs_the_rows_of_the_first_fit():
    y = pd.Series(np.random.default_rng(4).normal(size=200).cumsum(), DAYS[:200])
    model = GrowingDARTSForecaster(lookback=5, horizon=3, max_nodes=0, random_state=0)
    model.fit(y[:150])
    with pytest.raises(ValueError, match=r"Y must hold the rows of the first fit, too.*refit=20"):
        model.backtest(y[150:], refit=20)
    assert model.backtest(y, refit=20).n_fits == 2


# -- young series -----------------------------------------------------------------------------


@pytest.mark.parametrize("n_rows", [22, 23, 24])
def test_a_series_about_as_long_as_a_window_can_be_fitted(n_rows):
    y = pd.Series(np.arange(60.0) + np.random.default_rng(5).normal(size=60), DAYS[:60])
    model = GrowingDARTSForecaster(lookback=20, horizon=3, max_nodes=0, random_state=0)
    assert np.isfinite(model.fit(y[:n_rows]).predict()).all()


@few_errors
def test_later_rows_take_no_earlier_forecast_away():
    y = pd.Series(np.arange(60.0) + np.random.default_rng(6).normal(size=60), DAYS[:60])
    model = GrowingDARTSForecaster(lookback=20, horizon=3, max_nodes=0, random_state=0)
    few, many = (model.backtest(rows, initial=10).forecasts for rows in (y[:22], y))
    assert few.cutoff.min() == many.cutoff.min() == DAYS[9]
    both = few.merge(many, on=["cutoff", "step"], suffixes=("", "_later"))
    assert len(both) == len(few)
    np.testing.assert_allclose(both.forecast, both.forecast_later)
    assert model.backtest(y[:40], initial=10, refit=10).n_fits == 3


@few_errors
def test_a_young_series_of_a_panel_is_forecast_from_its_first_rows():
    rng = np.random.default_rng(7)
    parts = {
        "old": pd.DataFrame({"y": rng.normal(size=120)}, DAYS[:120]),
        "new": pd.DataFrame({"y": rng.normal(size=40)}, DAYS[80:120]),
    }
    Y = pd.concat(parts, names=["shop", "day"])
    model = GrowingDARTSForecaster(lookback=30, horizon=3, max_nodes=0, random_state=0)
    found = model.fit(Y).backtest(Y, initial=70).forecasts
    assert found[found["shop"] == "new"].cutoff.min() == DAYS[80]


def widths(series, horizon, **parameters):
    model = GrowingDARTSForecaster(max_nodes=0, random_state=0, **parameters).fit(series)
    ends = model.predict_interval(horizon, coverage=0.8)
    return (ends.iloc[:, 1] - ends.iloc[:, 0]).to_numpy()


def test_intervals_beyond_the_horizon_are_as_wide_as_errors_are_there():
    rng, hours = np.random.default_rng(0), np.arange(1200)
    index = pd.date_range("2024-01-01", periods=len(hours), freq="h")
    seasonal = 3 * np.sin(2 * np.pi * hours / 24) + rng.normal(size=len(hours))
    right = 2 * 1.2816
    found = widths(pd.Series(seasonal, index), 48, lookback=48)
    assert abs(found[[0, 11, 23, 47]] / right - 1).max() < 0.25  # its errors do not add up
    walk = widths(pd.Series(rng.normal(size=len(hours)).cumsum(), index), 48, lookback=48)
    assert walk[35] > 2.5 * walk[0]  # and those of a walk do


def test_behind_the_steps_that_are_measured_blocks_are_added():
    rng = np.random.default_rng(0)
    series = pd.Series(rng.normal(size=600))  # no season: three horizons
    model = GrowingDARTSForecaster(max_nodes=0, lookback=8, horizon=5).fit(series)
    offsets = model.calibration_._offsets(40, [0.1, 0.9])
    assert model.calibration_.further.horizon == 10
    np.testing.assert_allclose(
        offsets[:, 15:30] ** 2, offsets[:, :15] ** 2 + offsets[:, 14:15] ** 2
    )


def test_without_room_nothing_is_measured():
    series = pd.Series(np.random.default_rng(0).normal(size=120))
    model = GrowingDARTSForecaster(max_nodes=0, lookback=8, horizon=10).fit(series)
    assert model.calibration_.further is None
    assert np.isfinite(model.predict_interval(40)).all(axis=None)


def test_the_steps_are_measured_on_the_validation_part_and_leave_half_of_it_for_origins(
    monkeypatch,
):
    seen = []

    def keep(network, prepared, panel, known, season):
        rolled = further_errors(network, prepared, panel, known, season)
        seen.append((prepared, panel, rolled))
        return rolled

    monkeypatch.setattr("sknas.forecasting._calibrating.further_errors", keep)
    series = pd.Series(np.random.default_rng(0).normal(size=432))
    model = GrowingDARTSForecaster(lookback=8, horizon=20, max_nodes=0).fit(series)
    ((prepared, panel, rolled),) = seen
    first = prepared.laid.times[prepared.outer.validation].min()
    n_rows, n_steps = int(panel.stop[0]) - first, rolled.truth.shape[1]
    assert n_steps == 40 <= n_rows / 2 < 60  # three horizons would leave too little
    np.testing.assert_array_equal(rolled.times, np.arange(first, first + n_rows - n_steps + 1))
    last = rolled.times[-1]
    found = prepared.scales.restore(rolled.points[-1:], np.zeros(1, dtype=int))[0, :, 0]
    expected = model.predict(n_steps, Y=series[:last])
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    truth = prepared.scales.restore(rolled.truth[-1:], np.zeros(1, dtype=int))[0, :, 0]
    np.testing.assert_allclose(truth, series[last : last + n_steps])
