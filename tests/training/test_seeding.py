"""Solving a seed: what it is judged by does not depend on how rows are cut into chunks."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from sknas.blocks import CrossEntropy
from sknas.training import ridge_seed, seeding


@pytest.mark.parametrize("chunk", [1, 7, 64, 1000])
def test_the_loss_of_a_logistic_seed_is_the_sum_over_rows_whatever_the_chunk(chunk, monkeypatch):
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(64, 2)), rng.uniform(size=64)
    y = rng.integers(3, size=64)
    probability = LogisticRegression().fit(x, y, sample_weight=w).predict_proba(x)
    # A tenth of every label is spread over the three classes.
    logs = 0.9 * np.log(probability[np.arange(64), y]) + 0.1 * np.log(probability).mean(axis=1)
    monkeypatch.setattr(seeding, "_CHUNK", chunk)
    solution = seeding._logistic((x, y, w), 1.0, 3)
    loss = seeding._loss(solution, (x, y, w), CrossEntropy(smoothing=0.1))
    assert loss == pytest.approx(-w @ logs, rel=1e-4)  # both solve to a tolerance


def test_a_class_that_the_rows_lack_gets_a_small_probability():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 2)), rng.choice([0, 2, 3], size=60)
    coef, intercept = seeding._logistic((x, y, np.ones(60)), 1.0, 5)
    logits = x @ coef + intercept
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert (probability[:, [1, 4]] > 0).all()
    assert (probability[:, [1, 4]] < 0.05).all()
    assert (probability.argmax(axis=1) == y).mean() > 1 / 3


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
        if np.isinf(penalty):  # the mean
            assert not coef.any()
            np.testing.assert_allclose(intercept, y.mean(axis=0), rtol=1e-12)
            continue
        expected = Ridge(alpha=200 * penalty * size).fit(x, y)
        np.testing.assert_allclose(coef.T, expected.coef_, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(intercept, expected.intercept_, rtol=1e-4, atol=1e-4)
