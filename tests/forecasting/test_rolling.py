"""Rolling forecasts are the same however many are made at once, and are told errors in turn."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

import sknas.forecasting._rolling as rolling
from sknas.forecasting._calibration import Calibration
from sknas.forecasting._outputs import Outputs
from tests.forecasting.makers import autoregressive, frame, linear, noise


def forecasts(truth):
    n = len(truth)
    values = np.zeros((n, 1, *truth.shape[1:]))
    nothing = np.zeros((n, truth.shape[2]))
    return rolling.RollingForecasts(
        np.arange(n), np.zeros(n, int), nothing, truth, nothing + 1.0, Outputs(values, (), 3)
    )


def test_an_outage_does_not_make_the_errors_before_it_forgotten():
    calibration = Calibration.of(noise(200, 3, 2), np.ones((200, 2)), n_series=1)
    calibration = replace(calibration, window=40)
    truth = noise(300, 3, 2, seed=1)
    lost = truth.copy()
    lost[100:200] = np.nan  # longer than the window
    found = forecasts(lost).levels_in_turn(calibration, [0.1, 0.9])
    assert np.isfinite(found).all()
    # Until errors come in again, the last ones before the outage are those that count.
    assert_allclose(found[:, 150:200], np.broadcast_to(found[:, 150:151], (2, 50, 3, 2)))


@pytest.mark.parametrize("n_numbers", [1, 50, 10**9])
def test_forecasts_do_not_depend_on_how_many_are_made_at_once(monkeypatch, n_numbers):
    Y = frame(autoregressive(160, 2))
    model = linear().fit(Y[:120])
    expected = model.backtest(Y).forecasts.forecast
    monkeypatch.setattr(rolling, "_N_NUMBERS", n_numbers)
    assert_allclose(model.backtest(Y).forecasts.forecast, expected)
