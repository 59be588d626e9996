"""Solving a seed: what it is judged by does not depend on how rows are cut into chunks."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from sknas.training import ridge_seed, seeding


@pytest.mark.parametrize("chunk", [1, 7, 64, 1000])
def test_the_loss_of_a_logistic_seed_is_the_sum_over_rows_known_class_or_not(chunk, monkeypatch):
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(64, 2)), rng.uniform(size=64)
    y = rng.integers(5, size=64)
    known = (y != 1) & (y != 4)
    model = LogisticRegression().fit(x[known], y[known])
    probability = np.full((64, 5), 1e-12)
    probability[:, [0, 2, 3]] = model.predict_proba(x)
    expected = -sum(w[i] * np.log(probability[i, y[i]]) for i in range(64))
    monkeypatch.setattr(seeding, "_CHUNK", chunk)
    assert seeding._log_loss(model, (x, y, w), 5) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("level", [0.0, 1.0, 1e6])
def test_features_that_vary_by_rounding_alone_get_no_coefficient(level):
    """As the windows of a straight line, whose steps from the last value are all equal."""
    rng = np.random.default_rng(0)
    x = np.array([-0.3, -0.2, -0.1]) + level
    x = x * (1 + 1e-16 * rng.integers(-2, 3, size=(500, 3)))
    y = 0.1 + 1e-16 * rng.normal(size=(500, 1))
    moments = ridge_seed.Moments.__new__(ridge_seed.Moments)
    moments.weight, moments.x, moments.y = 500.0, x.sum(axis=0), y.sum(axis=0)
    moments.xx, moments.xy = x.T @ x, x.T @ y
    for coef, intercept in ridge_seed.ridge_solutions(moments, np.zeros((3, 1))):
        assert np.abs(coef).max() == 0.0
        assert intercept == pytest.approx(0.1, rel=1e-12)


def test_features_that_vary_have_the_coefficients_of_ridge():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3)) * [1.0, 1e-3, 10.0] + [0.0, 1.0, 50.0]
    y = x @ rng.normal(size=(3, 2)) + 0.1 * rng.normal(size=(200, 2))
    moments = ridge_seed.Moments.__new__(ridge_seed.Moments)
    moments.weight, moments.x, moments.y = 200.0, x.sum(axis=0), y.sum(axis=0)
    moments.xx, moments.xy = x.T @ x, x.T @ y
    size = np.linalg.eigvalsh(np.cov(x.T, bias=True)).mean()
    for penalty, (coef, intercept) in zip(
        ridge_seed._RIDGE_PENALTIES,
        ridge_seed.ridge_solutions(moments, np.zeros((3, 2))),
        strict=True,
    ):
        expected = Ridge(alpha=200 * penalty * size).fit(x, y)
        np.testing.assert_allclose(coef.T, expected.coef_, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(intercept, expected.intercept_, rtol=1e-4, atol=1e-4)
