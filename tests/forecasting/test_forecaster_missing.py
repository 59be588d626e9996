"""Missing values are left out where that is asked for, and refused where not."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal

from sknas.forecasting._frames import read_panel
from sknas.forecasting._known_reader import KnownReader
from sknas.supernet import Mixing, SigmoidRelaxation
from sknas.training import plant_seed, validation_losses
from tests.forecasting.makers import autoregressive, days, frame, linear, noise, panel, recurrent


def holed(Y, share=0.2, seed=0):
    """Return a copy with that share of values missing."""
    is_lost = np.random.default_rng(seed).random(Y.shape) < share
    return Y.mask(is_lost)


def test_missing_rows_and_values_are_listed():
    Y = frame(autoregressive(60, 2))
    lost = Y.copy()
    lost.iloc[7, 1] = np.nan
    with pytest.raises(ValueError, match=r"^Y must not have missing.*row 7 \(2024-01-08\).*'y1'"):
        linear().fit(lost)
    with pytest.raises(
        ValueError, match=r"^Y must not have gaps .*no row for 2024-01-06 to 2024-01-07"
    ):
        linear().fit(Y.drop(Y.index[5:7]))
    model = linear().fit(Y)
    with pytest.raises(ValueError, match=r"^Y_new must not have missing values"):
        model.update(frame(np.full((2, 2), np.nan), 60))
    with pytest.raises(ValueError, match=r"^Y_new must begin right after .*2024-03-01"):
        model.update(frame(noise(2, 2), 61))


def test_a_gap_behind_the_known_rows_is_filled_as_far_as_one_between_rows():
    model = linear(missing="mask").fit(frame(autoregressive(60, 1)))
    with pytest.raises(
        ValueError, match=r"^Y_new must have a row for at least one of 100 steps.*got none for 20"
    ):
        model.update(frame(noise(3, 1), 1500))
    assert model.update(frame(noise(3, 1), 1300)).cutoff == days(1, 1302)[0]


def test_rows_that_were_filled_in_allow_no_longer_gap():
    model = linear(missing="mask").fit(frame(autoregressive(60, 1)))
    ends = frame(noise(901, 1), 1300).iloc[[0, -1]]  # of 900 rows that are not there
    with pytest.raises(ValueError, match=r"^Y_new must have a row for at least one of 100 steps"):
        model.update(ends)
    near = frame(noise(901, 1), 1200).iloc[[0, -1]]
    assert model.update(near).cutoff == near.index[-1]


@pytest.mark.parametrize("make", [linear, recurrent])
@pytest.mark.parametrize("window_norm", ["none", "last", "level", "revin"])
def test_forecasts_are_finite_whatever_is_missing(make, window_norm):
    Y = holed(frame(autoregressive(120, 2)), 0.3)
    Y.iloc[40:60] = np.nan
    Y.iloc[-4:, 1] = np.nan
    model = make(missing="mask", window_norm=window_norm).fit(Y.drop(Y.index[80:85]))
    for n_steps in (1, 3, 9):
        assert np.isfinite(model.predict(n_steps).to_numpy()).all()
    assert np.isfinite(model.calibration_.residuals.recent).any()
    nothing = Y.copy()
    nothing.iloc[-10:] = np.nan
    assert np.isfinite(model.predict(9, Y=nothing).to_numpy()).all()
    assert np.isfinite(model.score(Y))
    later = frame(np.full((3, 2), np.nan), 121)  # behind a gap of a row
    later.iloc[0, 0] = 1.0
    before = model.calibration_.residuals.n_residuals.sum()
    assert np.isfinite(model.update(later).predict().to_numpy()).all()
    assert model.calibration_.residuals.n_residuals.sum() > before


def test_a_gap_is_a_row_of_missing_values():
    Y = frame(autoregressive(100, 2))
    Y.iloc[[20, 21, 50]] = np.nan
    gap, marked = (linear(missing="mask").fit(part) for part in (Y.dropna(), Y))
    assert_frame_equal(gap.predict(5), marked.predict(5), check_freq=False)


def test_nothing_missing_is_as_good_as_nothing_asked():
    Y = frame(autoregressive(100, 2))
    assert_allclose(linear(missing="mask").fit(Y).predict(5), linear().fit(Y).predict(5), rtol=1e-9)


def test_a_masked_loss_is_that_of_known_targets_alone():
    Y = holed(frame(autoregressive(150, 2)))
    model = linear(missing="mask", channel_mode="mixed")
    rows_read = read_panel(Y, missing="mask")
    _, known = KnownReader.at_fit(rows_read, None, None, None)
    prepared, problem = model._prepared(rows_read, known, 6, 0.25, 0, None)
    seed = plant_seed(problem, Mixing(SigmoidRelaxation()), is_linear=True)
    each = validation_losses(seed, problem)
    share, rows = problem.objective.share, prepared.laid.rows
    for loss, position in zip(each.tolist(), problem.validation.tolist(), strict=True):
        past, _, _ = problem.data.take(problem.validation.new_tensor([position]))
        output = seed(past)[0].T.detach().numpy()  # (horizon, targets)
        total = 0.0
        for step in range(3):
            for target in range(2):
                truth = rows[position + 6 + step, target]
                if not np.isnan(truth):
                    total += (output[step, target] - truth) ** 2
        assert loss == pytest.approx(total / 6 / share)


def test_a_masked_fit_is_better_than_one_on_rows_filled_by_the_mean():
    whole = frame(np.sin(np.arange(500)[:, None] / 3.0) * 3 + 0.1 * noise(500, 1))
    lost = holed(whole[:400], 0.3)
    masked = linear(missing="mask").fit(lost)
    filled = linear().fit(lost.fillna(lost.mean()))
    assert masked.score(whole[400:]) > filled.score(whole[400:]) + 0.05


@pytest.mark.parametrize("make", [linear, recurrent])
def test_a_hole_is_read_as_the_newest_value_before_it(make):
    Y = frame(autoregressive(100, 2))
    model = make(missing="mask").fit(holed(Y))
    lost, filled = Y.copy(), Y.copy()
    lost.iloc[97:99, 0], lost.iloc[99, 1] = np.nan, np.nan
    filled.iloc[97:99, 0], filled.iloc[99, 1] = Y.iloc[96, 0], Y.iloc[98, 1]
    assert_allclose(model.predict(3, Y=lost), model.predict(3, Y=filled))
    assert not np.allclose(model.predict(3, Y=lost), model.predict(3, Y=Y))


def test_series_of_which_one_column_is_missing_are_forecast():
    parts = {key: frame(autoregressive(60, 2, seed=i)) for i, key in enumerate("ab")}
    parts["b"]["y1"] = np.nan
    found = linear(missing="mask").fit(panel(parts)).predict()
    assert np.isfinite(found.to_numpy()).all()


def test_a_series_without_any_number_is_refused_unless_it_is_known():
    parts = {key: frame(autoregressive(60, 2, seed=i)) for i, key in enumerate("ab")}
    empty = frame(np.full((60, 2), np.nan))
    model = linear(missing="mask")
    rule = "must have a number in every series; got only NaN in series"
    with pytest.raises(ValueError, match=f"^Y {rule} 'c', 'd'\\.$"):
        model.fit(panel({"a": parts["a"], "c": empty, "b": parts["b"], "d": empty}))
    model.fit(panel(parts))
    new = panel({"c": empty, **parts})
    for call in (lambda: model.predict(Y=new), lambda: model.backtest(new, initial=40)):
        with pytest.raises(ValueError, match=f"^Y {rule} 'c'\\.$"):
            call()
    with pytest.raises(ValueError, match=f"^Y_new {rule} 'c'\\.$"):
        model.update(new)
    known = panel({"a": empty, "b": parts["b"]})
    assert np.isfinite(model.predict(Y=known).to_numpy()).all()
    later = panel({"a": frame(np.full((3, 2), np.nan), 60)})
    assert model.update(later).cutoff["a"] == days(1, 62)[0]
