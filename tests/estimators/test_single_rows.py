"""A row predicted by itself is what it is among others, however the caller has set torch."""

import numpy as np
import pytest
import torch

from tests.small import MAKERS, classifier, data_for, regressor, sequences

pytestmark = pytest.mark.usefixtures("short_epochs")
KEPT = {"genotype": "gru", "linear_seed": False}  # a branch that surely stays


@pytest.mark.parametrize("make", MAKERS)
def test_rows_are_predicted_alone_as_among_others(make):
    X, y = data_for(make)
    model = make(**KEPT).fit(X, y)
    predict = model.predict if make is regressor else model.predict_proba
    alone = np.concatenate([predict(row[None]) for row in X])
    np.testing.assert_allclose(alone, predict(X), rtol=1e-10, atol=1e-12)


def test_sequences_are_predicted_alone_as_among_others():
    X, y = sequences()
    X[1, 5:] = np.nan
    model = regressor(**KEPT, segment_length=2).fit(X, y)
    alone = np.concatenate([model.predict(sample[None]) for sample in X])
    np.testing.assert_allclose(alone, model.predict(X), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "mode", [torch.no_grad, torch.enable_grad, torch.inference_mode], ids=lambda m: m.__name__
)
def test_predictions_are_plain_arrays_whatever_the_callers_gradient_mode(mode):
    X, y = data_for(classifier)
    model = classifier(**KEPT).fit(X, y)
    expected = model.predict_proba(X)
    with mode():
        found = model.predict_proba(X)
    np.testing.assert_array_equal(found, expected)
    found[0] = 0.5  # may be written to
    assert type(found) is np.ndarray


def test_probabilities_sum_to_one_where_logits_are_far_apart():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 2))
    y = np.digitize(X[:, 0], [-0.5, 0.5])
    model = classifier(**KEPT).fit(X, y)
    far = np.vstack([X, 1e6 * X])
    np.testing.assert_allclose(model.predict_proba(far).sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_array_equal(model.predict(far), model.predict_proba(far).argmax(axis=1))
