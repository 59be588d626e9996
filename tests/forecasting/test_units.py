"""Forecasts do not depend on the unit of the data, nor one series' on another's flat beginning."""

import numpy as np
import pandas as pd
import pytest

from sknas import GrowingDARTSForecaster
from sknas.forecasting._scales import fit_panel_scales

DAYS = pd.date_range("2024-01-01", periods=260)
WEEK = np.sin(2 * np.pi * DAYS.day_of_week.to_numpy() / 7)
LINEAR = {"lookback": 14, "horizon": 7, "max_nodes": 0, "random_state": 0}


def launched_late(unit):
    """Return a product, and another that is sold only in the last weeks."""
    noise = 0.1 * np.random.default_rng(0).normal(size=260)
    late = np.r_[np.zeros(215), 5 + WEEK[215:]]
    return pd.DataFrame({"a": 5 + WEEK + noise, "new": late}, DAYS) * unit


def shops(keys, first=0, stop=200, level=1000.0):
    rng = np.random.default_rng(len(keys))
    parts = {
        key: pd.DataFrame(
            {"y": level * (5 + WEEK[first:stop] + 0.3 * rng.normal(size=stop - first))},
            DAYS[first:stop],
        )
        for key in keys
    }
    return pd.concat(parts, names=["shop", "day"])


@pytest.mark.parametrize("unit", [1e-3, 1e3, 1e6])
def test_a_column_that_is_flat_at_first_has_a_scale_in_units_of_the_data(unit):
    def predicted(unit):
        return GrowingDARTSForecaster(**LINEAR).fit(launched_late(unit)).predict() / unit

    pd.testing.assert_frame_equal(predicted(unit), predicted(1.0), rtol=1e-6)


def test_a_column_that_is_flat_at_first_leaves_the_others_alone():
    Y = launched_late(1e3)
    alone = GrowingDARTSForecaster(**LINEAR).fit(Y[["a"]]).predict()
    both = GrowingDARTSForecaster(**LINEAR).fit(Y).predict()
    np.testing.assert_allclose(both["a"], alone["a"], rtol=0.1)


def test_a_flat_series_of_a_panel_has_the_scale_of_the_others():
    values = np.concatenate([100 * np.arange(10.0), np.full(10, 7.0), 300 * np.arange(10.0)])
    scales = fit_panel_scales(values[:, None], [0, 10, 20, 30], np.full(3, 10))
    assert scales.scale[1] == pytest.approx(np.median(scales.scale[[0, 2]]))
    assert scales.center[1] == 7.0
    alone = fit_panel_scales(np.full((5, 1), 3.0), [0, 5], np.array([5]))
    assert alone.scale.item() == 1.0


def test_a_series_that_varies_later_is_measured_where_it_does():
    values = np.r_[np.zeros(6), 1e6 * np.arange(4.0)][:, None]
    scales = fit_panel_scales(values, [0, 10], np.array([6]), n_seen=np.array([10]))
    assert scales.scale.item() == pytest.approx(values.std())
    assert scales.center.item() == 0.0


@pytest.mark.parametrize("n_first", [40, 1])
def test_a_shop_that_opens_with_a_day_alone_spoils_nothing(n_first):
    fitted = GrowingDARTSForecaster(**{**LINEAR, "max_nodes": 2}, genotype="gru", max_epochs=3)
    fitted.fit(shops("abc"))
    new = shops("n", 200, 260)
    before = fitted.predict().loc["a"].y
    fitted.update(new[:n_first]).update(new[n_first:], refit=True)
    assert fitted.predict().loc["a"].y.to_numpy() == pytest.approx(before.to_numpy(), rel=0.3)
    own = fitted._scales.scale[-1].item()
    assert own == pytest.approx(new.y.std(ddof=0), rel=0.3)


def test_a_shop_in_another_unit_is_measured_once_it_has_rows():
    fitted = GrowingDARTSForecaster(**LINEAR).fit(shops("abc"))
    new = shops("n", 200, 260, level=1e6)
    fitted.update(new[:1])
    assert fitted._scales.scale[-1] == pytest.approx(np.median(fitted._scales.scale[:3], axis=0))
    fitted.update(new[1:])
    assert fitted._scales.scale[-1].item() == pytest.approx(new.y.std(ddof=0), rel=1e-6)


def test_series_that_are_all_young_keep_their_units_as_rows_come():
    frames = {key: shops(key, 0, 50, level) for key, level in {"a": 1e-3, "b": 1e3}.items()}
    Y = pd.concat([rows[:20] for rows in frames.values()])
    fitted = GrowingDARTSForecaster(lookback=30, horizon=1, max_nodes=0).fit(Y)
    before = fitted._scales.scale[:, 0]
    assert before[1] > 1e5 * before[0]
    # One row of one of them; then one has rows enough and the other has not.
    for key, begin, end in (("a", 20, 21), ("b", 20, 22), ("a", 21, 40), ("b", 22, 23)):
        fitted.update(frames[key][begin:end])
        assert fitted._scales.scale[:, 0] == pytest.approx(before, rel=0.3)
    fitted.update(shops("c", 20, 35, 1e-6))
    assert fitted._scales.scale[:2, 0] == pytest.approx(before, rel=0.3)


def test_a_new_series_among_young_ones_has_the_units_of_its_rows():
    Y = pd.concat([shops(key, 0, 20, level) for key, level in {"a": 1e-3, "b": 1e3}.items()])
    fitted = GrowingDARTSForecaster(lookback=30, horizon=1, max_nodes=0).fit(Y)
    new = shops("c", 10, 20, 1e-6)
    fitted.update(new)
    assert fitted._scales.scale[2, 0] == pytest.approx(new.y.std(ddof=0))


# -- no look ahead ----------------------------------------------------------------------------


@pytest.mark.parametrize("begin", [120, 195])
@pytest.mark.parametrize("is_fitted", [True, False])
@pytest.mark.filterwarnings("ignore::sknas.exceptions.CalibrationWarning")
def test_units_of_new_series_are_those_of_rows_before_the_forecast(begin, is_fitted):
    new = shops("z", begin, 260)
    changed = new.copy()
    changed.iloc[-30:] += 1e5
    known = shops("ab")

    def told(late):
        model = GrowingDARTSForecaster(**LINEAR)
        Y = pd.concat([known, late])
        if is_fitted:
            found = model.fit(known[known.index.get_level_values("day") < DAYS[190]]).backtest(Y)
        else:
            found = model.backtest(Y, initial=190)
        rows = found.forecasts
        return rows[(rows["shop"] == "z") & (rows["cutoff"] < DAYS[230])]

    one, other = told(new), told(changed)
    assert len(one) > 50
    for name in ("forecast", "lower", "upper"):
        np.testing.assert_allclose(one[name], other[name])


def test_a_target_that_is_known_late_has_the_level_of_its_own_rows():
    rng = np.random.default_rng(0)
    values = np.stack([1e6 + 10.0 * rng.normal(size=260), rng.normal(size=260)], axis=1)
    values[:225, 0] = np.nan
    model = GrowingDARTSForecaster(
        lookback=14, horizon=3, max_nodes=0, missing="mask", window_norm="none"
    ).fit(pd.DataFrame(values, DAYS, columns=["late", "always"]))
    assert abs(model.predict()["late"] - 1e6).max() < 50.0
    ends = model.predict_interval(coverage=0.8)["late"]
    assert (ends.max(axis=None) - ends.min(axis=None)) < 100.0


def test_a_new_series_with_one_row_has_intervals_as_wide_as_its_errors():
    rng = np.random.default_rng(0)

    def walks(n, n_rows, name):
        keys = pd.MultiIndex.from_product([[f"{name}{i}" for i in range(n)], DAYS[:n_rows]])
        return pd.DataFrame({"y": rng.normal(size=(n, n_rows)).cumsum(axis=1).ravel()}, keys)

    model = GrowingDARTSForecaster(lookback=8, horizon=2, max_nodes=0).fit(walks(10, 150, "old"))
    new = walks(200, 3, "new")
    first, truth = (new[new.index.get_level_values(1).isin(days)] for days in (DAYS[:1], DAYS[1:3]))
    ends = model.predict_interval(Y=first, coverage=0.8)["y", 0.8]
    inside = (ends["lower"] <= truth["y"]) & (truth["y"] <= ends["upper"])
    assert 0.65 < inside.mean() < 0.95
