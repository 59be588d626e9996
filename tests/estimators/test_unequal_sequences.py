"""Sequences of unequal length are predicted as if each were alone."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests.small import GRU, regressor, sequences

pytestmark = pytest.mark.usefixtures("short_epochs")


@pytest.fixture(scope="module")
def ragged(short_epochs):
    """Return sequences of unequal length, and a model fitted on them."""
    X, y = sequences()
    for sample in range(0, len(X), 3):
        X[sample, 8 - sample % 7 :] = np.nan
    return X, y, regressor(**GRU).fit(X, y)


@pytest.mark.parametrize("window_norm", ["none", "last", "revin"])
def test_missing_steps_that_are_appended_change_nothing(window_norm):
    X, y = sequences()
    X[::3, 5:] = np.nan
    model = regressor(**GRU, window_norm=window_norm).fit(X, y)
    longer = np.concatenate([X, np.full((len(X), 4, 3), np.nan)], axis=1)
    assert_array_equal(model.predict(longer), model.predict(X))
    assert np.isfinite(model.predict(X)).all()


def test_a_sequence_is_predicted_alike_among_others_and_alone(ragged):
    X, _, model = ragged
    together = model.predict(X[:9])
    alone = [model.predict(X[i : i + 1]) for i in range(9)]
    assert_allclose(np.concatenate(alone), together, rtol=0, atol=1e-12)


def test_what_stands_in_no_step_is_never_read(ragged):
    X, _, model = ragged
    cut = X[3:4, : 8 - 3 % 7]
    assert_allclose(model.predict(cut), model.predict(X[3:4]), rtol=0, atol=1e-12)


def test_shorter_sequences_than_in_fit_get_finite_predictions():
    X, y = sequences()
    model = regressor(**GRU).fit(X, y)
    shorter = X.copy()
    shorter[:, 6:] = np.nan
    try:
        predicted = model.predict(shorter)
    except ValueError as error:
        assert "NaN" in str(error)  # noqa: PT017 (either a clear error or a number)
    else:
        assert np.isfinite(predicted).all()


def test_missing_values_inside_a_sequence_raise(ragged):
    X, y, model = ragged
    bad = X.copy()
    bad[1, 2, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        model.predict(bad)
    with pytest.raises(ValueError, match="NaN"):
        regressor().fit(bad, y)
