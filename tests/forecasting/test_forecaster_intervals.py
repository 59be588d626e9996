"""Intervals hold the truth as often as they say, and quantiles keep their order."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import binom

from sknas.exceptions import CalibrationWarning
from tests.forecasting.makers import (
    autoregressive,
    days,
    frame,
    linear,
    panel,
    recurrent,
    weighted_error,
)

LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)


@pytest.mark.parametrize("coverage", [0.5, 0.9])
@pytest.mark.parametrize("loss", ["mse", "quantile"])
def test_intervals_hold_the_truth_as_often_as_they_say(coverage, loss):
    """One forecast of each of 150 series, which are independent of each other."""
    n_series, n_rows = 150, 60
    truth = {f"s{i}": frame(autoregressive(n_rows + 3, 1, 0.7, seed=i)) for i in range(n_series)}
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)
    model = linear(4, 3, loss=loss, quantile_levels=levels, validation_fraction=0.3)
    model.fit(panel({key: part[:n_rows] for key, part in truth.items()}))
    bounds = model.predict_interval(coverage=coverage)["y0"][coverage]
    actual = panel({key: part[n_rows:] for key, part in truth.items()})["y0"]
    is_inside = (bounds["lower"] <= actual) & (actual <= bounds["upper"])
    by_step = is_inside.to_numpy().reshape(n_series, 3).sum(axis=0)
    # Quantiles are estimates themselves, hence the few points around the binomial bound.
    low, high = binom.interval(0.999, n_series, [[coverage - 0.03], [min(coverage + 0.03, 0.99)]])
    assert (by_step >= low[0]).all()
    assert (by_step <= high[1]).all()


@pytest.mark.parametrize("loss", ["mse", "quantile"])
def test_intervals_are_nested_and_quantiles_never_cross(loss):
    model = recurrent(loss=loss, quantile_levels=LEVELS).fit(frame(autoregressive(300, 2)))
    coverages = [0.2, 0.5, 0.8]
    table = model.predict_interval(7, coverage=coverages)
    for target in ("y0", "y1"):
        bounds = [table[target][one] for one in coverages]
        for inner, outer in pairwise(bounds):
            assert (outer["lower"] < inner["lower"]).all()
            assert (inner["upper"] < outer["upper"]).all()
    alphas = np.linspace(0.1, 0.9, 33)
    found = model.predict_quantiles(7, alpha=alphas)["y1"].to_numpy()
    assert (np.diff(found, axis=1) >= 0).all()
    assert_allclose(table["y0"][0.8]["lower"], model.predict_quantiles(7, alpha=0.1)["y0"][0.1])


@pytest.mark.parametrize("loss", ["mse", "quantile"])
def test_intervals_of_a_longer_horizon_grow(loss):
    model = linear(6, 3, loss=loss, quantile_levels=LEVELS)
    model.fit(frame(np.cumsum(autoregressive(500, 1), axis=0)))
    bounds = model.predict_interval(30, coverage=0.8)["y0"][0.8]
    width = (bounds["upper"] - bounds["lower"]).to_numpy()
    assert (np.diff(width.reshape(10, 3), axis=0) > 0).all()


def test_the_network_s_own_quantiles_are_those_of_the_fit():
    model = linear(loss="quantile", quantile_levels=LEVELS).fit(frame(autoregressive(300, 1)))
    found = model.predict_quantiles(alpha=[0.1, 0.5, 0.9])["y0"]
    assert_array_equal(found[0.5], model.predict()["y0"])
    middle = model.predict_quantiles(alpha=0.3)["y0"][0.3]
    ends = model.predict_quantiles(alpha=[0.25, 0.5])["y0"]
    assert_allclose(middle, 0.8 * ends[0.25] + 0.2 * ends[0.5])
    with pytest.raises(ValueError, match=r"^alpha must lie within .* 0\.1 to 0\.9 .* 0\.05"):
        model.predict_quantiles(alpha=[0.05, 0.5])
    with pytest.raises(ValueError, match=r"^coverage must lie within .* 0\.1 to 0\.9 .* 0\.025"):
        model.predict_interval(coverage=0.95)
    # Nor is 0.1 = (1 - 0.8) / 2 lost to rounding.
    assert np.isfinite(model.predict_interval(coverage=0.8).to_numpy()).all()


def test_a_refit_on_all_rows_leaves_the_errors_those_of_validation():
    Y = frame(autoregressive(200, 1))
    models = [recurrent(refit_full=full, max_epochs=4).fit(Y) for full in (False, True)]
    assert not np.array_equal(models[0].predict(), models[1].predict())
    widths = [
        (bounds["upper"] - bounds["lower"]).to_numpy()
        for bounds in (model.predict_interval(coverage=0.8)["y0"][0.8] for model in models)
    ]
    assert_allclose(widths[1], widths[0])
    assert_array_equal(
        models[1].calibration_.residuals.recent, models[0].calibration_.residuals.recent
    )


def test_errors_are_those_of_the_validation_windows():
    Y = frame(autoregressive(100, 2))
    model = linear(6, 3).fit(Y)
    n_windows = 100 - 6 - 3 + 1
    n_validation = -(-n_windows // 5)
    expected = [weighted_error(model, Y, end) for end in range(98 - n_validation, 98)]
    assert_allclose(model.calibration_.residuals.recent, expected, atol=1e-9)


def test_too_few_errors_are_told():
    model = linear(4, 2).fit(frame(autoregressive(30)))
    with pytest.warns(CalibrationWarning, match=r"coverage|quantile"):
        model.predict_interval(coverage=0.99)


@pytest.mark.parametrize("name", ["coverage", "alpha"])
@pytest.mark.parametrize(
    "value", [0, 1.0, -0.1, 1.5, "half", None, [], [0.5, 2.0], [[0.5]], np.nan]
)
def test_probabilities_that_are_none_are_refused(name, value):
    model = linear().fit(frame(autoregressive(100)))
    call = model.predict_interval if name == "coverage" else model.predict_quantiles
    with pytest.raises(ValueError, match=f"^{name} must be .*in \\(0, 1\\); got"):
        call(**{name: value})


def test_a_probability_asked_for_twice_is_refused():
    model = linear().fit(frame(autoregressive(100)))
    with pytest.raises(ValueError, match=r"^alpha must not hold a probability twice; got"):
        model.predict_quantiles(alpha=[0.5, 0.5])


@pytest.mark.parametrize("one", [0.5, np.float32(0.5), np.array(0.5), (0.5,), np.array([0.5])])
def test_one_probability_may_come_as_any_number(one):
    model = linear().fit(frame(autoregressive(100)))
    assert list(model.predict_quantiles(alpha=one).columns) == [("y0", 0.5)]


def test_a_column_that_never_moves_has_an_interval_of_no_width():
    Y = frame(autoregressive(120, 2))
    Y["y0"] = 0.1
    model = linear(channel_mode="independent").fit(Y)
    bounds = model.predict_interval(coverage=0.8)
    assert_allclose(bounds["y0"], 0.1, atol=1e-6)
    assert np.isfinite(model.predict_interval(9, coverage=0.8).to_numpy()).all()
    assert (bounds["y1"][0.8]["upper"] - bounds["y1"][0.8]["lower"] > 0.1).all()
    assert np.isfinite(model.score(frame(autoregressive(20, 2), 120)))


def test_an_outage_neither_widens_other_intervals_nor_narrows_its_own():
    Y = pd.Series(np.random.default_rng(0).normal(size=400).cumsum(), days(400))
    outage, ending = Y.copy(), Y.copy()
    outage[350:380] = np.nan
    ending[-14:] = np.nan

    def widths(series):
        model = linear(lookback=12, horizon=4, missing="mask").fit(series)
        ends = model.predict_interval(coverage=0.8)
        return (ends.iloc[:, 1] - ends.iloc[:, 0]).to_numpy()

    usual = widths(Y)
    assert (np.abs(widths(outage) / usual - 1) < 0.3).all()
    np.testing.assert_allclose(widths(ending), 2 * 1.2816 * Y[:320].std(), rtol=0.25)
