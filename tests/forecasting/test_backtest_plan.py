"""A backtest says what it cannot do before its first fit, which may take long."""

from datetime import date, datetime

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from sknas import GrowingDARTSForecaster
from tests.forecasting.makers import autoregressive, frame, linear, panel


@pytest.fixture(scope="module", name="Y")
def rows():
    return frame(autoregressive(160, 2))


@pytest.mark.parametrize(
    ("parameter", "value", "message"),
    [
        ("initial", 159, "initial must leave horizon=3 rows"),
        ("initial", 0, "initial must be an integer of at least 1 row"),
        ("step", 0, "step must be an integer of at least 1 row; got 0"),
        ("horizon", 2.5, "horizon must be an integer of at least 1 row; got 2.5"),
        ("refit", "always", "refit must be a boolean, a number of origins or 'weights'"),
        ("refit", 0, "refit must be an integer of at least 1 origin; got 0"),
        ("refit", None, "refit must be a boolean, a number of origins or 'weights'; got None"),
        ("refit", 2.5, "refit must be a boolean, a number of origins or 'weights'; got 2.5"),
        ("coverage", 1.0, r"coverage must be in \(0, 1\)"),
        ("coverage", [0.8, 0.95], r"coverage must be in \(0, 1\), one number; got \[0.8, 0.95\]"),
        ("coverage", "0.9", r"coverage must be in \(0, 1\), one number; got '0.9'"),
        ("initial", "1987-01-01", "initial must lie within the rows of Y"),
        ("initial", "next week", "initial must be an integer .* dates .*; got 'next week'"),
        ("initial", 0.5, "initial must be an integer of at least 1 row, or the label .*; got 0.5"),
        ("initial", True, "initial must be an integer of at least 1 row; got True"),
        ("step", True, "step must be an integer of at least 1 row; got True"),
        ("horizon", True, "horizon must be an integer of at least 1 row; got True"),
    ],
)
def test_what_cannot_be_is_refused(Y, parameter, value, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        linear(6, 3).backtest(Y, **{parameter: value})


@pytest.mark.parametrize("initial", ["a", 0.5])
def test_rows_without_dates_have_a_number_of_first_rows_alone(Y, initial):
    for rows in (Y.to_numpy(), Y.reset_index(drop=True)):
        with pytest.raises(ValueError, match=r"^initial must be an integer of at least 1 row; got"):
            linear(6, 3).backtest(rows, initial=initial)


@pytest.mark.parametrize(
    "initial", [date(2024, 4, 9), datetime(2024, 4, 9), "2024-04-09", np.datetime64("2024-04-09")]
)
@pytest.mark.parametrize("kind", ["dates", "zone", "periods"])
def test_the_last_row_of_the_first_fit_may_be_any_date(Y, initial, kind):
    zone = "Europe/Berlin"
    rows = {"dates": Y, "zone": Y.tz_localize(zone), "periods": Y.to_period("D")}[kind]
    if kind != "dates" and not isinstance(initial, str) and type(initial) is not date:
        initial = pd.Timestamp(initial, tz=zone) if kind == "zone" else pd.Period(initial, "D")
    found = linear(6, 3).backtest(rows, initial=initial, step=20)
    assert found.forecasts.cutoff.min() == rows.index[99]


# -- what is refused before the first fit ----------------------------------------------------------


@pytest.fixture(name="no_fit")
def forbidden_fit(monkeypatch):
    def fail(*_, **__):
        raise AssertionError("fitted")

    monkeypatch.setattr(GrowingDARTSForecaster, "fit", fail)


@pytest.mark.usefixtures("no_fit")
def test_covariates_of_all_rows_are_asked_for_before_the_first_fit(Y):
    X = frame(np.random.default_rng(0).normal(size=(160, 1)))
    lost = X.drop(X.index[[50, 150]])
    with pytest.raises(ValueError, match=r"^X must .*; 2 are missing: 2024-02-20, 2024-05-30\.$"):
        linear(6, 3).backtest(Y, lost, initial=100)
    X.iloc[150] = np.nan
    with pytest.raises(ValueError, match=r"^X must not have missing values .* row 150"):
        linear(6, 3).backtest(Y, X, initial=100)


@pytest.mark.usefixtures("no_fit")
def test_what_is_fixed_for_later_series_is_asked_for_before_the_first_fit():
    parts = {"a": frame(autoregressive(90)), "b": frame(autoregressive(20), 70)}
    static = pd.DataFrame({"kind": ["x", "y"]}, index=list("ab"))
    for given, message in (
        (static[:1], r"static must have a row for every series; got none for 'b'"),
        (static, r"static must hold one of the categories.*got 'y' for series 'b'"),
    ):
        with pytest.raises(ValueError, match=message):
            linear(6, 2).backtest(panel(parts), static=given, initial=60)


@pytest.mark.usefixtures("no_fit")
def test_a_coverage_outside_the_levels_is_refused_before_the_first_fit(Y):
    model = linear(6, 3, loss="quantile", quantile_levels=(0.1, 0.5, 0.9))
    with pytest.raises(ValueError, match=r"^coverage must lie within .* 0\.1 to 0\.9 .*0\.05"):
        model.backtest(Y, coverage=0.9)


@pytest.mark.usefixtures("no_fit")
@pytest.mark.parametrize("initial", [40, None])
def test_a_column_that_starts_behind_the_first_rows_is_told_by_their_number(Y, initial):
    Y = Y.copy()
    Y.iloc[:120, 1] = np.nan
    with pytest.raises(
        ValueError, match=rf"^initial must leave a number .*; got {initial}, .* column 'y1' until"
    ):
        linear(6, 3, missing="mask").backtest(Y, initial=initial)


def test_a_series_of_a_panel_may_start_behind_the_first_rows():
    parts = {key: frame(autoregressive(120, seed=i)) for i, key in enumerate("ab")}
    late = parts["b"].copy()
    late[:80] = np.nan
    model = linear(6, 2, missing="mask")
    how = {"initial": 70, "step": 10, "coverage": 0.5}
    found = model.backtest(panel({**parts, "b": late}), **how).forecasts
    short = model.backtest(panel({**parts, "b": late[80:]}), **how).forecasts
    assert_allclose(*(one.query("shop == 'a'").forecast for one in (found, short)))
    assert found.query("shop == 'b'").forecast.notna().all()
