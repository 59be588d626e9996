"""What any forecaster ought to do: go on with a line and a season, and follow level and scale."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal

from tests.forecasting.makers import autoregressive, frame, linear, panel, recurrent

few = settings(max_examples=25)
SEASON = np.array([0.0, 3.0, -1.0, 2.0, 5.0, 4.0, -3.0])


@few
@given(
    slope=st.floats(-100, 100).filter(lambda slope: abs(slope) > 1e-3),
    begin=st.floats(-1e4, 1e4),
    horizon=st.integers(1, 12),
    n=st.integers(40, 200),
)
def test_a_straight_line_goes_on(slope, begin, horizon, n):
    line = begin + slope * np.arange(n + 30)
    found = linear(7, horizon).fit(line[:n]).predict(30)
    assert_allclose(found, line[n:], atol=1e-6 * np.abs(line).max())


@pytest.mark.parametrize("n_rows", [100, 2000])  # in float64, and in float32
def test_a_network_does_not_bend_a_straight_line(n_rows):
    line = np.arange(n_rows + 8.0)
    found = recurrent(linear_seed=True).fit(line[:n_rows]).predict(8)
    assert_allclose(found, line[n_rows:], atol=1e-3)


@pytest.mark.parametrize("window_norm", ["none", "last", "level", "revin"])
def test_a_season_goes_on_for_many_seasons(window_norm):
    wave = np.tile(SEASON, 30)
    n = 20 * 7
    found = linear(14, 7, window_norm=window_norm).fit(wave[:n]).predict(70)
    assert_allclose(found, wave[n:], atol=1e-3)


def test_a_season_on_a_line_goes_on():
    wave = np.tile(SEASON, 30) + 0.5 * np.arange(210)
    assert_allclose(linear(14, 7).fit(wave[:140]).predict(70), wave[140:], atol=1e-3)


@pytest.mark.parametrize("make", [linear, recurrent])
def test_a_forecast_moves_with_the_level_of_its_context(make):
    Y = autoregressive(120, 2)
    model = make().fit(Y)
    assert model.search_report_.chosen == ("seed" if make is linear else "trained")
    moved = np.array([1000.0, -50.0])
    assert_allclose(model.predict(8, Y=Y + moved), model.predict(8, Y=Y) + moved, atol=1e-8)


@few
@given(
    factors=st.tuples(*[st.floats(1e-6, 1e6)] * 2),
    shifts=st.tuples(*[st.floats(-1e3, 1e3)] * 2),
)
def test_a_forecast_follows_units_of_columns(factors, shifts):
    Y = autoregressive(80, 2)
    moved = (Y + np.array(shifts)) * np.array(factors)
    expected = (linear().fit(Y).predict(7) + np.array(shifts)) * np.array(factors)
    assert_allclose(linear().fit(moved).predict(7), expected, rtol=1e-6, atol=1e-6 * max(factors))


def test_a_trained_network_follows_units_of_columns():
    Y = autoregressive(80, 2)
    model, moved = recurrent().fit(Y), recurrent().fit(4.0 * Y + 8.0)
    assert_allclose(moved.predict(7), 4.0 * model.predict(7) + 8.0, rtol=1e-6)
    assert_array_equal(moved.search_history_.epoch, model.search_history_.epoch)


# -- what is not known yet ------------------------------------------------------------------------


@pytest.mark.parametrize("make", [linear, recurrent])
def test_rows_before_the_lookback_change_nothing(make):
    Y = frame(autoregressive(80, 2))
    model = make().fit(Y)
    other = Y.copy()
    other.iloc[:74] = 1e3
    assert_array_equal(model.predict(9, Y=other), model.predict(9))
    other.iloc[74] += 1.0
    assert not np.array_equal(model.predict(9, Y=other), model.predict(9))


@pytest.mark.parametrize("share_missing", [0.0, 0.2])
@pytest.mark.parametrize("make", [linear, recurrent])
def test_rows_after_an_origin_change_nothing_before_it(make, share_missing):
    Y = frame(autoregressive(110, 2))
    Y = Y.mask(np.random.default_rng(0).random(Y.shape) < share_missing)
    other = Y.copy()
    other.iloc[95:] += 100.0
    other.iloc[97] = 7.0
    tables = [
        make(missing="mask").backtest(rows, initial=80, coverage=0.5).forecasts
        for rows in (Y, other)
    ]
    told = ["forecast", "lower", "upper"]
    is_before = tables[0]["cutoff"] < Y.index[95]
    assert_array_equal(tables[0].loc[is_before, told], tables[1].loc[is_before, told])
    assert is_before.sum() == 2 * 3 * 16  # origins from row 80 to row 95
    assert not np.array_equal(tables[0].loc[~is_before, told], tables[1].loc[~is_before, told])


def test_the_scale_is_that_of_rows_before_validation():
    Y = autoregressive(100)
    wild = Y.copy()
    wild[-10:] *= 100.0
    models = [linear(validation_fraction=0.2).fit(values) for values in (Y, wild)]
    assert models[0]._scales.center == models[1]._scales.center
    assert models[0]._scales.scale == models[1]._scales.scale


# -- scores ---------------------------------------------------------------------------------------


def test_a_perfect_forecast_scores_one():
    wave = np.tile(SEASON, 30)
    Y = np.stack([wave, np.arange(210.0), np.full(210, 3.0)], axis=1)
    model = linear(14, 7).fit(Y[:140])
    assert model.score(Y[140:]) == pytest.approx(1.0, abs=1e-4)


def test_the_last_value_scores_about_zero():
    walk = np.cumsum(autoregressive(3000, coef=0.0))
    assert linear(1, 1).fit(walk[:2000]).score(walk[2000:]) == pytest.approx(0.0, abs=0.03)


def test_a_score_is_that_of_a_loop_over_origins():
    Y = frame(autoregressive(100, 2))
    model = linear().fit(Y[:80])
    errors, naive = [], []
    for end in range(80, 98):  # the first windows read the rows of the fit
        truth = Y[end : end + 3].to_numpy()
        errors.append(np.abs(truth - model.predict(Y=Y[:end]).to_numpy()))
        naive.append(np.abs(truth - Y.to_numpy()[end - 1]))
    expected = np.mean(1 - np.mean(errors, axis=(0, 1)) / np.mean(naive, axis=(0, 1)))
    assert model.score(Y[80:]) == pytest.approx(expected)
    errors, naive = np.array(errors)[7:], np.array(naive)[7:]
    expected = np.mean(1 - np.mean(errors, axis=(0, 1)) / np.mean(naive, axis=(0, 1)))
    assert model.score(Y[81:]) == pytest.approx(expected)  # does not follow: own rows alone


def test_a_part_too_short_to_be_scored_is_refused():
    Y = frame(autoregressive(100))
    model = linear().fit(Y[:80])
    with pytest.raises(ValueError, match=r"^Y must hold horizon=3 rows behind the known ones"):
        model.score(Y[80:82])


@pytest.mark.parametrize("n_series", [1, 2])
def test_a_refit_on_all_rows_reads_those_between_training_and_validation(n_series):
    parts = {name: frame(autoregressive(100, seed=k)) for k, name in enumerate("ab"[:n_series])}
    changed = {name: Y.copy() for name, Y in parts.items()}
    n_before = 100 - 6 - 3 + 1 - 19  # windows before those that validate
    changed["a"].iloc[n_before - 1] += 3.0  # the row before them, which no window trains on
    for is_full in (False, True):
        forecasts = [linear(refit_full=is_full).fit(panel(Y)).predict() for Y in (parts, changed)]
        assert np.array_equal(*forecasts) != is_full


def test_a_refit_on_all_rows_reads_no_window_across_two_series():
    waves = {name: np.sin(np.arange(100) / 3 + k) for k, name in enumerate("abc")}
    Y = panel({name: frame(wave[:90, None]) for name, wave in waves.items()})
    forecast = linear(horizon=3, refit_full=True).fit(Y).predict()["y0"]
    for name, wave in waves.items():
        assert_allclose(forecast.loc[name], wave[90:93], atol=0.01)


def test_a_lookback_of_a_row_reads_that_row():
    Y = frame(autoregressive(400, 2))
    model = linear(1, 1).fit(Y[:300])
    assert_allclose(model.predict(), -0.8 * Y[299:300], atol=0.3)
    assert_frame_equal(model.predict(), linear(1, 1, window_norm="none").fit(Y[:300]).predict())
    assert model.score(Y[300:]) > linear(1, 1, window_norm="last").fit(Y[:300]).score(Y[300:]) + 0.2
