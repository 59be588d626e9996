"""MAPIE drives the estimators: split, cross and time series intervals, and sets of classes."""

import numpy as np
import pytest

pytest.importorskip("mapie", reason="tested by `make clients`")

from mapie.classification import SplitConformalClassifier
from mapie.regression import CrossConformalRegressor, SplitConformalRegressor, TimeSeriesRegressor
from mapie.subsample import BlockBootstrap

from tests.clients.air import classifier, lagged, regressor

pytestmark = pytest.mark.filterwarnings("ignore")


def covered(truth, intervals):
    """Return the share of the truth inside intervals of shape (n, 2, 1), and their mean width."""
    lower, upper = intervals[:, 0, 0], intervals[:, 1, 0]
    return np.mean((lower <= truth) & (truth <= upper)), np.mean(upper - lower)


def test_split_conformal_intervals_of_a_search_hold_their_share():
    X, y = lagged(900)
    parts = [slice(None, 400), slice(400, 650), slice(650, None)]
    known, calibration, test = ((X[part], y[part]) for part in parts)
    model = regressor().fit(*known)
    conformal = SplitConformalRegressor(model, confidence_level=0.8, prefit=True)
    conformal.conformalize(*calibration)
    forecast, intervals = conformal.predict_interval(test[0])
    np.testing.assert_array_equal(forecast, model.predict(test[0]))
    share, width = covered(test[1], intervals)
    assert 0.65 < share < 0.95
    assert width < np.ptp(y) / 2


def test_cross_conformal_fits_a_clone_a_fold():
    X, y = lagged(400)
    conformal = CrossConformalRegressor(regressor(genotype="product"), confidence_level=0.8, cv=3)
    conformal.fit_conformalize(X, y)
    share, _ = covered(y, conformal.predict_interval(X)[1])
    assert share > 0.7


def test_time_series_intervals_are_adapted_as_truth_comes():
    X, y = lagged(500)
    cv = BlockBootstrap(n_resamplings=3, length=48, random_state=0)
    model = TimeSeriesRegressor(regressor(genotype="linear"), cv=cv)
    model.fit(X[:300], y[:300])
    before = model.predict(X[300:310], confidence_level=0.8)[1]
    model.update(X[300:400], y[300:400] + 3.0)
    after = model.predict(X[300:310], confidence_level=0.8)[1]
    assert not np.allclose(before, after)


def test_sets_of_classes_hold_the_truth():
    X, y = lagged(900)
    kinds = np.digitize(y, np.quantile(y, [0.33, 0.67]))
    model = classifier().fit(X[:400], kinds[:400])
    conformal = SplitConformalClassifier(model, confidence_level=0.9, prefit=True)
    conformal.conformalize(X[400:650], kinds[400:650])
    predicted, sets = conformal.predict_set(X[650:])
    np.testing.assert_array_equal(predicted, model.predict(X[650:]))
    hit = np.take_along_axis(sets[:, :, 0], kinds[650:, None], axis=1)
    assert hit.mean() > 0.8
