"""With its default settings the search finds laws that were planted, and nothing where none is."""

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV

from sknas import Genotype, GrowingDARTSClassifier, GrowingDARTSRegressor
from sknas.datasets import make_coupled_oscillation, make_linear_law, make_product
from tests.oracles.windows import looped_windows

pytestmark = pytest.mark.slow


def assert_the_choice_is_never_worse_than_the_seed(model):
    stages = model.search_report_.stages.val_loss
    assert stages[model.search_report_.chosen] <= stages["seed"]


@pytest.mark.parametrize("seed", [0, 1])
def test_a_product_is_found_by_a_multiplicative_genotype(seed):
    X, y = make_product(1000, random_state=seed)
    model = GrowingDARTSRegressor(random_state=seed).fit(X[:600], y[:600])
    assert model.score(X[600:], y[600:]) > 0.9
    assert RidgeCV().fit(X[:600], y[:600]).score(X[600:], y[600:]) < 0.1
    assert model.genotype_.is_multiplicative
    assert_the_choice_is_never_worse_than_the_seed(model)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_sign_of_a_product_is_classified(seed):
    X, y = make_product(1200, noise=0.0, random_state=seed)
    y = np.where(y > 0, "alike", "apart")
    model = GrowingDARTSClassifier(random_state=seed).fit(X[:800], y[:800])
    assert model.score(X[800:], y[800:]) > 0.9
    assert_the_choice_is_never_worse_than_the_seed(model)


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_a_linear_law_stays_a_linear_model(seed):
    X, y = make_linear_law(900, random_state=seed)
    model = GrowingDARTSRegressor(random_state=seed).fit(X[:400], y[:400])
    ridge = RidgeCV(np.logspace(-4, 2, 7)).fit(X[:400], y[:400])
    assert abs(model.score(X[400:], y[400:]) - ridge.score(X[400:], y[400:])) < 0.01
    assert model.genotype_ == Genotype.named("linear")
    assert_the_choice_is_never_worse_than_the_seed(model)


@pytest.mark.parametrize("seed", [0])
def test_an_oscillation_is_forecast_better_than_by_its_last_value_or_by_ridge(seed):
    lookback, horizon, n_train = 12, 4, 500
    series = make_coupled_oscillation(900, random_state=seed).to_numpy()
    n = len(series) - horizon
    y = np.stack([series[k : n + k] for k in range(1, horizon + 1)], axis=1)
    X = series[:n]
    model = GrowingDARTSRegressor(lookback=lookback, random_state=seed).fit(
        X[:n_train], y[:n_train]
    )

    def error(predicted):
        # The first windows after the training rows still reach into them.
        test = slice(n_train + horizon + lookback, None)
        return float(((predicted - y)[test] ** 2).mean())

    windows = looped_windows(X, lookback)
    windows, last = windows - windows[:, :, -1:], X[:, None]  # (n, channels, lookback)
    features = windows.reshape(n, -1)
    ridge = RidgeCV(np.logspace(-6, 2, 9)).fit(
        features[:n_train], (y - last)[:n_train].reshape(n_train, -1)
    )
    by_ridge = ridge.predict(features).reshape(y.shape) + last
    by_last_value = np.repeat(last, horizon, axis=1)
    seed_model = GrowingDARTSRegressor(lookback=lookback, max_nodes=0, random_state=seed)
    by_seed = seed_model.fit(X[:n_train], y[:n_train]).predict(X)
    mine = error(model.predict(X))
    assert mine < 0.5 * error(by_last_value)
    assert mine <= 1.01 * error(by_seed)
    assert mine <= 1.02 * error(by_ridge)
    assert_the_choice_is_never_worse_than_the_seed(model)
