"""New rows move the cut-off and are learned from where that is asked for."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal

from sknas.forecasting._rolling import RollingForecasts
from tests.faults import raise_in_training_at
from tests.forecasting.makers import (
    autoregressive,
    days,
    frame,
    linear,
    noise,
    panel,
    recurrent,
    weighted_error,
)


@pytest.mark.parametrize("make", [linear, recurrent])
@pytest.mark.parametrize("size", [1, 2, 7, 30])
def test_the_next_forecast_is_that_of_all_rows(make, size):
    Y = frame(autoregressive(130, 2))
    model = make().fit(Y[:100])
    for end in range(100 + size, 131, size):
        assert model.update(Y[end - size : end]) is model
        assert model.cutoff == Y.index[end - 1]
        assert_frame_equal(model.predict(7), model.predict(7, Y=Y[:end]))
        assert_frame_equal(model.history_, Y[end - 6 : end], check_freq=False)


@pytest.mark.parametrize("size", [1, 2, 30])
def test_errors_on_new_rows_join_those_of_validation(size):
    Y = frame(autoregressive(130, 2))
    model = linear().fit(Y[:100])
    before, fitted = model.calibration_.residuals, linear().fit(Y[:100])
    for end in range(100 + size, 131, size):
        model.update(Y[end - size : end])
    # The last row of each window is new.
    expected = [weighted_error(fitted, Y, end) for end in range(98, 128)]
    assert (model.calibration_.residuals.n_residuals == before.n_residuals + 30).all()
    assert_allclose(model.calibration_.residuals.recent[-30:], expected, atol=1e-9)


def test_errors_of_a_panel_join_in_the_order_of_time():
    frames = {key: frame(autoregressive(60, seed=i)) for i, key in enumerate("ab")}
    model = linear(3, 1).fit(panel({key: part[:50] for key, part in frames.items()}))
    whole, one_by_one = copy.deepcopy(model), copy.deepcopy(model)
    whole.update(panel({key: part[50:] for key, part in frames.items()}))
    for row in range(50, 60):
        one_by_one.update(panel({key: part[row : row + 1] for key, part in frames.items()}))
    assert_allclose(
        whole.calibration_.residuals.recent, one_by_one.calibration_.residuals.recent, atol=1e-9
    )


def test_series_of_a_panel_may_go_on_one_by_one_and_new_ones_may_come():
    frames = {key: frame(autoregressive(90, seed=i)) for i, key in enumerate("abc")}
    model = linear().fit(panel({key: frames[key][:60] for key in "ab"}))
    model.update(panel({"b": frames["b"][60:75]}))
    assert model.cutoff.tolist() == [frames["a"].index[59], frames["b"].index[74]]
    model.update(panel({"c": frames["c"] * 50.0, "a": frames["a"][60:]}))
    found = model.predict()
    assert found.index.get_level_values(0).unique().tolist() == ["a", "b", "c"]
    for key, end, unit in (("a", 90, 1.0), ("b", 75, 1.0), ("c", 90, 50.0)):
        alone = model.predict(Y=panel({key: frames[key][:end] * unit}))
        assert_frame_equal(alone, found.loc[[key]])


def test_rows_that_are_known_already_may_come_again():
    Y = frame(autoregressive(110))
    model = linear().fit(Y[:100])
    before = model.calibration_.residuals.n_residuals
    once = copy.deepcopy(model).update(Y[100:])
    again = model.update(Y[97:])
    assert_frame_equal(again.predict(), once.predict())
    assert (again.calibration_.residuals.n_residuals == before + 10).all()
    assert (model.update(Y[100:]).calibration_.residuals.n_residuals == before + 10).all()


@pytest.mark.parametrize("refit", [False, True])
def test_an_array_that_begins_with_the_known_rows_is_not_put_behind_them(refit):
    X = noise(130, 1)
    Y = 2.0 * X + autoregressive(130)
    once = linear().fit(Y[:100], X[:100]).update(Y[100:], X[100:], refit=refit)
    again = linear().fit(Y[:100], X[:100]).update(Y, X, refit=refit)
    assert once.cutoff == again.cutoff == 129
    ahead = noise(3, 1, seed=1)
    assert_allclose(again.predict(X=ahead), once.predict(X=ahead))
    before = pickle.dumps(again)
    assert pickle.dumps(again.update(Y, X)) == before  # nothing new
    later, more = autoregressive(140)[130:], noise(10, 1)
    assert again.update(later, more).cutoff == once.update(later, more).cutoff == 139


def test_an_array_that_begins_with_the_known_rows_is_scored_behind_them():
    X = noise(130, 1)
    Y = 2.0 * X + autoregressive(130)
    model = linear().fit(Y[:100], X[:100])
    assert model.score(Y, X) == pytest.approx(model.score(Y[100:], X[100:]))
    frames = [frame(values) for values in (Y, X)]
    same = linear().fit(*(rows[:100] for rows in frames))
    # The known rows alone are scored by themselves, as those of a frame are.
    assert model.score(Y[:100], X[:100]) == pytest.approx(
        same.score(*(rows[:100] for rows in frames))
    )
    with pytest.raises(ValueError, match=r"^Y must hold horizon=3 rows behind the known ones.*2"):
        model.score(Y[:102], X[:102])


def changed_law(n=400, border=200):
    """Return a series that swings about zero and from `border` on goes back and forth slowly."""
    shocks, values = noise(n), np.zeros(n)
    for t in range(1, n):
        values[t] = (-0.9 if t < border else 0.9) * values[t - 1] + 0.3 * shocks[t]
    return frame(values[:, None])


@pytest.mark.parametrize("make", [linear, recurrent])
def test_a_refit_learns_a_changed_law(make):
    Y = changed_law()
    model = make(3, 1, max_epochs=8).fit(Y[:200])
    kept = copy.deepcopy(model).update(Y[200:350])
    assert_frame_equal(kept.predict(), model.predict(Y=Y[:350]))
    model.update(Y[200:350], refit=True)
    assert model.score(Y[350:]) > kept.score(Y[350:]) + 0.1
    assert (
        model.calibration_.residuals.n_residuals == kept.calibration_.residuals.n_residuals
    ).all()
    assert model.cutoff == Y.index[349]


@pytest.mark.parametrize("season", ["D", "min"])  # of 7 rows, and of 60
def test_a_refit_learns_from_windows_that_end_in_new_rows_alone(monkeypatch, season):
    frames = {key: frame(autoregressive(150, seed=i), freq=season) for i, key in enumerate("abc")}
    model = linear(missing="mask")
    model.fit(panel({"a": frames["a"][:100], "b": frames["b"][:100]}))
    seen, go_on = [], type(model)._go_on

    def watched(self, problem, *rest):
        seen.append(problem)
        return go_on(self, problem, *rest)

    monkeypatch.setattr(type(model), "_go_on", watched)
    model.update(panel({"b": frames["b"][100:104], "c": frames["c"][:20]}), refit=True)
    (problem,) = seen
    assert len(problem.everything) == 4 + (20 - 6 - 3 + 1)  # of b, and of c, which is new
    scale = model._scales
    targets = problem.data.take(problem.everything)[1].cpu().numpy()[:, 0] * 1.0
    rows = (frames["b"].to_numpy()[:, 0] - scale.center[1, 0]) / scale.scale[1, 0]
    expected = [rows[end - 2 : end + 1] for end in range(100, 104)]
    assert_allclose(targets[:4], expected, rtol=1e-5)


def test_a_refit_with_gaps_and_covariates_learns_on():
    Y, X = changed_law(), frame(noise(400, 1)).add_prefix("x")
    Y = Y + 2.0 * X.to_numpy()
    Y.iloc[250:255] = np.nan
    model = linear(3, 2, missing="mask").fit(Y[:200], X)
    model.update(Y[200:350], X, refit=True)
    assert np.isfinite(model.predict(5, X).to_numpy()).all()
    assert model.score(Y[350:], X) > 0.1


# -- what is refused ------------------------------------------------------------------------------

REFUSED = {
    "a gap": (lambda Y: Y[101:], "Y_new must begin right after the known rows unless"),
    "long ago": (lambda Y: Y[:20], "Y_new must not end before the known rows begin"),
    "other numbers": (lambda Y: Y[95:] + 1.0, "Y_new must repeat the known rows unchanged"),
    "other columns": (lambda Y: Y[100:].add_prefix("z"), "Y_new must have the columns that fit"),
    "infinite": (lambda Y: Y[100:] * np.inf, "Y_new must be finite"),
    "no index": (lambda Y: Y[100:].to_numpy(), "Y_new must be like what fit saw"),
    "off the grid": (
        lambda Y: Y[100:].set_axis(days(10, 100) + pd.Timedelta("1h")),
        "Y_new's index must lie on the grid",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("refit", [False, True])
def test_rows_that_do_not_follow_are_refused_and_change_nothing(case, refit):
    Y = frame(autoregressive(110))
    model = linear().fit(Y[:100])
    before = pickle.dumps(model)
    make, message = REFUSED[case]
    with pytest.raises(ValueError, match=f"^{message}"):
        model.update(make(Y), refit=refit)
    assert pickle.dumps(model) == before


def test_an_error_in_the_midst_changes_nothing(monkeypatch):
    Y = frame(autoregressive(160, 2))
    model = recurrent().fit(Y[:100])
    before = pickle.dumps(model)

    def fail(*_):
        raise MemoryError

    monkeypatch.setattr("sknas.training.nets.DerivedNet.train_step", fail)
    with pytest.raises(MemoryError):
        model.update(Y[100:], refit=True)
    assert pickle.dumps(model) == before
    with pytest.raises(MemoryError):
        model.fit(Y)
    assert pickle.dumps(model) == before


@pytest.mark.parametrize("change", [{"loss": "mse"}, {"quantile_levels": (0.1, 0.5, 0.9)}])
def test_a_refit_by_another_loss_is_refused(change):
    Y = frame(autoregressive(160))
    model = linear(loss="quantile", quantile_levels=(0.2, 0.5, 0.8)).fit(Y[:100])
    before = pickle.dumps(model.set_params(**change))
    with pytest.raises(ValueError, match=r"^loss and quantile_levels must be those of the fit"):
        model.update(Y[100:], refit=True)
    assert pickle.dumps(model) == before
    assert model.update(Y[100:]).cutoff == Y.index[-1]


def test_too_few_rows_to_learn_from_are_refused():
    Y = frame(autoregressive(110))
    model = linear(horizon=1).fit(Y[:100])
    before = pickle.dumps(model)
    with pytest.raises(
        ValueError, match=r"^Y_new, with known rows before it, must hold at least 2 .* got 1"
    ):
        model.update(Y[100:101], refit=True)
    assert pickle.dumps(model) == before


def test_an_interrupted_refit_keeps_the_new_rows(monkeypatch):
    Y = frame(autoregressive(160, 2))
    model = recurrent().fit(Y[:100])
    raise_in_training_at(monkeypatch, 3)
    with pytest.raises(KeyboardInterrupt):
        model.update(Y[100:], refit=True)
    assert model.cutoff == Y.index[-1]
    assert model.search_report_.stopped_by == "interrupt"
    assert_frame_equal(model.predict(5), model.predict(5, Y=Y))


def test_of_many_new_rows_the_newest_alone_are_judged(monkeypatch):
    judged = []
    recalibrated = RollingForecasts.recalibrated

    def keep(rolling, calibration):
        judged.append(len(rolling.times))
        return recalibrated(rolling, calibration)

    monkeypatch.setattr(RollingForecasts, "recalibrated", keep)
    Y = frame(autoregressive(2700, 2))
    model = linear().fit(Y[:100])
    others = copy.deepcopy(model)
    model.update(Y[100:])
    for start in range(100, 2700, 650):
        others.update(Y[start : start + 650])
    assert judged[0] < 1100
    points, moved = np.zeros((1, 3, 2)), np.ones((1, 2))
    ends = [m.calibration_.levels(points, moved, [0.1, 0.9]) for m in (model, others)]
    assert_allclose(*ends)
