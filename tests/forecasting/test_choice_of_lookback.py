"""Lookbacks are compared in the same units, on the same steps, by what they may weigh."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal

import sknas.forecasting._lookback as lookback
from tests.forecasting.makers import autoregressive, frame, linear, noise, panel


def trending(n=500, n_targets=1):
    trend = np.arange(n)[:, None] ** 1.5 / 30.0
    return frame(trend + autoregressive(n, n_targets))


def holed():
    Y = trending(n_targets=2)
    Y[:] = Y.mask(noise(*Y.shape) > 1.0)
    Y.iloc[430:470] = np.nan
    return Y


CASES = {
    "one series": (trending, {}),
    "missing values": (holed, {"missing": "mask"}),
    "a panel": (lambda: panel({"a": trending(), "b": trending(300), "c": trending(60)}), {}),
}


@pytest.mark.parametrize("case", CASES)
def test_lookbacks_are_judged_by_their_errors_of_the_same_targets(monkeypatch, case):
    make, parameters = CASES[case]
    judged, seed_loss = [], lookback.seed_loss

    def watched(problem):
        judged.append(problem)
        return seed_loss(problem)

    monkeypatch.setattr(lookback, "seed_loss", watched)
    Y = make()
    model = linear("auto", 2, **parameters).fit(Y)
    assert len(judged) > 2
    first, *others = judged
    targets = first.data.take(first.validation)[1]
    assert len(targets) > 10
    for other in others:
        assert_array_equal(other.data.take(other.validation)[1], targets)
        assert getattr(other.objective, "share", 1) == getattr(first.objective, "share", 1)
    # What is chosen is fitted as if it had been asked for.
    alone = linear(model.lookback_, 2, **parameters).fit(Y)
    assert_frame_equal(alone.predict(), model.predict())


@pytest.mark.parametrize("linear_seed", [True, False])
@pytest.mark.parametrize("channel_mode", ["auto", "mixed"])
def test_a_lookback_whose_linear_model_is_too_large_is_not_taken(channel_mode, linear_seed):
    days = np.arange(700)[:, None]
    Y = frame(np.sin(days * 2 * np.pi / 13) + np.sin(days * 2 * np.pi / 37) + 0.1 * noise(700, 2))
    how = {"channel_mode": channel_mode, "linear_seed": linear_seed, "max_epochs": 1}
    free = linear("auto", 3, **how).fit(Y)
    assert free.lookback_ > 14
    n_weights = 3 * (14 + 1) if channel_mode == "auto" else 6 * (2 * 14 + 1)
    bound = linear("auto", 3, max_params=n_weights, **how).fit(Y)
    assert bound.lookback_ == 14
    with pytest.raises(ValueError, match=r"^max_params must be at least the linear seed's"):
        linear("auto", 3, max_params=5, **how).fit(Y)


def test_a_lookback_that_is_chosen_as_a_row_reads_that_row():
    swing = frame(np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0])[:, None])
    model = linear("auto", 1).fit(swing)
    assert model.lookback_ == 1
    assert model.predict().to_numpy() == pytest.approx(-1.0, abs=0.2)


def test_a_row_is_judged_as_it_would_be_fitted(monkeypatch):
    judged, seed_loss = [], lookback.seed_loss

    def watched(problem):
        judged.append(problem.window_norm)
        return seed_loss(problem)

    monkeypatch.setattr(lookback, "seed_loss", watched)
    monkeypatch.setattr("sknas.forecasting._fitted.candidate_lookbacks", lambda *_: (1, 2))
    Y = frame(autoregressive(400))
    assert linear("auto", 1).fit(Y).module_.spec.window_norm == "none"
    assert judged == ["none", "last"]
