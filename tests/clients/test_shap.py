"""shap explains predictions: its shares add up, and the feature that does nothing gets none."""

import numpy as np
import pytest

pytest.importorskip("shap", reason="tested by `make clients`")

import shap

from sknas.datasets import make_product
from tests.clients.air import classifier, regressor

pytestmark = pytest.mark.filterwarnings("ignore")


def product():
    """Return the product of the first two of three features."""
    X, y = make_product(400, 3, random_state=0)
    return X, y


@pytest.mark.parametrize("kind", ["permutation", "kernel"])
def test_shares_add_up_to_the_prediction(kind):
    X, y = product()
    model = regressor(genotype="product", max_epochs=10).fit(X, y)
    if kind == "kernel":
        explainer = shap.KernelExplainer(model.predict, X[:10], silent=True)
        shares = explainer.shap_values(X[:3])
        base = explainer.expected_value
    else:
        explained = shap.explainers.Permutation(model.predict, X[:10], seed=0)(X[:3])
        shares, base = explained.values, explained.base_values
    np.testing.assert_allclose(shares.sum(axis=1) + base, model.predict(X[:3]), atol=1e-5)


def test_the_features_that_multiply_have_the_shares():
    X, y = product()
    model = regressor(max_epochs=20).fit(X, y)
    explained = shap.explainers.Permutation(model.predict, X[:20], seed=0)(X[:20])
    shares = np.abs(explained.values).mean(axis=0)
    assert shares[2] < 0.5 * shares[:2].min()


def test_classes_are_explained_by_their_probabilities():
    X, y = product()
    model = classifier(max_epochs=3).fit(X, np.where(y > 0, "up", "down"))
    explained = shap.explainers.Permutation(model.predict_proba, X[:20], seed=0)(X[:5])
    assert explained.values.shape == (5, 3, 2)
    total = explained.values.sum(axis=1) + explained.base_values
    np.testing.assert_allclose(total, model.predict_proba(X[:5]), atol=1e-5)
