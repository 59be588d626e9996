"""Scores equal loops over the entries, scikit-learn's and values made by hand."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference

from sknas.forecasting import (
    corr,
    coverage,
    interval_width,
    mae,
    mase,
    mse,
    pinball_loss,
    rmse,
    rse,
    score_table,
)
from tests.oracles.forecast_scores import (
    looped_corr,
    looped_coverage,
    looped_mae,
    looped_mase,
    looped_mse,
    looped_pinball,
    looped_rmse,
    looped_rse,
)

PAIRS = {
    mae: looped_mae,
    mse: looped_mse,
    rmse: looped_rmse,
    rse: looped_rse,
    corr: looped_corr,
}


def drawn(seed=0, shape=(9, 4, 3), missing=0.2):
    """Draw truth with gaps and forecasts that know a part of it."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=shape) * [1.0, 10.0, 0.1] + [0.0, 5.0, 100.0]
    forecast = truth + rng.normal(size=shape) * [0.5, 3.0, 0.2]
    truth[rng.random(shape) < missing] = np.nan
    return truth, forecast


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("score", PAIRS, ids=lambda score: score.__name__)
def test_a_score_equals_its_loop_over_observed_entries(score, seed):
    truth, forecast = drawn(seed)
    assert score(truth, forecast) == pytest.approx(PAIRS[score](truth, forecast), rel=1e-10)


@pytest.mark.parametrize("score", [rse, corr], ids=lambda score: score.__name__)
def test_relative_scores_are_those_of_each_series_by_itself(score):
    truth, forecast = drawn(shape=(15, 4, 3))
    series = np.array(list("abcba" * 3))
    moved = (series == "b")[:, None, None] * 1000.0
    expected = PAIRS[score](truth, forecast, series)
    assert score(truth, forecast, series=series) == pytest.approx(expected, rel=1e-10)
    assert score(truth + moved, forecast + moved, series=series) == pytest.approx(expected)
    assert score_table(truth, forecast, series=series).loc["all", score.__name__] == pytest.approx(
        expected
    )
    one = np.zeros(15)
    assert score(truth, forecast, series=one) == pytest.approx(score(truth, forecast))


def test_series_that_do_not_vary_are_left_out_of_relative_scores():
    truth, forecast = drawn(shape=(10, 4, 3), missing=0.0)
    series = np.repeat([0, 1], 5)
    truth[5:] = 0.1
    assert corr(truth, forecast, series=series) == pytest.approx(corr(truth[:5], forecast[:5]))
    truth[:5] = 7.0
    assert np.isnan(rse(truth, forecast, series=series))
    assert np.isnan(corr(truth, forecast, series=series))


@pytest.mark.parametrize("season", [1, 3])
@pytest.mark.parametrize("per_origin", [False, True])
def test_the_scaled_error_equals_its_loop(season, per_origin):
    truth, forecast = drawn()
    rng = np.random.default_rng(1)
    history = rng.normal(size=(9, 20, 3) if per_origin else (20, 3)).cumsum(axis=-2)
    history[rng.random(history.shape) < 0.2] = np.nan
    expected = looped_mase(truth, forecast, history, season)
    assert mase(truth, forecast, history, season=season) == pytest.approx(expected, rel=1e-12)


def test_scores_of_bounds_and_quantiles_equal_their_loops():
    truth, forecast = drawn()
    lower, upper = forecast - 0.3, forecast + 1.0
    assert coverage(truth, lower, upper) == looped_coverage(truth, lower, upper)
    assert interval_width(lower, upper) == pytest.approx(1.3)
    for alpha in (0.1, 0.5, 0.8):
        expected = looped_pinball(truth, forecast, alpha)
        assert pinball_loss(truth, forecast, alpha) == pytest.approx(expected, rel=1e-12)


def test_without_gaps_scores_are_those_of_scikit_learn():
    truth, forecast = drawn(missing=0.0)
    flat = truth.ravel(), forecast.ravel()
    assert mae(truth, forecast) == pytest.approx(reference.mean_absolute_error(*flat))
    assert mse(truth, forecast) == pytest.approx(reference.mean_squared_error(*flat))
    assert rmse(truth, forecast) == pytest.approx(reference.root_mean_squared_error(*flat))
    assert rse(truth, forecast) ** 2 == pytest.approx(1 - reference.r2_score(*flat))
    assert pinball_loss(truth, forecast, 0.9) == pytest.approx(
        reference.mean_pinball_loss(*flat, alpha=0.9)
    )


def test_the_naive_forecast_of_a_random_walk_scores_about_one_a_step_ahead():
    walk = np.random.default_rng(0).normal(size=(4000, 1)).cumsum(axis=0)
    history, rest = walk[:2000], walk[2000:]
    truth, naive = rest[1:, np.newaxis], rest[:-1, np.newaxis]
    assert mase(truth, naive, history) == pytest.approx(1.0, rel=0.06)


def test_the_correlation_ignores_shift_and_scale_but_not_the_sign():
    truth, _ = drawn(missing=0.3)
    filled = np.nan_to_num(truth)
    assert corr(truth, 3 * filled + 7) == pytest.approx(1.0)
    assert corr(truth, -filled) == pytest.approx(-1.0)
    assert corr(truth * 1e120, filled * 1e120) == pytest.approx(1.0)


def test_a_constant_truth_is_left_out_of_correlation_and_has_no_relative_error():
    truth, forecast = drawn(missing=0.0)
    constant = truth.copy()
    constant[:, :, 1] = 0.1
    assert corr(constant, forecast) == pytest.approx(
        corr(truth[:, :, [0, 2]], forecast[:, :, [0, 2]])
    )
    everywhere = np.full_like(truth, 0.1)
    assert np.isnan(rse(everywhere, forecast))
    assert np.isnan(corr(everywhere, forecast))


def test_a_constant_forecast_correlates_with_nothing():
    truth, _ = drawn()
    assert corr(truth, np.full_like(truth, 0.1)) == 0.0


def test_a_history_that_repeats_itself_gives_its_target_no_scale():
    truth, forecast = drawn()
    history = np.tile(np.arange(4.0)[:, np.newaxis], (5, 3))
    history[:, 0] += np.arange(20.0) ** 2
    only_first = mase(truth[:, :, :1], forecast[:, :, :1], history[:, :1], season=4)
    assert mase(truth, forecast, history, season=4) == pytest.approx(only_first)
    assert np.isnan(mase(truth[:, :, 1:], forecast[:, :, 1:], history[:, 1:], season=4))


def test_where_nothing_was_observed_every_score_is_nan():
    nothing, forecast = np.full((3, 2, 1), np.nan), np.ones((3, 2, 1))
    history = np.arange(5.0).reshape(5, 1)
    table = score_table(
        nothing, forecast, history=history, interval=(forecast, forecast), quantiles={0.5: forecast}
    )
    assert table.drop(columns="interval_width").isna().all(axis=None)
    assert (table["interval_width"] == 0).all()


def test_the_table_scores_each_step_and_all_of_them():
    truth, forecast = drawn()
    history = np.random.default_rng(2).normal(size=(30, 3))
    lower, upper = forecast - 1, forecast + 1
    quantiles = {0.1: lower, 0.9: upper}
    table = score_table(
        truth, forecast, history=history, season=2, interval=(lower, upper), quantiles=quantiles
    )
    assert list(table.index) == [1, 2, 3, 4, "all"]
    for row, part in {3: slice(2, 3), "all": slice(None)}.items():
        pair = truth[:, part], forecast[:, part]
        losses = [pinball_loss(pair[0], q[:, part], alpha) for alpha, q in quantiles.items()]
        expected = {score.__name__: score(*pair) for score in PAIRS} | {
            "mase": mase(*pair, history, season=2),
            "coverage": coverage(pair[0], lower[:, part], upper[:, part]),
            "interval_width": interval_width(lower[:, part], upper[:, part]),
            "pinball_loss": np.mean(losses),
        }
        pd.testing.assert_series_equal(
            table.loc[row].sort_index(), pd.Series(expected).sort_index(), check_names=False
        )


def test_the_table_has_only_the_columns_that_were_asked_for():
    assert list(score_table(*drawn()).columns) == ["mae", "mse", "rmse", "rse", "corr"]


def test_float32_is_scored_in_float64():
    truth = np.full((1, 1, 2), 1e30, dtype=np.float32)
    assert mse(truth, np.zeros_like(truth)) == pytest.approx(1e60, rel=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t, f: mae(t[0], f[0]), r"truth must have the axes .*; got shape \(4, 3\)"),
        (lambda t, f: mse(t, f[:5]), r"forecast must have the shape of truth, \(9, 4, 3\); got"),
        (lambda t, f: rse(t, f * np.nan), "forecast must not be NaN where truth was observed"),
        (lambda t, f: mae(t * np.inf, f), "truth must be finite or NaN; got an infinite entry"),
        (lambda t, f: coverage(t, f, f[:, :2]), "upper must have the shape of truth"),
        (lambda t, f: interval_width(f, f[:, :2]), "upper must have the shape of lower"),
        (lambda t, f: pinball_loss(t, f, 1.0), r"alpha must be in \(0, 1\); got 1.0"),
        (lambda t, f: mase(t, f, np.ones((5, 2))), r"history must have .*; got \(5, 2\)"),
        (lambda t, f: mase(t, f, np.ones((8, 5, 3))), r"history must have .*; got \(8, 5, 3\)"),
        (lambda t, f: mase(t, f, np.ones((5, 3)), season=5), "season must .* 5 rows .*; got 5"),
        (lambda t, f: mase(t, f, np.ones((5, 3)), season=0), "season must .*; got 0"),
        (lambda t, f: corr(t, f, series=np.zeros(8)), r"series must .* 9 .*; got shape \(8,\)"),
        (lambda t, f: score_table(t, f, quantiles={}), "quantiles must hold at least one .* {}"),
    ],
)
def test_a_wrong_argument_is_named_in_the_error(call, message):
    with pytest.raises(ValueError, match=message):
        call(*drawn())
