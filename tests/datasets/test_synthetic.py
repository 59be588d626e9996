"""Planted truths follow their formula and defeat the models they are said to."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, RidgeCV

from sknas.datasets import (
    make_coupled_oscillation,
    make_gated_memory,
    make_linear_law,
    make_product,
)
from sknas.windows import sliding_windows

PAIRS = [make_linear_law, make_product, make_gated_memory]
ALL = [*PAIRS, make_coupled_oscillation]


def additive_features(X):
    """Give every entry of each sequence, its square and its size: all a sum can use."""
    flat = X.reshape(len(X), -1)
    return np.hstack([flat, flat**2, np.abs(flat)])


def r2(features, y):
    """Score a penalised linear model on the half that it was not fitted to."""
    half = len(y) // 2
    model = RidgeCV(np.logspace(-2, 4, 7)).fit(features[:half], y[:half])
    return model.score(features[half:], y[half:])


def gated_memory(X):
    """Follow one sequence at a time, step by step, as the formula is written."""
    memories = []
    for sequence in X:
        h = 0.0
        for step in sequence:
            gate = 1 / (1 + np.exp(-(3 * step[0] - 2)))
            h = (1 - gate) * h + gate * (step[1] * step[2])
        memories.append(h)
    return np.array(memories)


@pytest.mark.parametrize("make", ALL, ids=lambda make: make.__name__)
def test_the_same_seed_gives_the_same_data_and_another_seed_others(make):
    def draw(seed):
        drawn = make(random_state=seed)
        return drawn[1] if isinstance(drawn, tuple) else drawn.to_numpy()

    np.testing.assert_array_equal(draw(0), draw(0))
    assert not np.array_equal(draw(0), draw(1))


@pytest.mark.parametrize("make", PAIRS, ids=lambda make: make.__name__)
def test_noise_adds_to_the_same_truth_with_its_deviation(make):
    X, y = make(n_samples=4000, noise=0.0, random_state=0)
    same_X, noisy_y = make(n_samples=4000, noise=0.5, random_state=0)
    np.testing.assert_array_equal(X, same_X)
    assert np.std(noisy_y - y) == pytest.approx(0.5, rel=0.05)


def test_a_linear_model_finds_the_linear_law_exactly():
    X, y = make_linear_law(n_features=4, noise=0.0, random_state=0)
    model = LinearRegression().fit(X, y)
    np.testing.assert_allclose(model.coef_, [1, -1 / 2, 1 / 3, -1 / 4], rtol=1e-10)
    assert model.intercept_ == pytest.approx(0.0, abs=1e-10)


def test_the_product_is_that_of_the_first_two_features():
    X, y = make_product(noise=0.0, random_state=0)
    np.testing.assert_array_equal(y, X[:, 0] * X[:, 1])


def test_a_linear_model_sees_nothing_in_the_product():
    X, y = make_product(n_samples=4000, noise=0.0, random_state=0)
    assert r2(X, y) < 0.02
    assert r2(additive_features(X), y) < 0.02


def test_the_gated_memory_follows_its_formula():
    X, y = make_gated_memory(n_samples=50, n_channels=4, noise=0.0, random_state=0)
    np.testing.assert_allclose(y, gated_memory(X), rtol=1e-12)


def test_neither_lines_nor_sums_follow_the_gated_memory():
    X, y = make_gated_memory(n_samples=4000, noise=0.0, random_state=0)
    assert r2(X.reshape(len(X), -1), y) < 0.02
    assert r2(additive_features(X), y) < 0.02


def test_products_without_the_gate_explain_only_a_part_of_the_gated_memory():
    X, y = make_gated_memory(n_samples=4000, noise=0.0, random_state=0)
    assert r2(X[:, :, 1] * X[:, :, 2], y) < 0.6


def test_the_oscillation_is_a_frame_over_numbered_times():
    frame = make_coupled_oscillation(n_timepoints=40, random_state=0)
    assert list(frame.columns) == ["slow", "fast"]
    pd.testing.assert_index_equal(frame.index, pd.RangeIndex(40, name="time"))


def test_the_oscillation_obeys_its_equations():
    series = make_coupled_oscillation(n_timepoints=400, noise=0.0, random_state=0).to_numpy()
    time = np.arange(-4, 5) * 0.25
    # A polynomial through nine rows gives the derivatives in the middle one.
    coefficients = np.linalg.inv(np.vander(time, increasing=True))
    windows = sliding_windows(series, 9)[8:]  # (n_windows, oscillator, step)
    position, velocity, half_acceleration = np.einsum("ds,nos->dno", coefficients[:3], windows)
    others = position[:, ::-1]
    frequencies = np.array([1.0, 1.6])
    expected = (
        0.3 * (1 - position**2) * velocity - frequencies**2 * position + 0.2 * (others - position)
    )
    np.testing.assert_allclose(2 * half_acceleration, expected, atol=0.02)


def test_the_oscillation_is_weakly_nonlinear_and_its_channels_help_each_other():
    series = make_coupled_oscillation(n_timepoints=3000, random_state=0).to_numpy()
    lookback = horizon = 8
    windows = sliding_windows(series, lookback)[lookback:-horizon]
    for channel in range(2):
        y = series[lookback + horizon :, channel]
        own = windows[:, channel]
        both = windows.reshape(len(windows), -1)
        cubed = np.hstack([both, both**3, both**2 * both[:, ::-1]])
        linear_error, nonlinear_error = 1 - r2(both, y), 1 - r2(cubed, y)
        assert linear_error < 0.1
        assert linear_error < 0.8 * (1 - r2(own, y))
        assert nonlinear_error < 0.8 * linear_error


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (make_linear_law, {"n_samples": 0}, "n_samples must be at least 1; got 0"),
        (make_product, {"n_features": 1}, "n_features must be at least 2; got 1"),
        (make_gated_memory, {"n_channels": 2}, "n_channels must be at least 3; got 2"),
        (make_gated_memory, {"n_steps": 0}, "n_steps must be at least 1; got 0"),
        (make_coupled_oscillation, {"n_timepoints": 0}, "n_timepoints must be at least 1; got 0"),
        (make_product, {"noise": -1.0}, "noise must be finite and not negative; got -1.0"),
    ],
)
def test_a_wrong_size_is_named_in_the_error(make, arguments, message):
    with pytest.raises(ValueError, match=message):
        make(**arguments)
