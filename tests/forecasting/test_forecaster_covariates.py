"""What is known in advance enters where it belongs, and is asked for where it is missing."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal

from sknas.forecasting._frames import read_panel
from sknas.forecasting._known import moved_by_horizon, n_copies, window_of_known
from sknas.forecasting._problem import prepare_panel
from tests.forecasting.makers import autoregressive, days, frame, linear, noise, panel
from tests.oracles.known_windows import windows_of_known


@given(
    lookback=st.integers(1, 6),
    horizon=st.integers(1, 14),
    n_covariates=st.integers(1, 3),
    lengths=st.lists(st.integers(1, 25), min_size=1, max_size=3),
)
def test_windows_over_moved_covariates_hold_the_rows_around_them(
    lookback, horizon, n_covariates, lengths
):
    starts = np.concatenate([[0], np.cumsum(lengths)])
    known = noise(starts[-1], n_covariates)
    moved = moved_by_horizon(known, lookback, horizon)
    assert moved.shape[1] == n_copies(lookback, horizon) * n_covariates
    for t, expected in windows_of_known(known, starts, lookback, horizon).items():
        assert_array_equal(moved[t - lookback + 1 : t + 1].T, expected)
        around = known[None, t - lookback + 1 : t + 1 + horizon]
        assert_array_equal(window_of_known(around, lookback, horizon)[0], expected)


@given(
    lookback=st.integers(1, 6),
    horizon=st.integers(1, 9),
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=4),
)
def test_windows_of_short_series_hold_the_covariates_that_forecasts_read(
    lookback, horizon, lengths
):
    frames = {key: frame(noise(n, 1)) for key, n in zip("abcd", [40, *lengths], strict=False)}
    rows = read_panel(panel(frames))
    known = noise(len(rows.values), 2)
    prepared = prepare_panel(
        rows,
        known,
        lookback=lookback,
        horizon=horizon,
        quantiles=(),
        validation_fraction=0.2,
        arch_fraction=0.5,
        may_miss=True,
    )
    laid = prepared.laid
    for position, time, series in zip(laid.positions, laid.times, laid.series, strict=True):
        around = np.zeros((1, lookback + horizon, 2))
        for step in range(lookback + horizon):
            row = time - lookback + step
            if row >= 0:
                around[0, step] = known[rows.starts[series] + row]
        found = laid.rows[position : position + lookback, 1:].T
        assert_array_equal(found, window_of_known(around, lookback, horizon)[0])


def driven(n, n_targets=2, seed=0):
    """Return Y, X: row t of Y is a fixed map of row t of X."""
    X = frame(noise(n, 2, seed=seed)).add_prefix("x")
    Y = X.to_numpy() @ np.array([[2.0, 3.0], [-1.0, 0.5]])[:, :n_targets] + 10.0
    return frame(Y), X


@pytest.mark.parametrize("lookback", [2, 3, 7])
@pytest.mark.parametrize("channel_mode", ["auto", "mixed"])
def test_what_covariates_drive_is_forecast_exactly(lookback, channel_mode):
    Y, X = driven(400)
    model = linear(lookback, 3, channel_mode=channel_mode, window_norm="none")
    if channel_mode == "auto":  # weights are shared: both columns are to be driven alike
        Y["y1"] = Y["y0"]
    model.fit(Y[:300], X[:300])
    for n_steps in (3, 30):
        truth = Y[300 : 300 + n_steps]
        assert_allclose(model.predict(n_steps, X), truth, atol=1e-4)
        assert_allclose(model.predict(n_steps, X, Y=Y[:300]), truth, atol=1e-4)
    assert_allclose(model.predict(3, X, Y=Y[:350]), Y[350:353], atol=1e-4)
    assert model.score(Y[300:], X) > 0.999
    assert model.score(Y[310:], X) > 0.999


def test_rows_of_arrays_are_covariates_of_the_rows_they_stand_beside():
    Y, X = (part.to_numpy() for part in driven(400, 1))
    model = linear(2, 3, window_norm="none").fit(Y[:300], X[:300])
    assert_allclose(model.predict(5, X[300:305]), Y[300:305], atol=1e-4)
    assert_allclose(model.predict(5, X[200:255], Y=Y[200:250]), Y[250:255], atol=1e-4)
    assert_allclose(model.predict(5, X[248:255], Y=Y[248:250]), Y[250:255], atol=1e-4)
    assert_allclose(model.predict(5, X[249:255], Y=Y[249:250]), Y[250:255], atol=1e-4)
    assert model.score(Y[300:], X[300:]) > 0.999
    model.update(Y[300:310], X[300:310])
    assert_allclose(model.predict(3, X[310:313]), Y[310:313], atol=1e-4)


def test_an_array_of_covariates_ends_with_the_last_block_ahead():
    Y, X = (part.to_numpy() for part in driven(400, 1))
    model = linear(2, 3, window_norm="none").fit(Y[:300], X)
    for n_rows in (5, 6):
        assert_allclose(model.predict(5, X[300 : 300 + n_rows]), Y[300:305], atol=1e-4)
    assert_allclose(model.predict(5, X[200:256], Y=Y[200:250]), Y[250:255], atol=1e-4)
    with pytest.raises(
        ValueError,
        match=r"^X must have a row for each of the 5 steps ahead .*, 5 rows, or up to 6, .*got 400",
    ):
        model.predict(5, X)
    with pytest.raises(ValueError, match=r"^X must .* 6 steps ahead .*, 6 rows; got 7 rows\.$"):
        model.predict_interval(6, X[300:307])
    with pytest.raises(
        ValueError, match=r"^X must .* of the 50 rows of Y and of the 3 steps .*, 53 rows; got 100"
    ):
        model.predict(X=X[200:300], Y=Y[200:250])


def test_only_rows_that_a_forecast_reads_are_needed():
    Y, X = driven(120)
    model = linear(4, 3).fit(Y[:100], X[:100])
    shuffled = X.sample(frac=1, random_state=0)
    assert_frame_equal(model.predict(5, shuffled), model.predict(5, X[100:105]))
    assert_frame_equal(model.predict(5, X, Y=Y[:100]), model.predict(5, X[96:105], Y=Y[:100]))


def test_missing_rows_are_listed():
    Y, X = driven(120)
    with pytest.raises(
        ValueError, match=r"^X must have a row .*; 3 are missing: 2024-01-11 to 2024"
    ):
        linear().fit(Y, X.drop(X.index[10:13]))
    model = linear(4, 3).fit(Y[:100], X[:100])
    few = X.drop(X.index[[101, 103, 104]])
    with pytest.raises(ValueError, match=r"3 are missing: 2024-04-11, 2024-04-13 to 2024-04-14"):
        model.predict(5, few)
    with pytest.raises(ValueError, match=r"1 are missing: 2024-04-13"):
        model.predict(4, X[:103])
    with pytest.raises(ValueError, match=r"2 are missing: 2024-04-06 to 2024-04-07"):
        model.predict(4, X[98:], Y=Y[:100])
    with pytest.raises(
        ValueError, match=r"^X must have a row for the 4 rows after each series; 1 are missing"
    ):
        model.predict(4, X[:103])
    holes = X.copy()
    holes.iloc[102, 1] = np.nan
    with pytest.raises(ValueError, match=r"NaN in row 102 \(2024-04-12\) of column 'xy1'"):
        model.predict(4, holes)


def test_one_error_lists_the_missing_rows_before_a_forecast_and_those_ahead():
    Y, X = driven(120)
    model = linear(4, 3).fit(Y[:100], X[:100])
    with pytest.raises(
        ValueError,
        match=r"^X must have a row for every known row and for the 5 rows after each series; 3 are "
        r"missing: 2024-04-07, 2024-04-10, 2024-04-14\.$",
    ):
        model.predict(5, X.drop(X.index[[97, 100, 104]]), Y=Y[:100])
    with pytest.raises(ValueError, match=r"^X must have a row for every known row; 1 are missing"):
        linear().fit(Y, X.drop(X.index[10]))


def test_covariates_are_given_always_or_never():
    Y, X = driven(120)
    model = linear().fit(Y, X)
    for call in (
        model.predict,
        lambda: model.score(Y),
        lambda: model.update(frame(noise(3, 2), 120)),
    ):
        with pytest.raises(
            ValueError, match=r"^X must be given, since fit had .*'xy0', 'xy1'.*None"
        ):
            call()
    without = linear().fit(Y)
    with pytest.raises(ValueError, match=r"^X must be None, since fit had no covariates"):
        without.predict(X=X)
    with pytest.raises(ValueError, match=r"^X must have the columns that fit saw, 2 .* got 1"):
        model.predict(X=frame(noise(9, 2), 120).add_prefix("x")[["xy0"]])


# -- of series ------------------------------------------------------------------------------------


def leveled(keys, n=80):
    """Return a panel that jumps to its own level each fifth day, and what tells these levels."""
    heights = np.linspace(-3, 3, len(keys))
    parts, rows = {}, []
    for i, (key, height) in enumerate(zip(keys, heights, strict=True)):
        values = 0.1 * noise(n, 1, seed=i)
        values[::2] += height
        parts[key] = frame(values)
        rows.append(height)
    return panel(parts), pd.DataFrame({"height": rows, "sign": np.sign(rows) > 0}, index=keys)


def test_static_covariates_change_the_forecast():
    keys = list("abcdef")
    Y, static = leveled(keys)
    model = linear(2, 2).fit(Y, static=static)
    other = static.assign(height=static["height"] + 1)
    assert not np.allclose(model.predict(static=other), model.predict())
    assert_frame_equal(model.predict(static=static[::-1]), model.predict())
    assert_frame_equal(model.predict(Y=Y), model.predict())


def test_series_that_fit_did_not_see_need_their_own():
    Y, static = leveled(list("abcdef"))
    known = Y.index.get_level_values(0) != "c"
    model = linear(2, 2).fit(Y[known], static=static.drop("c"))
    with pytest.raises(ValueError, match=r"^static must be given for series .*; got none for 'c'"):
        model.predict(Y=Y)
    with pytest.raises(ValueError, match=r"^static must be given for series .*; got none for 'c'"):
        model.update(Y)
    of_c = static.loc[["c"]]
    found = model.predict(Y=Y, static=of_c)
    assert_frame_equal(found, model.predict(Y=Y, static=static))
    assert_frame_equal(found.drop("c"), model.predict())
    model.update(Y.loc[["c"]], static=of_c)  # known from now on
    assert_frame_equal(model.predict(Y=Y), found)
    assert len(model.predict()) == len(found)
    assert np.isfinite(model.score(panel({"c": frame(noise(5, 1), 80)})))


def test_static_covariates_belong_to_panels():
    with pytest.raises(ValueError, match=r"^static needs a panel.*got a single series"):
        linear().fit(frame(noise(50, 1)), static=pd.DataFrame({"size": [1.0]}))
    model = linear().fit(panel({"a": frame(noise(50, 1))}))
    with pytest.raises(ValueError, match=r"^static must be None, since fit had none"):
        model.predict(static=pd.DataFrame({"size": [1.0]}, index=["a"]))


# -- of the calendar ------------------------------------------------------------------------------


def test_the_calendar_tells_a_week_that_the_lookback_cannot_see():
    week = np.array([0.0, 0.0, 4.0, 0.0, 0.0, -5.0, 1.0])
    index = days(400)
    Y = pd.DataFrame({"y": week[index.day_of_week] + 0.1 * noise(400)}, index=index)
    scores = [
        linear(2, 3, calendar_features=names).fit(Y[:320]).score(Y[320:])
        for names in (None, ["day_of_week", "is_weekend"], "auto")
    ]
    assert scores[0] < 0.5
    assert min(scores[1:]) > scores[0] + 0.1
    model = linear(2, 3, calendar_features=["day_of_week", "is_weekend"]).fit(Y[:320])
    long = model.predict(80).to_numpy()
    assert np.abs(long - Y[320:].to_numpy()).mean() < np.abs(week - week.mean()).mean()


def test_the_calendar_needs_an_index_of_dates():
    with pytest.raises(ValueError, match=r"^calendar_features need an index of dates.*integers"):
        linear(calendar_features="auto").fit(pd.Series(autoregressive(60)[:, 0]))
    with pytest.raises(ValueError, match=r"^calendar_features must be .*got \['moon'\]"):
        linear(calendar_features=["moon"]).fit(frame(autoregressive(60)))
