"""Forecasts continue the index and the columns they were given, over any horizon."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal, assert_index_equal, assert_series_equal

from tests.forecasting.makers import autoregressive, days, frame, linear, noise, panel, recurrent
from tests.labels import assert_same_labels

few = settings(max_examples=40)
STARTS = {
    "h": "2024-03-29 05:00",
    "D": "2024-02-20",
    "B": "2024-02-20",
    "W-WED": "2024-01-03",
    "MS": "2023-05-01",
    "ME": "2023-05-31",
    "QS-FEB": "2020-02-01",
    "QE": "2020-03-31",
    "YS": "1950-01-01",
    "15min": "2024-02-28 22:30",
    "3s": "2024-02-28 23:59:00",
}
AXES = [*STARTS, "berlin", "berlin days", "period M", "period Q", "range", "range 5", "integers"]


def axis(kind, n):
    """Return an index of n labels."""
    if kind == "berlin":  # the clock is changed on 31 March, and on 27 October
        return pd.date_range("2024-03-29", periods=n, freq="h", tz="Europe/Berlin")
    if kind == "berlin days":
        return pd.date_range("2024-10-10", periods=n, freq="D", tz="Europe/Berlin")
    if kind.startswith("period"):
        return pd.period_range("2019-11", periods=n, freq=kind[-1], name="when")
    if kind == "range 5":
        return pd.RangeIndex(10, 10 + 5 * n, 5)
    if kind in ("range", "integers"):
        index = pd.RangeIndex(7, 7 + n)
        return index if kind == "range" else pd.Index(np.arange(7, 7 + n))
    return pd.date_range(STARTS[kind], periods=n, freq=kind, name="when")


@few
@given(
    kind=st.sampled_from(AXES),
    n=st.integers(20, 60),
    horizon=st.integers(1, 4),
    n_steps=st.integers(1, 60),
    knows_freq=st.booleans(),
)
def test_a_forecast_continues_the_index(kind, n, horizon, n_steps, knows_freq):
    whole = axis(kind, n + n_steps)
    index = whole[:n]
    if isinstance(index, pd.DatetimeIndex) and not knows_freq:
        index = index._with_freq(None)
    Y = pd.DataFrame(noise(n, 2), index=index, columns=["a", "b"])
    model = linear(4, horizon).fit(Y)
    found = model.predict(n_steps)
    assert_same_labels(found.index, whole[n:], exact="equiv")
    if knows_freq and kind in STARTS:
        assert found.index.freq == whole.freq
    assert list(found.columns) == ["a", "b"]
    assert np.isfinite(found.to_numpy()).all()
    assert model.cutoff == whole[n - 1]
    assert_frame_equal(model.history_, Y[-4:], check_freq=False)
    if n_steps <= 3 * horizon:
        levels = model.predict_quantiles(n_steps, alpha=[0.4, 0.5])
        assert_index_equal(levels.index, found.index)
        assert list(levels.columns) == [("a", 0.4), ("a", 0.5), ("b", 0.4), ("b", 0.5)]


@pytest.mark.parametrize("kind", ["1-D", "2-D", "list", "series", "nameless"])
def test_what_comes_back_is_of_the_kind_that_came(kind):
    values = autoregressive(60, 2 if kind == "2-D" else 1)
    index = axis("MS", 60)
    Y = {
        "1-D": values[:, 0],
        "2-D": values,
        "list": values[:, 0].tolist(),
        "series": pd.Series(values[:, 0], index, name="sales"),
        "nameless": pd.Series(values[:, 0], index),
    }[kind]
    model = linear().fit(Y)
    found = model.predict(5)
    assert_allclose(model.history_, values[-6:].reshape(-1, *np.shape(Y)[1:]))
    interval = model.predict_interval(coverage=0.5)
    assert interval.shape == (3, 2 * values.shape[1])
    if kind in ("series", "nameless"):
        assert isinstance(found, pd.Series)
        assert found.name == Y.name
        assert_same_labels(found.index, axis("MS", 65)[60:])
    else:
        assert isinstance(found, np.ndarray)
        assert found.shape == (5, *np.shape(Y)[1:])
        assert_index_equal(interval.index, pd.RangeIndex(60, 63))


def test_a_panel_of_several_key_levels_comes_back_series_by_series():
    keys = [("n", 2), ("s", 1), ("n", 1)]
    ends = [40, 35, 45]
    values = [autoregressive(n, 2, seed=i) for i, n in enumerate(ends)]
    Y = panel({key: frame(part) for key, part in zip(keys, values, strict=True)})
    model = linear().fit(Y)
    found = model.predict(4)
    assert list(found.index.names) == ["region", "shop", "time"]
    for key, end in zip(keys, ends, strict=True):
        times = found.xs(key, level=("region", "shop")).index
        assert_same_labels(times, days(4, end))
    assert found.index.droplevel("time").unique().tolist() == keys
    assert_index_equal(model.predict_interval(4, coverage=0.5).index, found.index)
    assert model.cutoff.tolist() == [days(end)[-1] for end in ends]
    assert model.cutoff.index.tolist() == keys


def test_columns_of_several_levels_keep_their_levels():
    Y = frame(autoregressive(60, 2))
    Y.columns = pd.MultiIndex.from_tuples([("price", "a"), ("price", "b")])
    model = linear().fit(Y)
    assert_index_equal(model.predict().columns, Y.columns)
    levels = model.predict_quantiles(alpha=0.5)
    assert list(levels.columns) == [("price", "a", 0.5), ("price", "b", 0.5)]


@pytest.mark.parametrize(("name", "label"), [("sales", "sales"), (None, 0), (0, 0)])
@pytest.mark.parametrize("is_panel", [False, True])
def test_bounds_of_a_series_stand_under_its_name_or_0(name, label, is_panel):
    Y = frame(autoregressive(90))
    Y = (panel({"a": Y, "b": Y}) if is_panel else Y)["y0"].rename(name)
    model = linear().fit(Y)
    assert list(model.predict_quantiles(alpha=[0.4, 0.5]).columns) == [(label, 0.4), (label, 0.5)]
    bounds = model.predict_interval(coverage=0.5)
    assert list(bounds[label][0.5].columns) == ["lower", "upper"]
    assert set(model.backtest(Y, initial=70, coverage=0.5).forecasts.target) == {label}


def test_columns_may_come_in_another_order_and_go_back_to_the_first():
    Y = frame(autoregressive(60, 2))
    model = linear().fit(Y)
    assert_frame_equal(model.predict(Y=Y[["y1", "y0"]]), model.predict())


@pytest.mark.parametrize("kind", ["frame", "series", "array", "panel"])
def test_the_history_is_what_a_forecast_reads(kind):
    Y = frame(autoregressive(60, 2))
    other = {"frame": Y, "series": Y["y0"], "array": Y.to_numpy(), "panel": panel({"a": Y})}[kind]
    model = linear().fit(other)
    assert_array_equal(model.predict(5, Y=model.history_), model.predict(5))


def test_keys_may_be_categories_and_numbers():
    parts = {key: frame(autoregressive(60, seed=key)) for key in (3, 1, 2)}
    model = linear().fit(panel(parts))
    Y = panel(parts).reset_index().astype({"shop": "category"}).set_index(["shop", "time"])
    found = linear().fit(Y)
    assert_array_equal(found.predict(), model.predict())
    assert_array_equal(found.predict(Y=panel(parts)), model.predict())


# -- horizons -------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [linear, recurrent])
@pytest.mark.parametrize("is_quantile", [False, True])
def test_a_longer_horizon_goes_on_from_its_own_forecasts(make, is_quantile):
    Y = frame(autoregressive(90, 2))
    model = make(loss="quantile" if is_quantile else "mse").fit(Y)
    whole = model.predict(8)
    assert_frame_equal(whole[:3], model.predict())
    known = Y
    for begin in (0, 3, 6):
        block = model.predict(Y=known)
        assert_frame_equal(block[: 8 - begin], whole[begin : begin + 3], check_freq=False)
        known = pd.concat([known, block])


@given(n_steps=st.integers(1, 20), horizon=st.integers(1, 5))
@few
def test_a_shorter_forecast_is_the_beginning_of_a_longer_one(n_steps, horizon):
    model = linear(4, horizon).fit(autoregressive(60, 2))
    assert_array_equal(model.predict(n_steps), model.predict(20)[:n_steps])


def test_the_horizon_of_the_fit_stays_whatever_is_set_later():
    Y = frame(autoregressive(60))
    model = linear(horizon=3).fit(Y[:50])
    model.set_params(horizon=5)
    assert len(model.predict()) == 3
    before = model.calibration_.residuals.n_residuals
    assert (model.update(Y[50:]).calibration_.residuals.n_residuals > before).all()


@pytest.mark.parametrize("horizon", [0, -1, 1.5, "3", True])
def test_a_horizon_that_is_no_number_of_steps_is_refused(horizon):
    model = linear().fit(autoregressive(60))
    with pytest.raises(
        ValueError, match=rf"^horizon must be an integer of at least 1.*{horizon!r}"
    ):
        model.predict(horizon)


def test_a_series_and_a_frame_of_one_column_are_forecast_alike():
    Y = frame(autoregressive(60))
    assert_series_equal(linear().fit(Y["y0"]).predict(), linear().fit(Y).predict()["y0"])
