"""The quantile loss: medians as points, quantiles that cover what they say and never cross."""

import numpy as np
import pytest

from tests.small import regressor, trained

LEVELS = (0.1, 0.5, 0.9)


def skewed(n, seed):
    """Return noise whose median is not its mean, wider where the first feature is larger."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(0, 1, size=(n, 2))
    return X, X[:, 1] + (0.2 + X[:, 0]) * rng.exponential(size=n)


@pytest.fixture(scope="module")
def model():
    return regressor(
        loss="quantile",
        quantile_levels=LEVELS,
        genotype="dense",
        max_epochs=40,
        learning_rate=0.01,
    ).fit(*skewed(1500, 0))


def test_quantiles_cover_what_they_say(model):
    X, y = skewed(4000, 1)
    shares = (y <= model.predict_quantiles(X)).mean(axis=1)
    assert np.abs(shares - LEVELS).max() < 0.04


def test_quantiles_are_wider_where_the_noise_is(model):
    low, high = (np.array([[a, 0.5]]) for a in (0.05, 0.95))
    widths = [np.ptp(model.predict_quantiles(X)[:, 0]) for X in (low, high)]
    assert widths[1] > 2 * widths[0]


def test_the_prediction_is_the_median_and_nothing_crosses(model):
    X, _ = skewed(200, 2)
    quantiles = model.predict_quantiles(X)
    assert quantiles.shape == (3, 200)
    assert np.array_equal(model.predict(X), quantiles[1])
    assert (np.diff(quantiles, axis=0) >= 0).all()


def test_a_search_and_a_later_call_learn_quantiles_too():
    X, y = skewed(300, 3)
    Y = np.stack([y, -y], axis=1)
    model = regressor(loss="quantile", quantile_levels=LEVELS, search_epochs=3, max_epochs=2)
    model.fit(X, Y).partial_fit(X[:50], Y[:50])
    assert model.predict(X).shape == (300, 2)
    assert model.predict_quantiles(X).shape == (3, 300, 2)
    assert (np.diff(model.predict_quantiles(X), axis=0) >= 0).all()


@pytest.mark.parametrize("levels", [(0.5, 0.1), (0.1, 0.9), (0.0, 0.5), (0.5, 0.5), ()])
def test_levels_that_cannot_be_are_refused(levels):
    with pytest.raises(ValueError, match=r"quantile_levels must ascend .* got \["):
        regressor(loss="quantile", quantile_levels=levels).fit(*skewed(50, 0))


def test_quantiles_of_another_loss_are_refused():
    model = trained(genotype="linear").fit(*skewed(50, 0))
    with pytest.raises(ValueError, match="predict_quantiles needs loss='quantile' in fit"):
        model.predict_quantiles(skewed(5, 0)[0])


def quantile_seed(X, y, **fit):
    model = regressor(loss="quantile", quantile_levels=LEVELS, genotype="linear")
    return model.fit(X, y, **fit).predict_quantiles(X)


def test_rows_of_hardly_any_weight_do_not_move_the_quantiles_of_the_seed():
    X, y = skewed(500, 4)
    is_wrong = np.arange(500) % 5 == 0
    wrong = np.where(is_wrong, y + 100.0, y)
    light = quantile_seed(X, wrong, sample_weight=np.where(is_wrong, 1e-3, 1.0))
    assert np.abs(light - quantile_seed(X, y)).max() < 0.5
    assert quantile_seed(X, wrong).max() > 50.0


def test_equal_rows_count_as_often_as_they_are_there():
    X = np.zeros((400, 1))
    X[::2] = 1.0
    y = np.where(np.arange(400) % 20 < 2, 10.0, 0.0)
    low, median, high = quantile_seed(X, y)
    assert np.abs(low).max() < 0.5
    assert np.abs(median).max() < 0.5
    assert high.max() < 10.5
