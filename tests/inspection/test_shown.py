"""A display takes history and truth as frames, series and arrays, whatever the forecaster gives."""

import numpy as np
import pandas as pd
import pytest

from sknas.inspection import ForecastDisplay
from tests.forecasting.makers import autoregressive, linear
from tests.inspection.drawn import HOURS, band, is_upright, lines
from tests.inspection.fakes import make_frame, make_panel


def rows_of(kind):
    """Return rows to fit on and those that follow, as one kind of container."""
    values = autoregressive(70, 2)
    days = pd.date_range("2024-01-01", periods=70, freq="D")
    if kind.endswith("array"):
        rows = values[:, 0] if kind == "1-D array" else values
        return rows[:60], rows[60:]
    series = pd.Series(values[:, 0], days, name="sales" if kind == "named series" else None)
    if kind != "panel series":
        return series[:60], series[60:]
    both = {"a": series, "b": series + 1}
    return (
        pd.concat({key: one[rows] for key, one in both.items()}, names=["shop", "time"])
        for rows in (slice(60), slice(60, None))
    )


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("named series", ["sales"]),
        ("unnamed series", ["y"]),
        ("panel series", ["a", "b"]),
        ("1-D array", ["y"]),
        ("2-D array", ["0", "1"]),
    ],
)
def test_series_and_arrays_are_drawn_like_frames(kind, names):
    past, future = rows_of(kind)
    model = linear(6, 3).fit(past)
    display = ForecastDisplay.from_forecaster(model, truth=future, coverage=0.5)
    assert [axes.get_title(loc="left") for axes in display.axes_] == names
    n_targets = 2 if kind == "2-D array" else 1
    by_panel = [np.asarray(part).reshape(-1, n_targets) for part in (past, future, model.predict())]
    bounds = model.predict_interval(coverage=0.5).to_numpy()
    for place, axes in enumerate(display.axes_):
        column = place if n_targets == 2 else 0
        of_panel = [
            np.split(part, len(names) // n_targets)[place // n_targets][:, column]
            for part in by_panel
        ]
        known, truth, forecast = lines(axes)
        np.testing.assert_array_equal(known, of_panel[0][-6:])
        np.testing.assert_array_equal(truth, [known[-1], *of_panel[1][:3]])
        np.testing.assert_array_equal(forecast, [known[-1], *of_panel[2]])
        ends = np.split(bounds, len(names) // n_targets)[place // n_targets]
        lower, upper = band(axes)
        np.testing.assert_allclose(lower[1:], ends[:, 2 * column])
        np.testing.assert_allclose(upper[1:], ends[:, 2 * column + 1])
        places = [line.get_xdata() for line in axes.lines if not is_upright(line)]
        np.testing.assert_array_equal(np.diff(np.unique(np.concatenate(places))), 1.0)


@pytest.mark.parametrize("kind", ["named series", "unnamed series", "panel series"])
@pytest.mark.parametrize("name", ["turnover", None, 0])
def test_a_series_is_of_the_only_target_whatever_its_name(kind, name):
    past, future = rows_of(kind)
    model = linear(6, 3).fit(past)
    both = [
        ForecastDisplay.from_forecaster(model, truth=truth, history=history, coverage=0.5)
        for truth, history in ((future, past), (future.rename(name), past.rename(name)))
    ]
    for parts in zip(*(display.axes_ for display in both), strict=True):
        for drawn, expected in zip(*map(lines, parts), strict=True):
            np.testing.assert_array_equal(drawn, expected)


def test_rows_of_a_list_are_those_of_an_array():
    past, future = rows_of("1-D array")
    model = linear(6, 3).fit(past)
    how = {"coverage": 0.5, "n_history": 30}
    lists = ForecastDisplay.from_forecaster(model, history=list(past), truth=list(future), **how)
    arrays = ForecastDisplay.from_forecaster(model, history=past, truth=future, **how)
    assert list(lists.history.index) == list(range(30, 60))
    for drawn, expected in zip(*(lines(one.axes_[0]) for one in (lists, arrays)), strict=True):
        np.testing.assert_array_equal(drawn, expected)


def test_rows_of_an_array_go_on_at_the_cutoff():
    past, future = rows_of("1-D array")
    model = linear(6, 3).fit(past)
    display = ForecastDisplay.from_forecaster(model, truth=future, coverage=0.5)
    assert list(display.history.index) == list(range(54, 60))
    assert list(display.forecast.index) == list(display.truth.index) == [60, 61, 62]


@pytest.mark.parametrize(
    ("kind", "truth", "message"),
    [
        ("2-D array", np.zeros(3), r"truth must have a column for each of 2 targets; .*\(3,\)"),
        ("1-D array", np.zeros((3, 2)), "truth must have a column for each of 1 targets"),
        ("named series", np.zeros(3), "truth must be a DataFrame or a Series .* shape"),
    ],
)
def test_an_array_of_truth_that_does_not_fit_is_refused(kind, truth, message):
    model = linear(6, 3).fit(rows_of(kind)[0])
    with pytest.raises(ValueError, match=message):
        ForecastDisplay.from_forecaster(model, truth=truth, coverage=0.5)


def test_an_array_of_history_that_does_not_fit_is_refused():
    for kind, message in (
        ("named series", r"^history must be a DataFrame or a Series .* shape \(60,\)"),
        ("2-D array", r"^history must have a column for each of 2 targets; .* shape \(60,\)"),
    ):
        model = linear(6, 3).fit(rows_of(kind)[0])
        with pytest.raises(ValueError, match=message):
            ForecastDisplay.from_forecaster(model, history=[0.0] * 60, coverage=0.5)


def test_more_history_than_the_forecaster_keeps_is_drawn_where_it_is_given():
    full = make_frame(HOURS)
    model = linear(6, 3).fit(full[:100])
    short = ForecastDisplay.from_forecaster(model, n_history=80)
    assert len(lines(short.axes_[0])[0]) == 6
    given = ForecastDisplay.from_forecaster(model, n_history=80, history=full)
    np.testing.assert_array_equal(lines(given.axes_[0])[0], full["y0"][20:100])
    plain = ForecastDisplay.from_forecaster(model, history=full[:100])
    np.testing.assert_array_equal(lines(plain.axes_[0])[0], full["y0"][52:100])
    values = full["y0"].to_numpy()
    model = linear(6, 3).fit(values[:100])
    array = ForecastDisplay.from_forecaster(model, history=values[:100], n_history=30)
    np.testing.assert_array_equal(lines(array.axes_[0])[0], values[70:100])


def test_history_of_a_panel_is_that_of_each_series_before_its_forecast():
    full = make_panel(3, 120)
    ends = {"shop 0": 100, "shop 2": 90}
    known = full.groupby(level=0, group_keys=False).apply(
        lambda rows: rows[: ends.get(rows.index[0][0], 0)]
    )
    model = linear(6, 3).fit(known)
    display = ForecastDisplay.from_forecaster(model, history=full, n_history=20)
    for axes, (key, end) in zip(display.axes_, ends.items(), strict=True):
        np.testing.assert_array_equal(lines(axes)[0], full.loc[key]["y0"][end - 20 : end])


def test_history_that_cannot_stand_before_the_forecast_is_refused():
    full = make_frame(HOURS)
    model = linear(6, 3).fit(full[:100])
    with pytest.raises(
        ValueError, match=r"history must have rows before the forecast, .* got none among 20"
    ):
        ForecastDisplay.from_forecaster(model, history=full[100:])
    with pytest.raises(ValueError, match=r"history must have the targets .* lacks \['y0'\]"):
        ForecastDisplay.from_forecaster(model, history=full.add_prefix("z"))
