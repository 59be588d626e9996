"""Series of a panel share one network, each in its own units, wherever it begins and ends."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal

from sknas.forecasting._scales import fit_panel_scales
from tests.forecasting.makers import autoregressive, days, frame, linear, noise, panel, recurrent
from tests.labels import assert_same_labels

few = settings(max_examples=25)


def parts(lengths, begins=None, n_targets=1, coef=-0.8):
    begins = [0] * len(lengths) if begins is None else begins
    return {
        "pqrstuv"[i]: frame(autoregressive(n, n_targets, coef, seed=i), begin)
        for i, (n, begin) in enumerate(zip(lengths, begins, strict=True))
    }


@few
@given(
    sizes=st.lists(st.tuples(st.integers(1, 60), st.integers(0, 40)), min_size=1, max_size=4),
    lookback=st.integers(1, 12),
    horizon=st.integers(1, 4),
)
def test_every_series_is_forecast_from_its_own_end(sizes, lookback, horizon):
    sizes = [(80, 0), *sizes]  # one is long enough to learn from
    frames = parts(*zip(*sizes, strict=True))
    model = linear(lookback, horizon).fit(panel(frames), None)
    found = model.predict(5)
    assert np.isfinite(found.to_numpy()).all()
    for key, (n, begin) in zip(frames, sizes, strict=True):
        assert_same_labels(found.loc[key].index, days(5, begin + n))
        alone = model.predict(5, Y=panel({key: frames[key]}))
        assert_frame_equal(alone, found.loc[[key]])


@pytest.mark.parametrize("make", [linear, recurrent])
def test_a_series_shorter_than_the_lookback_is_forecast(make):
    frames = parts([90, 4, 1], [0, 70, 89])
    model = make(8, 3).fit(panel(frames))
    assert np.isfinite(model.predict(7).to_numpy()).all()
    assert len(model.history_.loc["q"]) == 4
    levels = model.predict_quantiles(alpha=[0.3, 0.7])
    assert np.isfinite(levels.to_numpy()).all()


def test_the_order_of_series_does_not_matter():
    frames = parts([90, 70, 80], [0, 20, 5], n_targets=2)
    model = linear().fit(panel(frames))
    turned = linear().fit(panel({key: frames[key] for key in "rpq"}))
    assert_frame_equal(turned.predict(7).sort_index(), model.predict(7), rtol=1e-9)
    mixed = panel(frames).sort_index(level="time", kind="stable")
    assert_frame_equal(linear().fit(mixed).predict(7).sort_index(), model.predict(7), rtol=1e-9)
    for make in (lambda Y: Y, lambda Y: Y.loc[["q"]]):
        other = turned.predict(Y=make(panel(frames)))
        assert_frame_equal(other, make(model.predict()), rtol=1e-9)


def test_each_series_has_its_own_scale():
    frames = parts([90, 90, 90])
    model = linear().fit(panel(frames))
    factors = {"p": (1.0, 0.0), "q": (1e6, -3e6), "r": (1e-6, 5.0)}
    moved = {key: frames[key] * factors[key][0] + factors[key][1] for key in frames}
    found, expected = linear().fit(panel(moved)).predict(7), model.predict(7)
    for key, (factor, shift) in factors.items():
        assert_allclose(found.loc[key], expected.loc[key] * factor + shift, rtol=1e-6)


def test_a_series_too_young_to_train_on_has_the_scale_of_its_rows():
    frames = parts([200, 12], [0, 188])
    young = frames["q"] * 1000.0 + 5e5
    found = linear().fit(panel({**frames, "q": young})).predict()
    expected = linear().fit(panel(frames)).predict()
    assert_allclose(found.loc["q"], expected.loc["q"] * 1000.0 + 5e5, rtol=1e-6)


def test_a_very_young_series_has_the_typical_scale_until_it_has_rows_enough():
    frames = parts([200, 150, 12], [0, 50, 188])
    frames["r"] *= 1e-3
    model = linear().fit(panel({**frames, "r": frames["r"][:3]}))
    scale = model._scales.scale[:, 0]
    assert scale[2] == np.median(scale[:2])
    for row in range(3, 5):
        model.update(panel({"r": frames["r"][row : row + 1]}))
        assert model._scales.scale[2, 0] == pytest.approx(scale[2], rel=0.5)
    model.update(panel({"r": frames["r"][5:]}))
    assert model._scales.scale[2, 0] < 0.01 * scale[2]


def test_series_of_which_none_has_rows_enough_are_told_by_their_own():
    values = noise(40, 1)
    starts, n_used = np.array([0, 10, 20, 40]), np.array([5, 6, 7])
    scales = [fit_panel_scales(values, starts, n_used, n_enough=n).scale for n in (1, 9)]
    assert_allclose(*scales)
    assert len(np.unique(scales[0])) == 3


def test_a_series_that_fit_did_not_see_is_forecast_in_its_own_units():
    frames = parts([150, 150, 60])
    model = linear().fit(panel({key: frames[key] for key in "pq"}))
    new = frames["r"]
    base = model.predict(7, Y=panel({"r": new}))
    moved = model.predict(7, Y=panel({"r": new * 100.0 + 1e4}))
    assert_allclose(moved, base * 100.0 + 1e4, rtol=1e-6)
    both = model.predict(7, Y=panel({"r": new, "p": frames["p"]}))
    assert_frame_equal(both.loc[["r"]], base)
    assert_frame_equal(both.loc[["p"]], model.predict(7).loc[["p"]])


def test_a_panel_learns_from_all_of_its_series():
    # None has the rows for a lookback of 10 alone; all together they have.
    truth = parts([40] * 7, coef=0.95)
    Y = panel({key: part[:24] for key, part in truth.items()})
    one = linear(10, 1).fit(panel({"p": truth["p"][:24]}))
    scores = [model.score(panel(truth)) for model in (linear(10, 1).fit(Y), one)]
    assert scores[0] > scores[1]


def test_a_score_follows_by_series_whatever_their_order():
    frames = parts([80, 60, 70])
    ends = {"p": 60, "q": 50, "r": 52}
    Y = panel({key: frames[key][:end] for key, end in ends.items()})
    later = {key: frames[key][end:] for key, end in ends.items()}
    model = linear().fit(Y)
    score = model.score(panel(later))
    turned = panel({key: later[key] for key in "rqp"})
    assert model.score(turned) == pytest.approx(score)
    # Series that fit did not see have no rows before their own.
    unseen = panel({"x": frames["p"], **later})
    assert np.isfinite(model.score(unseen))
    assert np.isfinite(model.score(panel({"x": frames["p"][60:]})))
    errors, naive = [], []
    for key, end in ends.items():
        scale = float(model._scales.scale[list(ends).index(key), 0])
        for stop in range(end, len(frames[key]) - 2):
            truth = frames[key][stop : stop + 3].to_numpy()
            given = panel({key: frames[key][:stop]})
            errors.append(np.abs(truth - model.predict(Y=given).to_numpy()) / scale)
            naive.append(np.abs(truth - frames[key].to_numpy()[stop - 1]) / scale)
    assert score == pytest.approx(1 - np.mean(errors) / np.mean(naive))


def test_a_score_of_rows_that_do_not_follow_begins_behind_a_lookback():
    Y = frame(autoregressive(200, 1))
    model = linear(6, 3).fit(Y[:100])
    part = Y[150:159]
    truth, naive = part[6:].to_numpy(), part.to_numpy()[5]
    errors = np.abs(truth - model.predict(Y=part[:6]).to_numpy())
    assert model.score(part) == pytest.approx(1 - errors.mean() / np.abs(truth - naive).mean())
    with pytest.raises(ValueError, match=r"^Y must hold horizon=3 rows behind 6 others.*got 8"):
        model.score(part[:8])
    with pytest.raises(ValueError, match=r"^Y must hold horizon=3 rows behind the known ones.*2"):
        model.score(Y[100:102])


def test_validation_errors_of_a_panel_are_held_in_the_order_of_time():
    frames = parts([150, 150])
    one, other = (linear().fit(panel({key: frames[key] for key in keys})) for keys in ("pq", "qp"))
    held, turned = (
        model.calibration_.residuals.recent.reshape(-1, 2, 3, 1) for model in (one, other)
    )
    assert_allclose(held, turned[:, ::-1], atol=1e-9)


def test_panels_and_single_series_are_not_taken_for_each_other():
    frames = parts([60, 60])
    model = linear().fit(panel(frames))
    with pytest.raises(ValueError, match=r"^Y must be like what fit saw.*1 level of series keys"):
        model.predict(Y=frames["p"])
    with pytest.raises(ValueError, match=r"^Y_new must be like what fit saw"):
        linear().fit(frames["p"]).update(panel(frames))


def test_a_covariate_by_time_holds_for_every_series():
    X = frame(noise(80, 1)).add_prefix("x")
    frames = {key: frame(X.to_numpy() * k)[:70] for k, key in enumerate("ab", start=1)}
    model = linear(2, 2, window_norm="none").fit(panel(frames), X)
    by_series = panel(dict.fromkeys("ab", X))
    found = model.predict(4, X)
    assert_frame_equal(model.predict(4, by_series), found)
    expected = pd.concat([X[70:74] * k for k in (1, 2)]).to_numpy()
    assert_allclose(found, expected, atol=1e-2)
