"""A backtest is what a user would get who forecasts, waits and forecasts again."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal

from sknas import GrowingDARTSForecaster
from sknas.exceptions import CalibrationWarning
from sknas.forecasting import mase
from tests.forecasting.makers import autoregressive, frame, linear, panel

COLUMNS = ["cutoff", "step", "time", "target", "truth", "forecast", "lower", "upper"]


def wide(backtest, value="forecast"):
    """Return one value by origin, with a column a step and target."""
    return backtest.forecasts.pivot(index="cutoff", columns=["step", "target"], values=value)


@pytest.fixture(scope="module", name="Y")
def rows():
    return frame(autoregressive(160, 2))


def test_forecasts_are_those_of_a_fit_that_is_given_one_origin_after_the_other(Y):
    found = linear(6, 3).backtest(Y, initial=100, step=5)
    model = linear(6, 3).fit(Y[:100])
    for end in range(100, 158, 5):
        rows = found.forecasts[found.forecasts.cutoff == Y.index[end - 1]]
        expected = model.predict(Y=Y[:end])
        assert_allclose(rows.forecast, expected.to_numpy().ravel())
        assert_allclose(rows.truth, Y[end : end + 3].to_numpy().ravel())
        assert rows.time.tolist() == expected.index.repeat(2).tolist()
        assert rows.step.tolist() == [1, 1, 2, 2, 3, 3]
    assert found.n_fits == 1
    assert list(found.forecasts) == COLUMNS
    assert found.forecasts.cutoff.nunique() == 12


def test_intervals_use_the_errors_known_at_their_origin_and_no_later_ones(Y):
    changed = Y.copy()
    changed.iloc[140:] += 50.0
    plain, other = (linear(6, 3).backtest(given, initial=100) for given in (Y, changed))
    known = plain.forecasts.cutoff < Y.index[140]
    for end in ("forecast", "lower", "upper"):
        assert_allclose(plain.forecasts[end][known], other.forecasts[end][known])
    # Later on the errors have come in.
    widths = [(found.forecasts.upper - found.forecasts.lower)[~known] for found in (plain, other)]
    assert widths[1].iloc[-1] > 2 * widths[0].iloc[-1]


def test_a_fit_again_sees_the_rows_until_then(Y):
    found = linear(6, 2).backtest(Y, initial=100, step=10, refit=2)
    origins = range(100, 159, 10)
    assert found.n_fits == 3
    for place, end in enumerate(origins):
        n_seen = origins[place - place % 2]
        expected = linear(6, 2).fit(Y[:n_seen]).predict(Y=Y[:end])
        rows = found.forecasts[found.forecasts.cutoff == Y.index[end - 1]]
        assert_allclose(rows.forecast, expected.to_numpy().ravel())


def test_weights_alone_are_fitted_again_where_that_is_asked_for(Y):
    model = GrowingDARTSForecaster(
        lookback=6, horizon=2, hidden_size=4, search_epochs=2, max_epochs=1, random_state=0
    )
    found = model.backtest(Y, initial=120, step=20, refit="weights")
    assert found.n_fits == 2
    first = model.fit(Y[:120])
    again = GrowingDARTSForecaster(
        lookback=6,
        horizon=2,
        search_epochs=2,
        max_epochs=1,
        random_state=0,
        genotype=first.genotype_,
    ).fit(Y[:140])
    rows = found.forecasts[found.forecasts.cutoff == Y.index[139]]
    assert_allclose(rows.forecast, again.predict().to_numpy().ravel())


def test_a_fitted_forecaster_is_tested_as_it_is_on_rows_that_follow_or_hold_its_own(Y):
    model = linear(6, 3).fit(Y[:100])
    whole, rest = model.backtest(Y), model.backtest(Y[100:])
    assert whole.n_fits == rest.n_fits == 0
    assert_frame_equal(whole.forecasts, rest.forecasts)
    assert_frame_equal(whole.scores, rest.scores)
    assert whole.forecasts.cutoff.min() == Y.index[99]
    assert_frame_equal(model.predict(), linear(6, 3).fit(Y[:100]).predict())


@pytest.mark.parametrize("n_columns", [1, 2])
def test_an_array_that_holds_the_known_rows_is_not_put_behind_them(Y, n_columns):
    values = Y.to_numpy() if n_columns == 2 else Y["y0"].to_numpy()
    model = linear(6, 3).fit(values[:100])
    whole, rest = model.backtest(values), model.backtest(values[100:])
    assert_frame_equal(whole.forecasts, rest.forecasts)
    assert_frame_equal(whole.scores, rest.scores)
    assert whole.forecasts.cutoff.tolist()[0] == 99
    assert model.backtest(values, refit=20).n_fits == 2
    frames = linear(6, 3).fit(Y.iloc[:100, :n_columns]).backtest(Y.iloc[:, :n_columns])
    assert_allclose(whole.forecasts.upper, frames.forecasts.upper)


@pytest.mark.parametrize("types", [("f4", "f8"), ("f8", "f4"), ("f4", "f4")])
@pytest.mark.parametrize("is_pickled", [False, True])
def test_an_array_holds_the_known_rows_in_another_precision_too(Y, types, is_pickled):
    known, given = (Y.to_numpy().astype(kind) for kind in types)
    model = linear(6, 3).fit(known[:90])
    if is_pickled:
        model = pickle.loads(pickle.dumps(model))
    for row in range(90, 100):
        model.update(known[row : row + 1])
    whole = model.backtest(given).forecasts
    assert whole.cutoff.tolist()[0] == 99
    assert_allclose(whole.truth[:6], Y[100:103].to_numpy().ravel(), rtol=1e-6)
    assert len(whole) == len(model.backtest(given[100:]).forecasts)


def test_an_array_updated_in_less_precision_is_known_again(Y):
    values = Y.to_numpy()
    model = linear(6, 3).fit(values[:90]).update(values[90:100].astype("f4"))
    assert model.backtest(values).forecasts.cutoff.tolist()[0] == 99
    assert_allclose(model.backtest(values).forecasts.truth[:6], values[100:103].ravel())


def test_rows_that_follow_are_not_known_ones_for_ending_alike_in_their_places():
    values = np.where(np.random.default_rng(0).random(160) < 0.2, 1.0, 0.0)
    values[74:80] = values[154:160] = 0.0  # all that is remembered, and rows in its places
    model = linear(4, 3).fit(values[:80])
    found = model.backtest(values[80:], coverage=0.5).forecasts
    assert found.cutoff.tolist()[0] == 79
    assert_allclose(found.truth[:3], values[80:83])
    assert len(found) == 3 * 78
    assert_frame_equal(model.backtest(values, coverage=0.5).forecasts, found)


def test_known_rows_of_an_array_may_be_missing_or_zero_of_either_sign():
    values = autoregressive(160, 1)
    values[[10, 50, 95, 96]] = np.nan
    values[[20, 97]] = 0.0
    again = values.copy()
    again[[20, 97]] = -0.0
    again[[10, 95]] = -np.nan
    model = linear(6, 3, missing="mask").fit(values[:100])
    whole, rest = (model.backtest(given, coverage=0.5) for given in (again, values[100:]))
    assert_frame_equal(whole.forecasts, rest.forecasts)


def test_covariates_of_an_array_stand_beside_its_rows():
    X = np.random.default_rng(0).normal(size=(160, 1))
    values = 3.0 * X
    model = linear(5, 2).fit(values[:130], X[:130])
    whole, rest = model.backtest(values, X), model.backtest(values[130:], X[130:])
    assert_frame_equal(whole.forecasts, rest.forecasts)
    assert whole.scores.mae["all"] < 0.02


@pytest.mark.parametrize("begin", [94, 99])
def test_rows_that_overlap_the_known_ones_go_on_from_them(Y, begin):
    model = linear(6, 3).fit(Y[:100])
    whole, part = model.backtest(Y), model.backtest(Y[begin:])
    assert_frame_equal(whole.forecasts, part.forecasts)
    assert_frame_equal(whole.scores, part.scores)


def test_a_series_that_overlaps_does_not_take_the_others_their_history():
    frames = {key: frame(autoregressive(120, seed=i)) for i, key in enumerate("abc")}
    model = linear(6, 3).fit(panel({key: part[:100] for key, part in frames.items()}))
    whole = model.backtest(panel(frames))
    mixed = {"a": frames["a"][100:], "b": frames["b"][98:], "c": frames["c"]}
    part = model.backtest(panel(mixed))
    assert_frame_equal(whole.forecasts, part.forecasts)
    assert_frame_equal(whole.scores, part.scores)


def test_rows_behind_a_gap_are_refused_by_name(Y):
    model = linear(6, 3).fit(Y[:100])
    with pytest.raises(ValueError, match=r"^Y must begin right after the known rows.*2024-04-10"):
        model.backtest(Y[101:])
    with pytest.raises(ValueError, match=r"^Y must hold horizon=3 rows behind the known ones"):
        model.backtest(Y[:102])


@pytest.mark.parametrize("size", [1, 5, 20])
def test_the_unit_of_mase_is_the_naive_error_of_all_rows_that_were_taken_in(Y, size):
    model = linear(2, 1).fit(Y[:100])  # of less rows than a week
    for end in range(100 + size, 121, size):
        model.update(Y[end - size : end])
    for found in (model.backtest(Y), model.backtest(Y[120:])):
        shape = (-1, 1, 2)
        pair = (found.forecasts[name].to_numpy().reshape(shape) for name in ("truth", "forecast"))
        expected = mase(*pair, Y[:120].to_numpy(), season=7)
        assert found.scores.mase["all"] == pytest.approx(expected)


@pytest.mark.parametrize("is_panel", [False, True])
def test_the_unit_of_mase_is_the_error_of_the_last_value_where_no_season_is_known(Y, is_panel):
    hours = Y.set_axis(pd.date_range("2024-01-01", periods=len(Y), freq="h", name="time"))
    rows = panel({"a": hours, "b": hours[10:]}) if is_panel else hours
    how = {"initial": 20, "step": 5, "coverage": 0.5}
    found = linear(3, 1).backtest(rows, **how)
    alone = linear(3, 1).fit(rows[rows.index.get_level_values("time") < hours.index[20]])
    later = alone.backtest(rows, step=5, coverage=0.5)
    for one in (found, later):
        parts, errors = one.forecasts, []
        for key, part in parts.groupby("shop") if is_panel else [("a", parts)]:
            truth, said = (
                part[name].to_numpy().reshape(-1, 1, 2) for name in ("truth", "forecast")
            )
            history = hours[10 if key == "b" else 0 : 20].to_numpy()
            errors += [mase(truth, said, history)] * len(part)
        assert one.scores.mase["all"] == pytest.approx(np.mean(errors))


def test_intervals_of_fewer_steps_are_the_first_of_the_fitted_horizon(Y):
    model = linear(6, 3).fit(Y[:100])
    short, full = model.backtest(Y, horizon=2), model.backtest(Y)
    found, expected = (
        one.forecasts.query("step <= 2").set_index(["cutoff", "step", "target"])
        for one in (short, full)
    )
    assert len(found) == len(expected) + 4  # an origin more
    assert_frame_equal(found.loc[expected.index], expected)
    assert short.forecasts.step.max() == 2


@pytest.mark.parametrize("horizon", [1, 3, 7])
def test_intervals_learn_from_errors_whatever_the_horizon(Y, horizon):
    changed = Y.copy()
    changed.iloc[125:] += 50.0
    plain, other = (
        linear(6, 3).fit(Y[:100]).backtest(given, horizon=horizon).forecasts
        for given in (Y, changed)
    )
    widths = [(found.upper - found.lower).iloc[-1] for found in (plain, other)]
    assert widths[1] > 2 * widths[0]


def test_a_target_that_was_dead_while_it_was_judged_gets_intervals_later():
    Y = frame(autoregressive(260, 2))
    Y.iloc[100:150, 1] = np.nan
    with pytest.warns(CalibrationWarning, match="the fewest are 0"):
        found = linear(6, 3, missing="mask").backtest(Y, initial=150)
    dead = found.forecasts.query("target == 'y1'")
    # A window without a number has the series' spread; one with some needs errors, none as yet.
    first, *later = [part for _, part in dead.groupby("cutoff")]
    assert first.lower.notna().all()
    assert later[0].lower.isna().all()
    assert later[-1].lower.notna().all()
    known = found.forecasts.dropna()
    inside = (known.truth >= known.lower) & (known.truth <= known.upper)
    assert found.scores.coverage["all"] == pytest.approx(inside.mean())


def test_scores_are_those_of_the_forecasts(Y):
    found = linear(6, 3).backtest(Y, initial=100, coverage=0.8)
    rows, history = found.forecasts, Y[:100].to_numpy()
    for step, part in [*rows.groupby("step"), ("all", rows)]:
        error = part.forecast - part.truth
        assert found.scores.mae[step] == pytest.approx(error.abs().mean())
        assert found.scores.mse[step] == pytest.approx((error**2).mean())
        inside = (part.truth >= part.lower) & (part.truth <= part.upper)
        assert found.scores.coverage[step] == pytest.approx(inside.mean())
        shape = (-1, part.step.nunique(), 2)
        truth, forecast = (part[name].to_numpy().reshape(shape) for name in ("truth", "forecast"))
        assert found.scores.mase[step] == pytest.approx(mase(truth, forecast, history, season=7))
    assert "mae" in str(found)


def test_levels_of_the_series_of_a_panel_do_not_count_as_skill():
    frames = {key: frame(autoregressive(200, coef=0.0, seed=i)) for i, key in enumerate("ab")}
    frames["b"] += 1000.0
    scores = linear(6, 2).backtest(panel(frames), initial=100).scores
    assert (scores["corr"].abs() < 0.4).all()
    assert scores["rse"].between(0.8, 1.3).all()


def test_a_longer_horizon_rolls_out(Y):
    found = linear(6, 2).backtest(Y, initial=100, step=20, horizon=7)
    model = linear(6, 2).fit(Y[:100])
    rows = found.forecasts[found.forecasts.cutoff == Y.index[119]]
    assert_allclose(rows.forecast, model.predict(7, Y=Y[:120]).to_numpy().ravel())
    assert (rows.lower < rows.upper).all()


def test_series_of_a_panel_are_tested_at_the_same_times():
    frames = {
        key: frame(autoregressive(90, seed=i))[:stop]
        for i, (key, stop) in enumerate({"a": 90, "b": 80, "c": 60}.items())
    }
    found = linear(6, 2).backtest(panel(frames), initial=70, step=5)
    cutoffs = found.forecasts.groupby(found.forecasts.columns[0]).cutoff.agg(["min", "max"])
    assert list(cutoffs.index) == ["a", "b"]  # the third one ends before
    index = frames["a"].index
    assert (cutoffs["min"] == index[69]).all()
    assert cutoffs["max"].tolist() == [index[84], index[74]]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        *(([name], ["series_0"]) for name in [*COLUMNS, None]),
        (["step", "shop"], ["series_0", "shop"]),
        (["shop", "truth"], ["shop", "series_1"]),
        (["series_1", "time"], ["series_1", "series_1_"]),
        ([None, None], ["series_0", "series_1"]),
        (["shop", "shop"], ["series_0", "series_1"]),
    ],
)
def test_keys_are_kept_whatever_their_levels_are_called(names, expected):
    parts = {("a", "b")[: len(names)]: 0, ("c", "d")[: len(names)]: 1}
    frames = {key: frame(autoregressive(60, seed=i)) for key, i in parts.items()}
    rows = pd.concat(frames.values(), keys=[key if key[1:] else key[0] for key in frames])
    model = linear(6, 2)
    how = {"initial": 50, "step": 4, "coverage": 0.5}
    found = model.backtest(rows.rename_axis([*names, "time"]), **how).forecasts
    assert list(found.columns) == [*expected, *COLUMNS]
    plain = [f"k{i}" for i in range(len(names))]
    same = model.backtest(rows.rename_axis([*plain, "at"]), **how).forecasts
    assert_frame_equal(found.set_axis(same.columns, axis=1), same)


def test_covariates_of_all_rows_are_read():
    rng = np.random.default_rng(0)
    X = frame(rng.normal(size=(160, 1)))
    Y = pd.DataFrame({"y": 3.0 * X.to_numpy()[:, 0]}, index=X.index)
    found = linear(5, 2).backtest(Y, X, initial=130)
    assert found.scores.mae["all"] < 0.02
